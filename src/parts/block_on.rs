//! The smallest executor: poll, park, repeat.
//!
//! ```text
//!   loop:  poll ──► Ready: done
//!            │ Pending
//!            ▼
//!          park ◄── unpark: some thread called wake()
//! ```
//!
//! The waker *is* the thread's parker. It is kept in a thread-local and lent to the future by
//! reference (`futures_task::waker_ref`), so a future that never clones its waker touches no
//! reference count. A token that a former future's waker left behind wakes us once for nothing:
//! a poll too many is always allowed.
//!
//! The second half of the file answers one question: *is this thread polling a future now?* Then
//! it must not block, because whatever it would wait for may need this very thread.
//! Read next: `task/state.rs`, the life of a future that has no thread to itself.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_task::{ArcWake, waker_ref};

use crate::parts::budget;
use crate::parts::parker::Parker;
use crate::parts::wait_site;

/// A parker that can be a waker.
pub(crate) struct ThreadWaker(Parker);

impl ThreadWaker {
    /// Waits until it is woken.
    pub(crate) fn park(&self) {
        self.0.park();
    }

    /// Waits until it is woken, or for the moment `end`.
    pub(crate) fn park_until(&self, end: Instant) {
        self.0.park_until(end);
    }

    /// Ends the thread's wait, now or at its next park.
    pub(crate) fn unpark(&self) {
        self.0.unpark();
    }
}

impl ArcWake for ThreadWaker {
    fn wake_by_ref(this: &Arc<Self>) {
        this.unpark();
    }
}

thread_local! {
    /// This thread's parker, made at its first use.
    static THREAD: Arc<ThreadWaker> = Arc::new(ThreadWaker(Parker::new()));
}

/// This thread's parker; a fresh one while the thread's locals are being destroyed.
pub(crate) fn this_thread() -> Arc<ThreadWaker> {
    THREAD
        .try_with(Arc::clone)
        .unwrap_or_else(|_| Arc::new(ThreadWaker(Parker::new())))
}

/// Runs `future` to its end on this thread, with no runtime around it.
///
/// The caller has made sure (with [`enter`] or [`in_executor`]) that the thread may block.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    match block_on_until(future, None) {
        Some(output) => output,
        None => unreachable!("block_on: there was no end to its time"),
    }
}

/// Runs `future` as [`block_on`] does, at most until `end`; `None` when the time is up.
pub(crate) fn block_on_until<F: Future>(future: F, end: Option<Instant>) -> Option<F::Output> {
    let thread = this_thread();
    let waker = waker_ref(&thread);
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = budget::unlimited(|| future.as_mut().poll(&mut cx)) {
            return Some(output);
        }
        // This is no task: its mark is not to be taken for that of the next one.
        _ = wait_site::take();
        match end {
            None => thread.park(),
            Some(end) if Instant::now() < end => thread.park_until(end),
            Some(_) => return None,
        }
    }
}

thread_local! {
    /// True while this thread polls futures for an executor.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// True while this thread polls a future for an executor (a task or a `block_on`): it must not
/// block then.
#[inline]
pub(crate) fn in_executor() -> bool {
    INSIDE.with(Cell::get)
}

/// Marks the thread as polling futures until it is dropped.
///
/// Not `Send`: it speaks of the thread that made it.
pub(crate) struct Entered {
    /// What was there before.
    before: bool,
    _not_send: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(self.before));
    }
}

/// Marks this thread as an executor; `None` when it already is one.
#[inline]
pub(crate) fn enter() -> Option<Entered> {
    INSIDE.with(|inside| {
        if inside.replace(true) {
            return None;
        }
        Some(Entered {
            before: false,
            _not_send: PhantomData,
        })
    })
}

/// Takes the mark off until the result is dropped: what follows may block, because the caller
/// has seen to it that others do this thread's work meanwhile.
pub(crate) fn leave() -> Entered {
    INSIDE.with(|inside| Entered {
        before: inside.replace(false),
        _not_send: PhantomData,
    })
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn a_wake_from_another_thread_ends_the_wait() {
        let mut polls = 0;
        let output = block_on(poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(polls);
            }
            let waker = cx.waker().clone();
            std::thread::spawn(move || waker.wake());
            Poll::Pending
        }));
        assert_eq!(output, 2);
    }

    #[test]
    fn an_executor_inside_an_executor_is_refused() {
        let outer = enter();
        assert!(outer.is_some() && in_executor());
        assert!(enter().is_none());
        {
            let _pause = leave();
            assert!(!in_executor());
        }
        assert!(in_executor());
        drop(outer);
        assert!(!in_executor());
    }
}
