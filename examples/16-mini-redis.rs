//! 16 mini-redis: a database in memory, whose visitors talk to each other.
//!
//! Teaches a protocol with frames (a read gives half a frame, or five), pipelining (all answers
//! to one read go out in one write), values that expire, and visitors that get what others
//! publish: a `select!` between the socket and a channel. Longer than the other examples, since
//! it is a whole server: `redis-cli` and `redis-benchmark` can talk to it.
//!
//! Run: `cargo run --release --example 16-mini-redis` (argument: the port, 7016 if none)
//!
//! In a second terminal: `redis-cli -p 7016`, and there `ping`, `set k v px 5000`, `get k`,
//! `incr n`, `subscribe news`; in a third: `redis-cli -p 7016 publish news hello`. (`nc` does it
//! too: a request may be a line.) For speed:
//! `redis-benchmark -p 7016 -t ping,set,get,incr -P 16 -q`.
//!
//! Expected output, when one visitor subscribes, another publishes, and Ctrl-C ends it:
//!
//! ```text
//! listening on 127.0.0.1:7016
//! visitor 1: here
//! visitor 2: here
//! visitor 2: published to 1 of them
//! visitor 2: gone
//! visitor 1: gone
//! Ctrl-C: 2 keys forgotten
//! next: 17-crawler is on the other side: it asks, many at once
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::sync::mpsc;
use rt::time::Instant;

/// The longest frame that is taken, in bytes: what is longer may be an attack.
const LONGEST: usize = 1 << 20;
/// Messages that wait for a subscriber that does not read. One more, and it gets no more.
const BACKLOG: usize = 1000;

type Bytes = Vec<u8>;

/// What all visitors share.
#[derive(Default)]
struct Database {
    /// Values, and until when they hold.
    values: HashMap<Bytes, (Bytes, Option<Instant>)>,
    /// Who listens to which channel.
    channels: HashMap<Bytes, Vec<mpsc::Sender<Bytes>>>,
}

impl Database {
    /// A value, unless its time is over. That is found out only here: no timer for each key.
    fn get(&mut self, key: &[u8]) -> Option<&Bytes> {
        let (_, until) = self.values.get(key)?;
        if until.is_some_and(|until| until <= Instant::now()) {
            self.values.remove(key);
        }
        Some(&self.values.get(key)?.0)
    }

    /// Hands a message to all who listen; gives how many there are.
    fn publish(&mut self, channel: &[u8], message: &Bytes) -> usize {
        let Some(listeners) = self.channels.get_mut(channel) else {
            return 0;
        };
        // Never waits: one subscriber that does not read must not hold up a publisher.
        listeners.retain(|listener| listener.try_send(message.clone()).is_ok());
        listeners.len()
    }
}

/// A frame that is no request.
fn broken(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("protocol error: {what}"),
    )
}

/// Takes one line `<kind><number>\r\n` off the front; `None` if it is not complete.
fn number(kind: u8, rest: &mut &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
        return Ok(None);
    };
    let digits = str::from_utf8(&rest[1.min(end)..end]).ok();
    let number = digits.and_then(|digits| digits.parse().ok());
    match number {
        Some(number) if rest[0] == kind && number <= LONGEST => {
            *rest = &rest[end + 2..];
            Ok(Some(number))
        }
        _ => Err(broken("expected a length")),
    }
}

/// Takes a request off the front: `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`. `None`: there will be more.
fn request(input: &mut Bytes) -> io::Result<Option<Vec<Bytes>>> {
    if input.first().is_some_and(|first| *first != b'*') {
        return Ok(line(input));
    }
    let mut rest = &input[..];
    let Some(count) = number(b'*', &mut rest)? else {
        return Ok(None);
    };
    let mut words = Vec::new();
    for _ in 0..count {
        let Some(length) = number(b'$', &mut rest)? else {
            return Ok(None);
        };
        let Some((word, after)) = rest.split_at_checked(length + 2) else {
            return Ok(None);
        };
        words.push(word[..length].to_vec());
        rest = after;
    }
    let taken = input.len() - rest.len();
    input.drain(..taken);
    Ok(Some(words))
}

/// Takes a request as somebody types it: `get k`.
fn line(input: &mut Bytes) -> Option<Vec<Bytes>> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let line: Bytes = input.drain(..=end).collect();
    let words = line.split(u8::is_ascii_whitespace);
    Some(
        words
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect(),
    )
}

