//! What the extension methods promise, over streams that follow a script.

#[path = "support/script.rs"]
mod script;

use std::io::{Cursor, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use script::{Call, Script, Step, drop_after, give, poll, run};
use trefoil as rt;
use trefoil::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf, Ready};

// ReadBuf

#[test]
fn a_read_buf_keeps_its_three_borders_apart() {
    let mut memory = [MaybeUninit::uninit(); 8];
    let mut buf = ReadBuf::uninit(&mut memory);
    assert_eq!(
        (buf.capacity(), buf.remaining(), buf.initialized().len()),
        (8, 8, 0)
    );
    buf.put_slice(b"abc");
    assert_eq!((buf.filled(), buf.initialized().len()), (&b"abc"[..], 3));
    buf.initialize_unfilled_to(2).copy_from_slice(b"de");
    assert_eq!(
        (buf.filled(), buf.initialized()),
        (&b"abc"[..], &b"abcde"[..])
    );
    buf.advance(1);
    assert_eq!(buf.filled(), b"abcd");
    buf.filled_mut()[0] = b'A';
    buf.set_filled(2);
    assert_eq!(
        (buf.filled(), buf.initialized()),
        (&b"Ab"[..], &b"Abcde"[..])
    );
    assert_eq!(buf.initialize_unfilled(), b"cde\0\0\0");
    buf.clear();
    assert_eq!((buf.filled().len(), buf.initialized_mut().len()), (0, 8));
}

#[test]
fn a_taken_read_buf_covers_the_front_of_the_unfilled_part() {
    let mut memory = [7; 6];
    let mut buf = ReadBuf::new(&mut memory);
    buf.put_slice(b"ab");
    let mut part = buf.take(3);
    assert_eq!((part.capacity(), part.initialized().len()), (3, 3));
    part.put_slice(b"xyz");
    assert_eq!(buf.take(100).capacity(), 4);
    buf.advance(3);
    assert_eq!(buf.filled(), b"abxyz");
    let mut memory = [MaybeUninit::uninit(); 6];
    let mut buf = ReadBuf::uninit(&mut memory);
    buf.initialize_unfilled_to(4);
    buf.advance(2);
    assert_eq!(buf.take(3).initialized().len(), 2);
}

#[test]
fn a_read_buf_is_a_buf_mut() {
    let mut memory = [MaybeUninit::uninit(); 8];
    let mut buf = ReadBuf::uninit(&mut memory);
    buf.put_u16(0x4142);
    buf.put(&b"cd"[..]);
    assert_eq!((buf.filled(), buf.remaining_mut()), (&b"ABcd"[..], 4));
}

#[test]
#[should_panic(expected = "hold a value")]
fn advance_over_uninitialised_bytes_is_refused() {
    let mut memory = [MaybeUninit::uninit(); 8];
    ReadBuf::uninit(&mut memory).advance(1);
}

#[test]
#[should_panic(expected = "hold a value")]
fn set_filled_over_uninitialised_bytes_is_refused() {
    let mut memory = [MaybeUninit::uninit(); 8];
    let mut buf = ReadBuf::uninit(&mut memory);
    buf.put_slice(b"a");
    buf.set_filled(2);
}

#[test]
#[should_panic(expected = "cut the slice")]
fn put_slice_beyond_the_end_is_refused() {
    ReadBuf::new(&mut [0; 2]).put_slice(b"abc");
}

#[test]
#[should_panic(expected = "ask for at most")]
fn initialising_beyond_the_end_is_refused() {
    ReadBuf::new(&mut [0; 2]).initialize_unfilled_to(3);
}

// Readers that lie

/// Puts another, longer buffer in the place of the one it is given.
struct Swaps;

impl AsyncRead for Swaps {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<rt::io::Result<()>> {
        let n = buf.capacity() + 100;
        let mut other = ReadBuf::new(vec![0; n].leak());
        other.set_filled(n);
        *buf = other;
        Poll::Ready(Ok(()))
    }
}

/// True when `f` panics with a word about the swapped buffer.
fn refuses(f: impl FnOnce()) -> bool {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    });
    text.unwrap().contains("another ReadBuf")
}

