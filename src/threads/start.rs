//! How a pool's threads come to be.
//!
//! A pool is its registry first; then each thread is made, by std or by the user's spawn handler,
//! from a [`ThreadBuilder`] that has the worker's deque. A builder that is dropped unused is a
//! worker that never comes; the others do without it. If one thread cannot be made, those that
//! run already are let go.
//! Read next: `threads/builder.rs`.

#![allow(unsafe_code, reason = "the worker's thread-local pointer is set here")]

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;

use crate::parts::idle::MOST_WORKERS;
use crate::parts::unwind::AbortOnUnwind;
use crate::shim::deque::Worker as Deque;
use crate::threads::build_error::{BuildErrorKind, ThreadPoolBuildError};
use crate::threads::job::JobRef;
use crate::threads::registry::{Handlers, Registry};
use crate::threads::worker::{Entered, Worker, with_current};

/// The most threads that a pool can have: 65 535.
///
/// ```
/// assert!(trefoil::threads::max_num_threads() >= 255);
/// ```
#[must_use]
pub fn max_num_threads() -> usize {
    MOST_WORKERS
}

/// A worker that has no thread yet: what a
/// [`spawn_handler`](crate::threads::ThreadPoolBuilder::spawn_handler) gets.
pub struct ThreadBuilder {
    name: Option<String>,
    stack_size: Option<usize>,
    index: usize,
    registry: Arc<Registry>,
    /// `None` once it runs.
    deque: Option<Deque<JobRef>>,
}

impl ThreadBuilder {
    /// The worker's number.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The name that the thread is to have, if the pool's builder was told one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The stack that the thread is to have, in bytes, if the pool's builder was told so.
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Std's builder of such a thread.
    pub(crate) fn std_builder(&self) -> thread::Builder {
        let mut builder = thread::Builder::new();
        if let Some(name) = &self.name {
            builder = builder.name(name.clone());
        }
        if let Some(bytes) = self.stack_size {
            builder = builder.stack_size(bytes);
        }
        builder
    }

    /// Is the worker, on this thread, until the pool ends.
    ///
    /// # Panics
    ///
    /// On a thread that belongs to a pool already.
    #[track_caller]
    pub fn run(mut self) {
        assert!(
            with_current(|worker| worker.is_none()),
            "ThreadBuilder::run: this thread already belongs to a thread pool; run it on a \
             thread of its own"
        );
        let Some(deque) = self.deque.take() else {
            return;
        };
        let (registry, index) = (Arc::clone(&self.registry), self.index);
        registry.idle.begin();
        // Jobs do not unwind, and other threads have pointers into this stack while it works.
        let guard = AbortOnUnwind("a worker's loop");
        let worker = Worker::new(registry, index, deque);
        // SAFETY: dropped below, before the worker, on this thread.
        let entered = unsafe { worker.enter() };
        worker.registry.count_begun();
        worker.registry.on_start(index);
        worker.run();
        worker.registry.on_exit(index);
        drop(entered);
        guard.disarm();
    }
}

impl Drop for ThreadBuilder {
    fn drop(&mut self) {
        if self.deque.is_some() {
            self.registry.idle.begin();
        }
    }
}

impl fmt::Debug for ThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBuilder")
            .field("index", &self.index)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}

/// Makes a pool's threads.
pub trait ThreadSpawn: Sealed {
    /// Makes a thread that calls [`ThreadBuilder::run`].
    ///
    /// # Errors
    ///
    /// What kept it from doing so.
    #[doc(hidden)]
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()>;
}

/// Only this crate makes threads in its own ways.
pub trait Sealed {}

/// Threads as std makes them.
#[derive(Debug, Default)]
pub struct DefaultSpawn {
    _private: (),
}

impl Sealed for DefaultSpawn {}

impl ThreadSpawn for DefaultSpawn {
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()> {
        thread.std_builder().spawn(|| thread.run()).map(drop)
    }
}

/// Threads as the user's spawn handler makes them.
#[derive(Debug)]
pub struct CustomSpawn<F>(pub(crate) F);

