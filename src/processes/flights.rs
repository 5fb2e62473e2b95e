//! The chunks of a map on their way: pulled lazily, in a bounded window, and what comes back.
//!
//! ```text
//!   arguments ──► fill: pulled while the window has room ──► send ──► the pool's queue
//!   ready ◄── land: results, failures, ends of chunks ◄── Landing ◄── workers
//! ```
//!
//! Arguments are pulled, and results decoded, by whoever polls: a map that nobody polls does
//! nothing more than its window.
//! With [`Chunk::Auto`] chunks grow until one takes about [`CHUNK_TIME`].
//! Read next: `processes/map.rs`.

#![forbid(unsafe_code)]

use std::any::{TypeId, type_name};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parts::slab::Key;
use crate::processes::after::Evidence;
use crate::processes::child::{CHUNK, STRICT};
use crate::processes::core::Core;
use crate::processes::error::JobError;
use crate::processes::events::{Event, Terms};
use crate::processes::failure::Failure;
use crate::processes::frame::FAILED;
use crate::processes::inbox::Message;
use crate::processes::job::table;
use crate::processes::landing::{ChunkSink, Landed, Landing};
use crate::processes::luggage;
use crate::processes::parcel::{Answer, Parcel, Reply};
use crate::processes::slab::Slab;
use crate::processes::wire;

/// How long a chunk is to take, by [`Chunk::Auto`].
///
/// Effect: what a chunk costs beside its items (about 50 µs) disappears in it. Not tuned.
const CHUNK_TIME: Duration = Duration::from_millis(1);
/// The largest chunk that is made by itself. Unit: items. Not tuned.
const LARGEST: usize = 8192;
/// Chunks on their way for each worker: one that runs, one that waits, and one to be read.
const PER_WORKER: usize = 3;

/// How many items go to a worker at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunk {
    /// One at first, then as many as take about a millisecond.
    ///
    /// Results of quick items are written together, so that items which ended less than 20 µs
    /// before a crash fail with it.
    Auto,
    /// So many. Each result is written before the next item begins.
    Items(usize),
}

/// What becomes of the other items when one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnError {
    /// They go on.
    #[default]
    Continue,
    /// What has not begun is cancelled; results that come before it in order are still given.
    Cancel,
}

/// One chunk on its way.
struct Flight {
    job: Key,
    /// The index of its first item.
    first: usize,
    /// How many items it has.
    items: usize,
    /// How many of them have an outcome.
    done: usize,
    sent: Instant,
}

/// What [`Map`] and [`MapUnordered`] share.
pub(crate) struct Flights<I: Iterator, R> {
    core: Arc<Core>,
    arguments: I,
    kind: Result<u32, JobError>,
    name: Arc<str>,
    pub(crate) chunk: Chunk,
    /// Items of the next chunk.
    pub(crate) size: usize,
    /// Items pulled and not given, at most; `None`: a few chunks for each worker.
    pub(crate) window: Option<usize>,
    pub(crate) on_error: OnError,
    pub(crate) limit: Option<Duration>,
    /// When the whole map must be over.
    end: Option<Instant>,
    landing: Arc<Landing>,
    flights: HashMap<u64, Flight>,
    /// A chunk that found the queue full.
    waiting: Option<(Parcel, Flight, u64)>,
    next_flight: u64,
    /// Items pulled.
    pub(crate) pulled: usize,
    /// Items given to the user.
    pub(crate) given: usize,
    exhausted: bool,
    /// Outcomes, in the order in which they came.
    ready: VecDeque<(usize, Result<R, JobError>)>,
    workers: usize,
}

