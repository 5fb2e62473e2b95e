//! (being written)

use std::future::Future;

/// Runs `future` to its end on this thread.
pub(crate) fn block_on<F: Future>(_future: F) -> F::Output {
    todo!()
}

/// True while this thread polls a future for an executor (a task or a `block_on`).
pub(crate) fn in_executor() -> bool {
    todo!()
}
