//! One value from one task to another.
//!
//! ```text
//!   Sender ── send(value) ──► parts/outcome ──► Receiver.await
//!          ◄── closed() ──── close, drop ──────
//! ```
//!
//! A face with tokio's names on `parts/outcome.rs`, where the protocol is. What is added here: the
//! cooperative budget, the wait site, the errors, and the panic for whoever would block a
//! runtime's thread.
//! Read next: `sync/mpsc.rs`, for more than one value.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::parts::block_on::in_executor;
use crate::parts::budget;
use crate::parts::outcome::{NoAnswer, Reader, Taken, Writer, outcome};
use crate::parts::wait_site::{Kind, leave};

use self::error::{RecvError, TryRecvError};

/// Makes a channel for one value.
///
/// The two halves may go to different tasks or threads. Either can be dropped at any time; the
/// other one learns of it.
///
/// # Examples
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use trefoil::sync::oneshot;
///
/// let (sender, receiver) = oneshot::channel();
/// sender.send(7).unwrap();
/// assert_eq!(receiver.await, Ok(7));
/// # }).unwrap();
/// ```
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (writer, reader) = outcome();
    (
        Sender { writer },
        Receiver {
            reader,
            made_at: Location::caller(),
        },
    )
}

/// The half that sends.
///
/// Dropped without a value it ends the wait of the receiver, which then gets an error.
pub struct Sender<T> {
    /// The protocol.
    writer: Writer<T>,
}

/// The half that receives: a future of the value.
///
/// # Cancel safety
///
/// A `&mut Receiver` may be awaited, dropped and awaited again: no value is lost.
#[must_use = "a receiver does nothing unless it is awaited"]
pub struct Receiver<T> {
    /// The protocol.
    reader: Reader<T>,
    /// Where the channel was made: a receiver is awaited by itself, without a call that could
    /// remember its line.
    made_at: &'static Location<'static>,
}

// A panic finds no half-made state behind a reference: no method runs foreign code in between.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Sender<T> {
    /// Sends the value. Never waits.
    ///
    /// `Ok` says that the receiver could take it, not that it will.
    ///
    /// # Errors
    ///
    /// The value itself, when the receiver has closed or is dropped.
    #[inline]
    pub fn send(self, value: T) -> Result<(), T> {
        self.writer.put(value)
    }

    /// Waits until the receiver closes or is dropped: then the value is not wanted any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing happens but waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use trefoil::sync::oneshot;
    ///
    /// let (mut sender, receiver) = oneshot::channel::<u8>();
    /// drop(receiver);
    /// sender.closed().await;
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn closed(&mut self) -> Closed<'_, T> {
        Closed {
            sender: self,
            called_at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// True when the receiver has closed or is dropped, so that [`send`](Self::send) would fail.
    pub fn is_closed(&self) -> bool {
        self.writer.is_closed()
    }

    /// Ready when the receiver has closed or is dropped; else `cx` is woken when it does.
    ///
    /// Only the waker of the last call is kept.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let spent = ready!(budget::spend(cx));
        ready!(self.writer.poll_closed(cx));
        spent.made_progress();
        Poll::Ready(())
    }
}

impl<T> Receiver<T> {
    /// Refuses any value from now on; one that was sent before can still be received.
    pub fn close(&mut self) {
        self.reader.close();
    }

    /// The value, if it is there.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] while the value may still come; [`TryRecvError::Closed`] when it
    /// cannot: the sender was dropped, this half closed first, or the value was taken before.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.reader.try_take() {
            Taken::Value(value) => Ok(value),
            Taken::NotYet => Err(TryRecvError::Empty),
            Taken::Never => Err(TryRecvError::Closed),
        }
    }

    /// Blocks this thread until the value comes. For code outside of any runtime.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when the sender was dropped, or this half closed first.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: the thread could do nothing else meanwhile. Await it there.
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, RecvError> {
        assert!(
            !in_executor(),
            "oneshot::Receiver::blocking_recv: inside a task or block_on. Cannot block the \
             current thread there; await the receiver instead"
        );
        self.reader.wait().map_err(|NoAnswer| RecvError(()))
    }

    /// True when no value is there to be received: not sent yet, or received already.
    pub fn is_empty(&self) -> bool {
        !self.reader.has_value()
    }

    /// True when this receiver has given its value or its error: polling it again would panic.
    pub fn is_terminated(&self) -> bool {
        self.reader.is_finished()
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    /// # Panics
    ///
    /// When the value or the error has been given already.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let spent = ready!(budget::spend(cx));
        assert!(
            !self.reader.is_finished(),
            "oneshot::Receiver: polled after it was done; ask is_terminated() first"
        );
        match self.reader.poll_take(cx) {
            Poll::Ready(answer) => {
                spent.made_progress();
                Poll::Ready(answer.map_err(|NoAnswer| RecvError(())))
            }
            Poll::Pending => {
                leave(Kind::ChannelRecv, self.made_at, self.reader.address());
                Poll::Pending
            }
        }
    }
}

pin_project! {
    /// The future of [`Sender::closed`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Closed<'a, T> {
        sender: &'a mut Sender<T>,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let done = this.sender.poll_closed(cx);
        if done.is_pending() {
            leave(
                Kind::ChannelSend,
                this.called_at,
                this.sender.writer.address(),
            );
        }
        done
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("writer", &self.writer)
            .finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}

/// What can go wrong.
pub mod error {
    use std::error::Error;
    use std::fmt;

    /// No value will come: the sender was dropped, or the receiver closed first.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct RecvError(pub(super) ());

    impl fmt::Display for RecvError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("oneshot channel closed before a value was sent")
        }
    }

    impl Error for RecvError {}

    /// Why [`try_recv`](super::Receiver::try_recv) has no value.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum TryRecvError {
        /// Not sent yet.
        Empty,
        /// It will not come.
        Closed,
    }

    impl fmt::Display for TryRecvError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Self::Empty => "oneshot channel empty: no value sent yet",
                Self::Closed => "oneshot channel closed: no value will come",
            })
        }
    }

    impl Error for TryRecvError {}
}
