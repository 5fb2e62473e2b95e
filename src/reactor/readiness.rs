//! What one fd is ready for, and who waits for it.
//!
//! ```text
//!   epoll ── event ──► set:  bits |= event, tick of its direction += 1, wake who waits
//!                                  │
//!   task ── poll ──► bits say no ──┴─► its waker goes into the direction's slot: Pending
//!                    bits say yes ──► Seen (bits + both ticks) ──► system call ──┬─► bytes
//!                                                                                │
//!                    deny ◄── would block ◄──────────────────────────────────────┘
//!                      tick still the one in Seen? clear the bits; then poll again
//! ```
//!
//! epoll reports edges: "something came" is said once. So a clear must never erase an event that
//! came after the system call. The ticks see to that: 64 bits wide, one a direction, compared in
//! full (narrow ones have wrapped in practice: tokio issues 6133 and 8331).
//! A bit is a hint, nothing more: every operation survives one that lies.
//!
//! Bits, ticks and waiting wakers are under one mutex. Why not one atomic word: a lock costs
//! 11 ns here where the system calls of a message cost 7 µs, and the argument fits a paragraph.
//! Wakers are cloned, woken and dropped outside of it, because they are foreign code.
//! Read next: `reactor/poller.rs`, which calls [`Readiness::set`].

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::reactor::bits::{Bits, Direction};
use crate::reactor::shutdown::rt_shutdown_error;
use crate::reactor::waiters::{Place, Waiters};
use crate::reactor::waking::Waking;

/// What was seen before a system call: the bits, and the ticks that tell whether they are stale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// What was set.
    bits: Bits,
    /// Tick of each direction at that time.
    ticks: [u64; 2],
}

impl Seen {
    /// What was set.
    pub(crate) fn bits(&self) -> Bits {
        self.bits
    }

    /// An error when the runtime has ended.
    pub(crate) fn check_shutdown(&self) -> io::Result<()> {
        if self.bits.meets(Bits::SHUTDOWN) {
            Err(rt_shutdown_error())
        } else {
            Ok(())
        }
    }
}

/// What the mutex guards.
struct State {
    /// What is set now.
    bits: Bits,
    /// All events so far.
    events: u64,
    /// The number of the last event of each direction.
    ticks: [u64; 2],
    /// Who waits.
    waiters: Waiters,
}

impl State {
    /// What a caller may know.
    fn seen(&self) -> Seen {
        Seen {
            bits: self.bits,
            ticks: self.ticks,
        }
    }
}

/// One fd's readiness, shared by the reactor (which sets) and the fd's owner (who waits).
pub(crate) struct Readiness(Mutex<State>);

