//! `JoinError`: why a task has no output.
//!
//! One pointer large: an error is rare, and every task's memory has room for a `Result` with it.
//! Read next: `task/join.rs`.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::io;

use crate::parts::unwind::Payload;
use crate::task::id::Id;

/// A task ended without an output: it was cancelled, or it panicked.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let task = trefoil::spawn(std::future::pending::<()>());
/// task.abort();
/// assert!(task.await.unwrap_err().is_cancelled());
/// # });
/// ```
pub struct JoinError(Box<Repr>);

/// What the error says.
struct Repr {
    id: Id,
    cause: Cause,
}

/// How the task ended.
enum Cause {
    Cancelled,
    Panicked(Payload),
}

impl JoinError {
    /// The task was aborted, or its runtime ended.
    pub(crate) fn cancelled(id: Id) -> Self {
        Self(Box::new(Repr {
            id,
            cause: Cause::Cancelled,
        }))
    }

    /// The task's poll, or the drop of its future, panicked.
    pub(crate) fn panicked(id: Id, payload: Box<dyn Any + Send>) -> Self {
        Self(Box::new(Repr {
            id,
            cause: Cause::Panicked(Payload::new(payload)),
        }))
    }

    /// True when the task was aborted, or ended with its runtime.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.cause, Cause::Cancelled)
    }

    /// True when the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.0.cause, Cause::Panicked(_))
    }

    /// Gives back what the panic carried, for [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Panics
    ///
    /// When the task did not panic; [`try_into_panic`](Self::try_into_panic) gives the error back
    /// instead.
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("JoinError::into_panic: {error}; ask is_panic() first"),
        }
    }

    /// Gives back what the panic carried.
    ///
    /// # Errors
    ///
    /// The error itself, when the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, Self> {
        match self.0.cause {
            Cause::Panicked(payload) => Ok(payload.into_inner()),
            Cause::Cancelled => Err(Self::cancelled(self.0.id)),
        }
    }

    /// The id of the task that ended.
    #[must_use]
    pub fn id(&self) -> Id {
        self.0.id
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        Self::other(error)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0.id;
        match &self.0.cause {
            Cause::Cancelled => write!(f, "task {id} was cancelled"),
            Cause::Panicked(payload) => match payload.message() {
                Some(text) => write!(f, "task {id} panicked with message {text:?}"),
                None => write!(f, "task {id} panicked"),
            },
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0.id;
        match &self.0.cause {
            Cause::Cancelled => write!(f, "JoinError::Cancelled({id:?})"),
            Cause::Panicked(payload) => match payload.message() {
                Some(text) => write!(f, "JoinError::Panic({id:?}, {text:?}, ...)"),
                None => write!(f, "JoinError::Panic({id:?}, ...)"),
            },
        }
    }
}
