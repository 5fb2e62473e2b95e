// Runs a program of `../threads_order.rs` on a pool of one thread, and gives back its log.

use super::Step;
use pool::{Scope, ScopeFifo, Yield};
use std::sync::mpsc::{Sender, channel};

/// The scope that a step runs in, and the one around it.
#[derive(Clone, Copy)]
enum Inside<'a, 's> {
    /// None.
    Nothing,
    /// A `scope`.
    Lifo(&'a Scope<'s>),
    /// A `scope_fifo`.
    Fifo(&'a ScopeFifo<'s>),
}

pub fn run(program: &[Step]) -> Vec<i64> {
    let pool = pool::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let (log, seen) = channel();
    pool.install(move || steps(program, Inside::Nothing, Inside::Nothing, &log));
    // Ends when the last job has dropped its sender.
    seen.iter().collect()
}

fn steps<'i, 'o>(
    program: &[Step],
    inner: Inside<'_, 'i>,
    outer: Inside<'_, 'o>,
    log: &Sender<i64>,
) {
    for step in program {
        match step {
            Step::Mark(n) => log.send(i64::from(*n)).unwrap(),
            Step::Task(inside) => task(inside, inner, log),
            Step::OuterTask(inside) => task(inside, outer, log),
            Step::Free(inside) => {
                let (inside, log) = (inside.clone(), log.clone());
                pool::spawn(move || steps(&inside, Inside::Nothing, Inside::Nothing, &log));
            }
            Step::FreeFifo(inside) => {
                let (inside, log) = (inside.clone(), log.clone());
                pool::spawn_fifo(move || steps(&inside, Inside::Nothing, Inside::Nothing, &log));
            }
            Step::Scope(inside) => {
                pool::scope(|scope| steps(inside, Inside::Lifo(scope), inner, log));
            }
            Step::FifoScope(inside) => {
                pool::scope_fifo(|scope| steps(inside, Inside::Fifo(scope), inner, log));
            }
            Step::Yield(n) => yielded(*n, pool::yield_now(), log),
            Step::YieldLocal(n) => yielded(*n, pool::yield_local(), log),
            Step::Broadcast(n) => {
                let (n, log) = (i64::from(*n), log.clone());
                pool::spawn_broadcast(move |_| log.send(n).unwrap());
            }
        }
    }
}

fn task<'s>(inside: &[Step], scope: Inside<'_, 's>, log: &Sender<i64>) {
    let (inside, log) = (inside.to_vec(), log.clone());
    match scope {
        Inside::Nothing => pool::spawn(move || {
            steps(&inside, Inside::Nothing, Inside::Nothing, &log);
        }),
        Inside::Lifo(scope) => scope.spawn(move |scope| {
            steps(&inside, Inside::Lifo(scope), Inside::Lifo(scope), &log);
        }),
        Inside::Fifo(scope) => scope.spawn_fifo(move |scope| {
            steps(&inside, Inside::Fifo(scope), Inside::Fifo(scope), &log);
        }),
    }
}

fn yielded(n: u32, result: Option<Yield>, log: &Sender<i64>) {
    let ran = result.expect("on a worker") == Yield::Executed;
    log.send(if ran { -i64::from(n) } else { i64::from(n) })
        .unwrap();
}
