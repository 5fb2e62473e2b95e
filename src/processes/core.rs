//! A pool's heart: one mutex around the state machine and the table of workers.
//!
//! ```text
//!   submit, cancel, shutdown (any thread) ──┐
//!   frames, deaths, time (the driver) ──────┴──► lock ─► State::on ─► actions: frames into the
//!                                                         │           outboxes, signals
//!                                                         └► After: outcomes, wakes, callbacks,
//!                                                            launches ─► unlock ─► After::run
//! ```
//!
//! Whoever holds the lock carries out the actions: a submit writes its frame by itself, without a
//! hop to the driver. Everything that runs foreign code happens after unlocking.
//! Why one mutex: what it guards is small and short, and a job costs two visits.
//! Read next: `processes/core_mail.rs`.

#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::parts::slab::Key;
use crate::processes::after::{After, Evidence, Host, WorkerEvent, WorkerFn};
use crate::processes::events::{Event, Mode, Terms, Trouble};
use crate::processes::fork_server::Servers;
use crate::processes::launch::{Made, Recipe};
use crate::processes::outbox::Outbox;
use crate::processes::parcel::Parcel;
use crate::processes::slab::{Claim, Shelf};
use crate::processes::state::State;
use crate::runtime::handle::Handle;
use crate::sys::fork::Process;
use crate::sys::pidfd::Child;
use crate::sys::setup::EAGAIN;
use crate::sys::step::Step;

/// What a pool's parts share.
pub(crate) struct Core {
    inner: Mutex<Inner>,
    /// Rung when a launch is over.
    launched: Condvar,
    pub(crate) setup: Setup,
    /// Shared buffers that are not in use.
    pub(crate) shelf: Arc<Shelf>,
    /// Of the runtime that drives the pool.
    handle: Handle,
    /// A forked copy of the program must leave the workers alone.
    home: Process,
}

/// What does not change.
pub(crate) struct Setup {
    pub(crate) recipe: Recipe,
    /// Who makes them, where that is not exec.
    pub(crate) servers: Servers,
    /// How long to look for messages before sleeping.
    pub(crate) spin: Duration,
    /// The hash that workers must have; `None` for external ones.
    pub(crate) hash: Option<u64>,
    /// The initializer and its argument.
    pub(crate) initializer: Option<(u32, Bytes)>,
    /// How deep in pools inside pools the workers are.
    pub(crate) depth: u64,
    /// Jobs that may wait; the others wait outside.
    pub(crate) capacity: usize,
    /// The longest message from a worker. Unit: bytes.
    pub(crate) max_message: u64,
    /// A worker's memory is looked up after each job.
    pub(crate) weigh: bool,
    /// Who is told of workers.
    pub(crate) on_worker: Option<WorkerFn>,
}

/// What the mutex guards.
pub(crate) struct Inner {
    pub(crate) state: State<Parcel>,
    pub(crate) crew: HashMap<Key, Member>,
    /// Made, and not yet seen by the driver.
    pub(crate) fresh: Vec<(Key, Made)>,
    /// The driver, to be woken.
    driver: Option<Waker>,
    /// To be made by the driver itself.
    pub(crate) wanted: Vec<Key>,
    /// The driver must look again.
    pub(crate) attention: bool,
    /// Who waits for room in the queue.
    room: VecDeque<Waker>,
    /// Who waits for the end.
    over: Vec<Waker>,
    /// Launches that run just now.
    launching: usize,
    /// No worker is made any more.
    closed: bool,
    /// When the driver wakes by itself.
    pub(crate) alarm: Option<Instant>,
}

/// One worker process.
pub(crate) struct Member {
    pub(crate) child: Arc<Child>,
    pub(crate) socket: Arc<OwnedFd>,
    pub(crate) outbox: Outbox,
    /// Killed by this pool.
    pub(crate) killed: bool,
    /// Something could not be written to it: it had not read that.
    pub(crate) unread: bool,
    /// It got more than its job since that was sent: what it has not read may be that.
    pub(crate) told_more: bool,
    /// Names that an external worker serves; a job's kind is the index.
    pub(crate) names: Vec<String>,
    /// Its claims on shared buffers, by job: it may write them until the job is done.
    pub(crate) lent: Vec<(u64, Vec<Claim>)>,
}

