//! Each name of `trefoil::io`, with its signature and its auto traits: it compiles, or a program
//! written for tokio does not. What the names do is in the tests called `io_*`.

#[path = "support/surface.rs"]
#[macro_use]
mod surface;

use std::io::{Cursor, IoSlice, SeekFrom};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rt::io::unix::{
    AsyncFd, AsyncFdReadyGuard, AsyncFdReadyMutGuard, AsyncFdRegisterError, TryIoError,
};
use rt::io::{
    self, AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt,
    AsyncWrite, AsyncWriteExt, BufReader, BufStream, BufWriter, Chain, DuplexStream, Empty,
    Interest, Join, Lines, ReadBuf, ReadHalf, Ready, Repeat, SimplexStream, Sink, Split, Take,
    WriteHalf,
};
use trefoil as rt;

/// A reader of all kinds, as the table of auto traits has them.
trait Reads: AsyncRead + AsyncBufRead + AsyncSeek + Send + Sync {}
impl<T: AsyncRead + AsyncBufRead + AsyncSeek + Send + Sync> Reads for T {}

/// A stream behind a pointer.
type Reader = Pin<Box<dyn Reads>>;
/// A writer behind a pointer.
type Writer = Pin<Box<dyn AsyncWrite + Send + Sync>>;

plain_types!(
    BufReader<Reader>,
    BufStream<DuplexStream>,
    BufWriter<Writer>,
    Chain<Reader, Reader>,
    DuplexStream,
    Empty,
    Interest,
    Join<Reader, Writer>,
    Lines<Reader>,
    ReadBuf<'static>,
    ReadHalf<DuplexStream>,
    Ready,
    Repeat,
    SimplexStream,
    Sink,
    Split<Reader>,
    Take<Reader>,
    WriteHalf<DuplexStream>,
    TryIoError,
    AsyncFd<UnixStream>,
    AsyncFdReadyGuard<'static, UnixStream>,
    AsyncFdReadyMutGuard<'static, UnixStream>,
    AsyncFdRegisterError<UnixStream>,
);

fn reader() -> Reader {
    Box::pin(Cursor::new(Vec::new()))
}

fn writer() -> Writer {
    Box::pin(Vec::new())
}

#[test]
fn free_functions() {
    let (a, b): (DuplexStream, DuplexStream) = io::duplex(1);
    let (read, write): (ReadHalf<SimplexStream>, WriteHalf<SimplexStream>) = io::simplex(1);
    let _: (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>) = io::split(a);
    let _: Join<Reader, Writer> = io::join(reader(), writer());
    let _: SimplexStream = read.unsplit(write);
    let _: SimplexStream = SimplexStream::new_unsplit(1);
    let _: Empty = io::empty();
    let _: Sink = io::sink();
    let _: Repeat = io::repeat(1);
    drop(b);
    let (mut a, mut b) = io::duplex(1);
    awaits! {
        io::copy(&mut reader(), &mut writer()) => io::Result<u64>;
        io::copy_buf(&mut reader(), &mut writer()) => io::Result<u64>;
        io::copy_bidirectional(&mut a, &mut b) => io::Result<(u64, u64)>;
        io::copy_bidirectional_with_sizes(&mut a, &mut b, 1, 2) => io::Result<(u64, u64)>;
    }
    let error: io::Error = io::ErrorKind::Other.into();
    let _: io::Result<()> = Err(error);
    let _: io::SeekFrom = SeekFrom::Start(0);
}

