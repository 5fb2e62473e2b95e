//! What `task_local!` promises. Most of it holds on any executor, so most tests poll by hand.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use trefoil as rt;

rt::task_local! {
    /// A number.
    static NUMBER: u32;
    #[allow(dead_code)]
    pub(crate) static TEXT: String;
    static LOG: RefCell<Vec<&'static str>>
}

rt::task_local!(static ALONE: Cell<u8>);
rt::task_local! {}

/// Polls once.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The output of a future that is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("not ready at once"),
    }
}

#[test]
fn a_scope_gives_a_value_and_takes_it_away() {
    assert!(NUMBER.try_get().is_err());
    assert_eq!(now(NUMBER.scope(1, async { NUMBER.get() })), 1);
    assert!(NUMBER.try_get().is_err());
    assert_eq!(
        now(TEXT.scope("a".into(), async { TEXT.with(|text| text.len()) })),
        1
    );
    assert_eq!(ALONE.sync_scope(Cell::new(3), || ALONE.with(Cell::get)), 3);
    assert_eq!(
        NUMBER.try_with(|_| ()).unwrap_err().to_string(),
        "the task-local has no value here: outside of its scope"
    );
}

#[test]
fn between_polls_the_value_is_not_there() {
    let mut future = pin!(NUMBER.scope(1, async {
        assert_eq!(NUMBER.get(), 1);
        let mut first = true;
        poll_fn(|_| {
            if std::mem::take(&mut first) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        NUMBER.get()
    }));
    assert!(poll(future.as_mut()).is_pending());
    assert!(NUMBER.try_get().is_err());
    assert_eq!(poll(future), Poll::Ready(1));
}

#[test]
fn scopes_nest_and_hide() {
    let numbers = now(NUMBER.scope(1, async {
        let inner = NUMBER.scope(2, async { NUMBER.get() }).await;
        let sync = NUMBER.sync_scope(3, || NUMBER.get());
        (NUMBER.get(), inner, sync)
    }));
    assert_eq!(numbers, (1, 2, 3));
}

#[test]
fn futures_beside_each_other_keep_their_own_values() {
    let branch = |n| {
        NUMBER.scope(n, async move {
            for _ in 0..3 {
                assert_eq!(NUMBER.get(), n);
                let mut first = true;
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::take(&mut first) {
                        Poll::Pending
                    } else {
                        Poll::Ready(())
                    }
                })
                .await;
            }
            NUMBER.get()
        })
    };
    let mut both = pin!(async { rt::join!(branch(1), branch(2)) });
    let output = loop {
        if let Poll::Ready(output) = poll(both.as_mut()) {
            break output;
        }
    };
    assert_eq!(output, (1, 2));
}

#[test]
fn a_panic_takes_the_value_away_too() {
    let outer = NUMBER.sync_scope(1, || {
        let caught = catch_unwind(|| NUMBER.sync_scope(2, || panic!("inside")));
        assert!(caught.is_err());
        let mut future = Box::pin(NUMBER.scope(3, async { panic!("inside") }));
        let caught = catch_unwind(AssertUnwindSafe(|| poll(future.as_mut())));
        assert!(caught.is_err());
        assert_eq!(
            future.as_mut().take_value(),
            Some(3),
            "it is back in its future"
        );
        NUMBER.get()
    });
    assert_eq!(outer, 1);
    assert!(NUMBER.try_get().is_err());
}

#[test]
fn the_value_can_be_taken_out() {
    let mut future = Box::pin(NUMBER.scope(5, async { NUMBER.try_get().is_ok() }));
    assert_eq!(future.as_mut().take_value(), Some(5));
    assert_eq!(future.as_mut().take_value(), None);
    assert!(!now(future.as_mut()), "later polls find none");

    let mut future = Box::pin(LOG.scope(RefCell::default(), async {
        LOG.with(|log| log.borrow_mut().push("inside"));
    }));
    now(future.as_mut());
    assert_eq!(
        future.as_mut().take_value().unwrap().into_inner(),
        ["inside"]
    );
}

/// Looks at the value when it is dropped.
struct Looks<'a>(&'a Cell<Option<u32>>);

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        self.0.set(NUMBER.try_get().ok());
    }
}

#[test]
fn destructors_see_the_value() {
    let seen = Cell::new(None);
    let mut future = Box::pin(NUMBER.scope(6, async {
        let _looks = Looks(&seen);
        pending::<()>().await;
    }));
    assert!(poll(future.as_mut()).is_pending());
    drop(future);
    assert_eq!(seen.take(), Some(6), "of a future that is dropped early");

    let looks = Looks(&seen);
    let mut future = Box::pin(NUMBER.scope(
        7,
        poll_fn(move |_| {
            let _ = &looks;
            Poll::Ready(())
        }),
    ));
    now(future.as_mut());
    assert_eq!(seen.take(), Some(7), "of a future that is done");
}

#[test]
fn misuse_says_what_to_do() {
    let message = |f: fn()| {
        let payload = catch_unwind(f).unwrap_err();
        payload
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| (*payload.downcast_ref::<&str>().expect("a text")).to_owned())
    };
    assert_eq!(
        message(|| {
            NUMBER.get();
        }),
        "task-local NUMBER: no value here; call this inside NUMBER.scope(value, future)"
    );
    assert_eq!(
        message(|| NUMBER.sync_scope(1, || NUMBER.with(|_| NUMBER.sync_scope(2, || ())))),
        "task-local NUMBER: a scope cannot begin inside NUMBER.with(..); copy the value out first"
    );
    assert_eq!(
        message(|| {
            let mut future = pin!(NUMBER.scope(1, ready(())));
            assert!(poll(future.as_mut()).is_ready());
            let _ = poll(future);
        }),
        "LocalKey::scope: polled after it was done; await it once"
    );
}

#[test]
fn a_future_may_move_to_another_thread_between_polls() {
    let mut future = Box::pin(NUMBER.scope(8, async {
        assert_eq!(NUMBER.get(), 8);
        let mut first = true;
        poll_fn(|_| {
            if std::mem::take(&mut first) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        NUMBER.get()
    }));
    assert!(poll(future.as_mut()).is_pending());
    let elsewhere = std::thread::spawn(move || {
        let output = poll(future.as_mut());
        assert!(NUMBER.try_get().is_err());
        output
    });
    assert_eq!(elsewhere.join().unwrap(), Poll::Ready(8));
}

#[test]
fn the_future_has_the_traits_of_its_parts() {
    fn assert_send<T: Send>(_: &T) {}
    fn assert_sync<T: Sync>(_: &T) {}
    let future = NUMBER.scope(1, ready(()));
    assert_send(&future);
    assert_sync(&future);
    assert_send(&ALONE.scope(Cell::new(1), ready(())));
    assert_sync(&LOG);
}

#[rt::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_do_not_inherit_values() {
    let task = NUMBER.scope(9, async {
        let free = rt::spawn(async { NUMBER.try_get().ok() });
        let own = rt::spawn(NUMBER.scope(10, async {
            rt::task::yield_now().await;
            NUMBER.get()
        }));
        (free.await.unwrap(), own.await.unwrap(), NUMBER.get())
    });
    assert_eq!(rt::spawn(task).await.unwrap(), (None, 10, 9));
}
