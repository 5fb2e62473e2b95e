//! The timer wheel against a sorted map: the same operations must give the same answers.
//!
//! The wheel has no clock, so years pass in a millisecond here. The ticks are drawn near the
//! places where a wheel can go wrong: the powers of 64, and both ends of `u64`.
//!
//! ```text
//!   cargo test --test model_wheel                      10 000 random cases
//!   PROPTEST_CASES=1000000 cargo test --test model_wheel
//! ```

#![allow(
    dead_code,
    reason = "the wheel is included whole, with what only the crate uses"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;

#[path = "../src/parts"]
mod parts {
    pub(crate) mod list;
    pub(crate) mod slab;
}

#[path = "../src/time/wheel.rs"]
mod wheel;

use parts::slab::Key;
use wheel::Wheel;

/// What the wheel must behave like: a map from tick and number of the insert.
#[derive(Default)]
struct Model {
    now: u64,
    inserts: u64,
    waiting: BTreeMap<(u64, u64), u64>,
}

impl Model {
    /// Gives the item's name, which is the number of its insert.
    fn insert(&mut self, tick: u64) -> (u64, u64) {
        let number = self.inserts;
        self.inserts += 1;
        // What has passed is due now, behind everything that was due before.
        let place = (tick.max(self.now), number);
        self.waiting.insert(place, number);
        place
    }

    fn pop(&mut self) -> Option<u64> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= self.now).then(|| first.remove())
    }

    fn next(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|((tick, _), _)| *tick)
    }
}

/// Both side by side.
struct Pair {
    model: Model,
    wheel: Wheel<u64>,
    /// Each insert's place in the model and key in the wheel, those that are gone included.
    keys: Vec<((u64, u64), Key)>,
}

impl Pair {
    fn new() -> Self {
        Self {
            model: Model::default(),
            wheel: Wheel::new(),
            keys: Vec::new(),
        }
    }

    fn insert(&mut self, tick: u64) {
        let place = self.model.insert(tick);
        let key = self.wheel.insert(tick, place.1);
        self.keys.push((place, key));
    }

    fn cancel(&mut self, which: usize) {
        if self.keys.is_empty() {
            return;
        }
        let (place, key) = self.keys[which % self.keys.len()];
        assert_eq!(self.wheel.cancel(key), self.model.waiting.remove(&place));
    }

    fn advance(&mut self, now: u64) {
        self.model.now = self.model.now.max(now);
        self.wheel.advance(now);
        assert_eq!(self.wheel.now(), self.model.now);
    }

    fn pop(&mut self, most: usize) {
        for _ in 0..most {
            let popped = self.wheel.pop();
            assert_eq!(popped, self.model.pop());
            if popped.is_none() {
                return;
            }
        }
    }

    /// The wheel's answer may be too low, never too high, and going there leads to the right one.
    fn check(&mut self) {
        assert_eq!(self.wheel.len(), self.model.waiting.len());
        match (self.wheel.next(), self.model.next()) {
            (None, None) => {}
            (Some(bound), Some(exact)) => {
                assert!(bound <= exact.max(self.model.now), "{bound} hides {exact}");
                assert!(bound >= self.model.now, "{bound} has passed");
            }
            (bound, exact) => panic!("the wheel says {bound:?}, the model {exact:?}"),
        }
    }

    /// Goes from bound to bound until something is due.
    fn run_to_next(&mut self) {
        let Some(exact) = self.model.next() else {
            return;
        };
        for _ in 0..=8 + self.keys.len() {
            let bound = self.wheel.next().expect("something waits");
            self.advance(bound);
            if bound >= exact {
                return;
            }
        }
        panic!("going from bound to bound does not arrive at {exact}");
    }
}

/// One step of a random run.
#[derive(Debug, Clone)]
enum Step {
    /// At the present time plus this, saturating.
    Insert(u64),
    /// At this tick, passed or not.
    InsertAt(u64),
    Cancel(usize),
    Advance(u64),
    /// To the next bound, and on to what is due.
    RunToNext,
    Pop(usize),
}

