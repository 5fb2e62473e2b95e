//! Mutex: exclusion, order, cancellation, guards of every kind.

mod hand;

use std::cell::Cell;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hand::{Bomb, Count, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::futures::{Lock, LockOwned};
use trefoil::sync::{
    MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard, TryLockError,
};

type Both = u32;
type SendOnly = Cell<u32>;
type Neither = Rc<u32>;

assert_impl_all!(Mutex<Both>: Send, Sync, Unpin);
assert_impl_all!(Mutex<SendOnly>: Send, Sync, Unpin);
assert_not_impl_any!(Mutex<Neither>: Send, Sync);
assert_impl_all!(Mutex<Neither>: Unpin);
assert_impl_all!(TryLockError: Send, Sync, Unpin, std::error::Error);

assert_impl_all!(MutexGuard<'static, Both>: Send, Sync, Unpin);
assert_impl_all!(MutexGuard<'static, SendOnly>: Send, Unpin);
assert_not_impl_any!(MutexGuard<'static, SendOnly>: Sync);
assert_not_impl_any!(MutexGuard<'static, Neither>: Send, Sync);
assert_impl_all!(MutexGuard<'static, Neither>: Unpin);

assert_impl_all!(OwnedMutexGuard<Both>: Send, Sync, Unpin);
assert_impl_all!(OwnedMutexGuard<SendOnly>: Send, Unpin);
assert_not_impl_any!(OwnedMutexGuard<SendOnly>: Sync);
assert_not_impl_any!(OwnedMutexGuard<Neither>: Send, Sync);
assert_impl_all!(OwnedMutexGuard<std::marker::PhantomPinned>: Unpin);

assert_impl_all!(MappedMutexGuard<'static, Both>: Send, Sync, Unpin);
assert_impl_all!(MappedMutexGuard<'static, SendOnly>: Send, Unpin);
assert_not_impl_any!(MappedMutexGuard<'static, SendOnly>: Sync);
assert_not_impl_any!(MappedMutexGuard<'static, Neither>: Send, Sync);

assert_impl_all!(OwnedMappedMutexGuard<Both, Both>: Send, Sync, Unpin);
assert_impl_all!(OwnedMappedMutexGuard<SendOnly, Both>: Send, Unpin);
assert_not_impl_any!(OwnedMappedMutexGuard<SendOnly, Both>: Sync);
assert_impl_all!(OwnedMappedMutexGuard<Both, SendOnly>: Send, Unpin);
assert_not_impl_any!(OwnedMappedMutexGuard<Both, SendOnly>: Sync);
assert_not_impl_any!(OwnedMappedMutexGuard<Neither, Both>: Send, Sync);
assert_not_impl_any!(OwnedMappedMutexGuard<Both, Neither>: Send, Sync);

assert_impl_all!(Lock<'static, Both>: Send, Sync);
assert_impl_all!(Lock<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(Lock<'static, Neither>: Send, Sync);
assert_not_impl_any!(Lock<'static, Both>: Unpin);
assert_impl_all!(LockOwned<Both>: Send, Sync);
assert_impl_all!(LockOwned<SendOnly>: Send, Sync);
assert_not_impl_any!(LockOwned<Neither>: Send, Sync);
assert_not_impl_any!(LockOwned<Both>: Unpin);

#[test]
fn one_at_a_time_in_order() {
    let mutex = Mutex::new(1);
    let mut held = Hand::new(mutex.lock()).expect_ready();
    let mut second = Hand::pending(mutex.lock());
    let mut third = Hand::pending(mutex.lock());
    assert!(mutex.try_lock().is_err());
    *held += 1;
    drop(held);
    assert!(
        mutex.try_lock().is_err(),
        "it is promised to the next in line"
    );
    assert!(second.woken() && !third.woken());
    let held = second.expect_ready();
    assert_eq!(*held, 2);
    third.expect_pending();
    drop(held);
    assert!(third.woken());
    drop(third.expect_ready());
    assert_eq!(*mutex.try_lock().unwrap(), 2);
}

#[test]
fn a_lock_dropped_at_any_poll_blocks_nobody() {
    for polls in 0..=3 {
        for granted in [false, true] {
            let mutex = Mutex::new(());
            let held = mutex.try_lock().unwrap();
            let mut dropped = Hand::new(mutex.lock());
            for _ in 0..polls {
                dropped.expect_pending();
            }
            let mut behind = Hand::pending(mutex.lock());
            if granted {
                drop(held);
                drop(dropped);
            } else {
                drop(dropped);
                drop(held);
            }
            assert!(behind.woken());
            drop(behind.expect_ready());
            assert!(mutex.try_lock().is_ok());
        }
    }
}

#[test]
fn an_owned_guard_keeps_the_mutex_alive() {
    let mutex = Arc::new(Mutex::new(String::from("a")));
    let held = mutex.clone().try_lock_owned().unwrap();
    assert!(mutex.clone().try_lock_owned().is_err());
    let mut waiting = Hand::pending(mutex.clone().lock_owned());
    let dropped = Hand::pending(mutex.clone().lock_owned());
    let mut last = Hand::pending(mutex.clone().lock_owned());
    drop(held);
    let mut guard = waiting.expect_ready();
    guard.push('b');
    drop((waiting, dropped));
    assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &mutex));
    drop(mutex);
    drop(guard);
    assert!(last.woken());
    assert_eq!(*last.expect_ready(), "ab");
}

#[test]
fn a_panic_under_the_guard_frees_the_mutex() {
    let mutex = Mutex::new(1);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = mutex.try_lock().unwrap();
        *guard = 2;
        panic!("under the guard");
    }));
    assert!(panic.is_err());
    assert_eq!(*mutex.try_lock().unwrap(), 2, "no poisoning");
}

#[test]
fn a_panicking_waker_reaches_who_unlocks_and_the_lock_goes_on() {
    let mutex = Mutex::new(());
    let held = mutex.try_lock().unwrap();
    let mut bomb = Hand::new(mutex.lock());
    assert!(bomb.poll_with(&Waker::from(Arc::new(Bomb))).is_pending());
    let mut behind = Hand::pending(mutex.lock());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(held))).is_err());
    drop(bomb.expect_ready());
    assert!(behind.woken());
    drop(behind.expect_ready());
}

#[test]
fn the_latest_waker_is_woken() {
    let mutex = Mutex::new(());
    let held = mutex.try_lock().unwrap();
    let (old, new) = (Count::new(), Count::new());
    let mut waiting = Hand::new(mutex.lock());
    assert!(waiting.poll_with(&Waker::from(old.clone())).is_pending());
    assert!(waiting.poll_with(&Waker::from(new.clone())).is_pending());
    drop(held);
    assert_eq!((old.take(), new.take()), (0, 1));
}

#[test]
fn mapped_guards_hold_the_mutex() {
    let mutex = Mutex::new((1, vec![2, 3]));
    let list = MutexGuard::map(mutex.try_lock().unwrap(), |value| &mut value.1);
    let mut last = MappedMutexGuard::map(list, |list| list.last_mut().unwrap());
    *last = 4;
    assert!(mutex.try_lock().is_err());
    let last = MappedMutexGuard::try_map(last, |_| None::<&mut u8>).unwrap_err();
    let mut waiting = Hand::pending(mutex.lock());
    let last = MappedMutexGuard::try_map(last, |value| Some(value)).unwrap();
    assert_eq!(*last, 4);
    assert!(!waiting.woken());
    drop(last);
    assert!(waiting.woken());
    assert_eq!(*waiting.expect_ready(), (1, vec![2, 4]));

    let whole = MutexGuard::try_map(mutex.try_lock().unwrap(), |_| None::<&mut u8>).unwrap_err();
    assert!(std::ptr::eq(MutexGuard::mutex(&whole), &mutex));
    let number = MutexGuard::try_map(whole, |value| Some(&mut value.0)).unwrap();
    assert_eq!(*number, 1);
    drop(number);
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn owned_mapped_guards_hold_the_mutex_and_keep_it_alive() {
    let mutex = Arc::new(Mutex::new((1, vec![2, 3])));
    let list = OwnedMutexGuard::map(mutex.clone().try_lock_owned().unwrap(), |v| &mut v.1);
    let first: OwnedMappedMutexGuard<_, i32> =
        OwnedMappedMutexGuard::map(list, |list| &mut list[0]);
    let first = OwnedMappedMutexGuard::try_map(first, |_| None::<&mut u8>).unwrap_err();
    let mut first = OwnedMappedMutexGuard::try_map(first, |value| Some(value)).unwrap();
    *first += 5;
    assert!(mutex.try_lock().is_err());
    drop(first);
    let whole = mutex.clone().try_lock_owned().unwrap();
    let whole = OwnedMutexGuard::try_map(whole, |_| None::<&mut u8>).unwrap_err();
    let list = OwnedMutexGuard::try_map(whole, |value| Some(&mut value.1)).unwrap();
    drop(mutex);
    assert_eq!(*list, [7, 3]);
}

#[test]
fn a_closure_that_panics_while_mapping_frees_the_mutex() {
    let mutex = Mutex::new(1);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _guard: MappedMutexGuard<'_, u8> =
            MutexGuard::map(mutex.try_lock().unwrap(), |_| panic!("while mapping"));
    }));
    assert!(panic.is_err());
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn unsized_values_can_be_locked() {
    let mutex: Arc<Mutex<dyn Debug + Send>> = Arc::new(Mutex::new(3));
    assert_eq!(format!("{:?}", mutex.try_lock().unwrap()), "3");
    drop(Hand::new(mutex.lock()).expect_ready());
    assert_eq!(
        format!("{:?}", Hand::new(mutex.lock_owned()).expect_ready()),
        "3"
    );
}

#[test]
fn blocking_lock_waits_for_another_thread() {
    let mutex = Arc::new(Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    *mutex.blocking_lock() += 1;
                    *mutex.clone().blocking_lock_owned() += 1;
                }
            });
        }
    });
    assert_eq!(*mutex.blocking_lock(), 6000);
}

#[test]
fn it_can_be_made_opened_and_printed() {
    static MUTEX: Mutex<u8> = Mutex::const_new(7);
    assert_eq!(*MUTEX.try_lock().unwrap(), 7);
    let mut mutex = Mutex::from(1);
    *mutex.get_mut() += 1;
    assert_eq!(format!("{mutex:?}"), "Mutex { data: 2 }");
    {
        let held = mutex.try_lock().unwrap();
        assert_eq!(
            format!("{mutex:?} {held:?} {held}"),
            "Mutex { data: <locked> } 2 2"
        );
    }
    let mapped = MutexGuard::map(mutex.try_lock().unwrap(), |value| value);
    assert_eq!(format!("{mapped:?} {mapped}"), "2 2");
    drop(mapped);
    assert_eq!(mutex.into_inner(), 2);
    let owned = Arc::new(Mutex::<String>::default())
        .try_lock_owned()
        .unwrap();
    assert_eq!(format!("{owned:?}{owned}"), "\"\"");
    let mapped = OwnedMutexGuard::map(owned, |value| value);
    assert_eq!(format!("{mapped:?}{mapped}"), "\"\"");
}
