//! What `copy_bidirectional` and `copy_buf` promise.

#[path = "support/script.rs"]
mod script;

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;

use script::{Call, Script, Step, give, poll, run};
use trefoil as rt;
use trefoil::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufStream, BufWriter,
    copy_bidirectional, copy_bidirectional_with_sizes, copy_buf, duplex,
};

/// A stream that reads by one script and writes by another.
fn both(reads: impl IntoIterator<Item = Step>, writes: impl IntoIterator<Item = Step>) -> Script {
    Script {
        writes: writes.into_iter().collect(),
        ..Script::reading(reads)
    }
}

#[test]
fn both_ways_are_copied_and_each_end_is_passed_on() {
    let mut a = both([give("ab"), Step::Later, give("c")], [Step::Later]);
    let mut b = both([give("12345")], [Step::Take(1), Step::Later]);
    assert_eq!(run(copy_bidirectional(&mut a, &mut b)).unwrap(), (3, 5));
    assert_eq!(
        (a.written(), b.written()),
        (b"12345".to_vec(), b"abc".to_vec())
    );
    for stream in [&a, &b] {
        assert_eq!(stream.calls.last(), Some(&Call::Shutdown));
        let shutdowns = stream.calls.iter().filter(|call| **call == Call::Shutdown);
        assert_eq!(shutdowns.count(), 1);
    }
}

#[test]
fn one_way_goes_on_when_the_other_has_ended() {
    let (mut client, mut near) = duplex(8);
    let (mut far, mut server) = duplex(8);
    let mut copy = pin!(copy_bidirectional(&mut near, &mut far));
    run(client.write_all(b"ask")).unwrap();
    run(client.shutdown()).unwrap();
    assert!(poll(copy.as_mut()).is_pending());
    let mut question = String::new();
    run(server.read_to_string(&mut question)).unwrap();
    assert_eq!(question, "ask", "and its end has come through");
    for part in ["one ", "two ", "three"] {
        run(server.write_all(part.as_bytes())).unwrap();
        assert!(poll(copy.as_mut()).is_pending());
        let mut buf = vec![0; part.len()];
        run(client.read_exact(&mut buf)).unwrap();
        assert_eq!(buf, part.as_bytes());
    }
    run(server.shutdown()).unwrap();
    assert_eq!(run(copy).unwrap(), (3, 13));
    assert_eq!(run(client.read(&mut [0; 1])).unwrap(), 0);
}

