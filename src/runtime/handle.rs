//! (being written)

use std::sync::Arc;

use crate::runtime::driver::Driver;

/// A handle of a runtime.
#[derive(Clone)]
pub struct Handle {
    /// What all handles share.
    shared: Arc<Shared>,
}

/// One runtime.
pub(crate) struct Shared {
    /// I/O, time, signals.
    driver: Driver,
}

impl Handle {
    /// The runtime's driver.
    pub(crate) fn driver(&self) -> &Driver {
        &self.shared.driver
    }
}
