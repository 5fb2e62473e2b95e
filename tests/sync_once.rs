//! OnceCell and SetOnce: made once, tried again after a failure, a panic or a drop; waiting.

mod hand;

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use hand::{Bomb, Count, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::futures::{GetOrInit, GetOrTryInit, SetOnceWait};
use trefoil::sync::{Notify, OnceCell, SetError, SetOnce, SetOnceError};

type Both = u32;
type SendOnly = Cell<u32>;
type Neither = Rc<u32>;

assert_impl_all!(OnceCell<Both>: Send, Sync, Unpin);
assert_impl_all!(OnceCell<SendOnly>: Send, Unpin);
assert_not_impl_any!(OnceCell<SendOnly>: Sync);
assert_not_impl_any!(OnceCell<Neither>: Send, Sync);
assert_impl_all!(OnceCell<Neither>: Unpin);
assert_impl_all!(SetOnce<Both>: Send, Sync, Unpin);
assert_impl_all!(SetOnce<SendOnly>: Send, Unpin);
assert_not_impl_any!(SetOnce<SendOnly>: Sync);
assert_not_impl_any!(SetOnce<Neither>: Send, Sync);
assert_impl_all!(SetOnce<Neither>: Unpin);
assert_impl_all!(SetOnceWait<'static, Both>: Send, Sync);
assert_not_impl_any!(SetOnceWait<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(SetOnceWait<'static, Neither>: Send, Sync);
assert_not_impl_any!(SetOnceWait<'static, Both>: Unpin);
assert_impl_all!(SetError<Both>: std::error::Error, PartialEq, Eq, Send, Sync);
assert_impl_all!(SetOnceError<Both>: std::error::Error, PartialEq, Eq, Send, Sync);

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;
type BoxedSend<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type BoxedBoth<T> = Pin<Box<dyn Future<Output = T> + Send + Sync>>;
type Init<T, B> = GetOrInit<'static, T, fn() -> B, B>;
type TryInit<T, B> = GetOrTryInit<'static, T, fn() -> B, B>;

assert_impl_all!(Init<Both, BoxedBoth<Both>>: Send, Sync);
assert_not_impl_any!(Init<Both, BoxedBoth<Both>>: Unpin);
assert_impl_all!(Init<Both, BoxedSend<Both>>: Send);
assert_not_impl_any!(Init<Both, BoxedSend<Both>>: Sync, Unpin);
assert_not_impl_any!(Init<Both, Boxed<Both>>: Send, Sync, Unpin);
assert_not_impl_any!(Init<SendOnly, BoxedBoth<SendOnly>>: Send, Sync, Unpin);
assert_not_impl_any!(Init<Neither, BoxedBoth<Neither>>: Send, Sync, Unpin);
assert_impl_all!(TryInit<Both, BoxedBoth<Result<Both, ()>>>: Send, Sync);
assert_impl_all!(TryInit<Both, BoxedSend<Result<Both, ()>>>: Send);
assert_not_impl_any!(TryInit<Both, BoxedSend<Result<Both, ()>>>: Sync, Unpin);
assert_not_impl_any!(TryInit<SendOnly, BoxedBoth<Result<SendOnly, ()>>>: Send, Sync, Unpin);

#[test]
fn the_first_makes_it_and_the_others_wait() {
    let cell = OnceCell::new();
    let go = Notify::new();
    let mut first = Hand::pending(cell.get_or_init(async || {
        go.notified().await;
        1
    }));
    let mut second = Hand::pending(cell.get_or_init(async || 2));
    let mut third = Hand::pending(cell.get_or_try_init(async || Err::<i32, ()>(())));
    assert!(!cell.initialized());
    go.notify_one();
    assert_eq!(*first.expect_ready(), 1);
    assert!(second.woken() && third.woken());
    assert_eq!(*second.expect_ready(), 1);
    assert_eq!(third.expect_ready(), Ok(&1));
    assert_eq!(Hand::new(cell.get_or_init(async || 3)).expect_ready(), &1);
}

#[test]
fn nothing_happens_before_the_first_poll() {
    let cell = OnceCell::new();
    let calls = Cell::new(0);
    let init = || {
        calls.set(calls.get() + 1);
        std::future::ready(calls.get())
    };
    let mut lazy = Hand::new(cell.get_or_init(init));
    assert_eq!(Hand::new(cell.get_or_init(init)).expect_ready(), &1);
    assert_eq!(lazy.expect_ready(), &1);
    assert_eq!(calls.get(), 1);
}

#[test]
fn after_a_failure_the_next_in_line_tries() {
    let cell = OnceCell::new();
    let go = Notify::new();
    let mut fails = Hand::pending(cell.get_or_try_init(async || {
        go.notified().await;
        Err("no")
    }));
    let mut next = Hand::pending(cell.get_or_try_init(async || Ok::<_, &str>(2)));
    let mut last = Hand::pending(cell.get_or_init(async || 3));
    go.notify_one();
    assert_eq!(fails.expect_ready(), Err("no"));
    assert!(next.woken() && !last.woken());
    assert_eq!(next.expect_ready(), Ok(&2));
    assert!(last.woken());
    assert_eq!(last.expect_ready(), &2);
}

#[test]
fn after_a_drop_the_next_in_line_tries() {
    for polls in 0..=2 {
        let cell = OnceCell::new();
        let mut quits = Hand::new(cell.get_or_init(std::future::pending::<i32>));
        for _ in 0..polls {
            quits.expect_pending();
        }
        if polls > 0 {
            let waits = Hand::pending(cell.get_or_init(async || 2));
            let mut next = Hand::pending(cell.get_or_init(async || 3));
            drop(waits);
            drop(quits);
            assert!(next.woken());
            assert_eq!(next.expect_ready(), &3);
        } else {
            drop(quits);
            assert_eq!(Hand::new(cell.get_or_init(async || 3)).expect_ready(), &3);
        }
    }
}

#[test]
fn after_a_panic_the_next_in_line_tries_at_once() {
    // In the closure, and in what it gives.
    let cell = OnceCell::new();
    let mut panics = Hand::new(cell.get_or_init(|| -> std::future::Ready<i32> { panic!("early") }));
    assert!(catch_unwind(AssertUnwindSafe(|| panics.poll().is_ready())).is_err());
    let go = Notify::new();
    let mut panics2 = Hand::pending(cell.get_or_init(async || {
        go.notified().await;
        panic!("late")
    }));
    let mut next = Hand::pending(cell.get_or_init(async || 3));
    go.notify_one();
    assert!(catch_unwind(AssertUnwindSafe(|| panics2.poll().is_ready())).is_err());
    // Both futures are still there; the permit is not with them.
    assert!(next.woken());
    assert_eq!(next.expect_ready(), &3);
}

#[test]
fn what_it_runs_is_dropped_before_the_next_one_begins() {
    struct Running<'a>(&'a Cell<usize>);
    impl Drop for Running<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let running = Cell::new(0);
    let cell = OnceCell::new();
    let init = async || {
        assert_eq!(running.replace(1), 0, "two at once");
        let _running = Running(&running);
        std::future::pending::<()>().await;
    };
    let first = Hand::pending(cell.get_or_init(init));
    let mut second = Hand::pending(cell.get_or_init(init));
    drop(first);
    second.expect_pending();
    assert_eq!(running.get(), 1);
    drop(second);
    assert_eq!(running.get(), 0);
}

#[test]
fn set_says_why_it_failed() {
    let cell = OnceCell::new();
    let making = Hand::pending(cell.get_or_init(std::future::pending::<i32>));
    let error = cell.set(1).unwrap_err();
    assert_eq!(error, SetError::InitializingError(1));
    assert!(error.is_initializing_err() && !error.is_already_init_err());
    assert_eq!(error.to_string(), "cell is being given a value by a task");
    drop(making);
    cell.set(2).unwrap();
    let error = cell.set(3).unwrap_err();
    assert_eq!(error, SetError::AlreadyInitializedError(3));
    assert!(error.is_already_init_err() && !error.is_initializing_err());
    assert_eq!(error.to_string(), "cell has a value already");
    assert_eq!(cell.get(), Some(&2));
}

#[test]
fn a_cell_can_be_made_full_changed_and_emptied() {
    static EMPTY: OnceCell<u32> = OnceCell::const_new();
    static FULL: OnceCell<u32> = OnceCell::const_new_with(1);
    assert_eq!((EMPTY.get(), FULL.get()), (None, Some(&1)));
    assert!(!EMPTY.initialized() && FULL.initialized());
    assert!(FULL.set(2).unwrap_err().is_already_init_err());
    assert_eq!(Hand::new(FULL.get_or_init(async || 2)).expect_ready(), &1);
    assert_eq!(OnceCell::new_with(None::<u32>), OnceCell::default());

    let mut cell = OnceCell::from(1);
    *cell.get_mut().unwrap() += 1;
    assert_eq!(cell.clone(), OnceCell::new_with(Some(2)));
    assert_eq!(format!("{cell:?}"), "OnceCell { value: Some(2) }");
    assert_eq!(cell.take(), Some(2));
    assert_eq!(cell.take(), None);
    assert_eq!(cell.get_mut(), None);
    cell.set(3).unwrap();
    assert_eq!(cell.take(), Some(3));
    assert_eq!(Hand::new(cell.get_or_init(async || 4)).expect_ready(), &4);
    assert_eq!(cell.into_inner(), Some(4));
    assert_eq!(OnceCell::<u32>::new().into_inner(), None);
}

#[test]
fn values_are_dropped_once() {
    let value = Arc::new(());
    let cell = OnceCell::new();
    cell.set(value.clone()).unwrap();
    drop(cell.set(value.clone()));
    assert_eq!(Arc::strong_count(&value), 2);
    drop(cell);
    drop(OnceCell::from(value.clone()));
    let once = SetOnce::new();
    once.set(value.clone()).unwrap();
    drop(once.set(value.clone()));
    drop(once);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn tasks_make_it_once() {
    static CELL: OnceCell<usize> = OnceCell::const_new();
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let runtime = trefoil::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                trefoil::spawn(async move {
                    let made = CELL.get_or_try_init(|| async move {
                        trefoil::task::yield_now().await;
                        if number % 3 == 0 {
                            return Err(());
                        }
                        Ok(MADE.fetch_add(1, Ordering::SeqCst))
                    });
                    made.await.is_ok_and(|value| *value == 0)
                })
            })
            .collect();
        let mut good = 0;
        for task in tasks {
            good += usize::from(task.await.unwrap());
        }
        assert!(good >= 33, "only failures give nothing: {good}");
    });
    assert_eq!(MADE.load(Ordering::SeqCst), 1);
}

#[test]
fn set_once_wakes_all_who_wait() {
    let once = SetOnce::new();
    let mut waits: Vec<_> = (0..50).map(|_| Hand::pending(once.wait())).collect();
    let dropped = Hand::pending(once.wait());
    drop(dropped);
    assert_eq!(once.get(), None);
    once.set(1).unwrap();
    for wait in &mut waits {
        assert!(wait.woken());
        assert_eq!(wait.expect_ready(), &1);
        assert_eq!(wait.expect_ready(), &1, "it stays so");
    }
    assert_eq!(Hand::new(once.wait()).expect_ready(), &1);
    assert_eq!(once.set(2), Err(SetOnceError(2)));
    assert_eq!(SetOnceError(2).to_string(), "value was set already");
}

#[test]
fn a_set_before_the_first_poll_is_not_missed() {
    let once = SetOnce::new();
    let mut wait = Hand::new(once.wait());
    once.set(1).unwrap();
    assert_eq!(wait.expect_ready(), &1);
}

#[test]
fn set_once_wakes_the_latest_waker_and_survives_panicking_ones() {
    let once = SetOnce::new();
    let (old, new) = (Count::new(), Count::new());
    let bomb = Waker::from(Arc::new(Bomb));
    let mut first = Hand::new(once.wait());
    assert!(first.poll_with(&bomb).is_pending());
    let mut wait = Hand::new(once.wait());
    for count in [&old, &new] {
        assert!(wait.poll_with(&Waker::from(count.clone())).is_pending());
    }
    assert_eq!(Arc::strong_count(&old), 1);
    assert!(catch_unwind(AssertUnwindSafe(|| once.set(1).is_ok())).is_err());
    assert_eq!((old.take(), new.take()), (0, 1));
    assert_eq!((first.expect_ready(), wait.expect_ready()), (&1, &1));
}

#[test]
fn a_waker_may_look_at_what_was_set() {
    struct Looks(Arc<SetOnce<u32>>, AtomicUsize);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            assert!(self.0.set(2).is_err());
            self.1
                .store(*self.0.get().unwrap() as usize, Ordering::SeqCst);
        }
    }
    let once = Arc::new(SetOnce::new());
    let looks = Arc::new(Looks(once.clone(), AtomicUsize::new(0)));
    let mut wait = Hand::new(once.wait());
    assert!(wait.poll_with(&Waker::from(looks.clone())).is_pending());
    once.set(1).unwrap();
    assert_eq!(looks.1.load(Ordering::SeqCst), 1);
}