/// A bulk string, as the protocol writes it.
fn bulk(bytes: &[u8]) -> Bytes {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// One visitor.
struct Visitor {
    number: u32,
    database: Arc<Mutex<Database>>,
    /// Where what others publish comes in; cloned into each channel that is subscribed to.
    mail: mpsc::Sender<Bytes>,
}

impl Visitor {
    /// Carries out one request, gives the answer. No await in here, so the lock is held shortly.
    fn answer(&self, words: &[Bytes]) -> Bytes {
        let mut database = self.database.lock().unwrap();
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let name = words.first().map(|name| name.to_ascii_uppercase());
        match (
            name.as_deref().unwrap_or_default(),
            &words[1.min(words.len())..],
        ) {
            (b"PING", []) => b"+PONG\r\n".to_vec(),
            (b"PING", [text]) => bulk(text),
            (b"GET", [key]) => database
                .get(key)
                .map_or(b"$-1\r\n".to_vec(), |value| bulk(value)),
            (b"SET", [key, value, options @ ..]) => {
                let until = match options {
                    [] => None,
                    [unit, time] => match (unit.to_ascii_uppercase().as_slice(), parse(time)) {
                        (b"EX", Some(time @ 1..)) => Some(Duration::from_secs(time as u64)),
                        (b"PX", Some(time @ 1..)) => Some(Duration::from_millis(time as u64)),
                        _ => return b"-ERR invalid expire time\r\n".to_vec(),
                    },
                    _ => return b"-ERR syntax error\r\n".to_vec(),
                };
                let until = until.map(|time| Instant::now() + time);
                database
                    .values
                    .insert(key.to_vec(), (value.to_vec(), until));
                b"+OK\r\n".to_vec()
            }
            (b"INCR", [key]) => {
                let before = database.get(key).map_or(Some(0), |value| parse(value));
                let Some(after) = before.and_then(|before| before.checked_add(1)) else {
                    return b"-ERR value is not an integer or out of range\r\n".to_vec();
                };
                let entry = database.values.entry(key.to_vec()).or_default();
                entry.0 = after.to_string().into_bytes();
                format!(":{after}\r\n").into_bytes()
            }
            (b"SUBSCRIBE", [channel]) => {
                let listeners = database.channels.entry(channel.to_vec()).or_default();
                if !listeners.iter().any(|known| known.same_channel(&self.mail)) {
                    listeners.push(self.mail.clone());
                }
                [b"*3\r\n$9\r\nsubscribe\r\n", &bulk(channel)[..], b":1\r\n"].concat()
            }
            (b"PUBLISH", [channel, text]) => {
                let parts = [b"*3\r\n$7\r\nmessage\r\n", &bulk(channel)[..], &bulk(text)];
                let listeners = database.publish(channel, &parts.concat());
                println!("visitor {}: published to {listeners} of them", self.number);
                format!(":{listeners}\r\n").into_bytes()
            }
            _ => b"-ERR unknown command, or a wrong number of arguments\r\n".to_vec(),
        }
    }
}

/// A number, as text.
fn parse(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// One visit: requests come in, and what others publish goes out beside the answers.
async fn visit(
    visitor: &Visitor,
    mut mail: mpsc::Receiver<Bytes>,
    mut stream: TcpStream,
) -> io::Result<()> {
    // Room from the start: `read_buf` reads what fits, and an empty `Vec` makes room for little.
    let mut input = Vec::with_capacity(16 * 1024);
    loop {
        // Both branches may be dropped at any time and lose nothing (09).
        rt::select! {
            read = stream.read_buf(&mut input) => if read? == 0 {
                return Ok(());
            },
            Some(message) = mail.recv() => {
                stream.write_all(&message).await?;
                continue;
            }
        }
        let mut output = Vec::new();
        while let Some(words) = request(&mut input)? {
            output.extend(visitor.answer(&words));
        }
        if input.len() > LONGEST {
            return Err(broken("too long"));
        }
        stream.write_all(&output).await?;
    }
}

#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7016".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    let database = Arc::<Mutex<Database>>::default();
    let accepting = async {
        for number in 1.. {
            let (stream, _) = listener.accept().await?;
            println!("visitor {number}: here");
            let (mail, letters) = mpsc::channel(BACKLOG);
            let visitor = Visitor {
                number,
                database: database.clone(),
                mail,
            };
            rt::spawn(async move {
                match visit(&visitor, letters, stream).await {
                    Ok(()) => println!("visitor {number}: gone"),
                    Err(error) => println!("visitor {number}: gone, {error}"),
                }
            });
        }
        Ok::<(), io::Error>(())
    };
    rt::select! {
        result = accepting => result?,
        result = rt::signal::ctrl_c() => result?,
    }
    let keys = database.lock().unwrap().values.len();
    println!("Ctrl-C: {keys} keys forgotten");
    println!("next: 17-crawler is on the other side: it asks, many at once");
    Ok(())
}
