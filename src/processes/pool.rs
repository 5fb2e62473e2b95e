//! `ProcessPool`: what a program holds; jobs go in here.
//!
//! Read next: `processes/builder.rs`.

#![forbid(unsafe_code)]

use std::any::{TypeId, type_name};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parts::outcome::outcome;
use crate::parts::slab::Key;
use crate::processes::after::Evidence;
use crate::processes::core::Core;
use crate::processes::error::JobError;
use crate::processes::events::{Event, Terms};
use crate::processes::job::{captures_nothing, table};
use crate::processes::luggage;
use crate::processes::parcel::{Parcel, Payload, Reply, Sink};
use crate::processes::pending::{Pending, Stage, Unsent, decoder};
use crate::processes::shutdown::{Shutdown, ShuttingDown};

/// A pool of worker processes.
///
/// Each worker runs one job at a time, in memory of its own. A job that crashes, loops, eats
/// memory or is killed costs exactly itself.
///
/// Built inside a runtime, the pool is driven by it and ends with it; elsewhere by a thread of its
/// own. Its drop kills all workers and reaps them: some milliseconds.
///
/// ```standalone_crate
/// use trefoil::processes::{self, ProcessPool};
///
/// fn shout(text: String) -> String {
///     text.to_uppercase()
/// }
///
/// fn main() {
///     processes::init(|r| r.job(shout));
///
///     let rt = trefoil::runtime::Runtime::new().unwrap();
///     rt.block_on(async {
///         let pool = ProcessPool::builder().workers(2).build().unwrap();
///         assert_eq!(pool.submit(shout, "hey".to_owned()).await.unwrap(), "HEY");
///     });
/// }
/// ```
pub struct ProcessPool {
    core: Arc<Core>,
    /// The thread that drives it, where no runtime does.
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

impl ProcessPool {
    /// A pool that is driven already.
    pub(crate) fn new(core: Arc<Core>, supervisor: Option<JoinHandle<()>>) -> Self {
        Self {
            core,
            supervisor: Mutex::new(supervisor),
        }
    }

    /// What the parts share.
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Runs `f(argument)` in a worker.
    ///
    /// The job is in the queue when this returns. When the queue is full it stays in the
    /// [`Pending`] instead, and gets there at the first poll or wait that finds room.
    ///
    /// # Errors
    ///
    /// In the [`Pending`]: a function that is not registered, or an argument that cannot be encoded,
    /// fails at once; all others are in [`JobError`].
    ///
    /// A closure that captures does not compile:
    ///
    /// ```compile_fail
    /// fn scaled(pool: &trefoil::processes::ProcessPool, factor: u64) {
    ///     pool.submit(move |x: u64| x * factor, 12).detach();
    /// }
    /// # scaled(&trefoil::processes::ProcessPool::builder().build().unwrap(), 3);
    /// ```
    ///
    /// The same without what is captured does; it is only not registered:
    ///
    /// ```standalone_crate
    /// fn scaled(pool: &trefoil::processes::ProcessPool) -> bool {
    ///     pool.submit(move |x: u64| x * 3, 12).is_finished()
    /// }
    ///
    /// fn main() {
    ///     trefoil::processes::init(|r| r);
    ///     assert!(scaled(&trefoil::processes::ProcessPool::builder().build().unwrap()));
    /// }
    /// ```
    #[track_caller]
    pub fn submit<F, A, R>(&self, f: F, argument: A) -> Pending<R>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.job(f, argument).submit()
    }

    /// Runs the future of `f(argument)` in a worker, on a runtime there.
    #[track_caller]
    pub fn submit_async<F, A, Fut>(&self, f: F, argument: A) -> Pending<Fut::Output>
    where
        F: Fn(A) -> Fut + Copy + Send + Sync + 'static,
        A: Serialize,
        Fut: Future,
        Fut::Output: DeserializeOwned,
    {
        const { captures_nothing::<F>() }
        _ = f;
        self.make(TypeId::of::<F>(), type_name::<F>(), argument)
            .submit()
    }

