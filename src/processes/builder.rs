//! The builder: what a pool is to be, and who drives it.
//!
//! ```text
//!   build() inside a runtime:  the driver is a task of it        no hop to another thread
//!           elsewhere:         a thread with a runtime of its own, which ends with the pool
//! ```
//!
//! Why a pool refuses to be built when `init` was never called: its workers would run the program's
//! main, which would build a pool, whose workers would run main, without end.
//! Read next: `processes/confine.rs`, the options that the kernel carries out.

#![forbid(unsafe_code)]

use std::any::{TypeId, type_name};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::parts::names::Name;
use crate::processes::after::{Evidence, WorkerEvent, WorkerFn};
use crate::processes::child;
use crate::processes::core::{Core, Setup};
use crate::processes::driver::Driver;
use crate::processes::error::JobError;
use crate::processes::events::{Event, Rules};
use crate::processes::fork_server::Servers;
use crate::processes::job::table;
use crate::processes::launch::{Program, Recipe, StartMethod};
use crate::processes::output::{DEFAULT_TAIL, Output};
use crate::processes::pool::ProcessPool;
use crate::processes::state::State;
use crate::processes::wire;
use crate::runtime::builder::Builder as RuntimeBuilder;
use crate::runtime::context;
use crate::runtime::handle::Handle;

/// How deep pools may be nested: a job's own pool is at depth 1, and so on.
///
/// Effect: a job that builds a pool that runs the same job ends, instead of filling the machine.
pub const MAX_DEPTH: u64 = 4;

/// The longest message that a worker may send, unless the builder says otherwise. Unit: bytes.
const MAX_MESSAGE: u64 = 1 << 30;

/// Describes a [`ProcessPool`].
///
/// ```standalone_crate
/// use std::time::Duration;
/// use trefoil::processes::{self, Output, ProcessPool, Rlimit};
///
/// fn main() {
///     processes::init(|r| r);
///     let pool = ProcessPool::builder()
///         .workers(4)
///         .min_workers(0)
///         .idle_timeout(Duration::from_secs(30))
///         .max_tasks_per_worker(1000)
///         .jitter(0.1)
///         .rlimit(Rlimit::As(2 << 30))
///         .stderr(Output::Tail(16 << 10))
///         .build()
///         .unwrap();
///     drop(pool);
/// }
/// ```
#[must_use = "call `build`"]
pub struct Builder {
    rules: Rules,
    min_workers: Option<usize>,
    pub(crate) recipe: Recipe,
    /// The first mistake in what was asked for.
    mistake: Option<String>,
    /// How long to look for an answer before sleeping.
    spin: Duration,
    initializer: Option<(u32, Vec<u8>)>,
    capacity: usize,
    max_message: u64,
    on_worker: Option<WorkerFn>,
}

impl ProcessPool {
    /// Describes a pool.
    pub fn builder() -> Builder {
        Builder::of(Program::Own)
    }
}

