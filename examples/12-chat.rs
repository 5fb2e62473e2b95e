//! 12 chat: what one types, all others read.
//!
//! Teaches how the pieces so far make a server for people: a task for each visitor (06), which
//! waits for its socket and for the others at once (`select!`, 09), and a broadcast channel in
//! the middle (11). A visitor that does not read misses something, and holds up nobody.
//!
//! Run: `cargo run --release --example 12-chat` (argument: the port, 7012 if none)
//!
//! In other terminals: `nc 127.0.0.1 7012`, the first line is your name, then talk.
//!
//! Expected output, when anna, ben and eve come; anna says hello, ben leaves; then Ctrl-C:
//!
//! ```text
//! listening on 127.0.0.1:7012
//! anna is here
//! ben is here
//! eve is here
//! anna: hello
//! ben has left
//! Ctrl-C: the chat is closed
//! next: 13-proxy copies bytes between two sockets, both ways at once
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::io;

use rt::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use rt::net::{TcpListener, TcpStream};
use rt::sync::broadcast::{self, error::RecvError};

/// Lines kept for visitors that are slow; the oldest goes when one more comes.
const KEPT: usize = 100;

/// What has been said, and by which visitor: nobody reads what they have typed.
#[derive(Clone)]
struct Line {
    from: u32,
    text: String,
}

/// The chat, as one visitor has it.
struct Visitor {
    number: u32,
    /// What this one says.
    says: broadcast::Sender<Line>,
    /// What all say, from the moment on when this was made.
    hears: broadcast::Receiver<Line>,
}

impl Visitor {
    /// Tells all.
    fn say(&self, text: String) {
        println!("{text}");
        // An error would mean that nobody listens; this visitor itself does.
        let _ = self.says.send(Line {
            from: self.number,
            text,
        });
    }

    /// One visit, from the name to the end of input.
    async fn visit(mut self, stream: TcpStream) -> io::Result<()> {
        let (reading, mut writing) = stream.into_split();
        let mut typed = BufReader::new(reading).lines();
        writing.write_all(b"your name?\n").await?;
        let Some(name) = typed.next_line().await? else {
            return Ok(());
        };
        self.say(format!("{name} is here"));
        let result = self.talk(&name, &mut typed, &mut writing).await;
        // Also after an error: the others want to know.
        self.say(format!("{name} has left"));
        result
    }

    /// Waits for two things at once, until the visitor leaves.
    async fn talk(
        &mut self,
        name: &str,
        typed: &mut rt::io::Lines<impl rt::io::AsyncBufRead + Unpin>,
        writing: &mut (impl rt::io::AsyncWrite + Unpin),
    ) -> io::Result<()> {
        loop {
            // Both futures may be dropped when the other is first, and lose nothing: half a line
            // stays in `typed`. (With `read_line` it would be lost.)
            rt::select! {
                line = typed.next_line() => match line? {
                    Some(line) => self.say(format!("{name}: {line}")),
                    None => return Ok(()),
                },
                heard = self.hears.recv() => {
                    let text = match heard {
                        Ok(line) if line.from == self.number => continue,
                        Ok(line) => line.text,
                        Err(RecvError::Lagged(lines)) => format!("({lines} lines missed)"),
                        Err(RecvError::Closed) => return Ok(()),
                    };
                    // While this waits, this visitor hears nothing; the others do not notice.
                    writing.write_all(format!("{text}\n").as_bytes()).await?;
                }
            }
        }
    }
}

#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7012".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    rt::select! {
        result = accept(&listener) => result?,
        result = rt::signal::ctrl_c() => result?,
    }
    println!("Ctrl-C: the chat is closed");
    println!("next: 13-proxy copies bytes between two sockets, both ways at once");
    Ok(())
}

/// Accepts for ever, a task for each visitor.
async fn accept(listener: &TcpListener) -> io::Result<()> {
    let (says, _) = broadcast::channel(KEPT);
    for number in 0.. {
        let (stream, _) = listener.accept().await?;
        let hears = says.subscribe();
        let visitor = Visitor {
            number,
            says: says.clone(),
            hears,
        };
        rt::spawn(visitor.visit(stream));
    }
    Ok(())
}
