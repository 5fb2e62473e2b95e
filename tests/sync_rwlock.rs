//! RwLock: who excludes whom, order, cancellation, downgrades, guards of every kind.

mod hand;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use hand::{Bomb, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::futures::{Read, ReadOwned, Write, WriteOwned};
use trefoil::sync::{
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};

type Both = u32;
type SendOnly = Cell<u32>;
type Neither = Rc<u32>;

assert_impl_all!(RwLock<Both>: Send, Sync, Unpin);
assert_impl_all!(RwLock<SendOnly>: Send, Unpin);
assert_not_impl_any!(RwLock<SendOnly>: Sync);
assert_not_impl_any!(RwLock<Neither>: Send, Sync);
assert_impl_all!(RwLock<Neither>: Unpin);

assert_impl_all!(RwLockReadGuard<'static, Both>: Send, Sync, Unpin);
assert_not_impl_any!(RwLockReadGuard<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(RwLockReadGuard<'static, Neither>: Send, Sync);
assert_impl_all!(RwLockWriteGuard<'static, Both>: Send, Sync, Unpin);
assert_not_impl_any!(RwLockWriteGuard<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(RwLockWriteGuard<'static, Neither>: Send, Sync);
assert_impl_all!(RwLockMappedWriteGuard<'static, Both>: Send, Sync, Unpin);
assert_not_impl_any!(RwLockMappedWriteGuard<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(RwLockMappedWriteGuard<'static, Neither>: Send, Sync);
assert_impl_all!(RwLockWriteGuard<'static, Neither>: Unpin);

assert_impl_all!(OwnedRwLockReadGuard<Both>: Send, Sync, Unpin);
assert_not_impl_any!(OwnedRwLockReadGuard<SendOnly>: Send, Sync);
assert_not_impl_any!(OwnedRwLockReadGuard<Neither>: Send, Sync);
assert_not_impl_any!(OwnedRwLockReadGuard<SendOnly, Both>: Send, Sync);
assert_not_impl_any!(OwnedRwLockReadGuard<Both, SendOnly>: Send, Sync);
assert_impl_all!(OwnedRwLockWriteGuard<Both>: Send, Sync, Unpin);
assert_not_impl_any!(OwnedRwLockWriteGuard<SendOnly>: Send, Sync);
assert_not_impl_any!(OwnedRwLockWriteGuard<Neither>: Send, Sync);
assert_impl_all!(OwnedRwLockMappedWriteGuard<Both>: Send, Sync, Unpin);
assert_not_impl_any!(OwnedRwLockMappedWriteGuard<SendOnly>: Send, Sync);
assert_not_impl_any!(OwnedRwLockMappedWriteGuard<SendOnly, Both>: Send, Sync);
assert_not_impl_any!(OwnedRwLockMappedWriteGuard<Both, SendOnly>: Send, Sync);
assert_impl_all!(OwnedRwLockReadGuard<std::marker::PhantomPinned>: Unpin);

assert_impl_all!(Read<'static, Both>: Send, Sync);
assert_not_impl_any!(Read<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(Read<'static, Both>: Unpin);
assert_impl_all!(Write<'static, Both>: Send, Sync);
assert_not_impl_any!(Write<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(Write<'static, Both>: Unpin);
assert_impl_all!(ReadOwned<Both>: Send, Sync);
assert_impl_all!(WriteOwned<Both>: Send, Sync);
assert_not_impl_any!(ReadOwned<SendOnly>: Send, Sync);
assert_not_impl_any!(WriteOwned<Both>: Unpin);

#[test]
fn many_read_or_one_writes() {
    let lock = RwLock::new(1);
    let readers: Vec<_> = (0..10)
        .map(|_| Hand::new(lock.read()).expect_ready())
        .collect();
    assert!(lock.try_read().is_ok());
    assert!(lock.try_write().is_err());
    let mut writer = Hand::pending(lock.write());
    drop(readers);
    assert!(writer.woken());
    let mut guard = writer.expect_ready();
    *guard += 1;
    assert!(lock.try_read().is_err() && lock.try_write().is_err());
    let mut reader = Hand::pending(lock.read());
    drop(guard);
    assert!(reader.woken());
    assert_eq!(*reader.expect_ready(), 2);
    assert_eq!(*lock.try_write().unwrap(), 2);
}

#[test]
fn first_come_first_served() {
    let lock = RwLock::new(());
    let first = lock.try_read().unwrap();
    let mut writer = Hand::pending(lock.write());
    let mut readers: Vec<_> = (0..3).map(|_| Hand::pending(lock.read())).collect();
    let mut last = Hand::pending(lock.write());
    assert!(lock.try_read().is_err(), "a writer is in line");
    drop(first);
    assert!(writer.woken());
    let guard = writer.expect_ready();
    readers
        .iter_mut()
        .for_each(|reader| reader.expect_pending());
    drop(guard);
    assert!(readers.iter().all(|reader| reader.woken()), "all together");
    let guards: Vec<_> = readers
        .iter_mut()
        .map(|reader| reader.expect_ready())
        .collect();
    last.expect_pending();
    drop(guards);
    drop(last.expect_ready());
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_wait_dropped_at_any_poll_blocks_nobody() {
    for polls in 0..=2 {
        for granted in [false, true] {
            for write in [false, true] {
                let lock = RwLock::new(());
                let held = lock.try_write().unwrap();
                let (mut read, mut writer) = (Hand::new(lock.read()), Hand::new(lock.write()));
                for _ in 0..polls {
                    match write {
                        true => writer.expect_pending(),
                        false => read.expect_pending(),
                    }
                }
                let mut next = Hand::pending(lock.write());
                if granted {
                    drop(held);
                    drop((read, writer));
                } else {
                    drop((read, writer));
                    drop(held);
                }
                assert!(next.woken());
                drop(next.expect_ready());
                assert!(lock.try_write().is_ok());
            }
        }
    }
}

#[test]
fn a_writer_that_leaves_the_line_lets_readers_in() {
    let lock = RwLock::new(());
    let _first = lock.try_read().unwrap();
    let writer = Hand::pending(lock.write());
    let mut reader = Hand::pending(lock.read());
    drop(writer);
    assert!(reader.woken());
    drop(reader.expect_ready());
}

#[test]
fn the_number_of_readers_can_be_limited() {
    let lock = RwLock::with_max_readers(1, 2);
    let one = lock.try_read().unwrap();
    let two = lock.try_read().unwrap();
    assert!(lock.try_read().is_err());
    let mut third = Hand::pending(lock.read());
    drop(one);
    let third = third.expect_ready();
    drop((two, third));
    assert!(lock.try_write().is_ok());

    static ONE: RwLock<u8> = RwLock::const_with_max_readers(7, 1);
    let only = ONE.try_read().unwrap();
    assert!(ONE.try_read().is_err());
    assert_eq!(*only, 7);
}

#[test]
fn silly_numbers_of_readers_are_refused() {
    let text = |readers| {
        let result = catch_unwind(|| RwLock::with_max_readers((), readers));
        *result.unwrap_err().downcast::<&str>().unwrap()
    };
    assert!(text(0).contains("a RwLock may not be created with 0 readers"));
    assert!(text((u32::MAX >> 3) + 1).contains("a RwLock may not be created with more than"));
    let most = RwLock::with_max_readers((), u32::MAX >> 3);
    assert!(most.try_write().is_ok());
}

#[test]
fn a_downgrade_lets_readers_in_but_no_writer() {
    let lock = RwLock::new(1);
    let mut guard = lock.try_write().unwrap();
    let mut reader = Hand::pending(lock.read());
    let mut writer = Hand::pending(lock.write());
    let mut late = Hand::pending(lock.read());
    *guard = 2;
    let read = guard.downgrade();
    assert!(reader.woken() && !writer.woken() && !late.woken());
    let other = reader.expect_ready();
    assert_eq!(*read + *other, 4);
    late.expect_pending();
    drop((read, other));
    drop(writer.expect_ready());
    drop(late.expect_ready());
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_downgrade_can_narrow() {
    let lock = RwLock::new((1, String::from("one")));
    let read = RwLockWriteGuard::downgrade_map(lock.try_write().unwrap(), |pair| &pair.1);
    assert_eq!(&*read, "one");
    assert!(lock.try_read().is_ok() && lock.try_write().is_err());
    drop(read);

    let guard = lock.try_write().unwrap();
    let guard = RwLockWriteGuard::try_downgrade_map(guard, |_| None::<&str>).unwrap_err();
    assert!(lock.try_read().is_err(), "not downgraded");
    let read = RwLockWriteGuard::try_downgrade_map(guard, |pair| pair.1.get(1..)).unwrap();
    assert_eq!(&*read, "ne");
    assert!(lock.try_read().is_ok());
    drop(read);
    assert!(lock.try_write().is_ok());
}

#[test]
fn guards_can_be_narrowed() {
    let lock = RwLock::new(vec![1, 2, 3]);
    let read = RwLockReadGuard::map(lock.try_read().unwrap(), |list| &list[..]);
    let read = RwLockReadGuard::try_map(read, |list| list.get(9)).unwrap_err();
    let read = RwLockReadGuard::try_map(read, |list| list.get(1)).unwrap();
    assert_eq!(*read, 2);
    assert!(lock.try_write().is_err());
    drop(read);

    let write = RwLockWriteGuard::try_map(lock.try_write().unwrap(), |list| list.get_mut(9));
    let mut write = RwLockWriteGuard::map(write.unwrap_err(), |list| &mut list[1..]);
    write[0] = 20;
    let write = RwLockMappedWriteGuard::try_map(write, |list| list.get_mut(9)).unwrap_err();
    let write = RwLockMappedWriteGuard::try_map(write, |list| list.get_mut(1)).unwrap();
    let mut write = RwLockMappedWriteGuard::map(write, |number| number);
    *write = 30;
    assert!(lock.try_read().is_err());
    drop(write);

    let write = RwLockWriteGuard::try_map(lock.try_write().unwrap(), |list| list.first_mut());
    *write.unwrap() = 10;
    let mut mapped = RwLockWriteGuard::into_mapped(lock.try_write().unwrap());
    mapped.push(40);
    drop(mapped);
    assert_eq!(*lock.try_read().unwrap(), [10, 20, 30, 40]);
}

#[test]
fn owned_guards_keep_the_lock_alive_and_can_be_narrowed() {
    let lock = Arc::new(RwLock::new((1, String::from("one"))));
    let weak = Arc::downgrade(&lock);
    let read = Hand::new(lock.clone().read_owned()).expect_ready();
    let read2 = lock.clone().try_read_owned().unwrap();
    assert!(Arc::ptr_eq(OwnedRwLockReadGuard::rwlock(&read), &lock));
    let mut waiting = Hand::pending(lock.clone().write_owned());
    assert!(lock.clone().try_read_owned().is_err());
    let read = OwnedRwLockReadGuard::map(read, |pair| pair.1.as_str());
    let read = OwnedRwLockReadGuard::try_map(read, |text| text.get(9..)).unwrap_err();
    let read = OwnedRwLockReadGuard::try_map(read, |text| text.get(1..)).unwrap();
    assert_eq!(&*read, "ne");
    drop((read, read2));
    assert!(waiting.woken());
    let mut write = waiting.expect_ready();
    drop(waiting);
    write.0 = 2;
    assert!(Arc::ptr_eq(OwnedRwLockWriteGuard::rwlock(&write), &lock));
    drop(lock);

    let write = OwnedRwLockWriteGuard::try_map(write, |_| None::<&mut u8>).unwrap_err();
    let mut part = OwnedRwLockWriteGuard::map(write, |pair| &mut pair.1);
    part.push('!');
    assert_eq!(
        OwnedRwLockMappedWriteGuard::rwlock(&part)
            .try_read()
            .ok()
            .map(drop),
        None
    );
    let part = OwnedRwLockMappedWriteGuard::try_map(part, |_| None::<&mut u8>).unwrap_err();
    let part = OwnedRwLockMappedWriteGuard::map(part, |text| text.as_mut_str());
    let part = OwnedRwLockMappedWriteGuard::try_map(part, |text| text.get_mut(..1)).unwrap();
    assert_eq!(&*part, "o");
    let lock = weak.upgrade().expect("kept alive by the guard");
    drop(part);

    let write = lock.clone().try_write_owned().unwrap();
    assert!(lock.clone().try_write_owned().is_err());
    let read = write.downgrade();
    assert_eq!(lock.try_read().unwrap().0 + read.0, 4);
    drop(read);
    let write = lock.clone().try_write_owned().unwrap();
    let write = OwnedRwLockWriteGuard::try_downgrade_map(write, |_| None::<&u8>).unwrap_err();
    let read = OwnedRwLockWriteGuard::downgrade_map(write, |pair| &pair.1);
    assert_eq!(&*read, "one!");
    drop(read);
    let write = lock.clone().try_write_owned().unwrap();
    let read = OwnedRwLockWriteGuard::try_downgrade_map(write, |pair| pair.1.get(3..)).unwrap();
    assert_eq!(&*read, "!");
    drop(read);
    let write = lock.clone().try_write_owned().unwrap();
    OwnedRwLockWriteGuard::into_mapped(write).0 = 3;
    let write = lock.clone().try_write_owned().unwrap();
    *OwnedRwLockWriteGuard::try_map(write, |pair| Some(&mut pair.0)).unwrap() += 1;
    let lock = Arc::into_inner(lock).unwrap();
    assert_eq!(lock.into_inner(), (4, String::from("one!")));
}

#[test]
fn an_owned_wait_dropped_blocks_nobody() {
    let lock = Arc::new(RwLock::new(()));
    let held = lock.clone().try_write_owned().unwrap();
    let (read, write) = (
        Hand::pending(lock.clone().read_owned()),
        Hand::pending(lock.clone().write_owned()),
    );
    drop(held);
    drop((read, write));
    assert!(lock.try_write().is_ok());
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn a_panic_frees_the_lock() {
    let lock = RwLock::new(1);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = lock.try_write().unwrap();
        *guard = 2;
        panic!("while it writes");
    }));
    assert!(result.is_err());
    assert_eq!(*lock.try_write().unwrap(), 2);

    let result = catch_unwind(AssertUnwindSafe(|| {
        RwLockWriteGuard::map(lock.try_write().unwrap(), |_| -> &mut u8 {
            panic!("in map")
        })
    }));
    assert!(result.is_err());
    let result = catch_unwind(AssertUnwindSafe(|| {
        RwLockWriteGuard::downgrade_map(lock.try_write().unwrap(), |_| -> &u8 { panic!("in map") })
    }));
    assert!(result.is_err());
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_waker_that_panics_in_a_downgrade_loses_no_permit() {
    let lock = RwLock::new(());
    let guard = lock.try_write().unwrap();
    let mut reader = Hand::new(lock.read());
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(reader.poll_with(&bomb).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard.downgrade()))).is_err());
    drop(reader.expect_ready());
    assert!(lock.try_write().is_ok());
}

#[test]
fn it_can_be_used_without_locking() {
    let mut lock = RwLock::from(1);
    *lock.get_mut() += 1;
    assert_eq!(lock.into_inner(), 2);
    assert_eq!(RwLock::<u8>::default().into_inner(), 0);
    let unsized_lock: Box<RwLock<[u8]>> = Box::new(RwLock::new([1, 2]));
    assert_eq!(unsized_lock.try_read().unwrap().len(), 2);
    unsized_lock.try_write().unwrap()[0] = 3;
    let unsized_lock: Arc<RwLock<[u8]>> = Arc::new(RwLock::new([1, 2]));
    assert_eq!(*Hand::new(unsized_lock.read_owned()).expect_ready(), [1, 2]);
}

#[test]
fn threads_lock_blocking() {
    let lock = RwLock::new((0, 0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let mut both = lock.blocking_write();
                    both.0 += 1;
                    both.1 += 1;
                }
            });
            scope.spawn(|| {
                for _ in 0..500 {
                    let both = lock.blocking_read();
                    assert_eq!(both.0, both.1);
                }
            });
        }
    });
    assert_eq!(lock.into_inner(), (1500, 1500));
}

#[test]
fn blocking_inside_of_a_runtime_is_refused() {
    let runtime = trefoil::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let lock = RwLock::new(());
    for write in [false, true] {
        let result = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                match write {
                    true => drop(lock.blocking_write()),
                    false => drop(lock.blocking_read()),
                }
            })
        }));
        let payload = result.unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert!(text.contains("Cannot block the current thread"), "{text}");
    }
}

#[test]
fn tasks_on_two_workers_never_meet_a_writer() {
    let runtime = trefoil::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let inside = Arc::new(AtomicUsize::new(0));
    let lock = Arc::new(RwLock::new(0));
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for number in 0..6 {
            let (lock, inside) = (lock.clone(), inside.clone());
            tasks.push(trefoil::spawn(async move {
                for _ in 0..300 {
                    if number % 3 == 0 {
                        let mut guard = lock.write().await;
                        *guard += 1;
                        assert_eq!(inside.fetch_add(1000, Ordering::SeqCst), 0);
                        trefoil::task::yield_now().await;
                        inside.fetch_sub(1000, Ordering::SeqCst);
                    } else {
                        let _guard = lock.read().await;
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 1000);
                        trefoil::task::yield_now().await;
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*lock.try_read().unwrap(), 600);
}

#[test]
fn it_can_be_printed() {
    let lock = RwLock::new(5);
    assert_eq!(format!("{lock:?}"), "RwLock { data: 5 }");
    let write = lock.try_write().unwrap();
    assert_eq!(
        format!("{lock:?} {write:?} {write}"),
        "RwLock { data: <locked> } 5 5"
    );
    let write = RwLockWriteGuard::into_mapped(write);
    assert_eq!(format!("{write:?} {write}"), "5 5");
    drop(write);
    let read = lock.try_read().unwrap();
    assert_eq!(format!("{read:?} {read}"), "5 5");
    let error = {
        let _read = &read;
        lock.try_write().unwrap_err()
    };
    assert_eq!(error.to_string(), "lock is taken");
}
