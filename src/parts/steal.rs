//! Where work is looked for, and in which order, for any kind of work.
//!
//! ```text
//!   own deque ──► injector ──► a random peer, then the next one, … once round
//!   (no sharing)  (pushed from    (take half of what it has: the next search
//!                  outside)        then finds the rest at home)
//! ```
//!
//! Work stealing: Blumofe and Leiserson, *Scheduling multithreaded computations by work stealing*,
//! 1999; the deque is crossbeam's, after Chase and Lev, 2005. The victim is random so that two
//! thieves do not follow each other round.
//! Read next: `parts/idle.rs`, what happens when nothing is found.

#![forbid(unsafe_code)]

use crate::parts::rng::Rng;
use crate::shim::deque::{Injector, Steal, Stealer, Worker};

/// What thieves can see: the injector and one end of every worker's deque.
#[derive(Debug)]
pub(crate) struct Sources<T> {
    injector: Injector<T>,
    /// One a worker, in the order of their numbers.
    stealers: Box<[Stealer<T>]>,
}

impl<T> Sources<T> {
    /// The sources over these workers' deques.
    pub(crate) fn new(stealers: impl IntoIterator<Item = Stealer<T>>) -> Self {
        Self {
            injector: Injector::new(),
            stealers: stealers.into_iter().collect(),
        }
    }

    /// Adds work from outside.
    pub(crate) fn inject(&self, item: T) {
        self.injector.push(item);
    }

    /// The oldest item from outside; takes some more along into `own`.
    pub(crate) fn take_injected(&self, own: &Worker<T>) -> Option<T> {
        if self.injector.is_empty() {
            return None;
        }
        insist(|| self.injector.steal_batch_and_pop(own))
    }

    /// The oldest item from outside, and only that one.
    pub(crate) fn take_one_injected(&self) -> Option<T> {
        if self.injector.is_empty() {
            return None;
        }
        insist(|| self.injector.steal())
    }

    /// An item of a peer of worker `me`; takes half of the peer's others along into `own`.
    pub(crate) fn steal(&self, me: usize, own: &Worker<T>, rng: &mut Rng) -> Option<T> {
        self.victims(me, rng)
            .find_map(|victim| insist(|| victim.steal_batch_and_pop(own)))
    }

    /// An item of this one peer; takes half of its others along into `own`.
    pub(crate) fn steal_from(&self, victim: usize, own: &Worker<T>) -> Option<T> {
        insist(|| self.stealers[victim].steal_batch_and_pop(own))
    }

    /// The oldest item of a peer of worker `me`, and into `own` as many of the next ones as
    /// `more` says, at most half of what is there. Of work that splits itself that is 0: the
    /// oldest item is half of it all.
    pub(crate) fn steal_some(
        &self,
        me: usize,
        own: &Worker<T>,
        rng: &mut Rng,
        more: impl Fn(&T) -> usize,
    ) -> Option<T> {
        self.victims(me, rng).find_map(|victim| {
            let first = insist(|| victim.steal())?;
            let more = more(&first);
            if more > 0 {
                // A lost race is no harm: there is one item already.
                _ = victim.steal_batch_with_limit(own, more);
            }
            Some(first)
        })
    }

    /// The peers of worker `me`, once round, from a random one on.
    fn victims(&self, me: usize, rng: &mut Rng) -> impl Iterator<Item = &Stealer<T>> {
        let count = self.stealers.len();
        let start = rng.below(count as u32) as usize;
        (start..count)
            .chain(0..start)
            .filter(move |victim| *victim != me)
            .map(|victim| &self.stealers[victim])
    }

    /// True when there is something to take, anywhere.
    pub(crate) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.stealers.iter().any(|victim| !victim.is_empty())
    }

    /// Items from outside that wait.
    pub(crate) fn injected_len(&self) -> usize {
        self.injector.len()
    }

    /// Items that wait in the deque of `worker`.
    pub(crate) fn queue_len(&self, worker: usize) -> usize {
        self.stealers[worker].len()
    }
}

/// Repeats an attempt that lost a race: somebody else got an item then, so this ends.
fn insist<T>(mut attempt: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match attempt() {
            Steal::Success(item) => return Some(item),
            Steal::Empty => return None,
            Steal::Retry => crate::shim::spin_hint(),
        }
    }
}
