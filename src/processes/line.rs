//! The worker's end of the socket: descriptor 3.
//!
//! ```text
//!   parent ══ socket ══► Inlet: reads all that has arrived, keeps it in order
//!          ◄═ socket ══  Outlet: writes a message at once, whole; any thread of the worker may
//! ```
//!
//! Both block. That cannot deadlock: the parent always reads, so a write of ours always ends.
//! The one exception to blocking: before each job the inlet is emptied without waiting, so that a
//! REVOKE that was sent in time is seen in time.
//! When the parent is gone, there is nobody to work for: the process ends.
//! Read next: `processes/child.rs`.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::processes::frame::{FAILED, Header, Kind, MAX_LEN, header_of_part};
use crate::processes::inbox::{Inbox, Message};
use crate::sys::passing;

/// Bytes that one read takes.
///
/// Unit: bytes. Source: the measured frames of DESIGN.md; a larger one does not help a stream
/// socket, whose buffer is about that size.
const READ: usize = 64 << 10;

/// The code of a worker whose parent is gone.
const ORPHAN: i32 = 0;

/// What the worker writes to.
pub(crate) struct Outlet {
    socket: Arc<OwnedFd>,
    /// The job that runs, for what is reported on its way. Guards also the order of writes.
    job: Mutex<Option<u64>>,
}

/// The outlet of this process; empty in a process that is no worker.
static OUTLET: OnceLock<Outlet> = OnceLock::new();

/// What the worker reads from.
pub(crate) struct Inlet {
    socket: Arc<OwnedFd>,
    inbox: Inbox,
    /// Descriptors in the order in which they came; `None`: one was lost (EMFILE).
    fds: VecDeque<Option<OwnedFd>>,
    /// Shared buffers, by the job that they are for.
    slabs: HashMap<u64, Vec<(u64, Option<OwnedFd>)>>,
    /// Arrived, in order, and not looked at.
    arrived: VecDeque<Message>,
    buffer: Vec<u8>,
    /// How long to look before blocking.
    spin: Duration,
}

thread_local! {
    /// The inlet, on the thread that runs the jobs.
    static INLET: RefCell<Option<Inlet>> = const { RefCell::new(None) };
}

/// Makes `socket` the line of this process, for good.
pub(crate) fn open(socket: OwnedFd) {
    let socket = Arc::new(socket);
    let outlet = Outlet {
        socket: Arc::clone(&socket),
        job: Mutex::new(None),
    };
    _ = OUTLET.set(outlet);
    INLET.set(Some(Inlet {
        socket,
        inbox: Inbox::new(u64::MAX),
        fds: VecDeque::new(),
        slabs: HashMap::new(),
        arrived: VecDeque::new(),
        buffer: vec![0; READ],
        spin: Duration::ZERO,
    }));
}

/// The outlet, in a worker.
pub(crate) fn outlet() -> Option<&'static Outlet> {
    OUTLET.get()
}

/// Uses the inlet; `None` on a thread that runs no jobs.
pub(crate) fn with_inlet<R>(f: impl FnOnce(&mut Inlet) -> R) -> Option<R> {
    INLET.with_borrow_mut(|inlet| inlet.as_mut().map(f))
}

/// Ends the process: there is no parent any more.
fn orphaned() -> ! {
    _ = io::stdout().flush();
    std::process::exit(ORPHAN)
}

impl Outlet {
    /// Says which job runs from now on.
    pub(crate) fn set_job(&self, job: Option<u64>) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = job;
    }

    /// Writes a message.
    pub(crate) fn put(&self, header: Header, payload: &[u8]) {
        let _order = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(header, payload);
    }

    /// Writes a message about the job that runs; false when none does.
    pub(crate) fn put_for_job(&self, kind: Kind, aux: u64, payload: &[u8]) -> bool {
        let job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(job) = *job else { return false };
        self.write(
            Header {
                job,
                aux,
                ..Header::of(kind)
            },
            payload,
        );
        true
    }

    /// Writes that one item of the job that runs has failed.
    pub(crate) fn put_failed_item(&self, number: u64, text: &[u8]) {
        let job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        let header = Header {
            flags: FAILED,
            job: job.unwrap_or_default(),
            aux: number,
            ..Header::of(Kind::Item)
        };
        self.write(header, text);
    }

    /// Writes the frames of a message; the caller holds the lock.
    fn write(&self, header: Header, payload: &[u8]) {
        let mut rest = payload;
        loop {
            let (now, later) = rest.split_at(rest.len().min(MAX_LEN as usize));
            let head = header_of_part(header, now.len(), !later.is_empty());
            let mut parts = [IoSlice::new(&head), IoSlice::new(now)];
            let mut parts = &mut parts[..];
            while parts.iter().any(|part| !part.is_empty()) {
                match passing::send(self.socket.as_fd(), parts, &[], true) {
                    Ok(sent) => IoSlice::advance_slices(&mut parts, sent),
                    Err(_) => orphaned(),
                }
            }
            rest = later;
            if rest.is_empty() {
                return;
            }
        }
    }
}

impl Inlet {
    /// The next message; waits for it.
    pub(crate) fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.arrived.pop_front() {
                return message;
            }
            if !self.spin() {
                self.read(true);
            }
        }
    }

    /// Says how long to look before blocking.
    pub(crate) fn set_spin(&mut self, limit: Duration) {
        self.spin = limit;
    }

    /// Looks for the next message for a while. True when it has come.
    fn spin(&mut self) -> bool {
        if self.spin.is_zero() {
            return false;
        }
        let start = Instant::now();
        while self.arrived.is_empty() && start.elapsed() < self.spin {
            self.read(false);
        }
        !self.arrived.is_empty()
    }

    /// Takes in what has arrived, without waiting.
    pub(crate) fn look(&mut self) {
        while self.read(false) {}
    }

    /// The shared buffers that came for a job: number and descriptor of each.
    pub(crate) fn slabs_of(&mut self, job: u64) -> Vec<(u64, Option<OwnedFd>)> {
        self.slabs.remove(&job).unwrap_or_default()
    }

    /// Takes the first message that `wanted` accepts out of those that have arrived.
    pub(crate) fn take(&mut self, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        let index = self.arrived.iter().position(wanted)?;
        self.arrived.remove(index)
    }

    /// Reads once; false when nothing was there.
    pub(crate) fn read(&mut self, wait: bool) -> bool {
        let received = match passing::receive(self.socket.as_fd(), &mut self.buffer, wait) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => orphaned(),
        };
        if received.len == 0 {
            orphaned();
        }
        let bytes = &self.buffer[..received.len];
        let lost = received.cut && received.fds.is_empty();
        self.fds.extend(received.fds.into_iter().map(Some));
        self.fds.extend(lost.then_some(None));
        let found = |message: Message| {
            let header = message.header;
            if header.kind == Kind::Slab {
                let fd = self.fds.pop_front().flatten();
                self.slabs
                    .entry(header.job)
                    .or_default()
                    .push((header.aux, fd));
            } else {
                self.arrived.push_back(message);
            }
        };
        if let Err(violation) = self.inbox.feed(bytes, found) {
            // The parent is this program, or another version of it.
            eprintln!("trefoil: worker process: its parent sends {violation}");
            std::process::exit(1);
        }
        // A short read has emptied the socket (unix(7), a stream).
        received.len == self.buffer.len()
    }
}
