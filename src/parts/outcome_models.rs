//! Loom models of `parts/outcome.rs` and `parts/outcome_block.rs`.
//!
//! Every pair and the triples of {put, drop, take, close, drop, poll_closed}: safety by loom's
//! cells and the `Arc` in the value, liveness by `block_on`, which loom reports as a deadlock when
//! a wake-up is lost. (RUSTSEC-2021-0124 was close x put x take in another crate.)
//!
//! Mutations tried, each caught:
//! - `answer`: the fast swap Relaxed, the slow one Acquire or Release only; CLOSED ignored; leaves
//!   at once although the reader waits
//! - `register`: does not look for ANSWERED in the end, or when it takes the cell back; does not
//!   take the cell back; its fetch_or Acquire or Release only
//! - `poll_take`, `try_take`: the load Relaxed; a closed reader looks into the value cell
//! - `close`: Release only; does not wake. `poll_closed`: does not look for CLOSED in the end; does
//!   not take the cell back; its fetch_or Acquire only
//! - `leave_last`: the load Relaxed, the fetch_or Acquire or Release only. `leave`: never frees
//!
//! Equivalent, so not caught: `Reader::drop` leaves the value to whoever frees the block.

#![forbid(unsafe_code)]

use super::*;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;
use std::future::poll_fn;
use std::task::Waker;

/// Polls once with a waker that does nothing.
fn poll_once<T>(reader: &mut Reader<T>) -> Poll<Result<T, NoAnswer>> {
    reader.poll_take(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn put_wakes_the_reader() {
    loom::model(|| {
        let (writer, mut reader) = outcome();
        let thread = thread::spawn(move || writer.put(Arc::new(7)).unwrap());
        assert_eq!(*block_on(poll_fn(|cx| reader.poll_take(cx))).unwrap(), 7);
        thread.join().unwrap();
    });
}

#[test]
fn a_dropped_writer_wakes_the_reader() {
    loom::model(|| {
        let (writer, mut reader) = outcome::<Arc<u8>>();
        let thread = thread::spawn(move || drop(writer));
        assert!(block_on(poll_fn(|cx| reader.poll_take(cx))).is_err());
        thread.join().unwrap();
    });
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    loom::model(|| {
        let (writer, mut reader) = outcome();
        let thread = thread::spawn(move || writer.put(Arc::new(7)).unwrap());
        let value = match poll_once(&mut reader) {
            Poll::Ready(value) => value,
            Poll::Pending => block_on(poll_fn(|cx| reader.poll_take(cx))),
        };
        assert_eq!(*value.unwrap(), 7);
        thread.join().unwrap();
    });
}

#[test]
fn a_value_for_nobody_is_dropped_once() {
    loom::model(|| {
        let (writer, mut reader) = outcome();
        let thread = thread::spawn(move || drop(writer.put(Arc::new(7))));
        let _ = poll_once(&mut reader);
        drop(reader);
        thread.join().unwrap();
    });
}

#[test]
fn try_take_finds_all_or_nothing() {
    loom::model(|| {
        let (writer, mut reader) = outcome();
        let thread = thread::spawn(move || writer.put(Arc::new(7)).unwrap());
        match reader.try_take() {
            Taken::Value(value) => assert_eq!(*value, 7),
            Taken::NotYet => {}
            Taken::Never => panic!("the writer answers with a value"),
        }
        thread.join().unwrap();
    });
}

#[test]
fn put_close_and_take_agree_on_who_has_the_value() {
    loom::model(|| {
        let (writer, mut reader) = outcome();
        let thread = thread::spawn(move || writer.put(Arc::new(7)).is_err());
        reader.close();
        let taken = match reader.try_take() {
            Taken::Value(value) => *value == 7,
            Taken::Never => false,
            Taken::NotYet => panic!("closed, so there is an end"),
        };
        drop(reader);
        assert_ne!(taken, thread.join().unwrap());
    });
}

#[test]
fn put_close_and_poll_agree_on_who_has_the_value() {
    loom::model(|| {
        let (writer, mut reader) = outcome();
        let thread = thread::spawn(move || writer.put(Arc::new(7)).is_err());
        let taken = match poll_once(&mut reader) {
            Poll::Ready(value) => value.is_ok(),
            Poll::Pending => {
                reader.close();
                block_on(poll_fn(|cx| reader.poll_take(cx))).is_ok()
            }
        };
        drop(reader);
        assert_ne!(taken, thread.join().unwrap());
    });
}

#[test]
fn close_wakes_a_writer_that_waits_for_it() {
    loom::model(|| {
        let (mut writer, mut reader) = outcome::<Arc<u8>>();
        let thread = thread::spawn(move || {
            let _ = writer.poll_closed(&mut Context::from_waker(Waker::noop()));
            block_on(poll_fn(|cx| writer.poll_closed(cx)));
            writer
        });
        reader.close();
        let writer = thread.join().unwrap();
        assert!(writer.put(Arc::new(7)).is_err());
    });
}

#[test]
fn a_dropped_reader_wakes_a_writer_that_waits_for_it() {
    loom::model(|| {
        let (mut writer, reader) = outcome::<Arc<u8>>();
        let thread = thread::spawn(move || drop(reader));
        block_on(poll_fn(|cx| writer.poll_closed(cx)));
        drop(writer);
        thread.join().unwrap();
    });
}

#[test]
fn a_writer_that_waited_may_put_while_the_reader_closes() {
    loom::model(|| {
        let (mut writer, mut reader) = outcome();
        let thread = thread::spawn(move || {
            let _ = writer.poll_closed(&mut Context::from_waker(Waker::noop()));
            writer.put(Arc::new(7)).is_err()
        });
        let _ = poll_once(&mut reader).map(|value| drop(value.unwrap()));
        drop(reader);
        let _ = thread.join().unwrap();
    });
}
