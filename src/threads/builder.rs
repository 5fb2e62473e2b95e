//! `ThreadPoolBuilder`: how many threads, their names, and who is told what.
//! Read next: `threads/pool.rs`.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::io;
use std::thread;

use crate::threads::build_error::ThreadPoolBuildError;
use crate::threads::global;
use crate::threads::pool::ThreadPool;
use crate::threads::start::{
    CustomSpawn, DefaultSpawn, Settings, ThreadBuilder, ThreadSpawn, start,
};

/// Makes a [`ThreadPool`], or sets up the global one.
///
/// ```
/// use trefoil::threads::ThreadPoolBuilder;
///
/// # fn main() -> Result<(), trefoil::threads::ThreadPoolBuildError> {
/// let pool = ThreadPoolBuilder::new()
///     .num_threads(2)
///     .thread_name(|index| format!("worker {index}"))
///     .build()?;
/// let (a, b) = pool.install(|| trefoil::threads::join(|| 1, || 2));
/// assert_eq!(a + b, 3);
/// # Ok(())
/// # }
/// ```
///
/// `S` is the way in which threads are made; see [`spawn_handler`](Self::spawn_handler).
pub struct ThreadPoolBuilder<S = DefaultSpawn> {
    settings: Settings,
    /// Accepted and not used.
    breadth_first: bool,
    spawn: S,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            breadth_first: false,
            spawn: DefaultSpawn::default(),
        }
    }
}

impl ThreadPoolBuilder {
    /// A builder with default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl ThreadPoolBuilder {
    /// Builds a pool whose threads live in a [`std::thread::scope`], so that they may borrow.
    ///
    /// `wrapper` is called on each thread, with the [`ThreadBuilder`] that it must
    /// [`run`](ThreadBuilder::run); `with_pool` gets the pool on this thread. When it returns, the
    /// pool ends and its threads are joined.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    ///
    /// # Panics
    ///
    /// When a thread panics outside of a job, in `wrapper`.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::threads::ThreadPoolBuilder;
    ///
    /// let name = String::from("a local of the caller");
    /// let length = ThreadPoolBuilder::new()
    ///     .num_threads(2)
    ///     .build_scoped(
    ///         |thread| {
    ///             assert!(!name.is_empty()); // each thread may borrow it
    ///             thread.run();
    ///         },
    ///         |pool| pool.install(|| name.len()),
    ///     )
    ///     .unwrap();
    /// assert_eq!(length, 21);
    /// ```
    pub fn build_scoped<W, F, R>(self, wrapper: W, with_pool: F) -> Result<R, ThreadPoolBuildError>
    where
        W: Fn(ThreadBuilder) + Sync,
        F: FnOnce(&ThreadPool) -> R,
    {
        thread::scope(|scope| {
            let wrapper = &wrapper;
            let pool = self
                .spawn_handler(|thread| {
                    let builder = thread.std_builder();
                    builder.spawn_scoped(scope, move || wrapper(thread))?;
                    Ok(())
                })
                .build()?;
            Ok(with_pool(&pool))
        })
    }
}

impl<S: ThreadSpawn> ThreadPoolBuilder<S> {
    /// Builds the pool. Its threads may still be starting when this returns.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started; those that run already are let go. When
    /// [`use_current_thread`](Self::use_current_thread) was called and this thread belongs to a
    /// pool already.
    pub fn build(mut self) -> Result<ThreadPool, ThreadPoolBuildError> {
        Ok(ThreadPool::new_handle(start(
            self.settings,
            &mut self.spawn,
        )?))
    }

    /// Makes this the global pool, and waits until all its threads have started.
    ///
    /// The free functions of this module use the global pool when they are called outside of any
    /// pool. Without this call they make one with default settings.
    ///
    /// # Errors
    ///
    /// When there is a global pool already, and as [`build`](Self::build).
    pub fn build_global(mut self) -> Result<(), ThreadPoolBuildError> {
        global::build(self.settings, &mut self.spawn)
    }
}

