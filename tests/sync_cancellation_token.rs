//! CancellationToken: downwards only, no leak, no deep recursion, wakers that panic.

mod hand;

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Poll, Waker};

use hand::{Bomb, Count, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::{
    CancellationToken, DropGuard, DropGuardRef, WaitForCancellationFuture,
    WaitForCancellationFutureOwned,
};

assert_impl_all!(CancellationToken: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Default);
assert_impl_all!(DropGuard: Send, Sync, Unpin);
assert_impl_all!(DropGuardRef<'static>: Send, Sync, Unpin);
assert_impl_all!(WaitForCancellationFuture<'static>: Send, Sync);
assert_not_impl_any!(WaitForCancellationFuture<'static>: Unpin);
assert_impl_all!(WaitForCancellationFutureOwned: Send, Sync);
assert_not_impl_any!(WaitForCancellationFutureOwned: Unpin);

#[test]
fn cancel_goes_downwards_only() {
    let root = CancellationToken::new();
    let [left, right] = [root.child_token(), root.child_token()];
    let leaf = left.child_token();
    left.cancel();
    assert!(left.is_cancelled() && leaf.is_cancelled());
    assert!(!root.is_cancelled() && !right.is_cancelled());
    leaf.cancel();
    root.cancel();
    assert!(right.is_cancelled());
}

#[test]
fn clones_are_one_token() {
    let token = CancellationToken::new();
    let clone = token.clone();
    drop(token);
    let child = clone.child_token();
    clone.clone().cancel();
    assert!(clone.is_cancelled() && child.is_cancelled());
}

#[test]
fn the_child_of_a_cancelled_token_is_cancelled() {
    let token = CancellationToken::new();
    token.cancel();
    let child = token.child_token();
    assert!(child.is_cancelled() && child.child_token().is_cancelled());
    Hand::new(child.cancelled()).expect_ready();
}

#[test]
fn waiters_of_the_whole_tree_are_woken() {
    let root = CancellationToken::new();
    let child = root.child_token();
    let other = CancellationToken::new();
    let mut waiting: Vec<_> = (0..50)
        .flat_map(|_| {
            [
                Hand::pending(root.cancelled()),
                Hand::pending(child.cancelled()),
            ]
        })
        .collect();
    let mut owned = Hand::pending(child.clone().cancelled_owned());
    let mut unpolled = Hand::new(child.cancelled());
    let mut stranger = Hand::pending(other.cancelled());
    root.cancel();
    for waiter in &mut waiting {
        assert!(waiter.woken());
        waiter.expect_ready();
    }
    assert!(owned.woken() && !stranger.woken());
    owned.expect_ready();
    unpolled.expect_ready();
    stranger.expect_pending();
}

#[test]
fn a_waiter_dropped_at_any_poll_leaves_nothing() {
    for polls in 0..=3 {
        for cancelled in [false, true] {
            let token = CancellationToken::new();
            let count = Count::new();
            let waker = Waker::from(count.clone());
            let mut waiter = Hand::new(token.cancelled());
            for _ in 0..polls {
                assert!(waiter.poll_with(&waker).is_pending());
            }
            let mut other = Hand::pending(token.cancelled());
            if cancelled {
                token.cancel();
            }
            drop((waiter, waker));
            assert_eq!(Arc::strong_count(&count), 1);
            token.cancel();
            assert!(other.woken());
            other.expect_ready();
        }
    }
}

#[test]
fn the_latest_waker_is_woken() {
    let token = CancellationToken::new();
    let (old, new) = (Count::new(), Count::new());
    let mut waiter = Hand::new(token.cancelled());
    assert!(waiter.poll_with(&Waker::from(old.clone())).is_pending());
    assert!(waiter.poll_with(&Waker::from(new.clone())).is_pending());
    token.cancel();
    assert_eq!((old.take(), new.take()), (0, 1));
}

#[test]
fn grandchildren_outlive_their_parents_handles() {
    let root = CancellationToken::new();
    let child = root.child_token();
    let grandchildren: Vec<_> = (0..3).map(|_| child.child_token()).collect();
    drop(child);
    grandchildren[0].cancel();
    assert!(!grandchildren[1].is_cancelled());
    root.cancel();
    assert!(grandchildren.iter().all(CancellationToken::is_cancelled));
}

#[test]
fn a_tree_lives_without_its_root() {
    let root = CancellationToken::new();
    let [left, right] = [root.child_token(), root.child_token()];
    let leaf = left.child_token();
    drop(root);
    left.cancel();
    assert!(leaf.is_cancelled() && !right.is_cancelled());
    let late = right.child_token();
    right.cancel();
    assert!(late.is_cancelled());
}

/// A million links; a recursive cancel or drop would need far more than a thread's stack.
#[test]
fn a_deep_tree_is_cancelled_and_dropped_without_recursion() {
    for cancel in [false, true] {
        let root = CancellationToken::new();
        let mut chain = vec![root.child_token()];
        for _ in 0..200_000 {
            chain.push(chain[chain.len() - 1].child_token());
        }
        if cancel {
            root.cancel();
            assert!(chain.iter().all(CancellationToken::is_cancelled));
        }
        drop(root);
        drop(chain);
    }
}

/// A child of a child of a child, each parent dropped: the length of the chain must not cost.
#[test]
fn a_long_line_of_ancestors_leaves_no_trace() {
    let root = CancellationToken::new();
    let mut token = root.child_token();
    for _ in 0..200_000 {
        token = token.child_token();
        drop(root.child_token());
    }
    root.cancel();
    assert!(token.is_cancelled());
}

#[test]
fn random_trees_agree_with_a_naive_one() {
    // xorshift; any seed but 0 will do.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for _ in 0..300 {
        // (token, its parent, cancelled) by number; handles may be gone.
        let mut tokens = vec![(Some(CancellationToken::new()), None, false)];
        for _ in 0..60 {
            let chosen = random(tokens.len());
            let Some(token) = tokens[chosen].0.clone() else {
                continue;
            };
            match random(6) {
                0..=2 => {
                    let cancelled = tokens[chosen].2;
                    tokens.push((Some(token.child_token()), Some(chosen), cancelled));
                }
                3 | 4 => tokens[chosen].0 = None,
                _ => {
                    token.cancel();
                    tokens[chosen].2 = true;
                    for number in chosen + 1..tokens.len() {
                        // Parents have smaller numbers than their children.
                        let parent: Option<usize> = tokens[number].1;
                        tokens[number].2 |= tokens[parent.unwrap()].2;
                    }
                }
            }
            for (token, _, cancelled) in &tokens {
                assert!(
                    token
                        .as_ref()
                        .is_none_or(|t| t.is_cancelled() == *cancelled)
                );
            }
        }
    }
}

#[test]
fn a_panicking_waker_keeps_no_other_asleep() {
    let bomb = Waker::from(Arc::new(Bomb));
    let root = CancellationToken::new();
    let children: Vec<_> = (0..3).map(|_| root.child_token()).collect();
    let mut waiters: Vec<_> = children
        .iter()
        .map(|child| Hand::new(child.cancelled()))
        .collect();
    waiters
        .iter_mut()
        .for_each(|waiter| assert!(waiter.poll_with(&bomb).is_pending()));
    let mut others: Vec<_> = children
        .iter()
        .map(|c| Hand::pending(c.cancelled()))
        .collect();
    assert!(catch_unwind(AssertUnwindSafe(|| root.cancel())).is_err());
    assert!(others.iter_mut().all(|other| other.woken()));
    others
        .iter_mut()
        .chain(&mut waiters)
        .for_each(|waiter| waiter.expect_ready());
}

#[test]
fn guards_cancel_unless_disarmed() {
    let token = CancellationToken::new();
    let token = token.drop_guard().disarm();
    let same = token.drop_guard_ref().disarm();
    assert!(!same.is_cancelled());
    {
        let _guard = token.child_token().drop_guard();
    }
    assert!(!token.is_cancelled());
    drop(token.clone().drop_guard());
    assert!(token.is_cancelled());
    let token = CancellationToken::default();
    drop(token.drop_guard_ref());
    assert!(token.is_cancelled());
}

#[test]
fn run_until_cancelled_gives_the_output_or_none() {
    let token = CancellationToken::new();
    let (sender, receiver) = futures_util::future::abortable(std::future::pending::<()>());
    let mut running = Hand::pending(token.run_until_cancelled(sender));
    let mut owned = Hand::pending(
        token
            .clone()
            .run_until_cancelled_owned(std::future::pending::<u8>()),
    );
    receiver.abort();
    assert!(running.woken());
    assert!(matches!(running.expect_ready(), Some(Err(_))));
    token.cancel();
    assert!(owned.woken());
    assert_eq!(owned.expect_ready(), None);

    let untouched = std::future::poll_fn(|_| -> Poll<()> { panic!("must not be polled") });
    assert_eq!(
        Hand::new(token.run_until_cancelled(untouched)).expect_ready(),
        None
    );

    // Both at once, not at the first poll: the output counts.
    let token = CancellationToken::new();
    let mut polls = 0;
    let third = std::future::poll_fn(|_| {
        polls += 1;
        if polls == 3 {
            Poll::Ready(7)
        } else {
            Poll::Pending
        }
    });
    let mut running = Hand::pending(token.run_until_cancelled(third));
    running.expect_pending();
    token.cancel();
    assert_eq!(running.expect_ready(), Some(7));
}

#[test]
fn threads_cancel_while_others_grow_and_drop() {
    let root = CancellationToken::new();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut kept = Vec::new();
                while !root.is_cancelled() {
                    let child = root.child_token();
                    let leaf = child.child_token();
                    if kept.len() % 3 == 0 {
                        child.cancel();
                        assert!(leaf.is_cancelled());
                    }
                    kept.push(leaf);
                }
                assert!(kept.iter().all(CancellationToken::is_cancelled));
                assert!(root.child_token().is_cancelled());
            });
        }
        std::thread::yield_now();
        let mut waiter = Hand::pending(root.cancelled());
        let _others: Vec<_> = (0..1000).map(|_| root.child_token()).collect();
        root.cancel();
        waiter.expect_ready();
    });
}

#[test]
fn it_prints_its_state() {
    let token = CancellationToken::new();
    assert_eq!(
        format!("{token:?}"),
        "CancellationToken { is_cancelled: false }"
    );
}
