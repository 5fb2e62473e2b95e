//! On a pool of one thread the order of jobs is exact, and it is the same here as there.
//!
//! Random programs of scopes, spawns and yields, nested and mixed, log what runs when. Both sides
//! run the same programs; every difference is one.

mod on_rayon_core {
    use rayon_core as pool;
    include!("threads/order.rs");
}

mod on_trefoil {
    use trefoil::threads as pool;
    include!("threads/order.rs");
}

/// Marsaglia's xorshift64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// One step of a program; a number names its line in the log.
#[derive(Clone, Debug)]
enum Step {
    /// Logs.
    Mark(u32),
    /// Spawns into the innermost scope, by its own kind.
    Task(Vec<Step>),
    /// Spawns into the scope around the innermost one.
    OuterTask(Vec<Step>),
    /// `spawn`.
    Free(Vec<Step>),
    /// `spawn_fifo`.
    FreeFifo(Vec<Step>),
    /// `scope`.
    Scope(Vec<Step>),
    /// `scope_fifo`.
    FifoScope(Vec<Step>),
    /// `yield_now`, and logs whether something ran.
    Yield(u32),
    /// `yield_local`, likewise.
    YieldLocal(u32),
    /// `spawn_broadcast`.
    Broadcast(u32),
}

/// A random program of about this size.
fn program(rng: &mut Rng, size: u32, next: &mut u32) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut left = size;
    while left > 0 {
        *next += 1;
        let inner = rng.below(u64::from(left)) as u32;
        left -= inner.max(1);
        steps.push(match rng.below(12) {
            0 | 1 => Step::Task(program(rng, inner, next)),
            2 => Step::OuterTask(program(rng, inner, next)),
            3 => Step::Free(program(rng, inner, next)),
            4 => Step::FreeFifo(program(rng, inner, next)),
            5 | 6 => Step::Scope(program(rng, inner, next)),
            7 | 8 => Step::FifoScope(program(rng, inner, next)),
            9 => Step::Yield(*next),
            10 => Step::YieldLocal(*next),
            11 if rng.below(4) == 0 => Step::Broadcast(*next),
            _ => Step::Mark(*next),
        });
        *next += 1;
        steps.push(Step::Mark(*next));
    }
    steps
}

#[test]
fn random_programs_run_in_the_same_order_here_and_there() {
    let mut rng = Rng(88_172_645_463_325_252);
    for size in (1..60).cycle().take(1000) {
        let program = program(&mut rng, size, &mut 0);
        let (theirs, ours) = (on_rayon_core::run(&program), on_trefoil::run(&program));
        assert_eq!(ours, theirs, "trefoil (left) differs: {program:#?}");
    }
}