#[test]
fn no_adaptor_believes_a_reader_that_swaps_the_buffer() {
    assert!(refuses(|| drop(run(Swaps.read(&mut [0; 4])))));
    assert!(refuses(|| drop(run(Swaps.read_exact(&mut [0; 4])))));
    assert!(refuses(|| drop(run(Swaps.read_buf(&mut Vec::new())))));
    assert!(refuses(|| drop(run(Swaps.read_buf(&mut &mut [0; 4][..])))));
    assert!(refuses(|| drop(run(Swaps.read_to_end(&mut Vec::new())))));
    assert!(refuses(|| drop(run(Swaps.read_to_end(&mut vec![0; 4])))));
    assert!(refuses(|| drop(run(
        Swaps.read_to_string(&mut String::new())
    ))));
    assert!(refuses(|| drop(run(Swaps.read_u32()))));
    assert!(refuses(|| drop(run(
        AsyncReadExt::take(Swaps, 3).read(&mut [0; 4])
    ))));
    assert!(refuses(|| drop(run(rt::io::copy(
        &mut Swaps,
        &mut Vec::new()
    )))));
    let mut reader = rt::io::BufReader::new(Swaps);
    assert!(refuses(|| drop(run(rt::io::AsyncBufReadExt::fill_buf(
        &mut reader
    )))));
    assert!(reader.buffer().is_empty());
}

/// Claims to have taken more than it was given.
struct Boasts;

impl AsyncWrite for Boasts {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<rt::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len() + 1))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<rt::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<rt::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
#[should_panic(expected = "claims 6 bytes, but was given 5")]
fn write_all_does_not_believe_a_writer_that_boasts() {
    let _ = run(Boasts.write_all(b"hello"));
}

#[test]
#[should_panic(expected = "claims 6 bytes, but was given 5")]
fn write_buf_does_not_believe_a_writer_that_boasts() {
    let _ = run(Boasts.write_buf(&mut &b"hello"[..]));
}

// read, read_buf, read_exact

#[test]
fn read_waits_for_bytes_and_gives_what_is_there() {
    let mut reader = Script::reading([Step::Later, give("hello"), Step::Later]);
    let mut buf = [0; 3];
    assert_eq!(run(reader.read(&mut buf)).unwrap(), 3);
    assert_eq!(&buf, b"hel");
    assert_eq!(run(reader.read(&mut buf)).unwrap(), 2);
    assert_eq!(run(reader.read(&mut buf)).unwrap(), 0);
}

