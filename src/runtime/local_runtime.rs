//! `LocalRuntime`: a runtime of one thread, whose tasks need not be `Send`.
//!
//! ```text
//!   LocalRuntime { runtime: current thread, tasks: LocalTasks }
//!        block_on(f)  =  runtime.block_on(f, and some of the tasks at each poll)
//!        spawn_local  ─► tasks                 handle().spawn ─► the runtime's own, which are Send
//! ```
//!
//! A current-thread runtime with a set of local tasks in it; both stay on one thread because this
//! type does. Why not one queue for both: the runtime's `Handle` goes to other threads, and a
//! future that is not `Send` must not be in reach of it.
//! Read next: `runtime/dump.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::parts::names::Name;
use crate::runtime::builder::Builder;
use crate::runtime::handle::Handle;
use crate::runtime::metrics::RuntimeMetrics;
use crate::runtime::runtime::{EnterGuard, Runtime};
use crate::task::join::JoinHandle;
use crate::task::local_tasks::LocalTasks;

/// A runtime that stays on its thread, and whose tasks may, too.
///
/// [`spawn_local`](crate::task::spawn_local) works everywhere in it, without a
/// [`LocalSet`](crate::task::LocalSet). Its [`handle`](Self::handle) may go to other threads, which
/// may spawn what is `Send`; all of it runs while this thread is in [`block_on`](Self::block_on).
///
/// ```
/// use std::rc::Rc;
/// use trefoil::runtime::LocalRuntime;
///
/// let rt = LocalRuntime::new().unwrap();
/// let shared = Rc::new(41);
/// let answer = rt.block_on(async {
///     trefoil::task::spawn_local(async move { *shared + 1 }).await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
pub struct LocalRuntime {
    /// `None` once it has been shut down.
    runtime: Option<Runtime>,
    tasks: Arc<LocalTasks>,
    /// It stays on the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl UnwindSafe for LocalRuntime {}
impl RefUnwindSafe for LocalRuntime {}

/// Settings of a [`LocalRuntime`]. There are none yet.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LocalOptions {
    /// Later ones may belong to a thread.
    not_send: PhantomData<*const ()>,
}

impl Builder {
    /// Builds a runtime that stays on this thread.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    ///
    /// # Panics
    ///
    /// On a multi-thread builder.
    ///
    /// ```
    /// use trefoil::runtime::{Builder, LocalOptions};
    ///
    /// let rt = Builder::new_current_thread()
    ///     .enable_all()
    ///     .build_local(LocalOptions::default())
    ///     .unwrap();
    /// rt.block_on(async { trefoil::task::spawn_local(async {}).await.unwrap() });
    /// ```
    #[track_caller]
    pub fn build_local(&mut self, options: LocalOptions) -> io::Result<LocalRuntime> {
        let _ = options;
        assert!(
            !self.is_multi_thread(),
            "Builder::build_local: a local runtime has one thread; use new_current_thread"
        );
        let runtime = self.build()?;
        let tasks = LocalTasks::new();
        runtime.handle().set_local_tasks(Arc::clone(&tasks));
        Ok(LocalRuntime {
            runtime: Some(runtime),
            tasks,
            not_send: PhantomData,
        })
    }
}

impl LocalRuntime {
    /// A local runtime with sockets, timers and signals.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
    }

    /// The runtime, which is there until `self` is gone.
    fn runtime(&self) -> &Runtime {
        self.runtime
            .as_ref()
            .expect("only the shutdowns take it, with `self`")
    }

    /// The runtime's handle. It may go to other threads.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.runtime().handle()
    }

    /// Starts `future` as a task of this thread; it runs in [`block_on`](Self::block_on).
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.tasks.spawn(future, Name::NONE, Location::caller())
    }

    /// Runs a closure that blocks on the blocking pool; see [`Handle::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle().spawn_blocking(f)
    }

    /// Runs `future` to its end on this thread, and all tasks beside it.
    ///
    /// # Panics
    ///
    /// As [`Runtime::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let with_tasks = poll_fn(|cx| self.tasks.poll_beside(future.as_mut(), cx));
        self.runtime().block_on(with_tasks)
    }

    /// Makes this thread part of the runtime until the guard is dropped; see [`Runtime::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime().enter()
    }

    /// What the runtime has counted.
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle().metrics()
    }

    /// Ends the runtime; see [`Runtime::shutdown_timeout`].
    #[track_caller]
    pub fn shutdown_timeout(mut self, limit: Duration) {
        self.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(limit);
        }
    }

    /// Ends the runtime without waiting for blocking closures; see
    /// [`Runtime::shutdown_background`].
    #[track_caller]
    pub fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }

    /// Ends the local tasks, inside the runtime: their futures may use it while they are dropped.
    fn close(&self) {
        let _guard = self.enter();
        self.tasks.close();
    }
}

impl Drop for LocalRuntime {
    fn drop(&mut self) {
        if self.runtime.is_some() {
            self.close();
        }
    }
}

impl fmt::Debug for LocalRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRuntime")
            .field("runtime", &self.runtime)
            .field("local_tasks", &self.tasks.len())
            .finish()
    }
}
