// duplex, copy, split, buffers, TCP and UDP on loopback: what is read when, and how streams end.

use std::io;

use rt::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter, copy, duplex, split,
};
use rt::net::{TcpListener, TcpStream, UdpSocket};
use rt::task::yield_now;

use crate::Log;

pub fn run() -> Vec<String> {
    let log = Log::default();
    let runtime = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(in_memory(&log)).unwrap();
    runtime.block_on(copies(&log)).unwrap();
    runtime.block_on(tcp(&log)).unwrap();
    runtime.block_on(udp(&log)).unwrap();
    log.lines()
}

/// The kind of an error, which is what a program matches on.
fn kind<T>(result: io::Result<T>) -> String {
    result.map_or_else(|error| format!("{:?}", error.kind()), |_| "no error".into())
}

/// A duplex of 4 bytes: partial writes, a blocked writer, the end, a write after it.
async fn in_memory(log: &Log) -> io::Result<()> {
    let (mut near, mut far) = duplex(4);
    log.say(format!("of 6 bytes {} fit", near.write(b"abcdef").await?));
    let writer = rt::spawn(async move {
        near.write_all(b"ghij").await?;
        near.shutdown().await?;
        io::Result::Ok(near)
    });
    yield_now().await;
    log.say(format!("writer done: {}", writer.is_finished()));
    let mut two = [0; 2];
    far.read_exact(&mut two).await?;
    log.say(format!("read {two:?}"));
    yield_now().await;
    let mut rest = String::new();
    log.say(format!(
        "then {} bytes: {rest}",
        far.read_to_string(&mut rest).await?
    ));
    log.say(format!("then {rest}"));
    log.say(format!("after the end: {}", far.read(&mut two).await?));
    log.say(format!(
        "too short: {}",
        kind(far.read_exact(&mut two).await)
    ));
    let near = writer.await.unwrap()?;
    drop(near);
    log.say(format!("to nobody: {}", kind(far.write_all(b"x").await)));

    let (near, far) = duplex(64);
    let (mut read, mut write) = split(near);
    let (mut far_read, mut far_write) = split(far);
    write.write_all(b"ping").await?;
    far_write.write_u16(0x1234).await?;
    far_write.write_i32_le(-5).await?;
    let mut four = [0; 4];
    far_read.read_exact(&mut four).await?;
    log.say(format!(
        "{four:?}, {:#x}, {}",
        read.read_u16().await?,
        read.read_i32_le().await?
    ));
    drop((far_read, far_write));
    log.say(format!("both halves gone: {}", read.read(&mut four).await?));
    Ok(())
}

/// copy, lines, read_until, take, chain, a buffered writer that holds back.
async fn copies(log: &Log) -> io::Result<()> {
    let mut sink = Vec::new();
    let mut source = (&b"some bytes"[..]).chain(&b", and more"[..]).take(15);
    log.say(format!("copied {}", copy(&mut source, &mut sink).await?));
    log.say(String::from_utf8(sink).unwrap());

    let text = BufReader::new(&b"one\r\ntwo\n\nlast"[..]);
    let mut lines = text.lines();
    while let Some(line) = lines.next_line().await? {
        log.say(format!("line {line:?}"));
    }
    let mut reader = BufReader::with_capacity(3, &b"key=value;rest"[..]);
    let mut part = Vec::new();
    log.say(format!(
        "until =: {} {part:?}",
        reader.read_until(b'=', &mut part).await?
    ));
    log.say(format!(
        "until ;: {}",
        reader.read_until(b';', &mut part).await?
    ));
    log.say(format!(
        "until nothing: {}",
        reader.read_until(b'!', &mut part).await?
    ));
    log.say(String::from_utf8(part).unwrap());

    let (near, mut far) = duplex(64);
    let mut writer = BufWriter::with_capacity(8, near);
    writer.write_all(b"small").await?;
    let mut byte = [0];
    let early = rt::time::timeout(std::time::Duration::ZERO, far.read(&mut byte)).await;
    log.say(format!("before the flush: {}", early.is_err()));
    writer.flush().await?;
    log.say(format!("after it: {} {byte:?}", far.read(&mut byte).await?));
    Ok(())
}

/// An echo with many visitors, half-close, a reset, a refused connection.
async fn tcp(log: &Log) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = rt::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await?;
            rt::spawn(async move {
                let (mut read, mut write) = stream.split();
                copy(&mut read, &mut write).await?;
                write.shutdown().await
            });
        }
        io::Result::Ok(listener)
    });
    for text in ["first", "second"] {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let peer = stream.peer_addr()?;
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await?;
        let mut echo = String::new();
        stream.read_to_string(&mut echo).await?;
        log.say(format!("{echo:?} came back, nodelay {}", stream.nodelay()?));
        log.say(format!("peer is the server: {}", peer == address));
    }
    let large = vec![7; 300_000];
    let (mut read, mut write) = TcpStream::connect(address).await?.into_split();
    let sent = large.clone();
    let writer = rt::spawn(async move {
        write.write_all(&sent).await?;
        write.shutdown().await
    });
    let mut back = Vec::new();
    read.read_to_end(&mut back).await?;
    writer.await.unwrap()?;
    log.say(format!(
        "{} bytes came back, equal: {}",
        back.len(),
        back == large
    ));
    let listener = server.await.unwrap()?;
    log.say(format!(
        "address in use: {}",
        kind(TcpListener::bind(address).await)
    ));
    drop(listener);
    log.say(format!(
        "refused: {}",
        kind(TcpStream::connect(address).await)
    ));
    log.say(format!(
        "no address: {}",
        kind(TcpStream::connect("").await)
    ));
    Ok(())
}

/// Datagrams keep their borders; what is too long is cut.
async fn udp(log: &Log) -> io::Result<()> {
    let (a, b) = (
        UdpSocket::bind("127.0.0.1:0").await?,
        UdpSocket::bind("127.0.0.1:0").await?,
    );
    let mut buffer = [0; 4];
    log.say(format!(
        "nothing yet: {}",
        kind(b.try_recv_from(&mut buffer))
    ));
    a.send_to(b"one", b.local_addr()?).await?;
    a.send_to(b"longer", b.local_addr()?).await?;
    for _ in 0..2 {
        let (n, from) = b.recv_from(&mut buffer).await?;
        log.say(format!(
            "{:?}, from a: {}",
            &buffer[..n],
            from == a.local_addr()?
        ));
    }
    b.connect(a.local_addr()?).await?;
    log.say(format!("sent {}", b.send(b"back").await?));
    let (n, _) = a.recv_from(&mut buffer).await?;
    log.say(format!("{:?}", &buffer[..n]));
    Ok(())
}
