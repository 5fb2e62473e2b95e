//! What `BufReader`, `BufWriter`, `Lines`, `Split` and `AsyncBufReadExt` promise.

#[path = "support/script.rs"]
mod script;

use std::io::{Cursor, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use script::{Call, Script, Step, drop_after, give, poll, run};
use trefoil as rt;
use trefoil::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
    BufWriter, ReadBuf,
};

// BufReader

#[test]
fn a_buf_reader_reads_ahead_and_shows_what_it_has() {
    let mut reader = BufReader::with_capacity(4, Script::reading([give("abcdef")]));
    assert_eq!(run(reader.read_u8()).unwrap(), b'a');
    assert_eq!(reader.buffer(), b"bcd");
    assert_eq!(
        run(reader.read(&mut [0; 8])).unwrap(),
        3,
        "what is there comes first"
    );
    assert_eq!(run(reader.read(&mut [0; 8])).unwrap(), 2);
    assert_eq!(run(reader.read(&mut [0; 8])).unwrap(), 0);
    assert_eq!(
        reader.get_ref().offers,
        [4, 8, 8],
        "a large read goes past the buffer"
    );
}

#[test]
fn a_buf_reader_survives_waits_and_errors() {
    let steps = [
        Step::Later,
        give("ab"),
        Step::Fail(ErrorKind::TimedOut),
        give("c"),
    ];
    let mut reader = BufReader::new(Script::reading(steps));
    assert_eq!(run(reader.read_u16()).unwrap(), u16::from_be_bytes(*b"ab"));
    assert_eq!(
        run(reader.read_u8()).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(run(reader.read_u8()).unwrap(), b'c');
    assert!(reader.buffer().is_empty());
}

#[test]
#[should_panic(expected = "capacity must be greater than zero")]
fn a_buf_reader_without_room_is_refused() {
    let _ = BufReader::with_capacity(0, &b""[..]);
}

#[test]
fn consuming_too_much_shows_no_old_bytes() {
    let mut reader = BufReader::with_capacity(8, &b"abc"[..]);
    assert_eq!(run(reader.fill_buf()).unwrap(), b"abc");
    AsyncBufReadExt::consume(&mut reader, 100);
    assert!(reader.buffer().is_empty());
    assert_eq!(run(reader.fill_buf()).unwrap(), b"");
}

#[test]
fn a_buf_reader_passes_writes_on() {
    let mut stream = BufReader::new(Script {
        vectored: true,
        ..Script::default()
    });
    run(stream.write_all(b"x")).unwrap();
    run(stream.flush()).unwrap();
    run(stream.shutdown()).unwrap();
    assert!(stream.is_write_vectored());
    let calls = &stream.get_ref().calls;
    assert_eq!(
        *calls,
        [Call::Write(b"x".to_vec()), Call::Flush, Call::Shutdown]
    );
}

// fill_buf, read_until, read_line

#[test]
fn fill_buf_shows_the_same_bytes_until_they_are_consumed() {
    let mut reader = BufReader::new(Script::reading([Step::Later, give("ab")]));
    assert_eq!(run(reader.fill_buf()).unwrap(), b"ab");
    assert_eq!(run(reader.fill_buf()).unwrap(), b"ab");
    AsyncBufReadExt::consume(&mut reader, 1);
    assert_eq!(run(reader.fill_buf()).unwrap(), b"b");
    drop_after(0, reader.fill_buf());
    assert_eq!(reader.buffer(), b"b");
}

#[test]
fn fill_buf_at_the_end_asks_only_once() {
    let reader = Script::reading([give("a")]);
    let mut reader = BufReader::new(reader);
    run(reader.read_u8()).unwrap();
    assert_eq!(run(reader.fill_buf()).unwrap(), b"");
    assert_eq!(reader.get_ref().offers.len(), 2);
}

#[test]
fn fill_buf_tells_a_reader_that_takes_its_bytes_back() {
    /// Shows bytes once, then waits.
    struct Fickle(bool);
    impl AsyncRead for Fickle {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<rt::io::Result<()>> {
            Poll::Pending
        }
    }
    impl AsyncBufRead for Fickle {
        fn poll_fill_buf(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<rt::io::Result<&[u8]>> {
            if std::mem::replace(&mut self.0, true) {
                Poll::Pending
            } else {
                Poll::Ready(Ok(b"x"))
            }
        }
        fn consume(self: Pin<&mut Self>, _: usize) {}
    }
    let error = run(Fickle(false).fill_buf()).unwrap_err();
    assert!(error.to_string().contains("took back"));
}

#[test]
fn read_until_stops_behind_the_delimiter() {
    let steps = [give("a,"), Step::Later, give("b"), Step::Later, give("c,d")];
    let mut reader = BufReader::new(Script::reading(steps));
    let mut bytes = Vec::new();
    assert_eq!(run(reader.read_until(b',', &mut bytes)).unwrap(), 2);
    assert_eq!(run(reader.read_until(b',', &mut bytes)).unwrap(), 3);
    assert_eq!(run(reader.read_until(b',', &mut bytes)).unwrap(), 1);
    assert_eq!(run(reader.read_until(b',', &mut bytes)).unwrap(), 0);
    assert_eq!(bytes, b"a,bc,d");
}

#[test]
fn a_delimiter_that_was_there_before_does_not_end_a_read_until() {
    let mut reader = BufReader::new(Script::reading([Step::Later, give("a,b")]));
    let mut bytes = b"x,".to_vec();
    assert_eq!(run(reader.read_until(b',', &mut bytes)).unwrap(), 2);
    assert_eq!(bytes, b"x,a,");
}

#[test]
fn a_dropped_read_until_loses_nothing_at_any_poll() {
    for n in 0..=3 {
        let steps = [
            give("ab"),
            Step::Later,
            give("c"),
            Step::Later,
            Step::Later,
            give("d,e"),
        ];
        let mut reader = BufReader::new(Script::reading(steps));
        let mut bytes = Vec::new();
        drop_after(n, reader.read_until(b',', &mut bytes));
        run(reader.read_until(b',', &mut bytes)).unwrap();
        assert_eq!(bytes, b"abcd,", "dropped after {n} polls");
    }
}

#[test]
fn read_until_keeps_what_came_before_an_error() {
    let steps = [give("ab"), Step::Fail(ErrorKind::TimedOut), give("c,")];
    let mut reader = BufReader::new(Script::reading(steps));
    let mut bytes = Vec::new();
    assert!(run(reader.read_until(b',', &mut bytes)).is_err());
    assert_eq!(bytes, b"ab");
    assert_eq!(run(reader.read_until(b',', &mut bytes)).unwrap(), 2);
    assert_eq!(bytes, b"abc,");
}

#[test]
fn read_line_appends_and_counts_its_own_bytes() {
    let mut reader = BufReader::with_capacity(2, Script::reading([give("grüße\nende")]));
    let mut text = String::from("> ");
    assert_eq!(run(reader.read_line(&mut text)).unwrap(), 8);
    assert_eq!(text, "> grüße\n");
    assert_eq!(run(reader.read_line(&mut text)).unwrap(), 4);
    assert_eq!(run(reader.read_line(&mut text)).unwrap(), 0);
    assert_eq!(text, "> grüße\nende");
}

#[test]
fn read_line_reuses_the_memory_of_an_empty_string() {
    let mut reader = &b"one\ntwo\n"[..];
    let mut text = String::with_capacity(100);
    let memory = text.as_ptr();
    for line in ["one\n", "two\n"] {
        run(reader.read_line(&mut text)).unwrap();
        assert_eq!((text.as_str(), text.as_ptr()), (line, memory));
        text.clear();
    }
}

#[test]
fn read_line_leaves_the_string_alone_when_the_line_is_no_text() {
    let mut reader = BufReader::new(&b"a\xffb\nnext\n"[..]);
    let mut text = String::from("before");
    let error = run(reader.read_line(&mut text)).unwrap_err();
    assert_eq!(
        (error.kind(), text.as_str()),
        (ErrorKind::InvalidData, "before")
    );
    run(reader.read_line(&mut text)).unwrap();
    assert_eq!(text, "beforenext\n");
}

#[test]
fn a_failed_read_line_keeps_text_that_came_before() {
    let steps = [give("ab"), Step::Fail(ErrorKind::TimedOut), give("c\n")];
    let mut reader = BufReader::new(Script::reading(steps));
    let mut text = String::from("> ");
    assert_eq!(
        run(reader.read_line(&mut text)).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(text, "> ab");
    run(reader.read_line(&mut text)).unwrap();
    assert_eq!(text, "> abc\n");
    let steps = [give(b"ab\xff"), Step::Fail(ErrorKind::TimedOut)];
    let mut reader = BufReader::new(Script::reading(steps));
    assert_eq!(
        run(reader.read_line(&mut text)).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(text, "> abc\n");
}

#[test]
fn a_dropped_read_line_leaves_the_string_as_it_was() {
    let mut reader = BufReader::new(Script::reading([give("ab"), Step::Never]));
    let mut text = String::from("> ");
    drop_after(2, reader.read_line(&mut text));
    assert_eq!(text, "> ");
}

#[test]
fn a_finished_read_line_in_scope_does_not_hold_the_string() {
    let mut reader = &b"one\ntwo\n"[..];
    let mut text = String::new();
    let mut read = pin!(reader.read_line(&mut text));
    assert!(poll(read.as_mut()).is_ready());
    assert_eq!(text, "one\n");
}

// Lines, Split

#[test]
fn lines_end_with_a_newline_or_with_the_stream() {
    let mut lines = BufReader::new(&b"a\r\n\nb\r\rc\n\r"[..]).lines();
    for expected in ["a", "", "b\r\rc", "\r"] {
        assert_eq!(run(lines.next_line()).unwrap().as_deref(), Some(expected));
    }
    assert_eq!(run(lines.next_line()).unwrap(), None);
    assert_eq!(run(lines.next_line()).unwrap(), None);
}

#[test]
fn a_dropped_next_line_loses_nothing_at_any_poll() {
    for n in 0..=3 {
        let steps = [
            give("a"),
            Step::Later,
            give(b"\xc3"),
            Step::Later,
            Step::Later,
            give(b"\xbc\nb"),
        ];
        let mut lines = BufReader::new(Script::reading(steps)).lines();
        drop_after(n, lines.next_line());
        assert_eq!(
            run(lines.next_line()).unwrap().as_deref(),
            Some("aü"),
            "after {n} polls"
        );
        assert_eq!(run(lines.next_line()).unwrap().as_deref(), Some("b"));
        assert_eq!(run(lines.next_line()).unwrap(), None);
    }
}

#[test]
fn lines_go_on_after_an_error() {
    let steps = [
        give("a"),
        Step::Fail(ErrorKind::TimedOut),
        give(b"b\n\xff\nc\n"),
    ];
    let mut lines = BufReader::new(Script::reading(steps)).lines();
    assert_eq!(
        run(lines.next_line()).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(run(lines.next_line()).unwrap().as_deref(), Some("ab"));
    assert_eq!(
        run(lines.next_line()).unwrap_err().kind(),
        ErrorKind::InvalidData
    );
    assert_eq!(run(lines.next_line()).unwrap().as_deref(), Some("c"));
    assert_eq!(run(lines.next_line()).unwrap(), None);
}

#[test]
fn lines_may_be_polled_by_hand() {
    let mut lines = pin!(BufReader::new(Script::reading([Step::Later, give("a\n")])).lines());
    let mut next = std::future::poll_fn(|cx| lines.as_mut().poll_next_line(cx));
    assert!(poll(Pin::new(&mut next)).is_pending());
    assert_eq!(run(next).unwrap().as_deref(), Some("a"));
}

#[test]
fn split_gives_the_pieces_between() {
    let steps = [give("a,"), Step::Later, give(",b")];
    let mut split = AsyncBufReadExt::split(BufReader::new(Script::reading(steps)), b',');
    drop_after(0, split.next_segment());
    for expected in ["a", "", "b"] {
        let segment = run(split.next_segment()).unwrap().unwrap();
        assert_eq!(segment, expected.as_bytes());
    }
    assert_eq!(run(split.next_segment()).unwrap(), None);
}

// Buffered reads through Take, Chain and Cursor

#[test]
fn take_and_chain_are_buffered_when_their_readers_are() {
    let both = AsyncReadExt::chain(&b"on"[..], Cursor::new("e\ntwo\nthree"));
    let mut reader = AsyncReadExt::take(both, 6);
    let mut text = String::new();
    assert_eq!(run(reader.read_line(&mut text)).unwrap(), 4);
    assert_eq!(run(reader.read_line(&mut text)).unwrap(), 2);
    assert_eq!(run(reader.read_line(&mut text)).unwrap(), 0);
    assert_eq!(text, "one\ntw");
}

#[test]
fn take_at_its_limit_does_not_ask_the_reader() {
    let reader = BufReader::new(Script::reading([Step::Never]));
    let mut reader = AsyncReadExt::take(reader, 0);
    assert_eq!(run(reader.fill_buf()).unwrap(), b"");
    assert_eq!(run(reader.read(&mut [0; 4])).unwrap(), 0);
}

// BufWriter

#[test]
fn a_buf_writer_holds_small_writes_until_it_is_full() {
    let mut writer = BufWriter::with_capacity(4, Script::default());
    run(writer.write_all(b"ab")).unwrap();
    run(writer.write_all(b"cd")).unwrap();
    assert_eq!(
        (writer.buffer(), writer.get_ref().calls.len()),
        (&b"abcd"[..], 0)
    );
    run(writer.write_all(b"e")).unwrap();
    assert_eq!(
        (writer.buffer(), writer.get_ref().write_sizes()),
        (&b"e"[..], vec![4])
    );
}

#[test]
fn a_large_write_goes_past_the_buffer_but_not_past_its_content() {
    let mut writer = BufWriter::with_capacity(4, Script::default());
    run(writer.write_all(b"ab")).unwrap();
    run(writer.write_all(b"cdefgh")).unwrap();
    assert!(writer.buffer().is_empty());
    assert_eq!(writer.get_ref().write_sizes(), [2, 6]);
    assert_eq!(writer.get_ref().written(), b"abcdefgh");
}

#[test]
fn flush_and_shutdown_write_the_buffer_first() {
    let script = Script {
        writes: [Step::Take(1), Step::Later, Step::Take(1)].into(),
        flushes: [Step::Later].into(),
        ..Script::default()
    };
    let mut writer = BufWriter::new(script);
    run(writer.write_all(b"abc")).unwrap();
    run(writer.flush()).unwrap();
    run(writer.write_all(b"d")).unwrap();
    run(writer.shutdown()).unwrap();
    let write = |bytes: &[u8]| Call::Write(bytes.to_vec());
    let expected = [
        write(b"a"),
        write(b"b"),
        write(b"c"),
        Call::Flush,
        write(b"d"),
        Call::Shutdown,
    ];
    assert_eq!(writer.into_inner().calls, expected);
}

#[test]
fn a_dropped_flush_writes_no_byte_twice() {
    for n in 0..=2 {
        let steps = [Step::Take(1), Step::Later, Step::Take(1), Step::Later];
        let mut writer = BufWriter::new(Script::writing(steps));
        run(writer.write_all(b"abcd")).unwrap();
        drop_after(n, writer.flush());
        run(writer.write_all(b"ef")).unwrap();
        run(writer.flush()).unwrap();
        assert_eq!(
            writer.get_ref().written(),
            b"abcdef",
            "dropped after {n} polls"
        );
    }
}

#[test]
fn a_failed_flush_goes_on_with_what_is_left() {
    let steps = [
        Step::Take(2),
        Step::Fail(ErrorKind::TimedOut),
        Step::Take(0),
    ];
    let mut writer = BufWriter::new(Script::writing(steps));
    run(writer.write_all(b"abcd")).unwrap();
    assert_eq!(run(writer.flush()).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(writer.buffer(), b"cd");
    assert_eq!(
        run(writer.flush()).unwrap_err().kind(),
        ErrorKind::WriteZero
    );
    run(writer.flush()).unwrap();
    assert_eq!(writer.get_ref().written(), b"abcd");
}

#[test]
fn a_buf_writer_without_room_passes_everything_on() {
    let mut writer = BufWriter::with_capacity(0, Script::default());
    run(writer.write_all(b"ab")).unwrap();
    let slices = [IoSlice::new(b""), IoSlice::new(b"c"), IoSlice::new(b"d")];
    assert_eq!(run(writer.write_vectored(&slices)).unwrap(), 1);
    assert_eq!(writer.get_ref().write_sizes(), [2, 1]);
}

#[test]
fn vectored_writes_keep_the_order() {
    for vectored in [false, true] {
        let mut writer = BufWriter::with_capacity(
            6,
            Script {
                vectored,
                ..Script::default()
            },
        );
        let mut expected = Vec::new();
        let words = [&b"a"[..], b"", b"bcd", b"efghijkl", b"m", b"nopqrs", b"t"];
        for start in 0..words.len() {
            let mut slices: Vec<_> = words[start..]
                .iter()
                .map(|word| IoSlice::new(word))
                .collect();
            let mut slices = &mut slices[..];
            expected.extend(words[start..].concat());
            IoSlice::advance_slices(&mut slices, 0);
            while !slices.is_empty() {
                let n = run(writer.write_vectored(slices)).unwrap();
                assert_ne!(n, 0);
                assert!(writer.buffer().len() <= 6);
                IoSlice::advance_slices(&mut slices, n);
            }
        }
        run(writer.flush()).unwrap();
        assert_eq!(writer.get_ref().written(), expected, "vectored: {vectored}");
    }
}

#[test]
fn a_plain_stream_under_a_buf_writer_is_written_only_when_the_first_slice_does_not_fit() {
    let mut writer = BufWriter::with_capacity(6, Script::default());
    run(writer.write_all(b"abcd")).unwrap();
    let slices = [IoSlice::new(b""), IoSlice::new(b"ef"), IoSlice::new(b"gh")];
    assert_eq!(run(writer.write_vectored(&slices)).unwrap(), 2);
    assert_eq!(
        (writer.buffer(), writer.get_ref().calls.len()),
        (&b"abcdef"[..], 0)
    );
    assert_eq!(run(writer.write_vectored(&slices)).unwrap(), 4);
    assert_eq!(
        (writer.buffer(), writer.get_ref().write_sizes()),
        (&b"efgh"[..], vec![6])
    );
}

#[test]
fn overlapping_slices_may_sum_up_to_any_length() {
    let big = vec![b'x'; 1 << 14];
    let slices = vec![IoSlice::new(&big); 100];
    for vectored in [false, true] {
        let script = Script {
            vectored,
            writes: [Step::Take(3)].into(),
            ..Script::default()
        };
        let mut writer = BufWriter::new(script);
        assert_eq!(run(writer.write_vectored(&slices)).unwrap(), 3);
    }
}

#[test]
fn a_buf_writer_passes_reads_on() {
    let stream = BufReader::new(Script::reading([give("ab\n")]));
    let mut stream = BufWriter::new(stream);
    assert_eq!(run(stream.read_u8()).unwrap(), b'a');
    let mut text = String::new();
    run(stream.read_line(&mut text)).unwrap();
    assert_eq!(text, "b\n");
    let pinned = pin!(stream);
    assert!(pinned.get_pin_mut().get_pin_mut().reads.is_empty());
}