    /// As [`submit`](Self::submit), but a full queue is an error.
    ///
    /// # Errors
    ///
    /// [`JobError::QueueFull`].
    #[track_caller]
    pub fn try_submit<F, A, R>(&self, f: F, argument: A) -> Result<Pending<R>, JobError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize,
        R: DeserializeOwned,
    {
        let pending = self.submit(f, argument);
        if pending.is_unsent() {
            return Err(JobError::QueueFull);
        }
        Ok(pending)
    }

    /// A job with terms of its own: deadline, priority, retries.
    ///
    /// ```standalone_crate
    /// use std::time::Duration;
    /// use trefoil::processes::{self, JobError, ProcessPool, Retry};
    ///
    /// fn forever(_: ()) {
    ///     loop {
    ///         std::hint::spin_loop();
    ///     }
    /// }
    ///
    /// fn main() {
    ///     processes::init(|r| r.job(forever));
    ///
    ///     let pool = ProcessPool::builder().workers(1).build().unwrap();
    ///     let job = pool.job(forever, ()).deadline(Duration::from_millis(20));
    ///     let result = job.retry(Retry::on_crash(1)).submit().wait();
    ///     assert!(matches!(result, Err(JobError::TimedOut { .. })));
    /// }
    /// ```
    #[track_caller]
    pub fn job<F, A, R>(&self, f: F, argument: A) -> Job<'_, R>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize,
        R: DeserializeOwned,
    {
        const { captures_nothing::<F>() }
        _ = f;
        self.make(TypeId::of::<F>(), type_name::<F>(), argument)
    }

    /// A job of the function with this key.
    #[track_caller]
    pub(crate) fn make<A: Serialize, R: DeserializeOwned>(
        &self,
        key: TypeId,
        name: &'static str,
        argument: A,
    ) -> Job<'_, R> {
        let called_at = Location::caller();
        let mut bytes = Vec::new();
        let mut slabs = Vec::new();
        let kind = table().and_then(|table| table.find(key));
        let ready = match kind {
            Some(kind) => luggage::pack(argument, &mut bytes)
                .map(|packed| {
                    slabs = packed;
                    kind
                })
                .map_err(JobError::Encode),
            None => Err(JobError::NotRegistered {
                type_name: name.to_owned(),
            }),
        };
        let payload = Payload { bytes, slabs };
        Job::new(self, ready, payload, name.into(), decoder::<R>(), called_at)
    }

    /// Another number of workers, from now on: superfluous ones finish what they run.
    ///
    /// # Panics
    ///
    /// With 0.
    #[track_caller]
    pub fn resize(&self, workers: usize) {
        assert!(
            workers > 0,
            "ProcessPool::resize: 0 workers; shut the pool down instead"
        );
        self.core
            .visit(|visit| visit.feed(Event::Resize(workers), Evidence::None));
    }

    /// The process numbers of the workers that exist now.
    #[must_use]
    pub fn worker_pids(&self) -> Vec<i32> {
        self.core.visit(|visit| visit.pids())
    }

    /// How many workers are up: idle, or at work.
    #[must_use]
    pub fn ready_workers(&self) -> usize {
        let [_, idle, busy, _] = self.core.lock().state.census();
        idle + busy
    }

    /// How many jobs wait for a worker.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.core.lock().state.queued()
    }

    /// Ends the pool in the given way; see [`Shutdown`]. May be called more than once: the stricter
    /// way counts.
    #[track_caller]
    pub fn shutdown(&self, how: Shutdown) -> ShuttingDown {
        ShuttingDown::new(Arc::clone(&self.core), how, Location::caller())
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        if self.core.is_copy() {
            return;
        }
        self.core.close();
        let supervisor = self
            .supervisor
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = supervisor.take()
            // Dropped in a callback of its own driver: it ends by itself.
            && thread.thread().id() != std::thread::current().id()
        {
            _ = thread.join();
        }
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.core.lock();
        let [starting, idle, busy, leaving] = inner.state.census();
        f.debug_struct("ProcessPool")
            .field("queued", &inner.state.queued())
            .field("starting", &starting)
            .field("idle", &idle)
            .field("busy", &busy)
            .field("leaving", &leaving)
            .finish()
    }
}

/// What happens to a job whose worker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retry {
    attempts: u32,
}

