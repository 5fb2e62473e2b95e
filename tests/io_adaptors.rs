//! What the small streams promise: `empty`, `sink`, `repeat`, `join`, `simplex`, `BufStream`.

#[path = "support/script.rs"]
mod script;

use std::io::{ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use script::{Bell, Call, Script, Step, give, poll, run};
use trefoil as rt;
use trefoil::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufStream,
    BufWriter, ReadBuf, SimplexStream, empty, join, repeat, simplex, sink, split,
};

#[test]
fn empty_has_ended_and_swallows() {
    let mut stream = empty();
    let mut bytes = vec![1];
    assert_eq!(run(stream.read_to_end(&mut bytes)).unwrap(), 0);
    assert_eq!(run(stream.fill_buf()).unwrap(), b"");
    assert_eq!(run(stream.lines().next_line()).unwrap(), None);
    let mut stream = empty();
    run(stream.write_all(b"abc")).unwrap();
    let slices = [IoSlice::new(b"a"), IoSlice::new(b""), IoSlice::new(b"bc")];
    assert!(stream.is_write_vectored());
    assert_eq!(run(stream.write_vectored(&slices)).unwrap(), 3);
    run(stream.flush()).unwrap();
    run(stream.shutdown()).unwrap();
    assert_eq!(format!("{stream:?}").split(' ').next(), Some("Empty"));
}

#[test]
fn sink_swallows_everything() {
    let mut stream = sink();
    assert_eq!(run(stream.write(b"abc")).unwrap(), 3);
    assert_eq!(run(stream.write(b"")).unwrap(), 0);
    let slices = [IoSlice::new(b"a"), IoSlice::new(b"bc")];
    assert!(stream.is_write_vectored());
    assert_eq!(run(stream.write_vectored(&slices)).unwrap(), 3);
    run(stream.flush()).unwrap();
    run(stream.shutdown()).unwrap();
    assert_eq!(format!("{stream:?}").split(' ').next(), Some("Sink"));
}

#[test]
fn repeat_fills_all_the_room() {
    let mut stream = repeat(7);
    let mut buf = [0; 1000];
    assert_eq!(run(stream.read(&mut buf)).unwrap(), 1000);
    assert_eq!(buf, [7; 1000]);
    let mut bytes = Vec::new();
    run(stream.take(20_000).read_to_end(&mut bytes)).unwrap();
    assert_eq!(bytes, [7; 20_000]);
    // Memory that holds no values yet.
    let mut spare = Vec::with_capacity(16);
    run(repeat(9).read_buf(&mut spare)).unwrap();
    assert!(spare.len() >= 16 && spare.iter().all(|byte| *byte == 9));
}

