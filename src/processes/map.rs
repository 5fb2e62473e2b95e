//! `map`: one function over many arguments, in chunks, lazily, in a bounded window.
//!
//! ```text
//!   next() ◄── in order: waits for its turn ◄──┬── Flights: chunks on their way
//!          ◄── unordered: as they come ◄───────┘
//! ```
//!
//! Dropping a map takes back what has not begun.
//! Read next: `processes/map_take.rs`.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::processes::error::JobError;
use crate::processes::flights::{Chunk, Flights, OnError};
use crate::processes::pool::ProcessPool;

/// The results of [`ProcessPool::map`], in the order of the arguments.
#[must_use = "a map does nothing unless its results are taken; dropping it cancels it"]
pub struct Map<I: Iterator, R> {
    pub(crate) flights: Flights<I, R>,
    /// Outcomes whose turn has not come.
    early: BTreeMap<usize, Result<R, JobError>>,
    pub(crate) called_at: &'static Location<'static>,
}

/// The results of [`ProcessPool::map_unordered`], each with the index of its argument.
#[must_use = "a map does nothing unless its results are taken; dropping it cancels it"]
pub struct MapUnordered<I: Iterator, R> {
    pub(crate) flights: Flights<I, R>,
}

impl ProcessPool {
    /// Runs `f` for each argument; the results come in the order of the arguments.
    ///
    /// Arguments are taken from the iterator only as results are taken from the map: it may be
    /// endless.
    ///
    /// ```standalone_crate
    /// use trefoil::processes::{self, ProcessPool};
    ///
    /// fn square(x: u64) -> u64 {
    ///     x * x
    /// }
    ///
    /// fn main() {
    ///     processes::init(|r| r.job(square));
    ///     let pool = ProcessPool::builder().workers(2).build().unwrap();
    ///     let all = pool.map(square, 0..1000).collect_blocking().unwrap();
    ///     assert_eq!(all[999], 998_001);
    /// }
    /// ```
    #[track_caller]
    pub fn map<F, A, R, I>(&self, f: F, arguments: I) -> Map<I::IntoIter, R>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        _ = f;
        Map {
            flights: Flights::new::<F>(self.core(), arguments.into_iter()),
            early: BTreeMap::new(),
            called_at: Location::caller(),
        }
    }

    /// As [`map`](Self::map), but results come as soon as they are there.
    pub fn map_unordered<F, A, R, I>(&self, f: F, arguments: I) -> MapUnordered<I::IntoIter, R>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        _ = f;
        MapUnordered {
            flights: Flights::new::<F>(self.core(), arguments.into_iter()),
        }
    }
}

/// What can be set on both kinds of map before the first result is taken.
macro_rules! settings {
    ($map:ident) => {
        impl<I: Iterator, R> $map<I, R> {
            /// How many items go to a worker at once; by default [`Chunk::Auto`].
            ///
            /// # Panics
            ///
            /// With `Chunk::Items(0)`.
            #[track_caller]
            pub fn chunk(mut self, chunk: Chunk) -> Self {
                assert_ne!(chunk, Chunk::Items(0), "map: a chunk has at least one item");
                self.flights.chunk = chunk;
                if let Chunk::Items(items) = chunk {
                    self.flights.size = items;
                }
                self
            }

            /// How many arguments may be taken beyond the results that were given; by default a
            /// few chunks for each worker.
            ///
            /// # Panics
            ///
            /// With 0.
            #[track_caller]
            pub fn window(mut self, items: usize) -> Self {
                assert!(items > 0, "map: a window of 0 items would never move");
                self.flights.window = Some(items);
                self
            }

            /// What becomes of the other items when one fails; by default they go on.
            pub fn on_error(mut self, on_error: OnError) -> Self {
                self.flights.on_error = on_error;
                self
            }

            /// How long all of it may take, from the first poll; what has no result by then gives
            /// [`JobError::TimedOut`], and what comes later is cancelled.
            pub fn deadline(mut self, limit: Duration) -> Self {
                self.flights.limit = Some(limit);
                self.flights.on_error = OnError::Cancel;
                self
            }
        }

        impl<I: Iterator, R> Drop for $map<I, R> {
            fn drop(&mut self) {
                self.flights.cancel();
            }
        }

        impl<I: Iterator, R> fmt::Debug for $map<I, R> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($map))
                    .field("pulled", &self.flights.pulled)
                    .field("given", &self.flights.given)
                    .finish_non_exhaustive()
            }
        }

        impl<I: Iterator, R> Unpin for $map<I, R> {}
    };
}

settings!(Map);
settings!(MapUnordered);

impl<I: Iterator, R> Map<I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    /// The next result in order.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<R, JobError>>> {
        loop {
            if let Some(outcome) = self.early.remove(&self.flights.given) {
                self.flights.given += 1;
                return Poll::Ready(Some(outcome));
            }
            match self.flights.poll_any(cx) {
                Poll::Ready(Some((index, outcome))) => _ = self.early.insert(index, outcome),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<I: Iterator, R> MapUnordered<I, R>
where
    I::Item: Serialize,
    R: DeserializeOwned,
{
    /// The next result.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(usize, Result<R, JobError>)>> {
        let next = self.flights.poll_any(cx);
        if let Poll::Ready(Some(_)) = next {
            self.flights.given += 1;
        }
        next
    }
}
