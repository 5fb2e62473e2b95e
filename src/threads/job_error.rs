//! `JobError`: why a submitted job has no result.
//! Read next: `threads/pending.rs`.

#![forbid(unsafe_code)]

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::parts::unwind;

/// A submitted job ended without a result.
///
/// ```
/// use trefoil::threads::{self, JobError};
///
/// let job = threads::submit(|| -> u32 { panic!("no clover") });
/// match job.wait() {
///     Ok(number) => println!("{number}"),
///     Err(JobError::Cancelled) => println!("it never began"),
///     Err(error) => assert_eq!(error.to_string(), "job panicked with message \"no clover\""),
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// The job panicked, and this is what with.
    Panicked(Payload),
    /// The job was cancelled before it began.
    Cancelled,
}

/// What a job's panic carried. It is `Sync`, so that a [`JobError`] can be sent and shared.
///
/// [`into_inner`](Self::into_inner) gives it back.
#[derive(Debug)]
pub struct Payload(unwind::Payload);

impl Payload {
    /// The payload as `catch_unwind` gave it, for
    /// [`resume_unwind`](std::panic::resume_unwind).
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Any + Send> {
        self.0.into_inner()
    }
}

impl JobError {
    /// The job's panic.
    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self::Panicked(Payload(unwind::Payload::new(payload)))
    }

    /// True when the job panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// True when the job was cancelled before it began.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Gives back what the panic carried, for [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Panics
    ///
    /// When the job did not panic; ask [`is_panic`](Self::is_panic) first.
    ///
    /// # Examples
    ///
    /// ```
    /// let job = trefoil::threads::submit(|| std::panic::panic_any(7_u8));
    /// let payload = job.wait().unwrap_err().into_panic();
    /// assert_eq!(payload.downcast_ref(), Some(&7_u8));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self {
            Self::Panicked(payload) => payload.into_inner(),
            Self::Cancelled => panic!("JobError::into_panic: {self}; ask is_panic() first"),
        }
    }
}

impl Error for JobError {}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(payload) => match payload.0.message() {
                Some(text) => write!(f, "job panicked with message {text:?}"),
                None => f.write_str("job panicked"),
            },
            Self::Cancelled => f.write_str("job was cancelled before it began"),
        }
    }
}
