//! A send into a bounded channel that gives up after a while.
//!
//! ```text
//!   first poll: the clock starts ──► room in time: the message is sent
//!                                └─► none: Timeout(value), and the place in line is free
//! ```
//!
//! It is `timeout(duration, sender.reserve())` that keeps the message meanwhile, so that it can
//! be given back. Defined here and not in `sync`, which knows no time.
//! Read next: `sync/mpsc_permit.rs`, the half that waits for room.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::sync::mpsc_error::{SendError, SendTimeoutError};
use crate::sync::mpsc_permit::Reserve;
use crate::sync::mpsc_sender::Sender;
use crate::time::timeout::{Timeout, timeout};

impl<T> Sender<T> {
    /// Sends a message, and waits for room at most for `duration` if there is none.
    ///
    /// The time runs from the first poll. With room there, even a `duration` of zero is enough.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError::Timeout`] when no room came in time, [`SendTimeoutError::Closed`] when
    /// the receiver is closed or dropped; both with the value.
    ///
    /// # Panics
    ///
    /// When it is awaited outside of a runtime, or in one without `enable_time`.
    ///
    /// # Cancel safety
    ///
    /// A dropped wait has not sent its message (which is dropped), and its room goes to the next
    /// in line.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::mpsc::{self, error::SendTimeoutError};
    /// use trefoil::time::Duration;
    ///
    /// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # rt.block_on(async {
    /// let (sender, receiver) = mpsc::channel(1);
    /// let limit = Duration::from_millis(2);
    /// sender.send_timeout(1, limit).await.unwrap();
    /// assert_eq!(sender.send_timeout(2, limit).await, Err(SendTimeoutError::Timeout(2)));
    /// # drop(receiver);
    /// # });
    /// ```
    #[track_caller]
    pub fn send_timeout(&self, value: T, duration: Duration) -> SendTimeout<'_, T> {
        SendTimeout {
            reserve: Some(self.reserve()),
            wait: None,
            value: Some(value),
            duration,
        }
    }
}

pin_project! {
    /// The future of [`Sender::send_timeout`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct SendTimeout<'a, T> {
        // Until the first poll, which moves it into `wait`.
        reserve: Option<Reserve<'a, T>>,
        // From the first poll on.
        #[pin]
        wait: Option<Timeout<Reserve<'a, T>>>,
        // Until it is sent or given back.
        value: Option<T>,
        // Counted from the first poll.
        duration: Duration,
    }
}

impl<T> Future for SendTimeout<'_, T> {
    type Output = Result<(), SendTimeoutError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(reserve) = this.reserve.take() {
            this.wait.set(Some(timeout(*this.duration, reserve)));
        }
        let (Some(wait), true) = (this.wait.as_mut().as_pin_mut(), this.value.is_some()) else {
            panic!("mpsc::Sender::send_timeout: polled after it was done; await it once");
        };
        let room = ready!(wait.poll(cx));
        let Some(value) = this.value.take() else {
            unreachable!("looked at above")
        };
        Poll::Ready(match room {
            Ok(Ok(permit)) => permit.try_send(value).map_err(|SendError(value)| {
                // The receiver went after the room was found.
                SendTimeoutError::Closed(value)
            }),
            Ok(Err(SendError(()))) => Err(SendTimeoutError::Closed(value)),
            Err(_elapsed) => Err(SendTimeoutError::Timeout(value)),
        })
    }
}

impl<T> fmt::Debug for SendTimeout<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendTimeout")
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}
