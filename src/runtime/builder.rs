//! `Builder`: every knob of a runtime, with its unit, default and source.
//!
//! Read next: `runtime/dump.rs`, what a running runtime looks like.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::parts::lanes;
use crate::runtime::blocking::Blocking;
use crate::runtime::config::{
    BLOCKING_THREADS, Config, EVENT_INTERVAL, EVENTS_PER_TURN, GLOBAL_QUEUE_INTERVAL, KEEP_ALIVE,
};
use crate::runtime::context;
use crate::runtime::counters::Counters;
use crate::runtime::driver::{ClockKind, Driver, DriverOptions};
use crate::runtime::handle::{Handle, Scheduler, Shared, next_id};
use crate::runtime::multi_thread;
use crate::runtime::queues::CurrentThread;
use crate::runtime::runtime::Runtime;
use crate::runtime::workers::MultiThread;
use crate::task::owned::Owned;
use crate::time::clock;

/// Which kind of runtime to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    CurrentThread,
    MultiThread,
}

/// Makes a [`Runtime`] with other than the default settings.
///
/// ```
/// use trefoil::runtime::Builder;
/// let rt = Builder::new_multi_thread()
///     .worker_threads(2)
///     .thread_name("worker")
///     .enable_all()
///     .build()
///     .unwrap();
/// assert_eq!(rt.block_on(async { 1 + 1 }), 2);
/// ```
pub struct Builder {
    kind: Kind,
    config: Config,
    io: bool,
    time: bool,
    start_paused: bool,
    events_per_turn: usize,
    events_per_look: Option<usize>,
    worker_threads: Option<usize>,
    blocking_threads: usize,
    keep_alive: Duration,
}

