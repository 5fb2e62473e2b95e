//! The pool's heart, what goes to workers: the state machine's actions become frames and signals.
//!
//! Read next: `processes/core_workers.rs`.

#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::parts::slab::Key;
use crate::processes::after::Evidence;
use crate::processes::child::NO_INITIALIZER;
use crate::processes::core::Visit;
use crate::processes::events::Action;
use crate::processes::frame::{Header, Kind};
use crate::processes::parcel::Parcel;

/// How long a worker that has closed its socket may take to die of its own.
///
/// Effect: the driver waits at most so long, for a worker that closes its socket and lives on.
pub(crate) const DYING: Duration = Duration::from_millis(2);

impl Visit<'_> {
    /// Carries out actions, in order.
    pub(crate) fn carry_out(&mut self, todo: Vec<Action<Parcel>>, mut evidence: Evidence) {
        for action in todo {
            match action {
                Action::Launch(key) if self.core.setup.recipe.pdeathsig => {
                    // Not by a thread that ends before the pool.
                    self.inner.wanted.push(key);
                    self.inner.attention = true;
                }
                Action::Launch(key) => self.after.launches.push(key),
                Action::Init(key) => {
                    let (kind, payload) = match &self.core.setup.initializer {
                        Some((kind, payload)) => (*kind, payload.clone()),
                        None => (NO_INITIALIZER, Bytes::new()),
                    };
                    let header = Header {
                        job_kind: kind,
                        job: u64::try_from(self.core.setup.spin.as_nanos()).unwrap_or(0),
                        aux: self.core.setup.depth,
                        ..Header::of(Kind::Init)
                    };
                    self.write(key, header, &payload);
                }
                Action::Send(key, job) => self.send(key, job),
                Action::Revoke(key, job) => {
                    let header = Header {
                        job: job.to_u64(),
                        ..Header::of(Kind::Revoke)
                    };
                    self.write(key, header, &Bytes::new());
                }
                Action::Ping(key) => self.write(key, Header::of(Kind::Ping), &Bytes::new()),
                Action::Stop(key) => self.write(key, Header::of(Kind::Shutdown), &Bytes::new()),
                Action::Kill(key) => self.kill(key),
                Action::End(parcel, ending) => self.after.end(parcel, ending, &mut evidence),
            }
        }
    }

    /// Sends a job to a worker.
    fn send(&mut self, key: Key, job: Key) {
        let Some(parcel) = self.inner.state.load(job) else {
            return;
        };
        // A driver that spins begins with the job.
        self.inner.attention |= !self.core.setup.spin.is_zero();
        let mut header = Header {
            flags: parcel.flags,
            job_kind: parcel.kind,
            job: job.to_u64(),
            aux: parcel.aux,
            ..Header::of(Kind::Job)
        };
        let payload = parcel.payload.clone();
        let slabs = parcel.slabs.iter();
        let buffers: Vec<_> = slabs.map(|slab| (slab.number(), slab.file())).collect();
        let claims: Vec<_> = (parcel.slabs.iter())
            .filter(|slab| !slab.pages().is_read_only())
            .map(|slab| Arc::clone(slab.claim()))
            .collect();
        if self.core.setup.hash.is_none() {
            // The names of an external worker are known only now.
            let name = Arc::clone(&parcel.name);
            let names = self.inner.crew.get(&key).map(|member| &member.names);
            let index = names.and_then(|names| names.iter().position(|n| **n == *name));
            header.job_kind = index
                .and_then(|i| u32::try_from(i).ok())
                .unwrap_or(u32::MAX);
        }
        if let Some(member) = self.inner.crew.get_mut(&key) {
            for (number, file) in buffers {
                let slab = Header {
                    nfds: 1,
                    job: job.to_u64(),
                    aux: number,
                    ..Header::of(Kind::Slab)
                };
                member.outbox.put_file(slab, file);
            }
            if !claims.is_empty() {
                member.lent.push((job.to_u64(), claims));
            }
        }
        self.write(key, header, &payload);
    }

    /// Puts a message into a worker's outbox.
    pub(crate) fn write(&mut self, key: Key, header: Header, payload: &Bytes) {
        if let Some(member) = self.inner.crew.get_mut(&key) {
            member.told_more = header.kind != Kind::Job;
            member.outbox.put(header, payload);
            self.touched.push(key);
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, key: Key) {
        if let Some(member) = self.inner.crew.get_mut(&key) {
            member.killed = true;
            member.child.kill();
        }
    }

    /// Writes to those who were touched; a full socket is left to the driver.
    pub(crate) fn flush(&mut self) {
        for key in std::mem::take(&mut self.touched) {
            self.flush_one(key);
        }
    }

    /// Writes to one worker; true when nothing is left.
    pub(crate) fn flush_one(&mut self, key: Key) -> bool {
        let Some(member) = self.inner.crew.get_mut(&key) else {
            return true;
        };
        match member.outbox.flush(member.socket.as_fd()) {
            Ok(true) => true,
            Ok(false) => {
                self.inner.attention = true;
                false
            }
            Err(_) => {
                // It has closed its end: dead, or as good as that.
                member.unread = true;
                if !member.child.dies_within(DYING) {
                    self.kill(key);
                }
                true
            }
        }
    }

    /// True when something waits to be written.
    pub(crate) fn has_mail(&self, key: Key) -> bool {
        self.inner
            .crew
            .get(&key)
            .is_some_and(|member| !member.outbox.is_empty())
    }
}