impl Core {
    /// A pool without workers, driven by the runtime of `handle`.
    pub(crate) fn new(state: State<Parcel>, setup: Setup, handle: Handle) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                state,
                crew: HashMap::new(),
                fresh: Vec::new(),
                wanted: Vec::new(),
                driver: None,
                attention: false,
                room: VecDeque::new(),
                over: Vec::new(),
                launching: 0,
                closed: false,
                alarm: None,
            }),
            launched: Condvar::new(),
            setup,
            shelf: Arc::default(),
            handle,
            home: Process::this(),
        })
    }

    /// The lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True in a forked copy of the program.
    pub(crate) fn is_copy(&self) -> bool {
        self.home.is_another()
    }

    /// Does something under the lock, and what follows from it after unlocking.
    pub(crate) fn visit<R>(self: &Arc<Self>, f: impl FnOnce(&mut Visit<'_>) -> R) -> R {
        let mut after = After::new();
        let mut inner = self.lock();
        let mut visit = Visit {
            core: self,
            inner: &mut inner,
            after: &mut after,
            touched: Vec::new(),
            now: Instant::now(),
        };
        let result = f(&mut visit);
        visit.finish();
        drop(inner);
        after.run(self);
        result
    }

    /// Takes a job; when the queue is full the task of `cx` is woken when there is room.
    ///
    /// # Errors
    ///
    /// The job itself, when the queue is full.
    pub(crate) fn submit_or_wait(
        self: &Arc<Self>,
        parcel: Parcel,
        terms: Terms,
        cx: &Context<'_>,
    ) -> Result<Option<Key>, Parcel> {
        let parcel = match self.visit(|visit| visit.submit(parcel, terms)) {
            Err(parcel) => parcel,
            sent => return sent,
        };
        // Not under the lock: cloning and dropping a waker is foreign code. So it is tried twice.
        let mut waker = Some(cx.waker().clone());
        self.visit(|visit| {
            let sent = visit.submit(parcel, terms);
            sent.inspect_err(|_| visit.wait_for_room(&mut waker))
        })
    }

    /// Starts a worker on this thread.
    pub(crate) fn launch_here(self: &Arc<Self>, key: Key) {
        {
            let mut inner = self.lock();
            if inner.closed {
                return;
            }
            inner.launching += 1;
        }
        let result = self.setup.servers.launch(&self.setup.recipe);
        self.visit(|visit| {
            visit.inner.launching -= 1;
            match result {
                // Too late: dropping it kills and reaps it.
                _ if visit.inner.closed => {}
                Ok(made) => visit.adopt(key, made),
                Err((step, error)) => {
                    let errno = error.raw_os_error().unwrap_or(0);
                    let trouble = Trouble::Launch(step, errno);
                    visit.feed(Event::LaunchFailed(key, trouble), Evidence::None);
                }
            }
        });
        self.launched.notify_all();
    }

    /// Ends everything now: all jobs end, all workers are killed and reaped before it returns.
    pub(crate) fn close(self: &Arc<Self>) {
        if self.is_copy() {
            return;
        }
        let crew = self.visit(|visit| {
            visit.inner.closed = true;
            visit.feed(Event::Shutdown(Mode::Now), Evidence::None);
            visit.inner.fresh.clear();
            let crew = std::mem::take(&mut visit.inner.crew);
            for key in visit.inner.state.worker_keys() {
                visit.feed(Event::Died(key, false), Evidence::None);
            }
            visit.inner.attention = true;
            crew
        });
        for member in crew.values() {
            member.child.kill();
        }
        for member in crew.values() {
            member.child.reap();
        }
        self.setup.servers.close();
        // Only now: nobody is left who could write them.
        drop(crew);
        self.shelf.close();
        let mut inner = self.lock();
        while inner.launching > 0 {
            inner = self
                .launched
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Host for Arc<Core> {
    fn launch(&self, key: Key) {
        let ticket = Ticket {
            core: Arc::clone(self),
            key: Some(key),
        };
        drop(self.handle.spawn_blocking(move || ticket.redeem()));
    }

    fn tell(&self, event: &WorkerEvent) {
        if let Some(f) = &self.setup.on_worker {
            f(event);
        }
    }
}

/// A launch that waits for a thread. When none can be had it is dropped, and the launch has failed:
/// else the worker would be expected for ever.
struct Ticket {
    core: Arc<Core>,
    /// The worker; `None` once it is being launched.
    key: Option<Key>,
}

impl Ticket {
    /// A thread is there.
    fn redeem(mut self) {
        if let Some(key) = self.key.take() {
            self.core.launch_here(key);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        self.core.visit(|visit| {
            if !visit.inner.closed {
                let trouble = Trouble::Launch(Step::Thread, EAGAIN);
                visit.feed(Event::LaunchFailed(key, trouble), Evidence::None);
            }
        });
    }
}

/// The pool, while its lock is held.
pub(crate) struct Visit<'a> {
    pub(crate) core: &'a Arc<Core>,
    pub(crate) inner: &'a mut Inner,
    pub(crate) after: &'a mut After,
    /// Workers to whom something is to be written.
    pub(crate) touched: Vec<Key>,
    pub(crate) now: Instant,
}

impl Visit<'_> {
    /// Feeds the state machine, and carries out what it says. True for a cancel that counts.
    pub(crate) fn feed(&mut self, event: Event, evidence: Evidence) -> bool {
        let mut todo = Vec::new();
        let counts = self.inner.state.on(self.now, event, &mut todo);
        self.carry_out(todo, evidence);
        counts
    }

    /// Takes a job.
    ///
    /// # Errors
    ///
    /// The job itself, when the queue is full.
    pub(crate) fn submit(&mut self, parcel: Parcel, terms: Terms) -> Result<Option<Key>, Parcel> {
        let full = self.inner.state.queued() >= self.core.setup.capacity;
        if full && !self.inner.state.is_closing() {
            return Err(parcel);
        }
        Ok(self.submit_anyway(parcel, terms))
    }

    /// Takes a job, full or not. `None`: it has ended already.
    pub(crate) fn submit_anyway(&mut self, parcel: Parcel, terms: Terms) -> Option<Key> {
        let mut todo = Vec::new();
        let key = self.inner.state.submit(self.now, parcel, terms, &mut todo);
        self.carry_out(todo, Evidence::None);
        key
    }

    /// A worker was made.
    fn adopt(&mut self, key: Key, made: Made) {
        let member = Member {
            child: Arc::clone(&made.child),
            socket: Arc::clone(&made.socket),
            outbox: Outbox::default(),
            killed: false,
            unread: false,
            told_more: false,
            names: Vec::new(),
            lent: Vec::new(),
        };
        self.inner.crew.insert(key, member);
        let pid = made.child.pid();
        self.inner.fresh.push((key, made));
        self.inner.attention = true;
        self.feed(Event::Launched(key), Evidence::None);
        self.after.tell(WorkerEvent::Started { pid });
    }

    /// True while the worker is known; it is not any more after [`Core::close`].
    pub(crate) fn knows(&self, key: Key) -> bool {
        self.inner.crew.contains_key(&key)
    }

    /// Leaves the driver's waker. True when it must look again.
    pub(crate) fn register(&mut self, waker: &Waker) -> bool {
        let old = self.inner.driver.replace(waker.clone());
        self.after.drop_later(old);
        std::mem::take(&mut self.inner.attention)
    }

    /// Waits for room in the queue. A task that waits for several jobs is in line once, not once
    /// for each job and poll: when it is woken it tries them all.
    fn wait_for_room(&mut self, waker: &mut Option<Waker>) {
        let room = &mut self.inner.room;
        let fresh = |waker: &mut Waker| !room.back().is_some_and(|last| last.will_wake(waker));
        let fresh = waker.take_if(fresh);
        room.extend(fresh);
    }

    /// Waits for the end. True when it has come.
    pub(crate) fn wait_for_end(&mut self, waker: &mut Option<Waker>) -> bool {
        if self.inner.state.is_over() {
            return true;
        }
        let over = &mut self.inner.over;
        let fresh = |waker: &mut Waker| !over.iter().any(|other| other.will_wake(waker));
        let fresh = waker.take_if(fresh);
        over.extend(fresh);
        false
    }

    /// The pids of the workers.
    pub(crate) fn pids(&self) -> Vec<i32> {
        self.inner
            .crew
            .values()
            .map(|member| member.child.pid())
            .collect()
    }

    /// The end of a visit: what it owes to others.
    fn finish(mut self) {
        self.flush();
        let queued = self.inner.state.queued();
        let mut free = self.core.setup.capacity.saturating_sub(queued);
        if self.inner.state.is_closing() {
            free = usize::MAX;
        }
        while free > 0
            && let Some(waker) = self.inner.room.pop_front()
        {
            self.after.wakers.push(waker);
            free -= 1;
        }
        if self.inner.state.is_over() {
            self.after.wakers.append(&mut self.inner.over);
        }
        // A deadline may be nearer than what the driver sleeps for.
        let next = self.inner.state.next_alarm(self.now);
        let sooner = next.is_some_and(|next| self.inner.alarm.is_none_or(|alarm| next < alarm));
        if (self.inner.attention || sooner)
            && let Some(driver) = self.inner.driver.take()
        {
            self.inner.attention = true;
            self.after.wakers.push(driver);
        }
    }
}
