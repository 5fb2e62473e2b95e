//! Waiting for a future on a plain thread, for a limited time.
//!
//! Why not `parts/block_on.rs`: its parker has no limit, and nobody else needs one.
//! Read next: `processes/pending.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_task::{ArcWake, waker};

use crate::parts::budget;
use crate::parts::wait_site;

/// What a waker rings.
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl ArcWake for Bell {
    fn wake_by_ref(this: &Arc<Self>) {
        *this.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        this.heard.notify_one();
    }
}

/// Polls `future` on this thread until it is done, or the time is up; at least once.
pub(crate) fn block_on_for<F: Future + Unpin>(mut future: F, limit: Duration) -> Option<F::Output> {
    let bell = Arc::new(Bell {
        rung: Mutex::new(false),
        heard: Condvar::new(),
    });
    let waker = waker(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    // A limit beyond what the clock can say is none.
    let end = Instant::now().checked_add(limit);
    loop {
        let poll = budget::unlimited(|| Pin::new(&mut future).poll(&mut cx));
        if let Poll::Ready(output) = poll {
            return Some(output);
        }
        _ = wait_site::take();
        let mut rung = bell.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !std::mem::take(&mut *rung) {
            let left = end.map_or(Duration::from_secs(3600), |end| {
                end.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return None;
            }
            let waited = bell.heard.wait_timeout(rung, left);
            rung = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