#[test]
fn read_ext() {
    let (mut r, mut bytes, mut text) = (reader(), vec![0; 4], String::new());
    awaits! {
        r.read(&mut bytes) => io::Result<usize>;
        r.read_buf(&mut Vec::new()) => io::Result<usize>;
        r.read_exact(&mut bytes) => io::Result<usize>;
        r.read_to_end(&mut bytes) => io::Result<usize>;
        r.read_to_string(&mut text) => io::Result<usize>;
        r.read_u8() => io::Result<u8>;
        r.read_i8() => io::Result<i8>;
        r.read_u16() => io::Result<u16>;
        r.read_i16() => io::Result<i16>;
        r.read_u32() => io::Result<u32>;
        r.read_i32() => io::Result<i32>;
        r.read_u64() => io::Result<u64>;
        r.read_i64() => io::Result<i64>;
        r.read_u128() => io::Result<u128>;
        r.read_i128() => io::Result<i128>;
        r.read_f32() => io::Result<f32>;
        r.read_f64() => io::Result<f64>;
        r.read_u16_le() => io::Result<u16>;
        r.read_i16_le() => io::Result<i16>;
        r.read_u32_le() => io::Result<u32>;
        r.read_i32_le() => io::Result<i32>;
        r.read_u64_le() => io::Result<u64>;
        r.read_i64_le() => io::Result<i64>;
        r.read_u128_le() => io::Result<u128>;
        r.read_i128_le() => io::Result<i128>;
        r.read_f32_le() => io::Result<f32>;
        r.read_f64_le() => io::Result<f64>;
    }
    let mut chain: Chain<Reader, Reader> = AsyncReadExt::chain(reader(), reader());
    let _: (&Reader, &Reader) = chain.get_ref();
    let _: (&mut Reader, &mut Reader) = chain.get_mut();
    let _: (Pin<&mut Reader>, Pin<&mut Reader>) = Pin::new(&mut chain).get_pin_mut();
    let (first, _): (Reader, Reader) = chain.into_inner();
    let mut take: Take<Reader> = AsyncReadExt::take(first, 7);
    let _: u64 = take.limit();
    take.set_limit(8);
    let _: &Reader = take.get_ref();
    let _: &mut Reader = take.get_mut();
    let _: Pin<&mut Reader> = Pin::new(&mut take).get_pin_mut();
    let _: Reader = take.into_inner();
}

#[test]
fn write_ext() {
    let mut w = writer();
    let slices = [IoSlice::new(b"")];
    awaits! {
        w.write(b"") => io::Result<usize>;
        w.write_vectored(&slices) => io::Result<usize>;
        w.write_buf(&mut &b""[..]) => io::Result<usize>;
        w.write_all_buf(&mut &b""[..]) => io::Result<()>;
        w.write_all(b"") => io::Result<()>;
        w.flush() => io::Result<()>;
        w.shutdown() => io::Result<()>;
        w.write_u8(0) => io::Result<()>;
        w.write_i8(0) => io::Result<()>;
        w.write_u16(0) => io::Result<()>;
        w.write_i16(0) => io::Result<()>;
        w.write_u32(0) => io::Result<()>;
        w.write_i32(0) => io::Result<()>;
        w.write_u64(0) => io::Result<()>;
        w.write_i64(0) => io::Result<()>;
        w.write_u128(0) => io::Result<()>;
        w.write_i128(0) => io::Result<()>;
        w.write_f32(0.0) => io::Result<()>;
        w.write_f64(0.0) => io::Result<()>;
        w.write_u16_le(0) => io::Result<()>;
        w.write_i16_le(0) => io::Result<()>;
        w.write_u32_le(0) => io::Result<()>;
        w.write_i32_le(0) => io::Result<()>;
        w.write_u64_le(0) => io::Result<()>;
        w.write_i64_le(0) => io::Result<()>;
        w.write_u128_le(0) => io::Result<()>;
        w.write_i128_le(0) => io::Result<()>;
        w.write_f32_le(0.0) => io::Result<()>;
        w.write_f64_le(0.0) => io::Result<()>;
    }
}