/// Streams that never wait must not keep the only thread for themselves.
#[test]
fn a_loop_over_what_is_always_ready_lets_other_tasks_run() {
    let rt = rt::runtime::Builder::new_current_thread().build().unwrap();
    rt.block_on(async {
        let loops = [
            rt::spawn(async { while run_read(&mut empty()).await {} }),
            rt::spawn(async { while run_read(&mut repeat(1)).await {} }),
            rt::spawn(async { while run_write(&mut sink()).await {} }),
            rt::spawn(async { while run_write(&mut empty()).await {} }),
        ];
        // Comes back only if each of the loops steps aside.
        for _ in 0..10 {
            rt::task::yield_now().await;
        }
        for task in loops {
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });

    async fn run_read<R: AsyncRead + Unpin>(reader: &mut R) -> bool {
        reader.read(&mut [0; 4]).await.is_ok()
    }

    async fn run_write<W: AsyncWrite + Unpin>(writer: &mut W) -> bool {
        writer.write(&[0; 4]).await.is_ok()
    }
}

#[test]
fn join_reads_from_one_and_writes_to_the_other() {
    let reader = BufReader::new(Script::reading([give("one\n"), Step::Later, give("two\n")]));
    let mut stream = join(reader, Script::default());
    let mut line = String::new();
    run(stream.read_line(&mut line)).unwrap();
    run(stream.read_line(&mut line)).unwrap();
    assert_eq!(line, "one\ntwo\n");
    run(stream.write_all(b"answer")).unwrap();
    run(stream.flush()).unwrap();
    run(stream.shutdown()).unwrap();
    assert_eq!(
        stream.writer().calls,
        [Call::Write(b"answer".to_vec()), Call::Flush, Call::Shutdown]
    );
    assert!(!stream.is_write_vectored());
    stream.writer_mut().vectored = true;
    assert!(stream.is_write_vectored());
    let slices = [IoSlice::new(b"a"), IoSlice::new(b"b")];
    assert_eq!(run(stream.write_vectored(&slices)).unwrap(), 2);
    assert_eq!(stream.reader().buffer(), b"");
    stream.reader_mut().get_mut().reads.push_back(give("x"));
    let mut reader = Pin::new(&mut stream).reader_pin_mut();
    assert_eq!(run(reader.read_u8()).unwrap(), b'x');
    let mut writer = Pin::new(&mut stream).writer_pin_mut();
    run(writer.flush()).unwrap();
    let (reader, writer) = stream.into_inner();
    assert_eq!(reader.buffer(), b"");
    assert_eq!(writer.written(), b"answerab");
}

#[test]
fn join_undoes_split() {
    let (client, mut server) = rt::io::duplex(16);
    let (reader, writer) = split(client);
    let mut client = join(reader, writer);
    run(client.write_all(b"ping")).unwrap();
    let mut buf = [0; 4];
    run(server.read_exact(&mut buf)).unwrap();
    run(server.write_all(&buf)).unwrap();
    run(client.read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"ping");
}

#[test]
fn simplex_carries_bytes_one_way_until_its_shutdown() {
    let (mut reader, mut writer) = simplex(4);
    let mut buf = [0; 8];
    {
        let (bell, waker) = Bell::new();
        let mut cx = Context::from_waker(&waker);
        let mut read = pin!(reader.read(&mut buf));
        assert!(read.as_mut().poll(&mut cx).is_pending());
        assert_eq!(run(writer.write(b"abcdef")).unwrap(), 4, "it holds 4 bytes");
        assert_eq!(bell.rings(), 1);
        assert!(matches!(read.as_mut().poll(&mut cx), Poll::Ready(Ok(4))));
    }
    run(writer.write_all(b"ef")).unwrap();
    run(writer.shutdown()).unwrap();
    let error = run(writer.write(b"g")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let mut rest = Vec::new();
    run(reader.read_to_end(&mut rest)).unwrap();
    assert_eq!(rest, b"ef");
}

#[test]
fn a_dropped_half_of_a_simplex_closes_nothing() {
    let (mut reader, mut writer) = simplex(4);
    run(writer.write_all(b"ab")).unwrap();
    drop(writer);
    let mut buf = [0; 4];
    assert_eq!(run(reader.read(&mut buf)).unwrap(), 2);
    assert!(poll(pin!(reader.read(&mut buf))).is_pending());
}

#[test]
fn a_whole_simplex_reads_what_it_wrote() {
    let (reader, writer) = simplex(8);
    let mut stream: SimplexStream = reader.unsplit(writer);
    let slices = [IoSlice::new(b"ab"), IoSlice::new(b"cdefghijkl")];
    assert!(stream.is_write_vectored());
    assert_eq!(run(stream.write_vectored(&slices)).unwrap(), 8);
    assert!(poll(pin!(stream.write(b"x"))).is_pending());
    let mut buf = [0; 8];
    run(stream.read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"abcdefgh");
    run(stream.flush()).unwrap();
    run(stream.shutdown()).unwrap();
    assert_eq!(run(stream.read(&mut buf)).unwrap(), 0);

    let mut stream = SimplexStream::new_unsplit(1);
    run(stream.write_u8(5)).unwrap();
    assert_eq!(run(stream.read_u8()).unwrap(), 5);
}

#[test]
#[should_panic(expected = "`max_buf_size` must be greater than 0")]
fn a_simplex_without_room_is_refused() {
    let _ = simplex(0);
}

#[test]
#[should_panic(expected = "`max_buf_size` must be greater than 0")]
fn a_whole_simplex_without_room_is_refused() {
    let _ = SimplexStream::new_unsplit(0);
}

#[test]
fn a_dropped_read_or_write_of_a_simplex_moves_no_byte() {
    let (mut reader, mut writer) = simplex(1);
    let mut buf = [0; 1];
    for _ in 0..3 {
        assert!(poll(pin!(reader.read(&mut buf))).is_pending());
    }
    run(writer.write_u8(1)).unwrap();
    for _ in 0..3 {
        assert!(poll(pin!(writer.write(&[2]))).is_pending());
    }
    assert_eq!(run(reader.read_u8()).unwrap(), 1);
    assert!(poll(pin!(reader.read(&mut buf))).is_pending());
}

#[test]
fn a_buf_stream_buffers_both_ways() {
    let script = Script {
        reads: [give("one\ntwo\nthree")].into(),
        ..Script::default()
    };
    let mut stream = BufStream::with_capacity(8, 4, script);
    let mut line = String::new();
    run(stream.read_line(&mut line)).unwrap();
    assert_eq!(line, "one\n");
    assert_eq!(stream.get_ref().offers, [8]);
    run(stream.write_all(b"ab")).unwrap();
    assert!(stream.get_ref().calls.is_empty(), "held back");
    run(stream.write_all(b"cde")).unwrap();
    assert_eq!(stream.get_ref().written(), b"ab");
    run(stream.flush()).unwrap();
    assert_eq!(stream.get_ref().written(), b"abcde");
    assert!(stream.is_write_vectored());
    let slices = [IoSlice::new(b"f"), IoSlice::new(b"g")];
    assert_eq!(run(stream.write_vectored(&slices)).unwrap(), 2);
    run(stream.shutdown()).unwrap();
    assert_eq!(stream.get_mut().written(), b"abcdefg");
    assert_eq!(stream.get_mut().calls.last(), Some(&Call::Shutdown));
    assert_eq!(Pin::new(&mut stream).get_pin_mut().offers, [8]);
    let mut rest = String::new();
    run(stream.read_to_string(&mut rest)).unwrap();
    assert_eq!(rest, "two\nthree");
    assert!(stream.into_inner().reads.is_empty());
}

#[test]
#[should_panic(expected = "capacity must be greater than zero")]
fn a_buf_stream_without_a_reading_buffer_is_refused() {
    let _ = BufStream::with_capacity(0, 8, Script::default());
}

#[test]
fn both_orders_of_buffers_become_a_buf_stream_and_keep_their_bytes() {
    let script = Script::reading([give("abc")]);
    let mut inside = BufReader::with_capacity(8, BufWriter::with_capacity(8, script));
    assert_eq!(run(inside.read_u8()).unwrap(), b'a');
    run(inside.write_all(b"x")).unwrap();
    ends(BufStream::from(inside));

    let script = Script::reading([give("abc")]);
    let mut outside = BufWriter::with_capacity(8, BufReader::with_capacity(8, script));
    assert_eq!(run(outside.read_u8()).unwrap(), b'a');
    run(outside.write_all(b"x")).unwrap();
    ends(outside.into());

    fn ends(mut stream: BufStream<Script>) {
        assert!(stream.get_ref().calls.is_empty());
        let mut rest = String::new();
        run(stream.read_to_string(&mut rest)).unwrap();
        assert_eq!(rest, "bc");
        run(stream.flush()).unwrap();
        assert_eq!(stream.get_ref().written(), b"x");
    }
}

/// Interrupts each call once before it lets it through.
#[derive(Default)]
struct Signals(Script, bool);

impl Signals {
    fn interrupts(&mut self) -> bool {
        self.1 = !self.1;
        self.1
    }
}

fn interrupted<T>() -> Poll<rt::io::Result<T>> {
    Poll::Ready(Err(ErrorKind::Interrupted.into()))
}

impl AsyncRead for Signals {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<rt::io::Result<()>> {
        if self.interrupts() {
            return interrupted();
        }
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Signals {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<rt::io::Result<usize>> {
        if self.interrupts() {
            return interrupted();
        }
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<rt::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<rt::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[test]
fn what_makes_several_calls_makes_an_interrupted_one_again() {
    let reading = |text: &str| {
        Signals(
            Script::reading(text.chars().map(|c| give(c.to_string()))),
            false,
        )
    };
    let mut buf = [0; 4];
    run(reading("abcd").read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"abcd");
    assert_eq!(run(reading("ab").read_u16()).unwrap(), 0x6162);
    let mut bytes = Vec::with_capacity(3);
    run(reading("abcd").read_to_end(&mut bytes)).unwrap();
    assert_eq!(bytes, b"abcd");
    let mut text = String::new();
    run(reading("abcd").read_to_string(&mut text)).unwrap();
    assert_eq!(text, "abcd");
    let mut lines = BufReader::new(reading("ab\ncd")).lines();
    assert_eq!(run(lines.next_line()).unwrap().unwrap(), "ab");
    assert_eq!(run(lines.next_line()).unwrap().unwrap(), "cd");

    let mut writer = Signals(Script::writing(vec![Step::Take(1); 3]), false);
    run(writer.write_all(b"abcd")).unwrap();
    run(writer.write_all_buf(&mut &b"ef"[..])).unwrap();
    run(writer.write_u16(0x6768)).unwrap();
    assert_eq!(writer.0.written(), b"abcdefgh");
    let mut writer = BufWriter::new(Signals::default());
    run(writer.write_all(b"abcd")).unwrap();
    run(writer.flush()).unwrap();
    assert_eq!(writer.get_ref().0.written(), b"abcd");

    let mut writer = Signals::default();
    assert_eq!(
        run(rt::io::copy(&mut reading("abcd"), &mut writer)).unwrap(),
        4
    );
    let mut reader = BufReader::new(reading("efg"));
    assert_eq!(run(rt::io::copy_buf(&mut reader, &mut writer)).unwrap(), 3);
    assert_eq!(writer.0.written(), b"abcdefg");
}

#[test]
fn what_makes_one_call_shows_the_interruption() {
    let kind = |error: rt::io::Error| error.kind();
    let mut stream = Signals(Script::reading([give("ab")]), false);
    let mut buf = [0; 2];
    let read = run(stream.read(&mut buf)).map_err(kind);
    assert_eq!(read, Err(ErrorKind::Interrupted));
    assert_eq!(run(stream.read(&mut buf)).map_err(kind), Ok(2));
    let written = run(stream.write(b"ab")).map_err(kind);
    assert_eq!(written, Err(ErrorKind::Interrupted));
    assert_eq!(run(stream.write(b"ab")).map_err(kind), Ok(2));
}