impl Retry {
    /// It is begun up to `times` times more. For jobs that may happen twice.
    #[must_use]
    pub fn on_crash(times: u32) -> Self {
        Self { attempts: times }
    }
}

/// A job that is being described; see [`ProcessPool::job`].
#[must_use = "a job is not run before it is submitted"]
pub struct Job<'a, R> {
    pool: &'a ProcessPool,
    /// Its number, or why it cannot be run.
    kind: Result<u32, JobError>,
    payload: Payload,
    name: Arc<str>,
    terms: Terms,
    queue_deadline: Option<Duration>,
    events: Option<Arc<dyn Sink>>,
    decode: fn(&[u8]) -> Result<R, String>,
    called_at: &'static Location<'static>,
}

impl<'a, R> Job<'a, R> {
    /// A job with the usual terms.
    pub(crate) fn new(
        pool: &'a ProcessPool,
        kind: Result<u32, JobError>,
        payload: Payload,
        name: Arc<str>,
        decode: fn(&[u8]) -> Result<R, String>,
        called_at: &'static Location<'static>,
    ) -> Self {
        Self {
            pool,
            kind,
            payload,
            name,
            terms: Terms::default(),
            queue_deadline: None,
            events: None,
            decode,
            called_at,
        }
    }

    /// Kills the worker when the job has run for so long: [`JobError::TimedOut`].
    ///
    /// Counted from its own begin, not from the submit.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.terms.deadline = Some(limit);
        self
    }

    /// Gives up when the job has waited for so long and not begun: [`JobError::QueueTimedOut`].
    pub fn queue_deadline(mut self, limit: Duration) -> Self {
        self.queue_deadline = Some(limit);
        self
    }

    /// What happens when the worker dies; by default the job fails.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.terms.retries = retry.attempts;
        self
    }

    /// Jobs of a higher priority begin first; by default it is 0.
    pub fn priority(mut self, priority: i32) -> Self {
        self.terms.priority = priority;
        self
    }

    /// Who listens to its progress.
    pub(crate) fn set_events(&mut self, events: Arc<dyn Sink>) {
        self.events = Some(events);
    }

    /// Submits it, as [`ProcessPool::submit`] does.
    pub fn submit(self) -> Pending<R> {
        let core = Arc::clone(&self.pool.core);
        let (decode, called_at) = (self.decode, self.called_at);
        let (writer, reader) = outcome();
        let stage = match self.into_parcel(Reply::One(writer)) {
            Err((error, _reply)) => Stage::Failed(error),
            Ok((parcel, terms)) => match core.visit(|visit| visit.submit(parcel, terms)) {
                Ok(key) => Stage::Sent(key.unwrap_or(Key::NONE)),
                Err(parcel) => Stage::Unsent(Box::new(Unsent {
                    parcel,
                    terms,
                    cancelled: AtomicBool::new(false),
                })),
            },
        };
        Pending::new(core, reader, stage, decode, called_at)
    }

    /// Puts it into the queue, full or not; its number. What it gives goes to `reply`, also an
    /// error that comes at once.
    pub(crate) fn send(self, reply: Reply) -> Option<Key> {
        let core = Arc::clone(&self.pool.core);
        match self.into_parcel(reply) {
            Ok((parcel, terms)) => core.visit(|visit| visit.submit_anyway(parcel, terms)),
            Err((error, reply)) => {
                reply.deliver(Err(error));
                None
            }
        }
    }

    /// The job for the driver, or why it cannot be run.
    fn into_parcel(mut self, reply: Reply) -> Result<(Parcel, Terms), (JobError, Reply)> {
        let limit = self.queue_deadline;
        self.terms.begin_by = limit.and_then(|limit| Instant::now().checked_add(limit));
        let kind = match self.kind {
            Ok(kind) => kind,
            Err(error) => {
                if let Some(events) = self.events {
                    events.done(Ok(Payload::default()));
                }
                return Err((error, reply));
            }
        };
        let parcel = Parcel {
            kind,
            flags: 0,
            aux: 0,
            payload: self.payload.bytes.into(),
            slabs: self.payload.slabs,
            name: self.name,
            reply,
            events: self.events,
        };
        Ok((parcel, self.terms))
    }
}

impl<R> fmt::Debug for Job<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}