impl<I: Iterator, R> Flights<I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    /// Nothing is pulled yet.
    pub(crate) fn new<F: 'static>(core: &Arc<Core>, arguments: I) -> Self {
        let kind = table().and_then(|table| table.find(TypeId::of::<F>()));
        Self {
            core: Arc::clone(core),
            arguments,
            kind: kind.ok_or_else(|| JobError::NotRegistered {
                type_name: type_name::<F>().to_owned(),
            }),
            name: type_name::<F>().into(),
            chunk: Chunk::Auto,
            size: 1,
            window: None,
            on_error: OnError::Continue,
            limit: None,
            end: None,
            landing: Arc::new(Landing::new([])),
            flights: HashMap::new(),
            waiting: None,
            next_flight: 0,
            pulled: 0,
            given: 0,
            exhausted: false,
            ready: VecDeque::new(),
            workers: core.lock().state.target().max(1),
        }
    }

    /// The next outcome, in whatever order.
    pub(crate) fn poll_any(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(usize, Result<R, JobError>)>> {
        loop {
            self.fill(cx);
            if let Some(outcome) = self.ready.pop_front() {
                return Poll::Ready(Some(outcome));
            }
            if self.flights.is_empty() && self.waiting.is_none() && self.exhausted {
                return Poll::Ready(None);
            }
            match self.landing.poll_take(cx) {
                Poll::Ready((flight, landed)) => self.land(flight, landed),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Sends chunks while the window has room.
    fn fill(&mut self, cx: &mut Context<'_>) {
        if let Some((parcel, flight, number)) = self.waiting.take()
            && !self.send(parcel, flight, number, cx)
        {
            return;
        }
        while !self.exhausted {
            let open = self.pulled - self.given;
            let window = self.window.unwrap_or(self.size * self.workers * PER_WORKER);
            let room = window.saturating_sub(open);
            // A rest of a chunk would make many small ones.
            if room < self.size.min(window) || !self.fill_one(room.min(self.size), cx) {
                return;
            }
        }
    }

    /// Pulls and sends one chunk. False when that is all for now.
    fn fill_one(&mut self, items: usize, cx: &mut Context<'_>) -> bool {
        let (mut payload, mut slabs) = (Vec::new(), Vec::new());
        let (first, mut count) = (self.pulled, 0);
        while count < items {
            let Some(argument) = self.arguments.next() else {
                self.exhausted = true;
                break;
            };
            self.pulled += 1;
            match packed(argument, &mut payload) {
                Ok(named) => slabs.extend(named),
                Err(error) => {
                    self.ready
                        .push_back((self.pulled - 1, Err(JobError::Encode(error))));
                    break;
                }
            }
            count += 1;
        }
        if count == 0 {
            return !self.exhausted;
        }
        let kind = match &self.kind {
            Ok(kind) => *kind,
            Err(error) => {
                let failed = (first..first + count).map(|index| (index, Err(error.again())));
                self.ready.extend(failed);
                return true;
            }
        };
        let number = self.next_flight;
        self.next_flight += 1;
        let strict = if self.chunk == Chunk::Auto { 0 } else { STRICT };
        let parcel = Parcel {
            kind,
            flags: CHUNK | strict,
            aux: count as u64,
            payload: payload.into(),
            slabs,
            name: Arc::clone(&self.name),
            reply: Reply::Many(Arc::new(ChunkSink::new(Arc::clone(&self.landing), number))),
            events: None,
        };
        let flight = Flight {
            job: Key::NONE,
            first,
            items: count,
            done: 0,
            sent: Instant::now(),
        };
        self.send(parcel, flight, number, cx)
    }

    /// Submits a chunk. False when the queue has no room: it waits here then.
    fn send(
        &mut self,
        parcel: Parcel,
        mut flight: Flight,
        number: u64,
        cx: &mut Context<'_>,
    ) -> bool {
        if self.end.is_none() {
            self.end = self
                .limit
                .and_then(|limit| Instant::now().checked_add(limit));
        }
        let terms = Terms {
            begin_by: self.end,
            end_by: self.end,
            ..Terms::default()
        };
        match self.core.submit_or_wait(parcel, terms, cx) {
            Ok(key) => {
                flight.job = key.unwrap_or(Key::NONE);
                self.flights.insert(number, flight);
                true
            }
            Err(parcel) => {
                self.waiting = Some((parcel, flight, number));
                false
            }
        }
    }

    /// Something has come from a chunk.
    fn land(&mut self, number: u64, landed: Landed) {
        match landed {
            Landed::Item(message) => self.items(number, &message),
            Landed::Done(answer) => self.chunk_done(number, answer),
        }
    }

    /// Results of a chunk, or one failure.
    fn items(&mut self, number: u64, message: &Message) {
        let Some(flight) = self.flights.get_mut(&number) else {
            return;
        };
        let mut bytes = &message.payload[..];
        let failed = message.header.flags & FAILED != 0;
        let count = if failed { 1 } else { message.header.aux };
        for _ in 0..count {
            if flight.done == flight.items {
                return;
            }
            let outcome = if failed {
                let failure = Failure::from_wire(message.header.aux, bytes);
                Err(failure.map_or(JobError::PoolClosed, |f| f.into_error(&self.name)))
            } else {
                wire::decode_next(&mut bytes).map_err(JobError::Decode)
            };
            // After bytes that cannot be decoded the place of the next value is not known.
            let lost = !failed && outcome.is_err();
            let bad = outcome.is_err();
            self.ready.push_back((flight.first + flight.done, outcome));
            flight.done += 1;
            if bad && self.on_error == OnError::Cancel {
                self.exhausted = true;
            }
            if lost {
                return;
            }
        }
    }

    /// A chunk is over: what has no outcome yet has the chunk's.
    fn chunk_done(&mut self, number: u64, answer: Answer) {
        let Some(flight) = self.flights.remove(&number) else {
            return;
        };
        if self.chunk == Chunk::Auto && answer.is_ok() {
            self.grow(&flight);
        }
        let error = match answer {
            Ok(_) => JobError::Decode("the chunk ended early".to_owned()),
            // The map's own deadline, before the chunk began.
            Err(JobError::QueueTimedOut) => JobError::TimedOut {
                ran_for: Duration::ZERO,
            },
            Err(error) => error,
        };
        if flight.done < flight.items && self.on_error == OnError::Cancel {
            self.exhausted = true;
        }
        for index in flight.first + flight.done..flight.first + flight.items {
            self.ready.push_back((index, Err(error.again())));
        }
    }

    /// The next chunk takes about [`CHUNK_TIME`], but is at most 4 times as large as this one.
    fn grow(&mut self, flight: &Flight) {
        // Chunks wait behind each other: so long is what one takes at most.
        let took = flight.sent.elapsed() / PER_WORKER as u32;
        let fits = CHUNK_TIME.as_nanos() * flight.items as u128 / took.as_nanos().max(1);
        let fits = usize::try_from(fits).unwrap_or(LARGEST);
        self.size = fits.clamp(self.size / 2, self.size * 4).clamp(1, LARGEST);
    }
}

/// Appends the bytes of an argument; the shared buffers that it names can be read only, since
/// results come before the chunk ends.
fn packed<A: Serialize>(argument: A, payload: &mut Vec<u8>) -> Result<Vec<Arc<Slab>>, String> {
    let before = payload.len();
    let slabs = luggage::pack(argument, payload)?;
    if slabs.iter().all(|slab| slab.pages().is_read_only()) {
        return Ok(slabs);
    }
    payload.truncate(before);
    Err("a SharedVec does not travel with map; submit it".to_owned())
}

impl<I: Iterator, R> Flights<I, R> {
    /// Takes back what has not begun; what runs goes on, unheard.
    pub(crate) fn cancel(&mut self) {
        self.exhausted = true;
        self.waiting = None;
        let jobs: Vec<_> = self.flights.drain().map(|(_, flight)| flight.job).collect();
        if !jobs.is_empty() {
            self.core.visit(|visit| {
                for job in jobs {
                    visit.feed(Event::Withdraw(job), Evidence::None);
                }
            });
        }
    }
}