#[test]
fn an_error_of_either_stream_ends_it_at_once() {
    let fails = || both([Step::Fail(ErrorKind::TimedOut)], []);
    let waits = || both([Step::Never], []);
    let error = run(copy_bidirectional(&mut fails(), &mut waits())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = run(copy_bidirectional(&mut waits(), &mut fails())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // The reader of one way is fine, its writer is not.
    let mut broken = both([Step::Never], [Step::Fail(ErrorKind::BrokenPipe)]);
    let mut sends = both([give("x"), Step::Never], []);
    let error = run(copy_bidirectional(&mut sends, &mut broken)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let mut full = both([Step::Never], [Step::Take(0)]);
    let mut sends = both([give("x"), Step::Never], []);
    let error = run(copy_bidirectional(&mut sends, &mut full)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteZero);
}

#[test]
fn a_way_that_waits_flushes_what_it_wrote() {
    let mut a = both([give("ping"), Step::Never], []);
    let mut b = BufStream::new(both([Step::Never], []));
    {
        let mut copy = pin!(copy_bidirectional(&mut a, &mut b));
        assert!(poll(copy.as_mut()).is_pending());
    }
    assert_eq!(b.get_ref().written(), b"ping");
}

#[test]
fn the_sizes_are_those_of_the_buffers() {
    let mut a = both([give(vec![b'a'; 100])], []);
    let mut b = both([give(vec![b'b'; 100])], []);
    let copied = run(copy_bidirectional_with_sizes(&mut a, &mut b, 10, 30)).unwrap();
    assert_eq!(copied, (100, 100));
    assert_eq!(a.offers.iter().max(), Some(&10));
    assert_eq!(b.offers.iter().max(), Some(&30));
    assert_eq!(b.write_sizes(), [10; 10]);
    assert_eq!(a.write_sizes(), [30, 30, 30, 10]);
}

#[test]
#[should_panic(expected = "`a_to_b_buf_size` must be greater than 0")]
fn no_buffer_for_one_way_is_refused() {
    let (mut a, mut b) = duplex(1);
    drop(copy_bidirectional_with_sizes(&mut a, &mut b, 0, 1));
}

#[test]
#[should_panic(expected = "`b_to_a_buf_size` must be greater than 0")]
fn no_buffer_for_the_other_way_is_refused() {
    let (mut a, mut b) = duplex(1);
    drop(copy_bidirectional_with_sizes(&mut a, &mut b, 1, 0));
}

/// However the four ends and the copy take turns, every byte arrives, once and in order.
#[test]
fn no_byte_is_lost_in_any_order_of_turns() {
    for seed in 0..300_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        let (mut client, mut near) = duplex(1 + below(7) as usize);
        let (mut far, mut server) = duplex(1 + below(7) as usize);
        let sizes = (1 + below(9) as usize, 1 + below(9) as usize);
        let there: Vec<u8> = (0..below(60)).map(|n| n as u8).collect();
        let back: Vec<u8> = (0..below(60)).map(|n| 100 + n as u8).collect();
        let mut copy = Some(Box::pin(copy_bidirectional_with_sizes(
            &mut near, &mut far, sizes.0, sizes.1,
        )));
        let mut copied = None;
        let (mut sent, mut got) = ([0, 0], [Vec::new(), Vec::new()]);
        let mut ended = [false, false];
        while copied.is_none() || ended != [true, true] {
            let side = below(2) as usize;
            let end = if side == 0 { &mut client } else { &mut server };
            let text = [&there, &back][side];
            match below(3) {
                0 if sent[side] < text.len() => {
                    let most = text.len().min(sent[side] + 1 + below(9) as usize);
                    let write = pin!(end.write(&text[sent[side]..most]));
                    if let std::task::Poll::Ready(n) = poll(write) {
                        sent[side] += n.unwrap();
                    }
                }
                0 => run(end.shutdown()).unwrap(),
                1 if !ended[side] => {
                    let mut buf = [0; 5];
                    if let std::task::Poll::Ready(n) = poll(pin!(end.read(&mut buf))) {
                        let n = n.unwrap();
                        got[side].extend_from_slice(&buf[..n]);
                        ended[side] = n == 0;
                    }
                }
                _ => {
                    let done = copy.as_mut().map(|copy| poll(copy.as_mut()));
                    if let Some(std::task::Poll::Ready(result)) = done {
                        copied = Some(result.unwrap());
                        copy = None;
                    }
                }
            }
        }
        assert_eq!(got, [back.clone(), there.clone()], "seed {seed}");
        assert_eq!(
            copied,
            Some((there.len() as u64, back.len() as u64)),
            "seed {seed}"
        );
    }
}

/// A way that never waits must leave budget to the other one.
#[test]
fn a_busy_way_does_not_starve_the_other() {
    let rt = rt::runtime::Builder::new_current_thread().build().unwrap();
    rt.block_on(async {
        let flood = rt::spawn(async {
            let mut a = rt::io::join(rt::io::repeat(1), Vec::new());
            let mut b = rt::io::join(&b"answer"[..], rt::io::sink());
            let mut copy = pin!(copy_bidirectional(&mut a, &mut b));
            std::future::poll_fn(|cx| {
                assert!(copy.as_mut().poll(cx).is_pending(), "one way has no end");
                std::task::Poll::Ready(())
            })
            .await;
            // The first poll gave all budget to the first way; the second begins with the other.
            rt::task::yield_now().await;
            std::future::poll_fn(|cx| {
                assert!(copy.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            a.into_inner().1
        });
        assert_eq!(flood.await.unwrap(), b"answer");
    });
}

#[test]
fn copy_bidirectional_over_sockets_passes_half_closes_on() {
    use rt::net::UnixStream;
    let rt = rt::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    rt.block_on(async {
        let (mut client, mut near) = UnixStream::pair().unwrap();
        let (mut far, mut server) = UnixStream::pair().unwrap();
        let proxy = rt::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        let serve = rt::spawn(async move {
            let mut all = Vec::new();
            server.read_to_end(&mut all).await.unwrap();
            let answer: Vec<u8> = all.iter().map(|byte| !byte).collect();
            server.write_all(&answer).await.unwrap();
        });
        let question: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        client.write_all(&question).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.iter().zip(&question).all(|(a, q)| *a == !q));
        assert_eq!(answer.len(), question.len());
        serve.await.unwrap();
        assert_eq!(proxy.await.unwrap().unwrap(), (1_000_000, 1_000_000));
    });
}

#[test]
fn copy_buf_moves_everything_and_flushes() {
    let mut reader = BufReader::with_capacity(
        8,
        Script::reading([give("ab"), Step::Later, give(vec![b'x'; 100])]),
    );
    let mut writer = Script::writing([Step::Later, Step::Take(1), Step::Later]);
    assert_eq!(run(copy_buf(&mut reader, &mut writer)).unwrap(), 102);
    assert_eq!(writer.written()[..3], *b"abx");
    assert_eq!(writer.written().len(), 102);
    assert_eq!(writer.calls.last(), Some(&Call::Flush));
    assert!(!writer.calls.contains(&Call::Shutdown));
}

#[test]
fn copy_buf_flushes_when_the_reader_has_to_wait_and_before_it_ends() {
    let mut reader = BufReader::new(Script::reading([give("ping"), Step::Never]));
    let mut writer = BufWriter::new(Script::default());
    {
        let mut copy = pin!(copy_buf(&mut reader, &mut writer));
        assert!(poll(copy.as_mut()).is_pending());
        assert!(poll(copy.as_mut()).is_pending());
    }
    assert_eq!(
        writer.get_ref().calls,
        [Call::Write(b"ping".to_vec()), Call::Flush]
    );

    let mut writer = Script {
        flushes: [Step::Later, Step::Later].into(),
        ..Script::default()
    };
    assert_eq!(run(copy_buf(&mut &b"a"[..], &mut writer)).unwrap(), 1);
    assert_eq!(writer.calls, [Call::Write(b"a".to_vec()), Call::Flush]);

    // Of nothing too: bytes from before may be held back.
    let mut writer = BufWriter::new(Vec::new());
    run(writer.write_all(b"before")).unwrap();
    assert_eq!(run(copy_buf(&mut &b""[..], &mut writer)).unwrap(), 0);
    assert_eq!(writer.into_inner(), b"before");
}

#[test]
fn a_copy_of_nothing_flushes_what_was_held_back_before() {
    let mut writer = BufWriter::new(Vec::new());
    run(writer.write_all(b"before")).unwrap();
    assert_eq!(run(rt::io::copy(&mut &b""[..], &mut writer)).unwrap(), 0);
    assert_eq!(writer.into_inner(), b"before");
}

#[test]
fn a_dropped_copy_buf_loses_nothing_at_any_poll() {
    let text: Vec<u8> = (0..50).collect();
    for n in 0..20 {
        let pieces = text.chunks(7).flat_map(|piece| [give(piece), Step::Later]);
        let mut reader = BufReader::with_capacity(5, Script::reading(pieces));
        let takes = (0..40).flat_map(|_| [Step::Take(3), Step::Later]);
        let mut writer = Script::writing(takes);
        {
            let mut copy = pin!(copy_buf(&mut reader, &mut writer));
            for _ in 0..n {
                if poll(copy.as_mut()).is_ready() {
                    break;
                }
            }
        }
        run(copy_buf(&mut reader, &mut writer)).unwrap();
        assert_eq!(writer.written(), text, "dropped after {n} polls");
    }
}

#[test]
fn copy_buf_ends_with_the_first_error_and_keeps_what_was_not_written() {
    let mut reader = BufReader::new(Script::reading([give("ab")]));
    let mut writer = Script::writing([Step::Take(1), Step::Fail(ErrorKind::BrokenPipe)]);
    let error = run(copy_buf(&mut reader, &mut writer)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(run(reader.fill_buf()).unwrap(), b"b");

    let mut reader = BufReader::new(Script::reading([Step::Fail(ErrorKind::TimedOut)]));
    let error = run(copy_buf(&mut reader, &mut Script::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);

    let mut writer = Script::writing([Step::Take(0)]);
    let error = run(copy_buf(&mut &b"a"[..], &mut writer)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteZero);
}

#[test]
fn an_endless_copy_buf_lets_other_tasks_run() {
    let rt = rt::runtime::Builder::new_current_thread().build().unwrap();
    rt.block_on(async {
        let task = rt::spawn(async {
            let mut reader = BufReader::new(rt::io::repeat(1));
            copy_buf(&mut reader, &mut rt::io::sink()).await
        });
        for _ in 0..10 {
            rt::task::yield_now().await;
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}