#[test]
fn set_once_can_be_made_full() {
    static EMPTY: SetOnce<u32> = SetOnce::const_new();
    static FULL: SetOnce<u32> = SetOnce::const_new_with(1);
    assert!(!EMPTY.initialized() && FULL.initialized());
    assert_eq!((EMPTY.get(), FULL.get()), (None, Some(&1)));
    assert!(FULL.set(2).is_err());
    assert_eq!(Hand::new(FULL.wait()).expect_ready(), &1);
    let once = SetOnce::from(5);
    assert_eq!(once.clone(), SetOnce::new_with(Some(5)));
    assert_eq!(format!("{once:?}"), "SetOnce { value: Some(5) }");
    assert_eq!(once.into_inner(), Some(5));
    assert_eq!(SetOnce::<u32>::default().into_inner(), None);
    assert_eq!(SetOnce::new_with(None::<u32>), SetOnce::new());
}

#[test]
fn threads_race_to_set_it() {
    for _ in 0..200 {
        let once = SetOnce::new();
        let won = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for number in 0..3_u32 {
                let (once, won) = (&once, &won);
                scope.spawn(move || {
                    if once.set(number).is_ok() {
                        won.fetch_add(1, Ordering::SeqCst);
                    }
                    assert!(once.get().is_some(), "there after either outcome");
                });
            }
        });
        assert_eq!(won.load(Ordering::SeqCst), 1);
    }
}