impl Builder {
    /// Defaults for `kind`.
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            config: Config {
                name: None,
                event_interval: EVENT_INTERVAL,
                global_queue_interval: GLOBAL_QUEUE_INTERVAL,
                thread_name: Arc::new(|| "trefoil-worker".to_owned()),
                thread_stack_size: None,
                on_thread_start: None,
                on_thread_stop: None,
                on_thread_park: None,
                on_thread_unpark: None,
            },
            io: false,
            time: false,
            start_paused: false,
            events_per_turn: EVENTS_PER_TURN,
            events_per_look: None,
            worker_threads: None,
            blocking_threads: BLOCKING_THREADS,
            keep_alive: KEEP_ALIVE,
        }
    }

    /// A runtime whose tasks run on the thread that calls `block_on`, while it does.
    #[must_use]
    pub fn new_current_thread() -> Self {
        Self::new(Kind::CurrentThread)
    }

    /// A runtime with worker threads that steal from each other.
    #[must_use]
    pub fn new_multi_thread() -> Self {
        Self::new(Kind::MultiThread)
    }

    /// Enables sockets, signals and children, and timers.
    pub fn enable_all(&mut self) -> &mut Self {
        self.enable_io().enable_time()
    }

    /// Enables sockets, signals and children. Default: off; using one then panics.
    pub fn enable_io(&mut self) -> &mut Self {
        self.io = true;
        self
    }

    /// Enables timers. Default: off; using one then panics.
    pub fn enable_time(&mut self) -> &mut Self {
        self.time = true;
        self
    }

    /// Worker threads of a multi-thread runtime.
    ///
    /// Unit: threads. Default: the environment variable `TREFOIL_WORKER_THREADS`, else
    /// `TOKIO_WORKER_THREADS`, else the cores that the process may use.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    pub fn worker_threads(&mut self, threads: usize) -> &mut Self {
        assert!(
            threads > 0,
            "Builder::worker_threads: 0 workers run nothing; pass at least 1"
        );
        self.worker_threads = Some(threads);
        self
    }

    /// Threads for closures that block, at most; those beyond wait for their turn.
    ///
    /// Unit: threads. Default: 512, as in tokio.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Self {
        assert!(
            threads > 0,
            "Builder::max_blocking_threads: 0 run nothing; pass at least 1"
        );
        self.blocking_threads = threads;
        self
    }

    /// How long an idle blocking thread waits for the next closure before it ends.
    ///
    /// Default: 10 s, as in tokio.
    pub fn thread_keep_alive(&mut self, time: Duration) -> &mut Self {
        self.keep_alive = time;
        self
    }

    /// The runtime's name, for `dump()`. Default: none.
    ///
    /// # Panics
    ///
    /// With a name of spaces only, or an empty one.
    #[track_caller]
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        assert!(
            !name.trim().is_empty(),
            "Builder::name: a blank name names nothing; pass a text, or leave the call out"
        );
        self.config.name = Some(name);
        self
    }

    /// The name of all the runtime's threads. Default: `trefoil-worker`.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        self.config.thread_name = Arc::new(move || name.clone());
        self
    }

    /// A function that names each thread.
    pub fn thread_name_fn<F>(&mut self, name: F) -> &mut Self
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        self.config.thread_name = Arc::new(name);
        self
    }

    /// The stack of all the runtime's threads.
    ///
    /// Unit: bytes. Default: that of `std::thread`, 2 MiB.
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.config.thread_stack_size = Some(bytes);
        self
    }

    /// Called on each of the runtime's threads before it does anything.
    pub fn on_thread_start<F: Fn() + Send + Sync + 'static>(&mut self, f: F) -> &mut Self {
        self.config.on_thread_start = Some(Arc::new(f));
        self
    }

    /// Called on each of the runtime's threads before it ends.
    pub fn on_thread_stop<F: Fn() + Send + Sync + 'static>(&mut self, f: F) -> &mut Self {
        self.config.on_thread_stop = Some(Arc::new(f));
        self
    }

    /// Called by a worker, or the thread in `block_on` of a current-thread runtime, before it
    /// waits.
    pub fn on_thread_park<F: Fn() + Send + Sync + 'static>(&mut self, f: F) -> &mut Self {
        self.config.on_thread_park = Some(Arc::new(f));
        self
    }

    /// Called by the same after it has waited.
    pub fn on_thread_unpark<F: Fn() + Send + Sync + 'static>(&mut self, f: F) -> &mut Self {
        self.config.on_thread_unpark = Some(Arc::new(f));
        self
    }

    /// Polls after which sockets and timers are looked at, at the latest; earlier when polls are
    /// long.
    ///
    /// Unit: polls. Default: 61, as in tokio. tokio differs: it counts polls only.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    pub fn event_interval(&mut self, polls: u32) -> &mut Self {
        assert!(
            polls > 0,
            "Builder::event_interval: 0 polls never end; pass at least 1"
        );
        self.config.event_interval = polls;
        self
    }

    /// Pops after which work from outside comes before a worker's own once.
    ///
    /// Unit: pops. Default: 31.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    pub fn global_queue_interval(&mut self, pops: u32) -> &mut Self {
        assert!(
            pops > 0,
            "Builder::global_queue_interval: 0 pops never end; pass at least 1"
        );
        self.config.global_queue_interval = pops;
        self
    }

    /// Events taken from epoll in one turn; more stay for the next.
    ///
    /// Unit: events. Default: 1024, as in tokio.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    pub fn max_io_events_per_tick(&mut self, events: usize) -> &mut Self {
        assert!(
            events > 0,
            "Builder: max_io_events_per_tick must be non-zero"
        );
        self.events_per_turn = events;
        self
    }

    /// Events taken from epoll in one look while tasks can run; more stay for the next.
    ///
    /// Fewer than [`max_io_events_per_tick`](Self::max_io_events_per_tick) let the woken tasks run
    /// sooner when very many sockets are ready at once. Unit: events. Default: the same.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    pub fn max_io_events_per_busy_tick(&mut self, events: usize) -> &mut Self {
        assert!(
            events > 0,
            "Builder: max_io_events_per_busy_tick must be non-zero"
        );
        self.events_per_look = Some(events);
        self
    }

    /// The clock stands still from the start: see [`pause`](crate::time::pause). Current-thread
    /// runtimes only.
    pub fn start_paused(&mut self, paused: bool) -> &mut Self {
        self.start_paused = paused;
        self
    }

    /// True when it makes workers.
    pub(crate) fn is_multi_thread(&self) -> bool {
        self.kind == Kind::MultiThread
    }

    /// Builds the runtime and starts its workers.
    ///
    /// # Errors
    ///
    /// When the system refuses a descriptor (EMFILE, ENFILE) or a thread (EAGAIN); nothing of the
    /// runtime is left then.
    ///
    /// # Panics
    ///
    /// With `start_paused` on a multi-thread runtime: its workers could not agree on a time.
    #[track_caller]
    pub fn build(&mut self) -> io::Result<Runtime> {
        let (workers, scheduler): (usize, Box<dyn Scheduler>) = match self.kind {
            Kind::CurrentThread => (
                1,
                Box::new(CurrentThread::new(
                    self.config.event_interval,
                    self.config.global_queue_interval,
                )),
            ),
            Kind::MultiThread => {
                assert!(
                    !self.start_paused,
                    "Builder::start_paused: needs a current-thread runtime; \
                     use Builder::new_current_thread"
                );
                let workers = self.worker_threads.unwrap_or_else(default_workers);
                let scheduler = MultiThread::new(
                    workers,
                    self.config.event_interval,
                    self.config.global_queue_interval,
                );
                (workers, Box::new(scheduler))
            }
        };
        clock::set_current_hook(context::current_clock);
        let driver = Driver::new(DriverOptions {
            io: self.io,
            time: self.time,
            events_per_turn: self.events_per_turn,
            events_per_look: self.events_per_look,
            wheels: workers,
            clock: match (self.kind, self.start_paused) {
                (Kind::MultiThread, _) => ClockKind::Real,
                (Kind::CurrentThread, false) => ClockKind::Pausable,
                (Kind::CurrentThread, true) => ClockKind::Paused,
            },
        })?;
        let config = self.config.clone();
        let blocking = Blocking::new(config.clone(), self.blocking_threads, self.keep_alive);
        let handle = Handle(Arc::new(Shared {
            driver,
            // One more for spawns from outside.
            owned: Owned::new(workers),
            blocking,
            counters: Counters::new(workers),
            config,
            scheduler,
            local: OnceLock::new(),
            id: next_id(),
        }));
        let weak: Weak<Shared> = Arc::downgrade(&handle.0);
        lanes::register(weak);
        if self.kind == Kind::MultiThread {
            multi_thread::launch(&handle)?;
        }
        Ok(Runtime::from_handle(handle))
    }
}

impl Runtime {
    /// A multi-thread runtime with everything enabled and the defaults of [`Builder`].
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Builder::new_multi_thread().enable_all().build()
    }
}

/// The worker count when the builder was not told one.
#[track_caller]
fn default_workers() -> usize {
    for variable in ["TREFOIL_WORKER_THREADS", "TOKIO_WORKER_THREADS"] {
        if let Some(text) = std::env::var_os(variable) {
            match text.to_str().and_then(|text| text.parse().ok()) {
                Some(count) if count > 0 => return count,
                _ => panic!("{variable} is {text:?}; set it to a number of threads above 0"),
            }
        }
    }
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("kind", &self.kind)
            .field("config", &self.config)
            .field("io", &self.io)
            .field("time", &self.time)
            .field("start_paused", &self.start_paused)
            .field("events_per_turn", &self.events_per_turn)
            .field("events_per_look", &self.events_per_look)
            .field("worker_threads", &self.worker_threads)
            .field("blocking_threads", &self.blocking_threads)
            .field("keep_alive", &self.keep_alive)
            .finish()
    }
}