#[test]
fn read_passes_an_error_on_untouched() {
    let mut reader = Script::reading([Step::Fail(ErrorKind::ConnectionReset), give("x")]);
    let error = run(reader.read(&mut [0; 3])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(run(reader.read(&mut [0; 3])).unwrap(), 1);
}

#[test]
fn a_future_does_nothing_before_its_first_poll() {
    let mut stream = Script::reading([give("hello")]);
    drop(stream.read(&mut [0; 3]));
    drop(stream.read_to_end(&mut Vec::new()));
    drop(stream.write_all(b"hello"));
    drop(stream.shutdown());
    assert!(stream.offers.is_empty() && stream.calls.is_empty());
}

#[test]
fn a_dropped_read_has_read_nothing() {
    let mut reader = Script::reading([Step::Later, Step::Later, give("hello")]);
    drop_after(2, reader.read(&mut [0; 3]));
    drop_after(0, reader.read_buf(&mut Vec::new()));
    let mut bytes = Vec::new();
    run(reader.read_to_end(&mut bytes)).unwrap();
    assert_eq!(bytes, b"hello");
}

#[test]
fn read_buf_grows_what_can_grow_and_stops_at_what_cannot() {
    let mut reader = Script::reading([give([b'x'; 100])]);
    let mut vec = Vec::new();
    while run(reader.read_buf(&mut vec)).unwrap() != 0 {}
    assert_eq!(vec, [b'x'; 100]);

    let mut reader = Script::reading([give("hello")]);
    let mut bytes = BytesMut::with_capacity(2);
    while run(reader.read_buf(&mut bytes)).unwrap() != 0 {}
    assert_eq!(&bytes[..], b"hello");

    let mut reader = Script::reading([give("hello")]);
    let mut memory = [0; 3];
    let mut slice = &mut memory[..];
    assert_eq!(run(reader.read_buf(&mut slice)).unwrap(), 3);
    assert_eq!(run(reader.read_buf(&mut slice)).unwrap(), 0);
    assert_eq!(&memory, b"hel");
    assert_eq!(
        reader.offers,
        [3],
        "a full buffer asks the reader for nothing"
    );
}

#[test]
fn read_exact_fills_over_several_reads() {
    let mut reader = Script::reading([give("he"), Step::Later, give("l"), give("lo!")]);
    let mut buf = [0; 5];
    assert_eq!(run(reader.read_exact(&mut buf)).unwrap(), 5);
    assert_eq!(&buf, b"hello");
    assert_eq!(run(reader.read_u8()).unwrap(), b'!');
    assert_eq!(run(reader.read_exact(&mut [])).unwrap(), 0);
}

#[test]
fn read_exact_tells_an_early_end() {
    let mut reader = Script::reading([give("he")]);
    let error = run(reader.read_exact(&mut [0; 5])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(error.to_string(), "stream ended after 2 of 5 bytes");
    assert_eq!(
        run(reader.read_u16()).unwrap_err().kind(),
        ErrorKind::UnexpectedEof
    );
}

// read_to_end, read_to_string

#[test]
fn read_to_end_appends_across_waits() {
    let mut reader = Script::reading([give("b"), Step::Later, give("c"), Step::Later]);
    let mut bytes = b"a".to_vec();
    assert_eq!(run(reader.read_to_end(&mut bytes)).unwrap(), 2);
    assert_eq!(bytes, b"abc");
}

#[test]
fn read_to_end_does_not_grow_memory_that_fits_exactly() {
    let mut reader = Script::reading([give([1; 1000])]);
    let mut bytes = Vec::with_capacity(1000);
    let capacity = bytes.capacity();
    run(reader.read_to_end(&mut bytes)).unwrap();
    assert_eq!((bytes.len(), bytes.capacity()), (1000, capacity));
    let mut reader = Script::reading([give([1; 1001])]);
    let mut bytes = Vec::with_capacity(1000);
    run(reader.read_to_end(&mut bytes)).unwrap();
    assert_eq!(bytes, [1; 1001]);
}

#[test]
fn read_to_end_offers_more_only_to_a_reader_that_uses_it() {
    let mut reader = Script::reading([give(vec![1; 100_000])]);
    let mut bytes = Vec::with_capacity(1 << 20);
    run(reader.read_to_end(&mut bytes)).unwrap();
    assert!(reader.offers.iter().any(|offer| *offer > 32 * 1024));

    let mut reader = Script::reading((0..200).map(|_| give("x")));
    let mut bytes = Vec::with_capacity(1 << 20);
    run(reader.read_to_end(&mut bytes)).unwrap();
    assert!(reader.offers.iter().all(|offer| *offer <= 8 * 1024));
}

#[test]
fn read_to_end_keeps_what_came_before_an_error() {
    let mut reader = Script::reading([give("abc"), Step::Fail(ErrorKind::TimedOut), give("d")]);
    let mut bytes = Vec::new();
    let error = run(reader.read_to_end(&mut bytes)).unwrap_err();
    assert_eq!(
        (error.kind(), &bytes[..]),
        (ErrorKind::TimedOut, &b"abc"[..])
    );
    assert_eq!(run(reader.read_to_end(&mut bytes)).unwrap(), 1);
    assert_eq!(bytes, b"abcd");
}

#[test]
fn read_to_string_reads_characters_that_come_in_pieces() {
    let text = "grüße €";
    let pieces = text.bytes().flat_map(|byte| [give([byte]), Step::Later]);
    let mut reader = Script::reading(pieces);
    let mut target = String::from("> ");
    assert_eq!(run(reader.read_to_string(&mut target)).unwrap(), text.len());
    assert_eq!(target, "> grüße €");
}

#[test]
fn read_to_string_leaves_the_string_alone_when_it_is_no_text() {
    let mut reader = Script::reading([give("ab"), give([0xff]), give("c")]);
    let mut target = String::from("before");
    let error = run(reader.read_to_string(&mut target)).unwrap_err();
    assert_eq!(
        (error.kind(), target.as_str()),
        (ErrorKind::InvalidData, "before")
    );
}

#[test]
fn a_failed_read_to_string_leaves_the_string_as_it_was() {
    let steps = [give("ab"), Step::Later, Step::Fail(ErrorKind::TimedOut)];
    let mut target = String::from("> ");
    let error = run(Script::reading(steps).read_to_string(&mut target)).unwrap_err();
    assert_eq!((error.kind(), target.as_str()), (ErrorKind::TimedOut, "> "));
}

#[test]
fn a_dropped_read_to_string_leaves_the_string_as_it_was() {
    let mut reader = Script::reading([give("ab"), Step::Never]);
    let mut target = String::from("> ");
    drop_after(3, reader.read_to_string(&mut target));
    assert_eq!(target, "> ");
}

/// Wants plain bytes, so it initialises all it is offered; brings one of them a read.
struct Zeroes {
    reads: usize,
    /// Unfilled bytes that held a value already, for each read.
    found: Vec<usize>,
}

impl AsyncRead for Zeroes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<rt::io::Result<()>> {
        self.found
            .push(buf.initialized().len() - buf.filled().len());
        buf.initialize_unfilled();
        self.reads -= 1;
        match self.reads {
            0 => Poll::Ready(Ok(())),
            n if n % 3 == 0 => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            n if n % 2 == 0 => Poll::Pending,
            _ => {
                buf.advance(1);
                Poll::Ready(Ok(()))
            }
        }
    }
}

#[test]
fn read_to_end_zeroes_no_room_twice() {
    let mut reader = Zeroes {
        reads: 6,
        found: Vec::new(),
    };
    let mut bytes = Vec::with_capacity(64);
    let mut read = Box::pin(reader.read_to_end(&mut bytes));
    while !matches!(poll(read.as_mut()), Poll::Ready(Ok(_))) {}
    drop(read);
    // One byte, a wait, an error, a wait, one byte, the end.
    assert_eq!(reader.found, [0, 63, 63, 63, 63, 62]);
    assert_eq!(bytes, [0, 0]);
    let mut text = String::with_capacity(64);
    let mut reader = Zeroes {
        reads: 2,
        found: Vec::new(),
    };
    run(reader.read_to_string(&mut text)).unwrap();
    assert_eq!(reader.found, [0, 63]);
}

#[test]
fn a_finished_future_in_scope_does_not_hold_what_it_filled() {
    let mut reader = Script::reading([give("ab")]);
    let (mut bytes, mut text) = (Vec::new(), String::new());
    let mut read = pin!(reader.read_to_end(&mut bytes));
    assert!(poll(read.as_mut()).is_ready());
    assert_eq!(bytes, b"ab");
    let mut read = pin!(reader.read_to_string(&mut text));
    assert!(poll(read.as_mut()).is_ready());
    assert_eq!(text, "");
}

// Numbers

#[test]
fn numbers_come_back_as_they_were_written() {
    let mut s = Cursor::new(Vec::new());
    run(async {
        s.write_u8(200).await?;
        s.write_i8(-100).await?;
        s.write_u16(0xabcd).await?;
        s.write_i16_le(-2).await?;
        s.write_u32_le(0xdead_beef).await?;
        s.write_i32(i32::MIN).await?;
        s.write_u64(1 << 60).await?;
        s.write_i64_le(-5).await?;
        s.write_u128_le(1 << 100).await?;
        s.write_i128(-7).await?;
        s.write_f32(1.5).await?;
        s.write_f64_le(-2.25).await?;
        s.set_position(0);
        assert_eq!(s.read_u8().await?, 200);
        assert_eq!(s.read_i8().await?, -100);
        assert_eq!(s.read_u16().await?, 0xabcd);
        assert_eq!(s.read_i16_le().await?, -2);
        assert_eq!(s.read_u32_le().await?, 0xdead_beef);
        assert_eq!(s.read_i32().await?, i32::MIN);
        assert_eq!(s.read_u64().await?, 1 << 60);
        assert_eq!(s.read_i64_le().await?, -5);
        assert_eq!(s.read_u128_le().await?, 1 << 100);
        assert_eq!(s.read_i128().await?, -7);
        assert_eq!(s.read_f32().await?, 1.5);
        assert_eq!(s.read_f64_le().await?, -2.25);
        rt::io::Result::Ok(())
    })
    .unwrap();
    let all = s.get_ref();
    assert_eq!(
        &all[..10],
        [200, 156, 0xab, 0xcd, 0xfe, 0xff, 0xef, 0xbe, 0xad, 0xde]
    );
}

#[test]
fn a_number_waits_for_its_last_byte_and_for_room() {
    let mut reader =
        Script::reading([give([1]), Step::Later, give([2]), Step::Later, give([3, 4])]);
    assert_eq!(run(reader.read_u32()).unwrap(), 0x0102_0304);
    let mut writer = Script::writing([Step::Take(1), Step::Later, Step::Take(2)]);
    run(writer.write_u32(0x0102_0304)).unwrap();
    assert_eq!(writer.written(), [1, 2, 3, 4]);
    let mut writer = Script::writing([Step::Take(0)]);
    assert_eq!(
        run(writer.write_u8(1)).unwrap_err().kind(),
        ErrorKind::WriteZero
    );
}

// write and its sisters

#[test]
fn write_all_writes_over_several_writes() {
    let mut writer = Script::writing([Step::Take(2), Step::Later, Step::Take(1)]);
    run(writer.write_all(b"hello")).unwrap();
    assert_eq!(
        (writer.written(), writer.write_sizes()),
        (b"hello".to_vec(), vec![2, 1, 2])
    );
}

#[test]
fn write_all_tells_a_writer_that_takes_no_more() {
    let mut writer = Script::writing([Step::Take(2), Step::Take(0)]);
    assert_eq!(
        run(writer.write_all(b"hello")).unwrap_err().kind(),
        ErrorKind::WriteZero
    );
    run(writer.write_all(b"")).unwrap();
    let mut writer = Script::writing([Step::Take(0)]);
    let mut bytes = &b"hello"[..];
    assert_eq!(
        run(writer.write_all_buf(&mut bytes)).unwrap_err().kind(),
        ErrorKind::WriteZero
    );
}

#[test]
fn write_buf_takes_what_is_written_off_the_buf() {
    let mut writer = Script::writing([Step::Later, Step::Take(2)]);
    let mut buf = Bytes::from_static(b"hello").chain(Bytes::from_static(b"!"));
    assert_eq!(run(writer.write_buf(&mut buf)).unwrap(), 2);
    assert_eq!(buf.remaining(), 4);
    assert_eq!(run(writer.write_buf(&mut buf)).unwrap(), 3);
    assert_eq!(run(writer.write_buf(&mut buf)).unwrap(), 1);
    assert_eq!(run(writer.write_buf(&mut buf)).unwrap(), 0);
    assert_eq!(writer.written(), b"hello!");
}

#[test]
fn write_buf_goes_vectored_where_that_is_better() {
    let mut writer = Script {
        vectored: true,
        ..Script::default()
    };
    let mut buf = Bytes::from_static(b"hello").chain(Bytes::from_static(b"!"));
    assert_eq!(run(writer.write_buf(&mut buf)).unwrap(), 6);
    assert_eq!(writer.write_sizes(), [6]);
}

#[test]
fn a_dropped_write_all_buf_goes_on_where_it_stopped() {
    for n in 0..=3 {
        let steps = [
            Step::Take(1),
            Step::Later,
            Step::Take(2),
            Step::Later,
            Step::Later,
        ];
        let mut writer = Script::writing(steps);
        let mut buf = Bytes::from_static(b"hello");
        drop_after(n, writer.write_all_buf(&mut buf));
        run(writer.write_all_buf(&mut buf)).unwrap();
        assert_eq!(writer.written(), b"hello", "dropped after {n} polls");
    }
}

#[test]
fn a_dropped_write_has_written_nothing() {
    let mut writer = Script::writing([Step::Later, Step::Later, Step::Take(3)]);
    drop_after(2, writer.write(b"hello"));
    assert!(writer.calls.is_empty());
    assert_eq!(run(writer.write(b"hello")).unwrap(), 3);
}

#[test]
fn a_plain_writer_takes_the_first_slice_that_is_not_empty() {
    /// Has no vectored write of its own.
    struct Plain(Vec<u8>);
    impl AsyncWrite for Plain {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<rt::io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<rt::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<rt::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let mut writer = Plain(Vec::new());
    let slices = [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(b"c")];
    assert!(!writer.is_write_vectored());
    assert_eq!(run(writer.write_vectored(&slices)).unwrap(), 2);
    assert_eq!(run(writer.write_vectored(&[])).unwrap(), 0);
    assert_eq!(run(writer.0.write_vectored(&slices)).unwrap(), 3);
}

#[test]
fn flush_and_shutdown_reach_the_stream() {
    let mut writer = Script {
        flushes: [Step::Later].into(),
        ..Script::default()
    };
    run(writer.flush()).unwrap();
    run(writer.shutdown()).unwrap();
    assert_eq!(writer.calls, [Call::Flush, Call::Shutdown]);
}

#[test]
fn a_full_slice_under_a_cursor_takes_no_more() {
    let mut memory = [0; 3];
    let mut cursor = Cursor::new(&mut memory[..]);
    assert_eq!(run(cursor.write(b"hello")).unwrap(), 3);
    assert_eq!(
        run(cursor.write_all(b"!")).unwrap_err().kind(),
        ErrorKind::WriteZero
    );
    let mut boxed = Cursor::new(vec![0; 2].into_boxed_slice());
    assert_eq!(run(boxed.write(b"hello")).unwrap(), 2);
    let mut vec = Vec::new();
    run(Cursor::new(&mut vec).write_all(b"hello")).unwrap();
    assert_eq!(vec, b"hello");
}

// Wrappers

#[test]
fn pointers_to_streams_are_streams() {
    let mut script = Script::reading([give("abcd")]);
    let mut by_ref = &mut script;
    assert_eq!(run((&mut by_ref).read_u8()).unwrap(), b'a');
    let mut boxed: Box<dyn AsyncRead + Unpin> = Box::new(script);
    assert_eq!(run(boxed.read_u8()).unwrap(), b'b');
    let mut pinned: Pin<Box<dyn AsyncRead>> = Box::pin(boxed);
    assert_eq!(run(pinned.read_u8()).unwrap(), b'c');
    let mut sink: Pin<Box<dyn AsyncWrite>> = Box::pin(Vec::new());
    run(sink.write_all(b"x")).unwrap();
    assert!(sink.is_write_vectored());
}

#[test]
fn take_ends_at_its_limit_and_counts_what_is_read() {
    let reader = Script::reading([give("hello world"), Step::Never]);
    let mut head = AsyncReadExt::take(reader, 5);
    let mut text = String::new();
    run(head.read_to_string(&mut text)).unwrap();
    assert_eq!((text.as_str(), head.limit()), ("hello", 0));
    head.set_limit(3);
    assert_eq!(run(head.read(&mut [0; 100])).unwrap(), 3);
    assert_eq!(run(head.read(&mut [0; 100])).unwrap(), 0);
    assert_eq!(run(head.into_inner().read_u8()).unwrap(), b'r');
}

#[test]
fn chain_asks_the_second_only_when_the_first_has_ended() {
    let first = Script::reading([give("ab"), Step::Later, give("c")]);
    let second = Script::reading([Step::Later, give("d")]);
    let mut both = AsyncReadExt::chain(first, second);
    assert_eq!(
        run(both.read(&mut [])).unwrap(),
        0,
        "no room is not the end"
    );
    let mut bytes = Vec::new();
    assert_eq!(run(both.read_to_end(&mut bytes)).unwrap(), 4);
    assert_eq!(bytes, b"abcd");
    let (first, second) = both.into_inner();
    assert!(first.reads.is_empty() && second.reads.is_empty());
}

// Interest, Ready

#[test]
fn interests_add_up_and_are_never_empty() {
    let all = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY | Interest::ERROR;
    assert!(all.is_readable() && all.is_writable() && all.is_priority() && all.is_error());
    assert_eq!(Interest::READABLE.remove(Interest::READABLE), None);
    let both = Interest::READABLE.add(Interest::WRITABLE);
    assert_eq!(both.remove(Interest::READABLE), Some(Interest::WRITABLE));
    assert_eq!(format!("{both:?}"), "READABLE | WRITABLE");
}

#[test]
fn a_close_counts_as_readable_and_writable() {
    assert!(Ready::READ_CLOSED.is_readable() && !Ready::READ_CLOSED.is_writable());
    assert!(Ready::WRITE_CLOSED.is_writable() && Ready::WRITE_CLOSED.is_write_closed());
    assert!(Ready::EMPTY.is_empty() && !Ready::ERROR.is_readable());
    assert_eq!(Ready::ALL - Ready::ALL, Ready::EMPTY);
    assert_eq!(
        (Ready::READABLE | Ready::ERROR) & Ready::ERROR,
        Ready::ERROR
    );
    assert!(Ready::ALL.is_priority() && Ready::ALL.is_error() && Ready::ALL.is_read_closed());
    assert!(format!("{:?}", Ready::READABLE | Ready::ERROR).contains("READABLE | ERROR"));
}

#[test]
fn a_read_polled_by_hand_needs_no_runtime() {
    let mut reader = Script::reading([Step::Later, give("x")]);
    let mut buf = [0; 1];
    let mut read = pin!(reader.read(&mut buf));
    assert!(poll(read.as_mut()).is_pending());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(read.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
}

#[test]
fn the_futures_have_the_promised_auto_traits() {
    use static_assertions::{assert_impl_all, assert_not_impl_any};
    use trefoil::io::futures::*;
    type S = Pin<Box<Script>>;
    type B = BytesMut;
    assert_impl_all!(Read<'_, S>: Send, Sync);
    assert_impl_all!(ReadIntoBuf<'_, S, B>: Send, Sync);
    assert_impl_all!(ReadExact<'_, S>: Send, Sync);
    assert_impl_all!(ReadToEnd<'_, S>: Send, Sync);
    assert_impl_all!(ReadToString<'_, S>: Send, Sync);
    assert_impl_all!(ReadNumber<'_, S, u8, [u8; 1]>: Send, Sync);
    assert_impl_all!(ReadUntil<'_, S>: Send, Sync);
    assert_impl_all!(ReadLine<'_, S>: Send, Sync);
    assert_impl_all!(FillBuf<'_, S>: Send, Sync);
    assert_impl_all!(NextLine<'_, S>: Send, Sync);
    assert_impl_all!(NextSegment<'_, S>: Send, Sync);
    assert_impl_all!(Write<'_, S>: Send, Sync);
    assert_impl_all!(WriteVectored<'_, '_, S>: Send, Sync);
    assert_impl_all!(WriteBuf<'_, S, B>: Send, Sync);
    assert_impl_all!(WriteAll<'_, S>: Send, Sync);
    assert_impl_all!(WriteAllBuf<'_, S, B>: Send, Sync);
    assert_impl_all!(WriteNumber<'_, S, [u8; 2]>: Send, Sync);
    assert_impl_all!(Flush<'_, S>: Send, Sync);
    assert_impl_all!(Shutdown<'_, S>: Send, Sync);
    assert_impl_all!(Copy<'_, S, S>: Send, Sync);
    assert_not_impl_any!(Read<'_, S>: Unpin);
    assert_not_impl_any!(ReadIntoBuf<'_, S, B>: Unpin);
    assert_not_impl_any!(ReadExact<'_, S>: Unpin);
    assert_not_impl_any!(ReadToEnd<'_, S>: Unpin);
    assert_not_impl_any!(ReadToString<'_, S>: Unpin);
    assert_not_impl_any!(ReadNumber<'_, S, u8, [u8; 1]>: Unpin);
    assert_not_impl_any!(ReadUntil<'_, S>: Unpin);
    assert_not_impl_any!(ReadLine<'_, S>: Unpin);
    assert_not_impl_any!(FillBuf<'_, S>: Unpin);
    assert_not_impl_any!(NextLine<'_, S>: Unpin);
    assert_not_impl_any!(NextSegment<'_, S>: Unpin);
    assert_not_impl_any!(Write<'_, S>: Unpin);
    assert_not_impl_any!(WriteVectored<'_, '_, S>: Unpin);
    assert_not_impl_any!(WriteBuf<'_, S, B>: Unpin);
    assert_not_impl_any!(WriteAll<'_, S>: Unpin);
    assert_not_impl_any!(WriteAllBuf<'_, S, B>: Unpin);
    assert_not_impl_any!(WriteNumber<'_, S, [u8; 2]>: Unpin);
    assert_not_impl_any!(Flush<'_, S>: Unpin);
    assert_not_impl_any!(Shutdown<'_, S>: Unpin);
    assert_not_impl_any!(Copy<'_, S, S>: Unpin);
    assert_impl_all!(rt::io::DuplexStream: Send, Sync, Unpin);
    assert_impl_all!(rt::io::BufReader<S>: Send, Sync, Unpin);
    assert_impl_all!(rt::io::BufWriter<S>: Send, Sync, Unpin);
    assert_impl_all!(rt::io::Lines<S>: Send, Sync, Unpin);
    assert_impl_all!(rt::io::Split<S>: Send, Sync, Unpin);
    assert_impl_all!(rt::io::Take<S>: Send, Sync, Unpin);
    assert_impl_all!(rt::io::ReadHalf<S>: Send, Sync, Unpin);
    assert_impl_all!(rt::io::WriteHalf<S>: Send, Sync, Unpin);
    assert_impl_all!(ReadBuf<'_>: Send, Sync, Unpin);
    assert_impl_all!(Interest: Send, Sync, Unpin);
    assert_impl_all!(Ready: Send, Sync, Unpin);
}
