//! What a worker runs: read, call, write, until it is told to leave.
//!
//! ```text
//!   HELLO ──► INIT: initializer ──► READY
//!                                     │
//!        ┌────────────────────────────┘
//!        ▼
//!   wait for a message ──► JOB: take in all that has arrived; revoked? ──yes──► REVOKED
//!        ▲                      │ no
//!        │                      ▼
//!        └─────────── DONE ◄── call, panics caught      SHUTDOWN ──► BYE, exit(0)
//! ```
//!
//! One thread, blocking: while a job runs nothing else can happen here, and the parent knows it.
//! An answer is written before the next job begins, or a crash of the next would lose it.
//! Read next: `processes/init.rs`.

#![forbid(unsafe_code)]

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::processes::failure::{self, Failure};
use crate::processes::frame::{FAILED, Header, KEPT, Kind};
use crate::processes::inbox::Message;
use crate::processes::job::{Entry, Table};
use crate::processes::line::{Outlet, with_inlet};
use crate::processes::luggage;
use crate::processes::spare;

/// "No initializer", in the job kind of INIT.
pub(crate) const NO_INITIALIZER: u32 = u32::MAX;

/// Results of a chunk that are written together.
///
/// Unit: bytes. Effect: one system call for so many. Not tuned.
const BATCH: usize = 32 << 10;

/// How long a finished item of a chunk waits for others before it is written.
///
/// Effect: items that finished at most so long before a crash fail with it. Not tuned; a write
/// costs about 2 µs.
const HELD_BACK: Duration = Duration::from_micros(20);

/// How deep in pools inside pools this process is. 0: in none.
static DEPTH: AtomicU64 = AtomicU64::new(0);

/// How deep in pools inside pools this process is.
pub(crate) fn depth() -> u64 {
    DEPTH.load(Ordering::Relaxed)
}

/// Serves the parent until it says that this is enough.
pub(crate) fn serve(table: &Table, outlet: &Outlet) -> ! {
    failure::note_places();
    outlet.put(
        Header {
            job: u64::from(std::process::id()),
            aux: table.hash,
            ..Header::of(Kind::Hello)
        },
        &[],
    );
    loop {
        let Some(message) = with_inlet(|inlet| inlet.next()) else {
            unreachable!("the thread that opened the line");
        };
        let header = message.header;
        match header.kind {
            Kind::Init => initialize(table, outlet, &message),
            Kind::Job => {
                run(table, outlet, &message);
                spare::give(message.payload);
            }
            // Its job has begun or is over: what had not begun is taken out by `run`.
            Kind::Revoke => answer_revoke(outlet, header.job, false),
            Kind::Ping => outlet.put(Header::of(Kind::Pong), &[]),
            Kind::Shutdown => leave(outlet),
            // Credit for a stream that has ended.
            _ => {}
        }
    }
}

/// Says farewell and ends: an exit without it counts as a crash.
fn leave(outlet: &Outlet) -> ! {
    _ = std::io::stdout().flush();
    outlet.put(Header::of(Kind::Bye), &[]);
    std::process::exit(0)
}

/// Says whether a job will not start.
fn answer_revoke(outlet: &Outlet, job: u64, revoked: bool) {
    outlet.put(
        Header {
            job,
            aux: u64::from(revoked),
            ..Header::of(Kind::Revoked)
        },
        &[],
    );
}

/// Runs the initializer, if there is one.
fn initialize(table: &Table, outlet: &Outlet, message: &Message) {
    DEPTH.store(message.header.aux, Ordering::Relaxed);
    with_inlet(|inlet| inlet.set_spin(Duration::from_nanos(message.header.job)));
    let result = match message.header.job_kind {
        NO_INITIALIZER => Ok(()),
        kind => find(table, kind)
            .and_then(|entry| (entry.call)(&mut &message.payload[..], &mut Vec::new())),
    };
    let mut ready = Header::of(Kind::Ready);
    match result {
        Ok(()) => outlet.put(ready, &[]),
        Err(failure) => {
            ready.flags = FAILED;
            outlet.put(ready, failure.into_message().as_bytes());
        }
    }
}

/// The entry with this number.
fn find(table: &Table, kind: u32) -> Result<&Entry, Failure> {
    table
        .get(kind)
        .ok_or_else(|| Failure::Unknown(format!("job {kind}")))
}

/// Runs a job, unless it was revoked.
fn run(table: &Table, outlet: &Outlet, message: &Message) {
    let id = message.header.job;
    let seen = with_inlet(|inlet| {
        inlet.look();
        let revoked =
            inlet.take(|other| other.header.kind == Kind::Revoke && other.header.job == id);
        (revoked.is_some(), inlet.slabs_of(id))
    });
    let (revoked, slabs) = seen.unwrap_or_default();
    if revoked {
        return answer_revoke(outlet, id, true);
    }
    luggage::begin(slabs);
    outlet.set_job(Some(id));
    let result = find(table, message.header.job_kind).and_then(|entry| {
        if message.header.flags & CHUNK != 0 {
            run_chunk(entry, outlet, message);
            return Ok(Vec::new());
        }
        let (mut argument, mut result) = (&message.payload[..], Vec::new());
        (entry.call)(&mut argument, &mut result)?;
        match argument.len() {
            0 => Ok(result),
            left => Err(Failure::Decode(format!("{left} bytes left over"))),
        }
    });
    // No event of this job comes after its DONE.
    outlet.set_job(None);
    let mut done = Header {
        flags: if luggage::end() { KEPT } else { 0 },
        job: id,
        ..Header::of(Kind::Done)
    };
    match result {
        Ok(result) => {
            outlet.put(done, &result);
            spare::give(result);
        }
        Err(failure) => {
            let (number, text) = failure.to_wire();
            (done.flags, done.aux) = (done.flags | FAILED, number);
            outlet.put(done, text.as_bytes());
        }
    }
}

/// Flag of JOB: `aux` arguments, one after the other; each result is an item.
pub(crate) const CHUNK: u16 = 4;

/// Flag of JOB, with CHUNK: each result is written before the next item begins.
pub(crate) const STRICT: u16 = 8;

/// Runs the items of a chunk; their results go out in batches, failures one by one.
fn run_chunk(entry: &Entry, outlet: &Outlet, message: &Message) {
    let mut arguments = &message.payload[..];
    let (mut batch, mut held) = (Vec::new(), 0);
    let mut flushed = Instant::now();
    let strict = message.header.flags & STRICT != 0;
    for _ in 0..message.header.aux {
        let result = (entry.call)(&mut arguments, &mut batch);
        held += u64::from(result.is_ok());
        let now = Instant::now();
        let due = strict || batch.len() >= BATCH || now - flushed >= HELD_BACK;
        if held > 0 && (due || result.is_err()) {
            outlet.put_for_job(Kind::Item, held, &batch);
            (held, flushed) = (0, now);
            batch.clear();
        }
        if let Err(failure) = result {
            let undecodable = matches!(failure, Failure::Decode(_));
            let (number, text) = failure.to_wire();
            outlet.put_failed_item(number, text.as_bytes());
            if undecodable {
                // Where the next argument begins is not known: the parent fails the rest.
                break;
            }
        }
    }
    if held > 0 {
        outlet.put_for_job(Kind::Item, held, &batch);
    }
}