#[test]
fn buf_read_ext_and_seek_ext() {
    let (mut r, mut bytes, mut text) = (reader(), Vec::new(), String::new());
    awaits! {
        r.read_until(b'x', &mut bytes) => io::Result<usize>;
        r.read_line(&mut text) => io::Result<usize>;
        r.fill_buf() => io::Result<&[u8]>;
        r.seek(SeekFrom::Start(0)) => io::Result<u64>;
        r.rewind() => io::Result<u64>;
        r.stream_position() => io::Result<u64>;
    }
    AsyncBufReadExt::consume(&mut r, 0);
    let mut lines: Lines<Reader> = r.lines();
    awaits! { lines.next_line() => io::Result<Option<String>>; }
    let _: &Reader = lines.get_ref();
    let _: &mut Reader = lines.get_mut();
    let mut split: Split<Reader> = AsyncBufReadExt::split(lines.into_inner(), b'x');
    awaits! { split.next_segment() => io::Result<Option<Vec<u8>>>; }
    let mut cx = Context::from_waker(Waker::noop());
    let mut lines = reader().lines();
    let _: Poll<io::Result<Option<String>>> = Pin::new(&mut lines).poll_next_line(&mut cx);
    let _: Poll<io::Result<Option<Vec<u8>>>> = Pin::new(&mut split).poll_next_segment(&mut cx);
}

/// The traits themselves, as a program implements or polls them.
#[test]
fn traits() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut stream = BufStream::new(Cursor::new(vec![1]));
    let mut memory = [MaybeUninit::uninit(); 4];
    let mut buf = ReadBuf::uninit(&mut memory);
    let mut pinned = Pin::new(&mut stream);
    let _: Poll<io::Result<()>> = pinned.as_mut().poll_read(&mut cx, &mut buf);
    let _: Poll<io::Result<&[u8]>> = pinned.as_mut().poll_fill_buf(&mut cx);
    AsyncBufRead::consume(pinned.as_mut(), 0);
    let _: Poll<io::Result<usize>> = pinned.as_mut().poll_write(&mut cx, b"");
    let _: Poll<io::Result<usize>> = pinned.as_mut().poll_write_vectored(&mut cx, &[]);
    let _: bool = pinned.is_write_vectored();
    let _: Poll<io::Result<()>> = pinned.as_mut().poll_flush(&mut cx);
    let _: io::Result<()> = pinned.as_mut().start_seek(SeekFrom::Start(0));
    let _: Poll<io::Result<u64>> = pinned.as_mut().poll_complete(&mut cx);
    let _: Poll<io::Result<()>> = pinned.as_mut().poll_shutdown(&mut cx);
}

