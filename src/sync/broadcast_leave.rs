//! A receiver that goes passes over what it has not read.
//!
//! ```text
//!   lock end { one fewer; where is the end? } ──► for each position from its next to that end:
//!        lock slot { still this value? one fewer to come; nobody left: take it out } drop it
//! ```
//!
//! What is sent after the first step does not count this receiver any more. What is overwritten
//! meanwhile is not its business. Values are dropped when nothing is locked, and one whose drop
//! panics does not keep the others.
//! Why not together with the line of those who wait: a receiver that goes does not wait.
//! Read next: `sync/broadcast_receiver.rs`.

#![forbid(unsafe_code)]

use crate::sync::broadcast_ring::Channel;
use crate::sync::notify::Notify;

impl<T> Channel<T> {
    /// Counts a receiver off that was to read `next` as the next one.
    pub(crate) fn leave_receiver(&self, next: u64) {
        let mut end = self.end();
        end.receivers -= 1;
        let last = end.receivers == 0;
        let unread = next.max(end.position - self.capacity())..end.position;
        drop(end);
        // Both go on when a value's drop panics, in this order.
        let _gone = last.then(|| RingsOnDrop(&self.gone));
        PassOver(self, unread).run();
    }
}

/// Positions that a receiver will not come for.
struct PassOver<'a, T>(&'a Channel<T>, std::ops::Range<u64>);

impl<T> PassOver<'_, T> {
    /// Counts this receiver off at each, and drops the values that nobody else wants.
    fn run(&mut self) {
        for position in self.1.by_ref() {
            let mut slot = self.0.slot(position);
            if slot.position != position {
                continue;
            }
            slot.to_come -= 1;
            let unwanted = if slot.to_come == 0 {
                slot.value.take()
            } else {
                None
            };
            drop(slot);
            // After unlocking. A panic passes over the rest (`Drop`).
            drop(unwanted);
        }
    }
}

impl<T> Drop for PassOver<'_, T> {
    fn drop(&mut self) {
        self.run();
    }
}

/// Tells at its end that the last receiver has gone.
struct RingsOnDrop<'a>(&'a Notify);

impl Drop for RingsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}