impl<F> Sealed for CustomSpawn<F> {}

impl<F: FnMut(ThreadBuilder) -> io::Result<()>> ThreadSpawn for CustomSpawn<F> {
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()> {
        (self.0)(thread)
    }
}

/// Names a thread by its worker's number.
pub(crate) type NameThread = Box<dyn FnMut(usize) -> String>;

/// What a pool is to be like.
#[derive(Default)]
pub(crate) struct Settings {
    /// 0: as many as the environment says, or the processors allow.
    pub(crate) num_threads: usize,
    /// The calling thread is worker 0.
    pub(crate) use_current_thread: bool,
    pub(crate) name: Option<NameThread>,
    /// In bytes.
    pub(crate) stack_size: Option<usize>,
    pub(crate) handlers: Handlers,
}

/// The environment's say in the number of threads; the first that holds a number wins.
const VARIABLES: [&str; 3] = [
    "TREFOIL_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "RAYON_RS_NUM_CPUS",
];

impl Settings {
    /// How many threads that makes.
    fn count(&self) -> usize {
        let asked = match self.num_threads {
            0 => VARIABLES
                .iter()
                .find_map(|name| std::env::var(name).ok()?.parse().ok())
                .unwrap_or(0),
            asked => asked,
        };
        let count = match asked {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        count.min(max_num_threads())
    }
}

/// Gives up the first hold on a pool, unless it went to a handle.
struct Letting<'a>(&'a Registry);

impl Drop for Letting<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Builds a pool. The caller becomes its holder, and owes a `release`.
pub(crate) fn start(
    mut settings: Settings,
    spawn: &mut impl ThreadSpawn,
) -> Result<Arc<Registry>, ThreadPoolBuildError> {
    if settings.use_current_thread && with_current(|worker| worker.is_some()) {
        return Err(BuildErrorKind::AlreadyInPool.into());
    }
    let deques: Vec<_> = (0..settings.count()).map(|_| Deque::new_lifo()).collect();
    let handlers = mem::take(&mut settings.handlers);
    let registry = Arc::new(Registry::new(&deques, handlers));
    // Also if the name or the spawn handler panics.
    let letting = Letting(&registry);
    let mut own = None;
    for (index, deque) in deques.into_iter().enumerate() {
        if index == 0 && settings.use_current_thread {
            own = Some(deque);
            continue;
        }
        // Made before the name is asked for, so that a panic there finds its worker's place left.
        let mut thread = ThreadBuilder {
            name: None,
            stack_size: settings.stack_size,
            index,
            registry: Arc::clone(&registry),
            deque: Some(deque),
        };
        thread.name = settings.name.as_mut().map(|name| name(index));
        spawn.spawn(thread).map_err(BuildErrorKind::Io)?;
    }
    if let Some(deque) = own {
        adopt(&registry, deque);
    }
    mem::forget(letting);
    Ok(registry)
}

/// A worker on a thread that no pool made.
struct Adopted {
    /// Dropped first: see `Worker::enter`.
    _entered: Entered,
    _worker: Box<Worker>,
}

thread_local! {
    /// This thread's worker, if the thread was made one. It stays until the thread ends: nobody
    /// can tell sooner that no frame of it uses the worker.
    static ADOPTED: RefCell<Option<Adopted>> = const { RefCell::new(None) };
}

/// Makes this thread worker 0 of the pool, until the thread ends.
fn adopt(registry: &Arc<Registry>, deque: Deque<JobRef>) {
    registry.idle.begin();
    registry.count_begun();
    let worker = Box::new(Worker::new(Arc::clone(registry), 0, deque));
    // SAFETY: `Adopted` drops it before the worker, which stays in its box; it is in a
    // thread-local, so it is dropped on this thread.
    let entered = unsafe { worker.enter() };
    ADOPTED.with(|adopted| {
        *adopted.borrow_mut() = Some(Adopted {
            _entered: entered,
            _worker: worker,
        });
    });
}
