//! The pool's heart, what comes from workers: messages and ends; and what comes from time.
//!
//! Read next: `processes/watch.rs`.

#![forbid(unsafe_code)]

use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use crate::parts::slab::Key;
use crate::processes::after::{Evidence, WorkerEvent};
use crate::processes::core::Visit;
use crate::processes::error::Violation;
use crate::processes::events::Event;
use crate::processes::frame::{FAILED, KEPT, Kind};
use crate::processes::inbox::Message;
use crate::sys::pidfd::Exit;
use crate::sys::signal::SIGKILL;

impl Visit<'_> {
    /// A message has come from a worker.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn message(&mut self, key: Key, message: Message) -> Result<(), Violation> {
        let header = message.header;
        let job = Key::from_u64(header.job);
        if header.nfds != 0 {
            return Err(Violation::Descriptors);
        }
        match header.kind {
            Kind::Hello => {
                let same = self.core.setup.hash.is_none_or(|hash| hash == header.aux);
                if let Some(member) = self.inner.crew.get_mut(&key) {
                    let text = String::from_utf8_lossy(&message.payload);
                    member.names = text.lines().map(str::to_owned).collect();
                }
                self.feed(Event::Hello(key, same), Evidence::None);
            }
            Kind::Ready => {
                let result = match header.flags & FAILED {
                    0 => Ok(()),
                    _ => Err(String::from_utf8_lossy(&message.payload).into_owned()),
                };
                self.feed(Event::Ready(key, result), Evidence::None);
            }
            Kind::Done => {
                if header.flags & KEPT == 0 {
                    self.give_up_claims(key, job);
                }
                let rss = if self.core.setup.weigh {
                    self.weigh(key)
                } else {
                    None
                };
                self.feed(Event::Answered(key, job, rss), Evidence::Message(message));
            }
            Kind::Item | Kind::Event => {
                if self.inner.state.first(key) != Some(job) {
                    return Err(Violation::WrongJob(header.job));
                }
                if let Some(parcel) = self.inner.state.load(job) {
                    self.after.item(parcel, message);
                }
            }
            Kind::Revoked => {
                let revoked = header.aux != 0;
                if revoked {
                    self.give_up_claims(key, job);
                }
                self.feed(Event::Revoked(key, job, revoked), Evidence::None);
            }
            Kind::Pong => _ = self.feed(Event::Pong(key), Evidence::None),
            Kind::Bye => {}
            kind => return Err(Violation::Kind(kind as u8)),
        }
        Ok(())
    }

    /// A worker has nothing of this job any more: its shared buffers can be used again.
    fn give_up_claims(&mut self, key: Key, job: Key) {
        if let Some(member) = self.inner.crew.get_mut(&key) {
            member.lent.retain(|(other, _)| *other != job.to_u64());
        }
    }

    /// How much memory a worker has now: statm of proc(5). Unit: bytes.
    fn weigh(&self, key: Key) -> Option<u64> {
        let pid = self.inner.crew.get(&key)?.child.pid();
        let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages * 4096)
    }

    /// A worker is dead, all that it sent has been read, and it is reaped; `unread`: it had not
    /// read all that was sent to it.
    pub(crate) fn died(&mut self, key: Key, exit: Exit, unread: bool, stderr_tail: String) {
        let Some(member) = self.inner.crew.remove(&key) else {
            return;
        };
        let pid = member.child.pid();
        let killed = member.killed || self.inner.state.is_killed(key);
        let by_kill = exit.status.and_then(|status| status.signal()) == Some(SIGKILL);
        self.after.tell(WorkerEvent::Exited {
            pid,
            status: exit.status,
        });
        let evidence = Evidence::Death {
            exit,
            pid,
            maybe_oom: by_kill && !killed,
            stderr_tail,
        };
        let unread = (unread || member.unread) && !member.told_more;
        self.feed(Event::Died(key, unread), evidence);
    }

    /// The driver's turn: what is due, and when it must come again. `None`: the pool is over.
    pub(crate) fn turn(&mut self) -> Option<Option<Instant>> {
        if self
            .inner
            .state
            .next_alarm(self.now)
            .is_some_and(|alarm| alarm <= self.now)
        {
            self.feed(Event::Tick, Evidence::None);
        }
        self.flush();
        if self.inner.state.is_over() {
            return None;
        }
        self.inner.alarm = self.inner.state.next_alarm(self.now);
        Some(self.inner.alarm)
    }
}
