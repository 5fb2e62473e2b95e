//! Loom models of `sync/rwlock.rs`: that nobody waits for ever, whatever happens to those before.
//!
//! That the permits exclude and publish is the semaphore's business (`sync/semaphore_models.rs`).
//! Mutations that fail: `keep_one` gives nothing back, or the semaphore is told of nothing:
//! `a_downgrade_lets_a_reader_in`; the futures do not give up their place: `a_writer_gives_up`.

#![forbid(unsafe_code)]

use super::RwLock;
use crate::shim::Arc;
use loom::future::block_on;
use loom::thread;
use std::pin::pin;
use std::task::{Context, Waker};

#[test]
fn a_writer_meets_two_readers() {
    loom::model(|| {
        let lock = Arc::new(RwLock::with_max_readers(0, 2));
        let readers = [lock.clone(), lock.clone()]
            .map(|lock| thread::spawn(move || assert!(*block_on(lock.read()) < 2)));
        *block_on(lock.write()) += 1;
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(*lock.try_write().unwrap(), 1);
    });
}

#[test]
fn a_downgrade_lets_a_reader_in() {
    loom::model(|| {
        let lock = Arc::new(RwLock::with_max_readers(0, 2));
        let other = lock.clone();
        let mut guard = lock.try_write().unwrap();
        let reader = thread::spawn(move || *block_on(other.read()));
        *guard = 7;
        let read = guard.downgrade();
        // Joined while this guard is held: the reader must not need it.
        assert_eq!(reader.join().unwrap(), *read);
    });
}

#[test]
fn a_writer_gives_up() {
    loom::model(|| {
        let lock = Arc::new(RwLock::with_max_readers(0, 2));
        let other = lock.clone();
        let held = lock.try_read().unwrap();
        let quitter = thread::spawn(move || {
            let mut write = pin!(other.write());
            let polled = write.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop(polled);
        });
        let read = block_on(lock.read());
        drop((held, read));
        quitter.join().unwrap();
        assert!(lock.try_write().is_ok());
    });
}
