//! Three kinds of real computing, cut into jobs that any tool can run in any order.
//!
//! | work | a job | its jobs are |
//! |---|---|---|
//! | SHA-256 | the hash of one piece of the data | equal |
//! | primes | the primes in one stretch of the numbers, by a sieve | nearly equal |
//! | Mandelbrot | the iterations of one strip of the image | very unequal |
//!
//! A job gives a number; the sum over all jobs is the work's result, and must be the same
//! whoever ran them.

#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sha256,
    Primes,
    Mandelbrot,
}

/// A work of some size.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub kind: Kind,
    /// MiB to hash, thousands of numbers to sieve, or pixels across the image.
    pub size: usize,
}

/// All works are cut into so many jobs: enough for any number of workers to share them out, few
/// enough for handing them over to cost nothing beside them.
pub const JOBS: usize = 64;

/// Between two pauses a job hashes this much: some 100 µs, as a "byte code" would be short.
const BLOCK: usize = 64 * 1024;

/// The image: a part above the real axis, so that one end of it is heavy and the other light.
const TOP: f64 = 1.25;

/// Iterations after which a point counts as inside.
const INSIDE: u32 = 2_000;

impl Work {
    /// The work that a child is told by two words.
    pub fn parse(kind: &str, size: &str) -> Self {
        let kind = match kind {
            "SHA-256" => Kind::Sha256,
            "primes" => Kind::Primes,
            _ => Kind::Mandelbrot,
        };
        let size = size.parse().expect("a number from the parent");
        Self { kind, size }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self.kind {
            Kind::Sha256 => "SHA-256",
            Kind::Primes => "primes",
            Kind::Mandelbrot => "Mandelbrot",
        }
    }

    /// What it is, for the map.
    pub fn text(self) -> String {
        match self.kind {
            Kind::Sha256 => format!("SHA-256 of {} MiB", self.size),
            Kind::Primes => format!("primes below {} million", self.size / 1000),
            Kind::Mandelbrot => format!("Mandelbrot, {} pixels across", self.size),
        }
    }

    /// Runs job number `job`, and calls `pause` again and again meanwhile, about every 100 µs.
    pub fn run(self, job: usize, pause: &dyn Fn()) -> u64 {
        match self.kind {
            Kind::Sha256 => hash(self.size * 1024 * 1024 / JOBS, job, pause),
            Kind::Primes => {
                let below = self.size * 1000;
                primes(below * job / JOBS, below * (job + 1) / JOBS, pause)
            }
            Kind::Mandelbrot => {
                let rows = self.size / 2;
                (rows * job / JOBS..rows * (job + 1) / JOBS)
                    .map(|row| {
                        pause();
                        strip(self.size, TOP * row as f64 / rows as f64)
                    })
                    .sum()
            }
        }
    }
}

/// The first bytes of the hash of so many bytes.
fn hash(bytes: usize, job: usize, pause: &dyn Fn()) -> u64 {
    let block: Vec<u8> = (0..BLOCK).map(|i| (i * 31 + job) as u8).collect();
    let mut hash = Sha256::new();
    for _ in 0..bytes.div_ceil(BLOCK) {
        hash.update(&block);
        pause();
    }
    let first = hash.finalize();
    first[..8]
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// How many primes lie in `from..to`: the sieve of Eratosthenes, a stretch at a time.
fn primes(from: usize, to: usize, pause: &dyn Fn()) -> u64 {
    let root = to.isqrt() + 1;
    let mut small = vec![true; root + 1];
    for i in 2..=root.isqrt() {
        if small[i] {
            (i * i..=root)
                .step_by(i)
                .for_each(|multiple| small[multiple] = false);
        }
    }
    let mut count = 0;
    let mut start = from.max(2);
    while start < to {
        let end = to.min(start + BLOCK);
        let mut prime = vec![true; end - start];
        for factor in (2..=root).filter(|factor| small[*factor]) {
            let first = start.next_multiple_of(factor).max(factor * factor);
            (first..end)
                .step_by(factor)
                .for_each(|multiple| prime[multiple - start] = false);
        }
        count += prime.into_iter().filter(|prime| *prime).count() as u64;
        pause();
        start = end;
    }
    count
}

/// The iterations of one row of points.
fn strip(width: usize, y: f64) -> u64 {
    (0..width)
        .map(|x| {
            let (a, b) = (-2.0 + 2.5 * x as f64 / width as f64, y);
            let (mut re, mut im, mut n) = (0.0, 0.0, 0);
            while n < INSIDE && re * re + im * im <= 4.0 {
                (re, im) = (re * re - im * im + a, 2.0 * re * im + b);
                n += 1;
            }
            u64::from(n)
        })
        .sum()
}
