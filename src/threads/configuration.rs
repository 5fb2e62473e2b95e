//! The old names of the builder: `Configuration` and `initialize`.
//! Read next: `threads/builder.rs`.

#![forbid(unsafe_code)]
#![allow(deprecated, reason = "they speak of each other")]

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::threads::builder::ThreadPoolBuilder;
use crate::threads::pool::ThreadPool;

/// The old name of [`ThreadPoolBuilder`].
#[deprecated(note = "use `ThreadPoolBuilder`")]
#[derive(Default)]
pub struct Configuration {
    builder: ThreadPoolBuilder,
}

impl Configuration {
    /// Default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// [`ThreadPoolBuilder::build`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn build(self) -> Result<ThreadPool, Box<dyn Error + 'static>> {
        Ok(self.builder.build()?)
    }

    /// Changes the builder inside.
    fn map(self, change: impl FnOnce(ThreadPoolBuilder) -> ThreadPoolBuilder) -> Self {
        Self {
            builder: change(self.builder),
        }
    }

    /// [`ThreadPoolBuilder::thread_name`].
    #[must_use]
    pub fn thread_name<F>(self, name: F) -> Self
    where
        F: FnMut(usize) -> String + 'static,
    {
        self.map(|builder| builder.thread_name(name))
    }

    /// [`ThreadPoolBuilder::num_threads`].
    #[must_use]
    pub fn num_threads(self, num_threads: usize) -> Self {
        self.map(|builder| builder.num_threads(num_threads))
    }

    /// [`ThreadPoolBuilder::panic_handler`].
    #[must_use]
    pub fn panic_handler<F>(self, handler: F) -> Self
    where
        F: Fn(Box<dyn Any + Send>) + Send + Sync + 'static,
    {
        self.map(|builder| builder.panic_handler(handler))
    }

    /// [`ThreadPoolBuilder::stack_size`].
    #[must_use]
    pub fn stack_size(self, bytes: usize) -> Self {
        self.map(|builder| builder.stack_size(bytes))
    }

    /// [`ThreadPoolBuilder::breadth_first`].
    #[must_use]
    pub fn breadth_first(self) -> Self {
        self.map(ThreadPoolBuilder::breadth_first)
    }

    /// [`ThreadPoolBuilder::start_handler`].
    #[must_use]
    pub fn start_handler<F>(self, handler: F) -> Self
    where
        F: Fn(usize) + Send + Sync + 'static,
    {
        self.map(|builder| builder.start_handler(handler))
    }

    /// [`ThreadPoolBuilder::exit_handler`].
    #[must_use]
    pub fn exit_handler<F>(self, handler: F) -> Self
    where
        F: Fn(usize) + Send + Sync + 'static,
    {
        self.map(|builder| builder.exit_handler(handler))
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.builder.fmt(f)
    }
}

/// The old name of [`ThreadPoolBuilder::build_global`].
///
/// # Errors
///
/// As there.
#[deprecated(note = "use `ThreadPoolBuilder::build_global`")]
pub fn initialize(config: Configuration) -> Result<(), Box<dyn Error>> {
    Ok(config.builder.build_global()?)
}

impl ThreadPool {
    /// The old name of [`ThreadPoolBuilder::build`].
    ///
    /// # Errors
    ///
    /// As there.
    #[deprecated(note = "use `ThreadPoolBuilder::build`")]
    pub fn new(configuration: Configuration) -> Result<Self, Box<dyn Error>> {
        configuration.build()
    }
}
