//! (being written)

/// One fd's readiness.
#[derive(Debug)]
pub(crate) struct Readiness;
