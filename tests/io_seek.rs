//! What `AsyncSeek` and its methods promise, through the buffered types too.

#[path = "support/script.rs"]
mod script;

use std::io::{Cursor, ErrorKind, SeekFrom};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use script::{poll, run};
use trefoil::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite, AsyncWriteExt,
    BufReader, BufStream, BufWriter, Error, ReadBuf, Result, empty,
};

/// A file in memory that needs a second poll for each operation, and does one at a time.
#[derive(Debug, Default)]
struct Slow {
    bytes: Cursor<Vec<u8>>,
    /// The operation under way has had its first poll.
    waited: bool,
    /// A seek under way.
    seek: Option<SeekFrom>,
    /// What was asked for, in order.
    seeks: Vec<SeekFrom>,
    /// Sizes of the writes.
    writes: Vec<usize>,
}

impl Slow {
    fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: Cursor::new(bytes.to_vec()),
            ..Self::default()
        }
    }

    fn poll_waited(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        ready!(self.poll_waited(cx));
        Pin::new(&mut self.bytes).poll_read(cx, buf)
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        ready!(self.poll_waited(cx));
        self.writes.push(bytes.len());
        Pin::new(&mut self.bytes).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Slow {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> Result<()> {
        if self.seek.is_some() {
            return Err(Error::other("a seek is under way"));
        }
        self.seeks.push(position);
        self.seek = Some(position);
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<u64>> {
        if let Some(position) = self.seek {
            ready!(self.poll_waited(cx));
            self.seek = None;
            Pin::new(&mut self.bytes).start_seek(position)?;
        }
        Poll::Ready(Ok(self.bytes.position()))
    }
}

#[test]
fn a_cursor_seeks_at_once() {
    let mut cursor = Cursor::new(b"0123456789");
    assert_eq!(run(cursor.seek(SeekFrom::Start(7))).unwrap(), 7);
    assert_eq!(run(cursor.seek(SeekFrom::Current(-2))).unwrap(), 5);
    assert_eq!(run(cursor.seek(SeekFrom::End(-1))).unwrap(), 9);
    assert_eq!(run(cursor.seek(SeekFrom::End(5))).unwrap(), 15);
    assert_eq!(run(cursor.rewind()).unwrap(), 0);
    assert_eq!(run(cursor.read_u8()).unwrap(), b'0');
    assert_eq!(run(cursor.stream_position()).unwrap(), 1);
    let error = run(cursor.seek(SeekFrom::Current(-2))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(run(cursor.stream_position()).unwrap(), 1, "it stayed");
}

#[test]
fn pointers_to_streams_with_a_position_have_one() {
    fn position<S: AsyncSeek + Unpin>(mut stream: S) -> u64 {
        run(stream.seek(SeekFrom::Current(1))).unwrap()
    }
    let mut cursor = Cursor::new(b"0123456789");
    assert_eq!(position(&mut cursor), 1);
    assert_eq!(position(Box::new(&mut cursor)), 2);
    assert_eq!(position(Pin::new(&mut cursor)), 3);
    let mut dynamic: Box<dyn AsyncSeek + Unpin> = Box::new(cursor);
    assert_eq!(position(&mut *dynamic), 4);
    assert_eq!(position(dynamic), 5);
}

#[test]
fn a_seek_does_nothing_before_its_first_poll() {
    let mut stream = Slow::new(b"0123456789");
    drop(stream.seek(SeekFrom::Start(3)));
    assert!(stream.seeks.is_empty());
}

#[test]
fn a_seek_waits_and_a_dropped_one_is_finished_by_the_next() {
    let mut stream = Slow::new(b"0123456789");
    {
        let mut seek = pin!(stream.seek(SeekFrom::Start(3)));
        assert!(poll(seek.as_mut()).is_pending());
    }
    assert_eq!(run(stream.seek(SeekFrom::Current(2))).unwrap(), 5);
    assert_eq!(
        stream.seeks,
        [SeekFrom::Start(3), SeekFrom::Current(2)],
        "one after the other"
    );
    assert_eq!(run(stream.read_u8()).unwrap(), b'5');
}

#[test]
fn an_empty_stream_is_always_at_0() {
    assert_eq!(run(empty().seek(SeekFrom::Start(9))).unwrap(), 0);
    assert_eq!(run(empty().stream_position()).unwrap(), 0);
}

#[test]
fn a_buf_reader_seeks_from_what_it_gave_and_not_from_what_it_read() {
    let mut reader = BufReader::with_capacity(4, Slow::new(b"0123456789"));
    assert_eq!(run(reader.read_u8()).unwrap(), b'0');
    assert_eq!(reader.buffer(), b"123");
    assert_eq!(run(reader.stream_position()).unwrap(), 1);
    assert_eq!(reader.buffer(), b"", "the buffer is empty after each seek");
    assert_eq!(run(reader.read_u8()).unwrap(), b'1');
    assert_eq!(run(reader.seek(SeekFrom::Current(3))).unwrap(), 5);
    assert_eq!(run(reader.read_u8()).unwrap(), b'5');
    assert_eq!(run(reader.seek(SeekFrom::End(-2))).unwrap(), 8);
    assert_eq!(run(reader.read_u8()).unwrap(), b'8');
    assert_eq!(run(reader.rewind()).unwrap(), 0);
    let mut text = String::new();
    run(reader.read_to_string(&mut text)).unwrap();
    assert_eq!(text, "0123456789");
}

#[test]
fn a_failed_seek_leaves_the_buffer() {
    let mut reader = BufReader::with_capacity(4, Slow::new(b"0123456789"));
    run(reader.read_u8()).unwrap();
    let error = run(reader.seek(SeekFrom::Current(-2))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let mut text = String::new();
    run(reader.read_to_string(&mut text)).unwrap();
    assert_eq!(text, "123456789");
}

#[test]
fn bytes_read_after_a_dropped_seek_are_not_thrown_away_later() {
    let mut reader = BufReader::with_capacity(4, Slow::new(b"0123456789"));
    run(reader.fill_buf()).unwrap();
    {
        let mut seek = pin!(reader.seek(SeekFrom::Start(8)));
        assert!(poll(seek.as_mut()).is_pending());
    }
    reader.consume(4);
    // The stream gives what it likes after a seek that nobody waited for; but all of it comes out.
    let first = run(reader.read_u8()).unwrap();
    let rest = reader.buffer().to_vec();
    let position = run(reader.stream_position()).unwrap();
    let mut again = vec![0; rest.len()];
    run(reader.read_exact(&mut again)).unwrap();
    assert_eq!(again, rest, "after {first} at {position}");
}

/// A stream of 2^64 bytes, of which only the position is there.
struct Endless(u64);

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let n = buf.initialize_unfilled().len();
        buf.advance(n);
        self.0 = self.0.wrapping_add(n as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Endless {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> Result<()> {
        self.0 = match position {
            SeekFrom::Start(n) => n,
            SeekFrom::Current(by) => self.0.wrapping_add_signed(by),
            SeekFrom::End(by) => u64::MAX.wrapping_add_signed(by),
        };
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<u64>> {
        Poll::Ready(Ok(self.0))
    }
}

#[test]
fn a_seek_that_is_too_far_for_one_step_takes_two() {
    let mut reader = BufReader::with_capacity(5, Endless(0));
    assert_eq!(run(reader.seek(SeekFrom::End(-5))).unwrap(), u64::MAX - 5);
    run(reader.fill_buf()).unwrap();
    let expected = (u64::MAX - 5).wrapping_add_signed(i64::MIN);
    assert_eq!(
        run(reader.seek(SeekFrom::Current(i64::MIN))).unwrap(),
        expected
    );
}

#[test]
fn a_buf_writer_writes_before_it_seeks() {
    let mut writer = BufWriter::with_capacity(8, Slow::new(b"0123456789"));
    run(writer.write_all(b"ab")).unwrap();
    assert_eq!(run(writer.stream_position()).unwrap(), 2);
    assert_eq!(run(writer.seek(SeekFrom::Start(7))).unwrap(), 7);
    run(writer.write_all(b"cd")).unwrap();
    assert_eq!(run(writer.rewind()).unwrap(), 0);
    run(writer.write_all(b"A")).unwrap();
    run(writer.flush()).unwrap();
    let stream = writer.into_inner();
    assert_eq!(stream.bytes.into_inner(), b"Ab23456cd9");
    assert_eq!(stream.writes, [2, 2, 1]);
}

#[test]
fn a_seek_of_a_buf_writer_may_be_dropped_at_each_poll_and_no_byte_is_lost() {
    for n in 0..6 {
        let mut writer = BufWriter::with_capacity(8, Slow::new(b"0123456789"));
        run(writer.write_all(b"ab")).unwrap();
        {
            let mut seek = pin!(writer.seek(SeekFrom::Start(5)));
            for _ in 0..n {
                if poll(seek.as_mut()).is_ready() {
                    break;
                }
            }
        }
        run(writer.flush()).unwrap();
        assert_eq!(run(writer.seek(SeekFrom::Start(5))).unwrap(), 5);
        run(writer.write_all(b"c")).unwrap();
        run(writer.flush()).unwrap();
        assert_eq!(
            writer.into_inner().bytes.into_inner(),
            b"ab234c6789",
            "after {n} polls"
        );
    }
}

#[test]
fn a_buf_stream_seeks_with_both_buffers() {
    let mut stream = BufStream::with_capacity(4, 8, Slow::new(b"0123456789"));
    assert_eq!(run(stream.read_u8()).unwrap(), b'0');
    assert_eq!(run(stream.seek(SeekFrom::Current(1))).unwrap(), 2);
    run(stream.write_all(b"x")).unwrap();
    assert_eq!(run(stream.seek(SeekFrom::Current(2))).unwrap(), 5);
    assert_eq!(run(stream.read_u8()).unwrap(), b'5');
    assert_eq!(stream.get_ref().bytes.get_ref(), b"01x3456789");
}