impl<S> ThreadPoolBuilder<S> {
    /// Sets how threads are made: `spawn` gets a [`ThreadBuilder`] for each, and sees to it that
    /// some thread calls [`run`](ThreadBuilder::run).
    ///
    /// It may borrow: it is not used any more after the pool was built.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut made = 0;
    /// let pool = trefoil::threads::ThreadPoolBuilder::new()
    ///     .num_threads(2)
    ///     .spawn_handler(|thread| {
    ///         made += 1;
    ///         std::thread::Builder::new().spawn(|| thread.run())?;
    ///         Ok(())
    ///     })
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(pool.install(|| 5), 5);
    /// assert_eq!(made, 2);
    /// ```
    pub fn spawn_handler<F>(self, spawn: F) -> ThreadPoolBuilder<CustomSpawn<F>>
    where
        F: FnMut(ThreadBuilder) -> io::Result<()>,
    {
        ThreadPoolBuilder {
            settings: self.settings,
            breadth_first: self.breadth_first,
            spawn: CustomSpawn(spawn),
        }
    }

    /// Sets the number of threads; 0 (which it is at first) asks the environment, then the system.
    ///
    /// The environment: the first of `TREFOIL_NUM_THREADS`, `RAYON_NUM_THREADS` and
    /// `RAYON_RS_NUM_CPUS` (deprecated) that holds a number; 0 means the default there, too. The
    /// system: [`std::thread::available_parallelism`], which respects the affinity mask and the
    /// cgroup's quota. At most [`max_num_threads`](crate::threads::max_num_threads).
    #[must_use]
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.settings.num_threads = num_threads;
        self
    }

    /// Makes the thread that builds the pool its worker 0; one thread fewer is started.
    ///
    /// That thread gets no main loop and calls no handlers. It works for the pool while it waits
    /// in `join`, `scope` and the like, and in `yield_now` and `yield_local`; at other times jobs
    /// do not run on it. It belongs to the pool until it ends.
    #[must_use]
    pub fn use_current_thread(mut self) -> Self {
        self.settings.use_current_thread = true;
        self
    }

    /// Sets the threads' names, by number.
    #[must_use]
    pub fn thread_name<F>(mut self, name: F) -> Self
    where
        F: FnMut(usize) -> String + 'static,
    {
        self.settings.name = Some(Box::new(name));
        self
    }

    /// Sets the size of the threads' stacks, in bytes. Without it std decides (2 MiB, or
    /// `RUST_MIN_STACK`).
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.settings.stack_size = Some(bytes);
        self
    }

    /// Sets what is told of panics that nobody waits for: of `spawn`, `spawn_broadcast`, and of
    /// the handlers.
    ///
    /// Without it such a panic ends the process; a panic in the handler does, too.
    #[must_use]
    pub fn panic_handler<F>(mut self, handler: F) -> Self
    where
        F: Fn(Box<dyn Any + Send>) + Send + Sync + 'static,
    {
        self.settings.handlers.panic = Some(Box::new(handler));
        self
    }

    /// Sets what each thread calls when it starts, with its number.
    #[must_use]
    pub fn start_handler<F>(mut self, handler: F) -> Self
    where
        F: Fn(usize) + Send + Sync + 'static,
    {
        self.settings.handlers.start = Some(Box::new(handler));
        self
    }

    /// Sets what each thread calls when it ends, with its number.
    #[must_use]
    pub fn exit_handler<F>(mut self, handler: F) -> Self
    where
        F: Fn(usize) + Send + Sync + 'static,
    {
        self.settings.handlers.exit = Some(Box::new(handler));
        self
    }

    /// Accepted and not used: use `scope_fifo` and `spawn_fifo` for that order.
    #[deprecated(note = "use scope_fifo and spawn_fifo for a similar effect")]
    #[must_use]
    pub fn breadth_first(mut self) -> Self {
        self.breadth_first = true;
        self
    }
}

/// Stands for a closure in `Debug`.
struct Closure;

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<closure>")
    }
}

/// `Some(<closure>)` or `None`.
fn closure<T>(option: &Option<T>) -> Option<Closure> {
    option.as_ref().map(|_| Closure)
}

impl<S> fmt::Debug for ThreadPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings {
            num_threads,
            use_current_thread,
            name,
            stack_size,
            handlers,
        } = &self.settings;
        f.debug_struct("ThreadPoolBuilder")
            .field("num_threads", num_threads)
            .field("use_current_thread", use_current_thread)
            .field("get_thread_name", &closure(name))
            .field("panic_handler", &closure(&handlers.panic))
            .field("stack_size", stack_size)
            .field("start_handler", &closure(&handlers.start))
            .field("exit_handler", &closure(&handlers.exit))
            .field("breadth_first", &self.breadth_first)
            .finish()
    }
}
