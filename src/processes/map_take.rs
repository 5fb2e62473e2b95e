//! Taking the results of a map: one by one, or all, awaited or waited for.
//!
//! Read next: `processes/together.rs`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parts::block_on::block_on;
use crate::parts::wait_site::{WaitSite, poll_leaf};
use crate::processes::error::JobError;
use crate::processes::map::{Map, MapUnordered};
use crate::processes::pending::refuse_in_executor;

/// One item of a map failed.
#[derive(Debug)]
pub struct MapError {
    /// The index of its argument.
    pub index: usize,
    /// Why.
    pub error: JobError,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {} of the map failed", self.index)
    }
}

impl Error for MapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl<I: Iterator, R> Map<I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    /// Waits for the next result in order; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// No result is lost when the future is dropped.
    #[track_caller]
    #[allow(
        clippy::should_implement_trait,
        reason = "awaited; an iterator's would block"
    )]
    pub fn next(&mut self) -> NextResult<'_, I, R> {
        NextResult {
            map: self,
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
    pub fn next_blocking(&mut self) -> Option<Result<R, JobError>> {
        refuse_in_executor("next_blocking");
        block_on(self.next())
    }

    /// All results, blocking this thread; in a task await the map itself.
    ///
    /// # Errors
    ///
    /// The first failure in order; what was on its way is cancelled.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`.
    #[track_caller]
    pub fn collect_blocking(self) -> Result<Vec<R>, MapError> {
        refuse_in_executor("collect_blocking");
        block_on(self.into_future())
    }
}

impl<I: Iterator, R> IntoFuture for Map<I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    type Output = Result<Vec<R>, MapError>;
    type IntoFuture = CollectMap<I, R>;

    fn into_future(self) -> CollectMap<I, R> {
        CollectMap {
            called_at: self.called_at,
            map: Some(self),
            results: Vec::new(),
        }
    }
}

/// All results of a [`Map`]: the future that awaiting it makes.
///
/// # Cancel safety
///
/// Dropping it cancels the map.
#[must_use = "futures do nothing unless they are awaited"]
pub struct CollectMap<I: Iterator, R> {
    /// `None` once it is over.
    map: Option<Map<I, R>>,
    results: Vec<R>,
    called_at: &'static Location<'static>,
}

impl<I: Iterator, R> Unpin for CollectMap<I, R> {}

impl<I: Iterator, R> Future for CollectMap<I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    type Output = Result<Vec<R>, MapError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(map) = &mut this.map else {
            panic!("CollectMap: polled after it gave its results; keep them instead")
        };
        let results = &mut this.results;
        let all = poll_leaf(cx, WaitSite::job(this.called_at), |cx| {
            loop {
                match ready!(map.poll_next(cx)) {
                    Some(Ok(value)) => results.push(value),
                    Some(Err(error)) => {
                        let index = results.len();
                        return Poll::Ready(Err(MapError { index, error }));
                    }
                    None => return Poll::Ready(Ok(std::mem::take(results))),
                }
            }
        });
        if all.is_ready() {
            // Cancels the rest, if there is any.
            this.map = None;
        }
        all
    }
}

impl<I: Iterator, R> fmt::Debug for CollectMap<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectMap")
            .field("map", &self.map)
            .finish_non_exhaustive()
    }
}

impl<I: Iterator, R> MapUnordered<I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    /// Waits for the next result, with the index of its argument; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// No result is lost when the future is dropped.
    #[track_caller]
    #[allow(
        clippy::should_implement_trait,
        reason = "awaited; an iterator's would block"
    )]
    pub fn next(&mut self) -> NextUnordered<'_, I, R> {
        NextUnordered {
            map: self,
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
    pub fn next_blocking(&mut self) -> Option<(usize, Result<R, JobError>)> {
        refuse_in_executor("next_blocking");
        block_on(self.next())
    }
}

pin_project! {
    /// The future of [`Map::next`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct NextResult<'a, I: Iterator, R> {
        map: &'a mut Map<I, R>,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

pin_project! {
    /// The future of [`MapUnordered::next`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct NextUnordered<'a, I: Iterator, R> {
        map: &'a mut MapUnordered<I, R>,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<I: Iterator, R> Future for NextResult<'_, I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    type Output = Option<Result<R, JobError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let site = WaitSite::job(this.called_at);
        poll_leaf(cx, site, |cx| this.map.poll_next(cx))
    }
}

impl<I: Iterator, R> Future for NextUnordered<'_, I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    type Output = Option<(usize, Result<R, JobError>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let site = WaitSite::job(this.called_at);
        poll_leaf(cx, site, |cx| this.map.poll_next(cx))
    }
}

impl<I: Iterator, R> fmt::Debug for NextResult<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextResult")
            .field("map", &self.map)
            .finish_non_exhaustive()
    }
}

impl<I: Iterator, R> fmt::Debug for NextUnordered<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextUnordered")
            .field("map", &self.map)
            .finish_non_exhaustive()
    }
}
