//! Streams: a job that gives many values, as fast as they are taken.
//!
//! ```text
//!   worker: emitter.send(&item)                    program: stream.next().await
//!     credit left? ITEM frame, credit - 1  ──────►   half of the credit taken?
//!     none left: wait for CREDIT           ◄──────   CREDIT frame
//! ```
//!
//! So at most [`CREDIT`] items are on their way, however slow the program is.
//! Read next: `processes/map.rs`.

#![forbid(unsafe_code)]

use std::any::{TypeId, type_name};
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::{PhantomData, PhantomPinned};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use pin_project_lite::pin_project;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parts::block_on::block_on;
use crate::parts::slab::Key;
use crate::parts::wait_site::{WaitSite, poll_leaf};
use crate::processes::after::Evidence;
use crate::processes::core::Core;
use crate::processes::error::JobError;
use crate::processes::events::Event;
use crate::processes::failure::guarded;
use crate::processes::feed::{Fed, Feed};
use crate::processes::frame::{self, Header};
use crate::processes::job::Registry;
use crate::processes::line::{outlet, with_inlet};
use crate::processes::parcel::Reply;
use crate::processes::pending::refuse_in_executor;
use crate::processes::pool::ProcessPool;
use crate::processes::wire;

/// Items that may be on their way.
///
/// Unit: items. Effect: memory, against waiting for each other. Not tuned.
pub(crate) const CREDIT: u64 = 256;

/// What a stream job gives its values to; see [`Registry::stream`].
pub struct Emitter<T> {
    /// Items that may still be sent.
    credit: Cell<u64>,
    _item: PhantomData<fn(&T)>,
}

impl<T: Serialize> Emitter<T> {
    /// Sends an item; waits until the program has room for it.
    ///
    /// # Panics
    ///
    /// When the item cannot be encoded; the job fails with that.
    #[track_caller]
    pub fn send(&self, item: &T) {
        let mut bytes = Vec::new();
        if let Err(error) = wire::encode(item, &mut bytes) {
            panic!("Emitter::send: cannot encode the item: {error}");
        }
        while self.credit.get() == 0 {
            with_inlet(|inlet| {
                match inlet.take(|message| message.header.kind == frame::Kind::Credit) {
                    Some(message) => self.credit.set(message.header.aux),
                    None => _ = inlet.read(true),
                }
            });
        }
        self.credit.set(self.credit.get() - 1);
        if let Some(outlet) = outlet() {
            outlet.put_for_job(frame::Kind::Item, 1, &bytes);
        }
    }
}

impl<T> fmt::Debug for Emitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("credit", &self.credit)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Adds a function that gives many values, for [`ProcessPool::stream`].
    pub fn stream<F, A, T>(self, f: F) -> Self
    where
        F: Fn(A, &Emitter<T>) + Copy + Send + Sync + 'static,
        A: DeserializeOwned,
        T: Serialize,
    {
        self.call::<F, A>(move |argument, _result| {
            // Credit for a stream that ended early is not ours.
            while with_inlet(|i| i.take(|m| m.header.kind == frame::Kind::Credit))
                .flatten()
                .is_some()
            {}
            let emitter = Emitter {
                credit: Cell::new(CREDIT),
                _item: PhantomData,
            };
            guarded(|| f(argument, &emitter))
        })
    }
}

impl ProcessPool {
    /// Runs `f(argument, &emitter)` in a worker; what it emits is the stream.
    ///
    /// ```standalone_crate
    /// use trefoil::processes::{self, Emitter, ProcessPool};
    ///
    /// fn numbers(to: u64, out: &Emitter<u64>) {
    ///     (0..to).for_each(|i| out.send(&i));
    /// }
    ///
    /// fn main() {
    ///     processes::init(|r| r.stream(numbers));
    ///     let pool = ProcessPool::builder().workers(1).build().unwrap();
    ///     let mut stream = pool.stream(numbers, 1000);
    ///     let mut sum = 0;
    ///     while let Some(number) = stream.next_blocking() {
    ///         sum += number.unwrap();
    ///     }
    ///     assert_eq!(sum, 499_500);
    /// }
    /// ```
    #[track_caller]
    pub fn stream<F, A, T>(&self, f: F, argument: A) -> JobStream<T>
    where
        F: Fn(A, &Emitter<T>) + Copy + Send + Sync + 'static,
        A: Serialize,
        T: DeserializeOwned,
    {
        _ = f;
        let feed = Feed::new();
        let job = self.make::<A, ()>(TypeId::of::<F>(), type_name::<F>(), argument);
        let sent = job.send(Reply::Many(feed.clone()));
        JobStream {
            core: Arc::clone(self.core()),
            feed,
            job: sent,
            taken: 0,
            _item: PhantomData,
        }
    }
}

/// The items of a stream job, in order. Dropping it cancels the job.
#[must_use = "dropping it cancels the job"]
pub struct JobStream<T> {
    core: Arc<Core>,
    feed: Arc<Feed>,
    /// The job; `None`: it could not be submitted, the feed says why.
    job: Option<Key>,
    /// Items taken since the last CREDIT.
    taken: u64,
    _item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JobStream<T> {
    /// Waits for the next item; `None` at the end. When the job fails, its error is the last item.
    ///
    /// # Cancel safety
    ///
    /// No item is lost when the future is dropped.
    #[track_caller]
    #[allow(
        clippy::should_implement_trait,
        reason = "awaited; an iterator's would block"
    )]
    pub fn next(&mut self) -> NextItem<'_, T> {
        NextItem {
            stream: self,
            called_at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// As [`next`](Self::next), blocking this thread.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: await `next` there.
    #[track_caller]
    pub fn next_blocking(&mut self) -> Option<Result<T, JobError>> {
        refuse_in_executor("next_blocking");
        block_on(self.next())
    }

    /// The next item.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JobError>>> {
        loop {
            match ready!(self.feed.poll_next(cx)) {
                Fed::Item(message) => {
                    self.give_credit();
                    let item = wire::decode(&message.payload).map_err(JobError::Decode);
                    return Poll::Ready(Some(item));
                }
                Fed::End(Ok(_)) => {}
                Fed::End(Err(error)) => return Poll::Ready(Some(Err(error))),
                Fed::Over => return Poll::Ready(None),
            }
        }
    }

    /// An item was taken: the worker may send as many again.
    fn give_credit(&mut self) {
        self.taken += 1;
        if self.taken < CREDIT / 2 {
            return;
        }
        let header = Header {
            aux: std::mem::take(&mut self.taken),
            ..Header::of(frame::Kind::Credit)
        };
        if let Some(job) = self.job {
            self.core.visit(|visit| {
                if let Some(worker) = visit.inner.state.worker_of(job) {
                    visit.write(worker, header, &Bytes::new());
                }
            });
        }
    }
}

impl<T> Drop for JobStream<T> {
    fn drop(&mut self) {
        if let Some(job) = self.job {
            self.core
                .visit(|visit| visit.feed(Event::Cancel(job), Evidence::None));
        }
    }
}

impl<T> fmt::Debug for JobStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobStream").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`JobStream::next`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct NextItem<'a, T> {
        stream: &'a mut JobStream<T>,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: DeserializeOwned> Future for NextItem<'_, T> {
    type Output = Option<Result<T, JobError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let site = WaitSite::job(this.called_at);
        poll_leaf(cx, site, |cx| this.stream.poll_next(cx))
    }
}

impl<T> fmt::Debug for NextItem<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextItem").finish_non_exhaustive()
    }
}
