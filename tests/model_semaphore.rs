//! Random operations on a semaphore, against a model of plain integers and a queue.

mod hand;

use std::collections::VecDeque;

use hand::Hand;
use proptest::prelude::*;
use trefoil::sync::{Semaphore, SemaphorePermit};

/// What may happen. Numbers choose among what is there, modulo.
#[derive(Debug, Clone)]
enum Op {
    Add(usize),
    Forget(usize),
    TryAcquire(u32),
    /// Makes a request and polls it.
    Acquire(u32),
    Poll(usize),
    DropRequest(usize),
    DropPermit(usize),
    Split(usize, usize),
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..4_usize).prop_map(Op::Add),
        1 => (0..3_usize).prop_map(Op::Forget),
        3 => (0..4_u32).prop_map(Op::TryAcquire),
        6 => (0..5_u32).prop_map(Op::Acquire),
        4 => any::<usize>().prop_map(Op::Poll),
        3 => any::<usize>().prop_map(Op::DropRequest),
        6 => any::<usize>().prop_map(Op::DropPermit),
        2 => (any::<usize>(), 0..3_usize).prop_map(|(which, n)| Op::Split(which, n)),
        1 => Just(Op::Close),
    ]
}

/// A semaphore as one would write it without threads in mind.
#[derive(Debug, Default)]
struct Model {
    free: usize,
    closed: bool,
    /// Requests in line: (number, asked, still missing).
    line: VecDeque<(usize, usize, usize)>,
    /// Requests that got all they asked for and have not looked: (number, asked).
    granted: Vec<(usize, usize)>,
    /// Requests that were in line at `close`: (number, collected).
    refused: Vec<(usize, usize)>,
}

impl Model {
    fn release(&mut self, mut n: usize) {
        while n > 0
            && let Some((number, asked, missing)) = self.line.front_mut()
        {
            let given = n.min(*missing);
            n -= given;
            *missing -= given;
            if *missing == 0 {
                self.granted.push((*number, *asked));
                self.line.pop_front();
            }
        }
        self.free += n;
    }

    /// The first poll; true when it is ready.
    fn ask(&mut self, number: usize, n: usize) -> bool {
        if self.closed || self.free >= n {
            self.free -= if self.closed { 0 } else { n };
            return true;
        }
        let taken = std::mem::take(&mut self.free);
        self.line.push_back((number, n, n - taken));
        false
    }

    fn close(&mut self) {
        self.closed = true;
        let refused = self
            .line
            .drain(..)
            .map(|(number, asked, missing)| (number, asked - missing));
        self.refused.extend(refused);
        // Who was granted and has not looked is refused, too.
        self.refused.append(&mut self.granted);
    }

    /// True when a request would be ready now.
    fn is_ready(&self, number: usize) -> bool {
        self.granted
            .iter()
            .chain(&self.refused)
            .any(|entry| entry.0 == number)
    }

    /// The request is gone, by a ready poll (`granted` stays with the permit) or by a drop.
    fn leave(&mut self, number: usize, dropped: bool) {
        let take = |list: &mut Vec<(usize, usize)>| {
            list.iter()
                .position(|entry| entry.0 == number)
                .map(|at| list.remove(at).1)
        };
        if let Some(n) = take(&mut self.refused) {
            self.release(n);
        } else if let Some(n) = take(&mut self.granted) {
            self.release(if dropped { n } else { 0 });
        } else if let Some(at) = self.line.iter().position(|entry| entry.0 == number) {
            let (_, asked, missing) = self.line.remove(at).unwrap();
            self.release(asked - missing);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_semaphore_agrees_with_its_model(
        permits in 0..5_usize,
        ops in proptest::collection::vec(op(), 0..60),
    ) {
        let semaphore = Semaphore::new(permits);
        let mut model = Model { free: permits, ..Model::default() };
        let mut requests = Vec::new();
        let mut held: Vec<SemaphorePermit<'_>> = Vec::new();
        for (number, op) in ops.into_iter().enumerate() {
            match op {
                Op::Add(n) => {
                    semaphore.add_permits(n);
                    model.release(n);
                }
                Op::Forget(n) => {
                    let taken = n.min(model.free);
                    model.free -= taken;
                    prop_assert_eq!(semaphore.forget_permits(n), taken);
                }
                Op::TryAcquire(n) => {
                    let permit = semaphore.try_acquire_many(n);
                    prop_assert_eq!(permit.is_ok(), !model.closed && model.free >= n as usize);
                    if let Ok(permit) = permit {
                        model.free -= n as usize;
                        held.push(permit);
                    }
                }
                Op::Acquire(n) => {
                    let mut request = Hand::new(semaphore.acquire_many(n));
                    let polled = request.poll();
                    prop_assert_eq!(polled.is_ready(), model.ask(number, n as usize));
                    match polled {
                        std::task::Poll::Ready(permit) => {
                            prop_assert_eq!(permit.is_ok(), !model.closed);
                            held.extend(permit);
                        }
                        std::task::Poll::Pending => requests.push((number, request, false)),
                    }
                }
                Op::Poll(which) if !requests.is_empty() => {
                    let at = which % requests.len();
                    let (number, request, woken) = &mut requests[at];
                    let ready = model.is_ready(*number);
                    *woken |= request.woken();
                    // Woken exactly when there is something to see.
                    prop_assert_eq!(*woken, ready);
                    let polled = request.poll();
                    prop_assert_eq!(polled.is_ready(), ready);
                    if let std::task::Poll::Ready(permit) = polled {
                        model.leave(*number, false);
                        prop_assert_eq!(permit.is_ok(), !model.closed);
                        held.extend(permit);
                        requests.remove(at);
                    }
                }
                Op::DropRequest(which) if !requests.is_empty() => {
                    let at = which % requests.len();
                    let (number, request, _) = requests.remove(at);
                    drop(request);
                    model.leave(number, true);
                }
                Op::DropPermit(which) if !held.is_empty() => {
                    let permit = held.swap_remove(which % held.len());
                    let n = permit.num_permits();
                    drop(permit);
                    model.release(n);
                }
                Op::Split(which, n) if !held.is_empty() => {
                    let at = which % held.len();
                    let before = held[at].num_permits();
                    let part = held[at].split(n);
                    prop_assert_eq!(part.is_some(), before >= n);
                    held.extend(part);
                }
                Op::Close => {
                    semaphore.close();
                    model.close();
                }
                _ => {}
            }
            prop_assert_eq!(semaphore.available_permits(), model.free);
            prop_assert_eq!(semaphore.is_closed(), model.closed);
        }
    }
}