/// Which types implement which trait.
#[test]
fn implementations() {
    use static_assertions::assert_impl_all as has;
    has!(Empty: AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek, std::fmt::Debug);
    has!(Sink: AsyncWrite, std::fmt::Debug);
    has!(Repeat: AsyncRead, std::fmt::Debug);
    has!(DuplexStream: AsyncRead, AsyncWrite, std::fmt::Debug);
    has!(SimplexStream: AsyncRead, AsyncWrite, std::fmt::Debug);
    has!(Join<Empty, Empty>: AsyncRead, AsyncBufRead, AsyncWrite, std::fmt::Debug);
    has!(BufReader<Empty>: AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek, std::fmt::Debug);
    has!(BufWriter<Empty>: AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek, std::fmt::Debug);
    has!(BufStream<Empty>: AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek, std::fmt::Debug);
    has!(BufStream<Empty>: From<BufReader<BufWriter<Empty>>>, From<BufWriter<BufReader<Empty>>>);
    has!(Chain<Empty, Empty>: AsyncRead, AsyncBufRead, std::fmt::Debug);
    has!(Take<Empty>: AsyncRead, AsyncBufRead, std::fmt::Debug);
    has!(Lines<Empty>: std::fmt::Debug);
    has!(Split<Empty>: std::fmt::Debug);
    has!(ReadHalf<Empty>: AsyncRead, std::fmt::Debug);
    has!(WriteHalf<Empty>: AsyncWrite, std::fmt::Debug);
    has!(&[u8]: AsyncRead, AsyncBufRead);
    has!(Cursor<&[u8]>: AsyncRead, AsyncBufRead, AsyncSeek);
    has!(Cursor<Vec<u8>>: AsyncRead, AsyncBufRead, AsyncSeek, AsyncWrite);
    has!(Cursor<&mut [u8]>: AsyncRead, AsyncSeek, AsyncWrite);
    has!(Cursor<&mut Vec<u8>>: AsyncWrite);
    has!(Cursor<Box<[u8]>>: AsyncWrite);
    has!(Vec<u8>: AsyncWrite);
    has!(Box<Empty>: AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek);
    has!(&mut Empty: AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek);
    has!(Pin<Box<Empty>>: AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek);
    has!(dyn AsyncRead: AsyncReadExt);
    has!(dyn AsyncBufRead: AsyncBufReadExt);
    has!(dyn AsyncWrite: AsyncWriteExt);
    has!(dyn AsyncSeek: AsyncSeekExt);
    has!(ReadBuf<'static>: bytes::BufMut, std::fmt::Debug);
    has!(Interest: Copy, Eq, std::hash::Hash, std::ops::BitOr, std::ops::BitOrAssign);
    has!(Ready: Copy, Eq, Ord, std::ops::BitOr, std::ops::BitAnd, std::ops::Sub);
}

#[test]
fn methods_of_the_types() {
    let mut reader: BufReader<Empty> = BufReader::with_capacity(1, io::empty());
    let _: &Empty = reader.get_ref();
    let _: &mut Empty = reader.get_mut();
    let _: Pin<&mut Empty> = Pin::new(&mut reader).get_pin_mut();
    let _: &[u8] = reader.buffer();
    let _: Empty = reader.into_inner();
    let mut writer: BufWriter<Empty> = BufWriter::with_capacity(1, io::empty());
    let _: &Empty = writer.get_ref();
    let _: &mut Empty = writer.get_mut();
    let _: Pin<&mut Empty> = Pin::new(&mut writer).get_pin_mut();
    let _: &[u8] = writer.buffer();
    let _: Empty = writer.into_inner();
    let mut stream: BufStream<Empty> = BufStream::with_capacity(1, 1, io::empty());
    let _: &Empty = stream.get_ref();
    let _: &mut Empty = stream.get_mut();
    let _: Pin<&mut Empty> = Pin::new(&mut stream).get_pin_mut();
    let _: Empty = stream.into_inner();
    let mut join: Join<Empty, Sink> = io::join(io::empty(), io::sink());
    let _: (&Empty, &mut Empty) = (&io::empty(), join.reader_mut());
    let _: (&Empty, &Sink) = (join.reader(), join.writer());
    let _: &mut Sink = join.writer_mut();
    let _: Pin<&mut Empty> = Pin::new(&mut join).reader_pin_mut();
    let _: Pin<&mut Sink> = Pin::new(&mut join).writer_pin_mut();
    let _: (Empty, Sink) = join.into_inner();
    let (read, write) = io::split(io::empty());
    let _: (bool, bool) = (read.is_pair_of(&write), write.is_pair_of(&read));
    let _: Empty = read.unsplit(write);
}

#[test]
fn read_buf() {
    let mut memory = [0; 8];
    let mut buf: ReadBuf<'_> = ReadBuf::new(&mut memory);
    let _: usize = buf.capacity() + buf.remaining();
    let _: (&[u8], &[u8]) = (buf.filled(), buf.initialized());
    let _: &mut [u8] = buf.filled_mut();
    let _: &mut [u8] = buf.initialized_mut();
    let _: &mut [u8] = buf.initialize_unfilled();
    let _: &mut [u8] = buf.initialize_unfilled_to(2);
    let _: ReadBuf<'_> = buf.take(2);
    buf.put_slice(b"a");
    buf.advance(1);
    buf.set_filled(1);
    buf.clear();
    type Memory = for<'a> unsafe fn(&'a mut ReadBuf<'static>) -> &'a mut [MaybeUninit<u8>];
    let _: [Memory; 2] = [ReadBuf::unfilled_mut, ReadBuf::inner_mut];
    let _: unsafe fn(&mut ReadBuf<'static>, usize) = ReadBuf::assume_init;
}

#[test]
fn interest_and_ready() {
    let all = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY | Interest::ERROR;
    const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
    let _: Option<Interest> = all.remove(BOTH);
    let _: [bool; 4] = [
        all.is_readable(),
        all.is_writable(),
        all.is_priority(),
        all.is_error(),
    ];
    let ready = Ready::EMPTY
        | Ready::READABLE
        | Ready::WRITABLE
        | Ready::READ_CLOSED
        | Ready::WRITE_CLOSED
        | Ready::PRIORITY
        | Ready::ERROR;
    assert_eq!(ready, Ready::ALL);
    let _: [bool; 7] = [
        ready.is_empty(),
        ready.is_readable(),
        ready.is_writable(),
        ready.is_read_closed(),
        ready.is_write_closed(),
        ready.is_priority(),
        ready.is_error(),
    ];
}

#[test]
fn async_fd() {
    let rt = rt::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _entered = rt.enter();
    type Fd = AsyncFd<UnixStream>;
    let pair = || UnixStream::pair().unwrap().0;
    let mut fd: Fd = AsyncFd::new(pair()).unwrap();
    let _: io::Result<Fd> = AsyncFd::with_interest(pair(), Interest::READABLE);
    let _: Result<Fd, AsyncFdRegisterError<UnixStream>> = AsyncFd::try_new(pair());
    let _: Result<Fd, AsyncFdRegisterError<UnixStream>> =
        AsyncFd::try_with_interest(pair(), Interest::READABLE);
    let _: (&UnixStream, Interest) = (fd.get_ref(), Interest::READABLE);
    let _: &mut UnixStream = fd.get_mut();
    type Guard<'a> = AsyncFdReadyGuard<'a, UnixStream>;
    type MutGuard<'a> = AsyncFdReadyMutGuard<'a, UnixStream>;
    awaits! {
        fd.readable() => io::Result<Guard<'_>>;
        fd.writable() => io::Result<Guard<'_>>;
        fd.ready(Interest::READABLE) => io::Result<Guard<'_>>;
        fd.readable_mut() => io::Result<MutGuard<'_>>;
        fd.writable_mut() => io::Result<MutGuard<'_>>;
        fd.ready_mut(Interest::READABLE) => io::Result<MutGuard<'_>>;
        fd.async_io(Interest::READABLE, |_: &UnixStream| Ok(1)) => io::Result<i32>;
        fd.async_io_mut(Interest::READABLE, |_: &mut UnixStream| Ok(1)) => io::Result<i32>;
    }
    let mut cx = Context::from_waker(Waker::noop());
    let _: Poll<io::Result<Guard<'_>>> = fd.poll_read_ready(&mut cx);
    let _: Poll<io::Result<Guard<'_>>> = fd.poll_write_ready(&mut cx);
    let _: Poll<io::Result<MutGuard<'_>>> = fd.poll_read_ready_mut(&mut cx);
    let _: Poll<io::Result<MutGuard<'_>>> = fd.poll_write_ready_mut(&mut cx);
    let _: io::Result<i32> = fd.try_io(Interest::READABLE, |_: &UnixStream| Ok(1));
    let _: io::Result<i32> = fd.try_io_mut(Interest::READABLE, |_: &mut UnixStream| Ok(1));
    if let Poll::Ready(Ok(mut guard)) = fd.poll_write_ready(&mut cx) {
        guard.clear_ready();
        guard.clear_ready_matching(Ready::WRITABLE);
        guard.retain_ready();
        let _: Ready = guard.ready();
        let _: (&Fd, &UnixStream) = (guard.get_ref(), guard.get_inner());
        let _: Result<io::Result<i32>, TryIoError> = guard.try_io(|_: &Fd| Ok(1));
    }
    if let Poll::Ready(Ok(mut guard)) = fd.poll_write_ready_mut(&mut cx) {
        guard.clear_ready();
        guard.clear_ready_matching(Ready::WRITABLE);
        guard.retain_ready();
        let _: Ready = guard.ready();
        let _: (&Fd, &UnixStream) = (guard.get_ref(), guard.get_inner());
        let _: &mut Fd = guard.get_mut();
        let _: &mut UnixStream = guard.get_inner_mut();
        let _: Result<io::Result<i32>, TryIoError> = guard.try_io(|_: &mut Fd| Ok(1));
    }
    let refused: Result<Fd, _> = AsyncFd::try_new(fd.into_inner());
    if let Err(error) = refused {
        let _: (UnixStream, io::Error) = error.into_parts();
    }
}
