//! (being written)

use crate::runtime::handle::Handle;

/// The runtime that this thread is in, or a panic at the caller's line that names the remedy.
#[track_caller]
pub(crate) fn expect(_what: &str) -> Handle {
    todo!()
}

/// Shows the runtime that this thread is in, if it is in one.
pub(crate) fn try_with<R>(_f: impl FnOnce(&Handle) -> R) -> Option<R> {
    todo!()
}
