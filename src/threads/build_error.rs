//! Why a pool could not be built.
//! Read next: `threads/start.rs`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;

/// Why a pool could not be built.
#[derive(Debug)]
pub struct ThreadPoolBuildError {
    pub(crate) kind: BuildErrorKind,
}

/// The kinds of it.
#[derive(Debug)]
pub(crate) enum BuildErrorKind {
    /// There is one global pool.
    GlobalAlreadyBuilt,
    /// A thread belongs to one pool.
    AlreadyInPool,
    /// A thread could not be started.
    Io(io::Error),
}

impl From<BuildErrorKind> for ThreadPoolBuildError {
    fn from(kind: BuildErrorKind) -> Self {
        Self { kind }
    }
}

impl fmt::Display for ThreadPoolBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            BuildErrorKind::GlobalAlreadyBuilt => {
                f.write_str("the global thread pool is already built")
            }
            BuildErrorKind::AlreadyInPool => {
                f.write_str("this thread already belongs to a thread pool")
            }
            BuildErrorKind::Io(error) => error.fmt(f),
        }
    }
}

impl Error for ThreadPoolBuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            BuildErrorKind::GlobalAlreadyBuilt | BuildErrorKind::AlreadyInPool => None,
            BuildErrorKind::Io(error) => Some(error),
        }
    }
}
