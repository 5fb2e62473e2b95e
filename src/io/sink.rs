//! `sink`: a writer that swallows everything.
//!
//! It is always ready, so each call spends a unit of budget: a loop over it would hold the thread.
//! Read next: `io/empty.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::io::async_write::AsyncWrite;
use crate::parts::budget;

/// A writer that swallows everything.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// let n = trefoil::io::copy(&mut &b"gone"[..], &mut trefoil::io::sink()).await?;
/// assert_eq!(n, 4);
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
pub fn sink() -> Sink {
    Sink { _private: () }
}

/// The writer that [`sink`] makes.
#[derive(Debug)]
pub struct Sink {
    _private: (),
}

/// One call of a stream that never has to wait: only the budget may stop it.
pub(super) fn poll_always(cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    ready!(budget::spend(cx)).made_progress();
    Poll::Ready(Ok(()))
}

/// Takes all bytes of `slices`.
pub(super) fn poll_swallow(
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    // Slices may overlap, so their sum has no bound.
    let total = slices
        .iter()
        .fold(0, |sum: usize, slice| sum.saturating_add(slice.len()));
    poll_always(cx).map_ok(|()| total)
}

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_swallow(cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_always(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_always(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_swallow(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
