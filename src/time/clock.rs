//! (being written)

/// A moment of the runtime's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub(crate) std::time::Instant);

/// The clock of one runtime.
#[derive(Debug)]
pub(crate) struct Clock;
