//! Jobs that wait for a worker: higher priority first, then first come, first served.
//!
//! One ordered map does it: the key is (priority, number), and the numbers grow at the back and
//! shrink at the front. A second one knows by when a job must have begun.
//! Why not a heap: a job may leave from the middle (cancelled, overdue).
//! Read next: `processes/slots.rs`.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use crate::parts::slab::Key;
use crate::processes::events::Terms;

/// Where a job stands: sorts before all that come later.
type Place = (Reverse<i32>, i64);

/// The waiting jobs.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    order: BTreeMap<Place, Key>,
    /// Where each job stands.
    places: HashMap<u64, (Place, Option<Instant>)>,
    /// By when they must have begun; only those that must.
    limits: BTreeSet<(Instant, u64)>,
    /// The next number at the back.
    back: i64,
    /// The next number at the front.
    front: i64,
}

impl Queue {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            front: -1,
            ..Self::default()
        }
    }

    /// True when nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Behind all of its priority.
    pub(crate) fn push_back(&mut self, job: Key, terms: &Terms) {
        let number = self.back;
        self.back += 1;
        self.insert(job, terms, number, terms.begin_by);
    }

    /// Before all of its priority: for one that had been taken out already, so it has begun in
    /// time, or was about to.
    pub(crate) fn push_front(&mut self, job: Key, terms: &Terms) {
        let number = self.front;
        self.front -= 1;
        self.insert(job, terms, number, None);
    }

    /// Both of the above.
    fn insert(&mut self, job: Key, terms: &Terms, number: i64, limit: Option<Instant>) {
        let place = (Reverse(terms.priority), number);
        self.order.insert(place, job);
        self.places.insert(job.to_u64(), (place, limit));
        if let Some(limit) = limit {
            self.limits.insert((limit, job.to_u64()));
        }
    }

    /// Takes the next.
    pub(crate) fn pop(&mut self) -> Option<Key> {
        let job = *self.order.first_key_value()?.1;
        self.remove(job);
        Some(job)
    }

    /// Takes a job out.
    pub(crate) fn remove(&mut self, job: Key) {
        if let Some((place, limit)) = self.places.remove(&job.to_u64()) {
            self.order.remove(&place);
            if let Some(limit) = limit {
                self.limits.remove(&(limit, job.to_u64()));
            }
        }
    }

    /// Takes a job that waits too long already.
    pub(crate) fn pop_overdue(&mut self, now: Instant) -> Option<Key> {
        let &(limit, job) = self.limits.first()?;
        if limit > now {
            return None;
        }
        let job = Key::from_u64(job);
        self.remove(job);
        Some(job)
    }

    /// When the next job waits too long.
    pub(crate) fn next_overdue(&self) -> Option<Instant> {
        self.limits.first().map(|(limit, _)| *limit)
    }
}