impl Readiness {
    /// Nothing set, nobody waits.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            bits: Bits::EMPTY,
            events: 0,
            ticks: [0; 2],
            waiters: Waiters::new(),
        }))
    }

    /// The state; nothing that can panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event: sets `bits` and wakes who waits for them.
    ///
    /// The last few wakers stay in `waking`; the others are woken in between, without the lock.
    pub(crate) fn set(&self, bits: Bits, waking: &mut Waking) {
        let mut state = self.lock();
        state.bits = state.bits.with(bits);
        state.events += 1;
        let now = state.events;
        for direction in [Direction::Read, Direction::Write] {
            if !bits.meets(direction.side()) {
                continue;
            }
            state.ticks[direction as usize] = now;
            while let Some(waker) = state.waiters.pop(direction, now) {
                waking.push(waker);
                if waking.is_full() {
                    drop(state);
                    waking.wake_all();
                    state = self.lock();
                }
            }
        }
    }

    /// Sets bits that are known without an event (a fresh stream can be written to).
    ///
    /// Only for an fd that nobody waits for yet: it wakes nobody.
    pub(crate) fn assume(&self, bits: Bits) {
        let mut state = self.lock();
        state.bits = state.bits.with(bits);
    }

    /// What is set now.
    pub(crate) fn now(&self) -> Seen {
        self.lock().seen()
    }

    /// Waits in the slot of its direction until one of `wanted` is set.
    ///
    /// A slot holds one waker: the last caller's. Others wait by [`Self::poll_listed`].
    #[inline]
    pub(crate) fn poll(&self, cx: &mut Context<'_>, wanted: Bits) -> Poll<Seen> {
        let direction = Direction::of(wanted);
        // The clone is made without the lock, and the waker it replaces dropped without it:
        // both are declared before the guard, so they go after it.
        let mut clone = None;
        let _replaced;
        loop {
            let mut state = self.lock();
            if state.bits.meets(wanted.with(Bits::SHUTDOWN)) {
                return Poll::Ready(state.seen());
            }
            let events = state.events;
            let slot = state.waiters.slot(direction);
            if slot.has(cx) {
                return Poll::Pending;
            }
            if let Some(waker) = clone.take() {
                _replaced = slot.replace(waker, events);
                return Poll::Pending;
            }
            drop(state);
            clone = Some(cx.waker().clone());
        }
    }

    /// Waits beside any number of others until one of `wanted` is set.
    ///
    /// `place` starts as `None` and belongs to one waiter; give it to [`Self::leave`] when that
    /// one goes away.
    pub(crate) fn poll_listed(
        &self,
        cx: &mut Context<'_>,
        wanted: Bits,
        place: &mut Option<Place>,
    ) -> Poll<Seen> {
        let mut clone = None;
        let _replaced;
        loop {
            let mut state = self.lock();
            if state.bits.meets(wanted.with(Bits::SHUTDOWN)) {
                let seen = state.seen();
                drop(state);
                self.leave(place);
                return Poll::Ready(seen);
            }
            let events = state.events;
            if state.waiters.has(place, cx) {
                return Poll::Pending;
            }
            if let Some(waker) = clone.take() {
                _replaced = state.waiters.put(place, wanted, waker, events);
                return Poll::Pending;
            }
            drop(state);
            clone = Some(cx.waker().clone());
        }
    }

    /// Takes a waiter out of its list, if it is in one.
    pub(crate) fn leave(&self, place: &mut Option<Place>) {
        // Dropped after the lock.
        let _left = match place {
            Some(_) => self.lock().waiters.leave(place),
            None => None,
        };
    }

    /// Clears `bits`, each direction's only if no event has come to it since `seen`.
    ///
    /// The end of a stream and the end of the runtime stay.
    pub(crate) fn clear(&self, seen: Seen, bits: Bits) {
        self.deny(seen, bits.without(Bits::STICKY));
    }

    /// A system call that `seen` made worth a try would have blocked: clears what it waited for.
    ///
    /// The end of the stream too, for the kernel has just denied it.
    pub(crate) fn deny(&self, seen: Seen, wanted: Bits) {
        let mut gone = wanted.without(Bits::SHUTDOWN);
        let mut state = self.lock();
        for direction in [Direction::Read, Direction::Write] {
            if state.ticks[direction as usize] != seen.ticks[direction as usize] {
                gone = gone.without(direction.side());
            }
        }
        state.bits = state.bits.without(gone);
    }

    /// True when something came to read since the last call: for whoever looks after each turn.
    pub(crate) fn take_readable(&self) -> bool {
        let mut state = self.lock();
        let any = Direction::Read.side().without(Bits::SHUTDOWN);
        let was = state.bits.meets(any);
        state.bits = state.bits.without(any);
        was
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Readiness")
            .field("bits", &state.bits)
            .field("ticks", &state.ticks)
            .field("waiters", &state.waiters.len())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use crate::reactor::shutdown::is_rt_shutdown_err;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    /// Counts its wakes.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One event, its tasks woken.
    fn event(readiness: &Readiness, bits: Bits) -> usize {
        let mut waking = Waking::new();
        readiness.set(bits, &mut waking);
        waking.finish()
    }

    #[test]
    fn an_event_between_the_system_call_and_the_clear_is_never_lost() {
        let sides = [
            (Direction::Read, Bits::READABLE),
            (Direction::Write, Bits::WRITABLE),
        ];
        let mut cx = Context::from_waker(Waker::noop());
        for (direction, bits) in sides {
            for (_, came) in sides {
                for events in [1, 1 << 8, 1 << 15, 1 << 16] {
                    let readiness = Readiness::new();
                    event(&readiness, bits);
                    let Poll::Ready(seen) = readiness.poll(&mut cx, direction.wanted()) else {
                        panic!("an event did not make {direction:?} ready")
                    };
                    (0..events).for_each(|_| assert!(event(&readiness, came) <= 1));
                    readiness.clear(seen, bits);
                    readiness.deny(seen, direction.wanted());
                    let after = readiness.poll(&mut cx, direction.wanted());
                    let kept = bits == came;
                    assert_eq!(
                        after.is_ready(),
                        kept,
                        "{direction:?}, {events} of {came:?}"
                    );
                    assert_eq!(readiness.now().bits().meets(bits), kept);
                }
            }
        }
    }

    #[test]
    fn an_event_wakes_each_waiter_of_its_direction_once() {
        let readiness = Readiness::new();
        let counts: [Arc<Count>; 3] = Default::default();
        let wakers = counts.clone().map(Waker::from);
        let [reader, writer, either] = &wakers;
        let wanted = [
            Bits::READABLE,
            Bits::WRITABLE,
            Bits::READABLE.with(Bits::WRITABLE),
        ];
        let mut places: Vec<Option<Place>> = Vec::new();
        for _ in 0..100 {
            for (waker, wanted) in [reader, writer, either].into_iter().zip(wanted) {
                let mut place = None;
                let mut cx = Context::from_waker(waker);
                assert!(
                    readiness
                        .poll_listed(&mut cx, wanted, &mut place)
                        .is_pending()
                );
                places.push(place);
            }
        }
        let woken = |count: &Arc<Count>| count.0.load(Ordering::Relaxed);
        assert_eq!(event(&readiness, Bits::READABLE), 200);
        assert_eq!(counts.each_ref().map(woken), [100, 0, 100]);
        places
            .iter_mut()
            .skip(3)
            .for_each(|place| readiness.leave(place));
        assert_eq!(event(&readiness, Bits::ERROR), 1);
        assert_eq!(counts.each_ref().map(woken), [100, 1, 100]);
        assert!(readiness.lock().waiters.len() == 0);
    }

    #[test]
    fn the_slot_keeps_the_last_waker_and_shutdown_ends_all_waiting() {
        let readiness = Readiness::new();
        let counts: [Arc<Count>; 2] = Default::default();
        let [first, last] = counts.clone().map(Waker::from);
        for waker in [&first, &last, &last] {
            let mut cx = Context::from_waker(waker);
            assert!(
                readiness
                    .poll(&mut cx, Direction::Read.wanted())
                    .is_pending()
            );
        }
        assert_eq!(
            Arc::strong_count(&counts[0]),
            2,
            "a replaced waker is dropped"
        );
        assert_eq!(
            Arc::strong_count(&counts[1]),
            3,
            "the same waker is not cloned again"
        );
        assert_eq!(event(&readiness, Bits::SHUTDOWN), 1);
        assert_eq!(counts[1].0.load(Ordering::Relaxed), 1);
        let mut cx = Context::from_waker(&last);
        for direction in [Direction::Read, Direction::Write] {
            let Poll::Ready(seen) = readiness.poll(&mut cx, direction.wanted()) else {
                panic!("still waiting after the end")
            };
            assert!(is_rt_shutdown_err(&seen.check_shutdown().unwrap_err()));
            readiness.clear(seen, seen.bits());
        }
    }
}