impl Builder {
    /// One worker a processor, which runs this program.
    pub(crate) fn of(program: Program) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            rules: Rules {
                workers,
                min_workers: workers,
                max_tasks: None,
                jitter: 0.0,
                max_age: None,
                max_rss: None,
                idle_timeout: None,
                start_timeout: Duration::from_secs(10),
                stop_timeout: Duration::from_secs(5),
                intensity: (5, Duration::from_secs(10)),
                send_ahead: None,
                heartbeat: None,
            },
            min_workers: None,
            recipe: Recipe {
                program,
                limits: Vec::new(),
                no_new_privs: false,
                nice: None,
                pdeathsig: false,
                affinity: Vec::new(),
                filter: Vec::new(),
                cgroup: None,
                marked: false,
                stdout: Output::Inherit,
                stderr: Output::Tail(DEFAULT_TAIL),
                server: false,
                start_method: StartMethod::Exec,
            },
            mistake: None,
            spin: Duration::ZERO,
            initializer: None,
            capacity: usize::MAX,
            max_message: MAX_MESSAGE,
            on_worker: None,
        }
    }

    /// Notes a mistake; the first one counts.
    pub(crate) fn refuse_if(&mut self, wrong: bool, what: &str) {
        if wrong && self.mistake.is_none() {
            self.mistake = Some(format!("ProcessPool::builder: {what}"));
        }
    }

    /// How many workers there are at most; by default one a processor that this process may use.
    pub fn workers(mut self, workers: usize) -> Self {
        self.refuse_if(
            workers == 0,
            "workers(0): a pool without workers runs nothing",
        );
        self.rules.workers = workers;
        self
    }

    /// How many workers there are at least, also without work; by default as many as at most.
    pub fn min_workers(mut self, workers: usize) -> Self {
        self.min_workers = Some(workers);
        self
    }

    /// Runs `f(argument)` in each worker before its first job; `f` is registered with
    /// [`Registry::initializer`](crate::processes::Registry::initializer).
    ///
    /// When it fails, the worker is not used: after too many failures in a row (see
    /// [`restart_intensity`](Self::restart_intensity)) all jobs give
    /// [`JobError::InitFailed`].
    pub fn initializer<F, A, R>(mut self, f: F, argument: A) -> Self
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize,
    {
        _ = f;
        let mut payload = Vec::new();
        match table().and_then(|table| table.find(TypeId::of::<F>())) {
            None => {
                let what = format!("initializer({}): not registered in init", type_name::<F>());
                self.refuse_if(true, &what);
            }
            Some(kind) => {
                if let Err(error) = wire::encode(&argument, &mut payload) {
                    self.refuse_if(true, &format!("initializer: cannot encode: {error}"));
                }
                self.initializer = Some((kind, payload));
            }
        }
        self
    }

    /// Replaces a worker after so many jobs.
    pub fn max_tasks_per_worker(mut self, jobs: u32) -> Self {
        self.refuse_if(jobs == 0, "max_tasks_per_worker(0)");
        self.rules.max_tasks = Some(jobs);
        self
    }

    /// Varies the limits of count and age by up to this part of them, downwards, so that not all
    /// workers are replaced at once. 0.1 is 10 %.
    pub fn jitter(mut self, part: f64) -> Self {
        self.refuse_if(
            !(0.0..=1.0).contains(&part),
            "jitter: a part is between 0 and 1",
        );
        self.rules.jitter = part;
        self
    }

    /// Replaces a worker that has more memory than this after a job. Unit: bytes.
    pub fn max_worker_rss(mut self, bytes: u64) -> Self {
        self.rules.max_rss = Some(bytes);
        self
    }

    /// Replaces a worker of this age.
    pub fn max_worker_age(mut self, age: Duration) -> Self {
        self.rules.max_age = Some(age);
        self
    }

    /// Lets workers above the minimum go when they have had nothing to do for so long.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.rules.idle_timeout = Some(limit);
        self
    }

    /// What becomes of the workers' standard output; by default it goes where this process's goes.
    pub fn stdout(mut self, output: Output) -> Self {
        self.recipe.stdout = output;
        self
    }

    /// What becomes of the workers' standard error; by default the last 16 KiB are kept, for the
    /// error of a job whose worker dies.
    pub fn stderr(mut self, output: Output) -> Self {
        self.recipe.stderr = output;
        self
    }

    /// Gives up when more than `starts` workers failed to come up within `period`; by default 5 in
    /// 10 seconds.
    pub fn restart_intensity(mut self, starts: u32, period: Duration) -> Self {
        self.rules.intensity = (starts, period);
        self
    }

    /// How long a worker may take to come up, its initializer included; by default 10 seconds.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.rules.start_timeout = limit;
        self
    }

    /// How long a worker that was told to leave may take; by default 5 seconds.
    pub fn stop_timeout(mut self, limit: Duration) -> Self {
        self.rules.stop_timeout = limit;
        self
    }

    /// How many jobs may wait in the queue; by default any number.
    pub fn queue_capacity(mut self, jobs: usize) -> Self {
        self.refuse_if(jobs == 0, "queue_capacity(0): no job could be queued");
        self.capacity = jobs;
        self
    }

    /// How many jobs are sent to a worker behind the one that runs there.
    ///
    /// By default none, unless jobs take less than 200 µs: then as many as fit in that time.
    pub fn send_ahead(mut self, jobs: usize) -> Self {
        self.rules.send_ahead = Some(jobs);
        self
    }

    /// Asks idle workers for a sign of life so often; one that gives none in that time is replaced.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.refuse_if(interval.is_zero(), "heartbeat(0)");
        self.rules.heartbeat = Some(interval);
        self
    }

    /// Lets a worker without a job, and the pool while a job runs, look for the next message for so
    /// long before they sleep; by default they sleep at once.
    ///
    /// A round trip of a short job falls to some microseconds, and a processor is busy for each
    /// side meanwhile: for pools with fewer workers than processors.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.spin = limit;
        self
    }

    /// How workers are made; by default by [`StartMethod::Exec`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        let other = matches!(self.recipe.program, Program::External { .. });
        self.refuse_if(
            other && method == StartMethod::ForkServer,
            "start_method(ForkServer): another program cannot be copied",
        );
        self.recipe.start_method = method;
        self
    }

    /// The longest result that is taken from a worker; by default 1 GiB. Unit: bytes.
    pub fn max_result(mut self, bytes: u64) -> Self {
        self.max_message = bytes;
        self
    }

    /// Tells `f` of each worker that comes or goes. It is called by the pool's driver: it should be
    /// quick.
    pub fn on_worker(mut self, f: impl Fn(&WorkerEvent) + Send + Sync + 'static) -> Self {
        self.on_worker = Some(Arc::new(f));
        self
    }

    /// Builds the pool; its workers start in the background.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a value that makes no sense; that [`init`](crate::processes::init) was
    /// not called; [`JobError::DepthExceeded`] (inside) for a pool that is nested too deeply; what
    /// the system says when the pool's own thread cannot be had.
    ///
    /// # Panics
    ///
    /// Inside a runtime without I/O or without time.
    #[track_caller]
    pub fn build(mut self) -> io::Result<ProcessPool> {
        if let Some(mistake) = self.mistake.take() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, mistake));
        }
        let hash = match (&self.recipe.program, table()) {
            (Program::External { .. }, _) => None,
            (Program::Own, Some(table)) => Some(table.hash),
            (Program::Own, None) => {
                return Err(io::Error::other(
                    "ProcessPool: processes::init was not called; call it first in main, or each \
                     worker would start the program over and over",
                ));
            }
        };
        let depth = child::depth() + 1;
        if depth > MAX_DEPTH {
            return Err(io::Error::other(JobError::DepthExceeded));
        }
        self.rules.min_workers = self
            .min_workers
            .unwrap_or(self.rules.workers)
            .min(self.rules.workers);
        let weigh = self.rules.max_rss.is_some();
        self.recipe.check()?;
        let setup = Setup {
            recipe: self.recipe,
            servers: Servers::default(),
            spin: self.spin,
            hash,
            initializer: self
                .initializer
                .map(|(kind, payload)| (kind, payload.into())),
            depth,
            capacity: self.capacity,
            max_message: self.max_message,
            weigh,
            on_worker: self.on_worker,
        };
        start(State::new(self.rules), setup)
    }
}

/// Gives a pool its driver, and lets it start its workers.
#[track_caller]
fn start(state: State<crate::processes::parcel::Parcel>, setup: Setup) -> io::Result<ProcessPool> {
    let pool = match context::try_with(Handle::clone) {
        Some(handle) => {
            handle.driver().io("ProcessPool");
            handle.driver().time("ProcessPool");
            let core = Core::new(state, setup, handle.clone());
            let driver = Driver::new(Arc::clone(&core));
            let name = Name::intern("process pool");
            drop(handle.spawn_named(driver, name, std::panic::Location::caller()));
            ProcessPool::new(core, None)
        }
        None => {
            let runtime = RuntimeBuilder::new_current_thread().enable_all().build()?;
            let core = Core::new(state, setup, runtime.handle().clone());
            let driver = Driver::new(Arc::clone(&core));
            let thread = std::thread::Builder::new().name("process-pool".to_owned());
            let thread = thread.spawn(move || runtime.block_on(driver))?;
            ProcessPool::new(core, Some(thread))
        }
    };
    pool.core()
        .visit(|visit| visit.feed(Event::Tick, Evidence::None));
    Ok(pool)
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