/// A span near a power of 64, or any.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0u32..=10, 0u64..4, 0u64..130).prop_map(|(level, times, off)| {
            (1u64 << (6 * level)).saturating_mul(times).saturating_add(off).saturating_sub(65)
        }),
        2 => 0u64..200,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => span().prop_map(Step::Insert),
        1 => span().prop_map(Step::InsertAt),
        3 => any::<usize>().prop_map(Step::Cancel),
        2 => span().prop_map(Step::Advance),
        3 => Just(Step::RunToNext),
        3 => (1usize..10).prop_map(Step::Pop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(10_000), ..ProptestConfig::default() })]

    #[test]
    fn the_wheel_does_what_a_sorted_map_does(
        start in span(),
        steps in prop::collection::vec(step(), 1..50),
    ) {
        let mut pair = Pair::new();
        pair.advance(start);
        for step in steps {
            match step {
                Step::Insert(after) => pair.insert(pair.model.now.saturating_add(after)),
                Step::InsertAt(tick) => pair.insert(tick),
                Step::Cancel(which) => pair.cancel(which),
                Step::Advance(by) => pair.advance(pair.model.now.saturating_add(by)),
                Step::RunToNext => pair.run_to_next(),
                Step::Pop(most) => pair.pop(most),
            }
            pair.check();
        }
        pair.advance(u64::MAX);
        pair.pop(usize::MAX);
        prop_assert_eq!(pair.wheel.len(), 0);
    }
}

/// The number of cases: `default`, or what PROPTEST_CASES says.
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Fires what is due at `tick`, and nothing else: one tick earlier nothing comes.
fn fires_at(wheel: &mut Wheel<u64>, tick: u64) {
    wheel.advance(tick - 1);
    assert_eq!(wheel.pop(), None, "early: wanted {tick}");
    wheel.advance(tick);
    assert_eq!(wheel.pop(), Some(tick));
}

#[test]
fn a_timer_in_the_far_future_hides_no_near_one() {
    // Over every power of 64, with the furthest timer there is: the bug that stopped another
    // runtime's timers after 2^30 ms (tokio#8334).
    for start in (0..=10).map(|level| 1u64 << (6 * level)) {
        for before in [0, 1, 2, 63, 64, 65, 4096] {
            let mut wheel = Wheel::new();
            wheel.insert(u64::MAX, u64::MAX);
            wheel.insert(1 << 36, 1 << 36);
            let now = start.saturating_sub(before);
            wheel.advance(now);
            while wheel.pop().is_some() {}
            for after in [1, 2, 63, 64, 65, 100, 4095, 4096, 4097, 1 << 20] {
                let tick = now + after;
                // What the boundary timer at 2^36 does is not what is tested here.
                let key = wheel.insert(tick, tick);
                assert!(wheel.next().is_some_and(|next| next <= tick));
                assert_eq!(wheel.cancel(key), Some(tick));
            }
            let near = now + 3;
            if near < 1 << 36 || now >= 1 << 36 {
                wheel.insert(near, near);
                fires_at(&mut wheel, near);
            }
        }
    }
}

#[test]
fn timers_fire_at_their_tick_for_two_to_the_42_milliseconds() {
    // 139 years: 64 blocks of 2^36. Timers with a fixed period, each inserted again when it
    // fires, one of them tiny but only near the boundaries.
    let mut wheel = Wheel::new();
    wheel.insert(u64::MAX, usize::MAX);
    let periods: [u64; 6] = [
        1 << 30,
        (1 << 36) - 1,
        1 << 36,
        (1 << 36) + 1,
        3 << 34,
        1 << 41,
    ];
    let mut due = periods;
    for (which, tick) in due.iter().enumerate() {
        wheel.insert(*tick, which);
    }
    let mut fired = 0;
    while wheel.now() < 1 << 42 {
        let next = wheel.next().expect("they go on for ever");
        wheel.advance(next);
        while let Some(which) = wheel.pop() {
            assert_eq!(wheel.now(), due[which], "period {}", periods[which]);
            due[which] += periods[which];
            wheel.insert(due[which], which);
            fired += 1;
        }
    }
    assert!(fired >= 1 << 12);
    assert_eq!(wheel.len(), periods.len() + 1);
}

#[test]
fn a_timer_cancelled_around_its_deadline_is_popped_or_cancelled_never_both() {
    for deadline in [1, 63, 64, 65, 4096, 1 << 36] {
        for at in [deadline - 1, deadline, deadline + 1] {
            for pop_first in [false, true] {
                let mut wheel = Wheel::new();
                let key = wheel.insert(deadline, ());
                wheel.advance(at);
                let popped = pop_first && wheel.pop().is_some();
                let cancelled = wheel.cancel(key).is_some();
                assert!(popped != cancelled, "{deadline} {at}");
                assert_eq!(popped, pop_first && at >= deadline);
                assert_eq!((wheel.len(), wheel.next(), wheel.pop()), (0, None, None));
            }
        }
    }
}

#[test]
fn a_wheel_at_the_end_of_time_takes_timers() {
    let mut wheel = Wheel::new();
    wheel.advance(u64::MAX);
    wheel.insert(0, 0);
    wheel.insert(u64::MAX, 1);
    assert_eq!(wheel.next(), Some(u64::MAX));
    assert_eq!(
        (wheel.pop(), wheel.pop(), wheel.pop()),
        (Some(0), Some(1), None)
    );
}
