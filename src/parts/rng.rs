//! Cheap random numbers: which worker to steal from first, which `select!` branch to poll first.
//!
//! Xorshift with the shifts (13, 7, 17): Marsaglia, *Xorshift RNGs*, 2003. Three shifts and three
//! exclusive ors, good enough to spread load, useless as a secret. Each thread has its own state.
//! Read next: `parts/steal.rs`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// A xorshift generator; its state is never 0, because 0 maps to 0 for ever.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator that starts at `seed`; a seed of 0 is replaced.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(if seed == 0 {
            88_172_645_463_325_252
        } else {
            seed
        })
    }

    /// A generator with a seed from the system (std's hash keys come from getrandom(2)).
    pub(crate) fn from_system() -> Self {
        Self::new(RandomState::new().hash_one(0_u8))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`, by multiplication instead of division
    /// (Lemire, *Fast random integer generation in an interval*, 2019, without the correction:
    /// the bias is below `bound` / 2^32).
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let high = self.next() >> 32;
        ((high * u64::from(bound)) >> 32) as u32
    }
}

thread_local! {
    /// 0 until the thread asks for its first number.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// A number below `bound` from this thread's own generator.
pub(crate) fn thread_below(bound: u32) -> u32 {
    STATE.with(|state| {
        let mut rng = match state.get() {
            0 => Rng::from_system(),
            seed => Rng::new(seed),
        };
        let number = rng.below(bound);
        state.set(rng.0);
        number
    })
}
