//! A stream that follows a script, and a hand that polls.
//!
//! Used by the tests of `io` with `#[path = "support/script.rs"] mod script;`.

#![allow(dead_code, reason = "each test file uses its part of it")]

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use trefoil::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the stream does next.
#[derive(Debug, Clone)]
pub enum Step {
    /// A read gives these bytes, in several reads when the buffer is small.
    Give(Vec<u8>),
    /// A write takes at most so many bytes.
    Take(usize),
    /// The call is `Pending`; the task is woken at once.
    Later,
    /// The call is `Pending`, and nobody is woken; the step stays.
    Never,
    /// The call fails.
    Fail(io::ErrorKind),
}

/// Bytes to give.
pub fn give(bytes: impl AsRef<[u8]>) -> Step {
    Step::Give(bytes.as_ref().to_vec())
}

/// A call that the stream saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Write(Vec<u8>),
    Flush,
    Shutdown,
}

/// The stream. After the last step a read gives the end, and a write takes everything.
#[derive(Debug, Default)]
pub struct Script {
    /// For reads.
    pub reads: VecDeque<Step>,
    /// For writes.
    pub writes: VecDeque<Step>,
    /// For flushes: only `Later`, `Never` and `Fail`.
    pub flushes: VecDeque<Step>,
    /// What succeeded.
    pub calls: Vec<Call>,
    /// Whether `is_write_vectored`.
    pub vectored: bool,
    /// The room that each read was offered.
    pub offers: Vec<usize>,
}

impl Script {
    /// A stream to read from.
    pub fn reading(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            reads: steps.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A stream to write to.
    pub fn writing(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            writes: steps.into_iter().collect(),
            ..Self::default()
        }
    }

    /// All bytes that were taken.
    pub fn written(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for call in &self.calls {
            if let Call::Write(bytes) = call {
                all.extend_from_slice(bytes);
            }
        }
        all
    }

    /// The sizes of the writes.
    pub fn write_sizes(&self) -> Vec<usize> {
        let sizes = self.calls.iter().filter_map(|call| match call {
            Call::Write(bytes) => Some(bytes.len()),
            _ => None,
        });
        sizes.collect()
    }
}

/// The part that all calls have in common: waits and failures.
fn wait_or_fail(steps: &mut VecDeque<Step>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    match steps.front() {
        Some(Step::Later) => {
            steps.pop_front();
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Some(Step::Never) => Poll::Pending,
        Some(Step::Fail(kind)) => {
            let error = io::Error::from(*kind);
            steps.pop_front();
            Poll::Ready(Err(error))
        }
        _ => Poll::Ready(Ok(())),
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(wait_or_fail(&mut self.reads, cx))?;
        self.offers.push(buf.remaining());
        if let Some(Step::Give(bytes)) = self.reads.front_mut() {
            let n = bytes.len().min(buf.remaining());
            buf.put_slice(&bytes[..n]);
            bytes.drain(..n);
            if bytes.is_empty() {
                self.reads.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(wait_or_fail(&mut self.writes, cx))?;
        let n = match self.writes.pop_front() {
            Some(Step::Take(most)) => bytes.len().min(most),
            _ => bytes.len(),
        };
        if n > 0 {
            self.calls.push(Call::Write(bytes[..n].to_vec()));
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = slices
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect::<Vec<u8>>();
        self.poll_write(cx, &all)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(wait_or_fail(&mut self.flushes, cx))?;
        self.calls.push(Call::Flush);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.calls.push(Call::Shutdown);
        Poll::Ready(Ok(()))
    }
}

/// Counts how often it was woken.
#[derive(Debug, Default)]
pub struct Bell(AtomicUsize);

impl Bell {
    /// A new bell, and the waker that rings it.
    pub fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (bell.clone(), bell.into())
    }

    /// How often it was rung since the last call.
    pub fn rings(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls to the end. Fails when the future waits and nobody has woken it.
pub fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let (bell, waker) = Bell::new();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => assert_ne!(bell.rings(), 0, "waits, and nobody woke it"),
        }
    }
}

/// Polls `n` times, then drops it; panics when it is done before.
pub fn drop_after<F: Future>(n: usize, future: F) {
    let mut future = pin!(future);
    for i in 0..n {
        assert!(poll(future.as_mut()).is_pending(), "done at poll {i}");
    }
}
