//! Pipes: `pipe()`, and `OpenOptions` for those that have a name (FIFOs, mkfifo(3)).
//!
//! ```text
//!   open for     nobody at the other end         the other end goes
//!   reading      waits for a writer's bytes      0, the end, until another one opens it
//!   writing      ENXIO: the open fails           BrokenPipe
//!   both         neither happens: this end is its own other end (Linux only)
//! ```
//!
//! Opening never waits, since it opens with O_NONBLOCK; fifo(7) has the rules.
//! Read next: `net/pipe_sender.rs`.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::net::pipe_file::{is_pipe, refused};
use crate::net::pipe_receiver::Receiver;
use crate::net::pipe_sender::Sender;
use crate::sys::pipe::{self as sys, O_NONBLOCK};

/// A pipe: what is written to the sender is read from the receiver.
///
/// # Errors
///
/// What pipe2(2) says (EMFILE, ENFILE).
///
/// # Panics
///
/// Outside of a runtime, or in one without I/O.
///
/// ```
/// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
/// use trefoil::net::unix::pipe;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let (mut tx, mut rx) = pipe::pipe()?;
/// tx.write_all(b"hello").await?;
/// drop(tx);
/// let mut text = String::new();
/// rx.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (read, write) = sys::pipe()?;
    Ok((Sender::new(write.into())?, Receiver::new(read.into())?))
}

/// How a FIFO is opened.
///
/// ```
/// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
/// use trefoil::net::unix::pipe;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// # let path = std::env::temp_dir().join(format!("trefoil-doc-fifo-{}", std::process::id()));
/// # std::process::Command::new("mkfifo").arg(&path).status()?;
/// let mut rx = pipe::OpenOptions::new().open_receiver(&path)?;
/// let mut tx = pipe::OpenOptions::new().open_sender(&path)?;
/// tx.write_all(b"!").await?;
/// assert_eq!(rx.read_u8().await?, b'!');
/// # std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// Everything off.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens for both directions, so that this end is its own other end.
    ///
    /// A sender then opens without a receiver, and what it writes is lost if none has come when it
    /// goes; a receiver never sees the end, when one writer goes it waits for the next.
    pub fn read_write(&mut self, on: bool) -> &mut Self {
        self.read_write = on;
        self
    }

    /// Saves the look whether it is a FIFO at all.
    pub fn unchecked(&mut self, on: bool) -> &mut Self {
        self.unchecked = on;
        self
    }

    /// Opens the end to read from; does not wait for a writer.
    ///
    /// # Errors
    ///
    /// What open(2) says; `InvalidInput` when it is no FIFO.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn open_receiver<P: AsRef<Path>>(&self, path: P) -> io::Result<Receiver> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(self.read_write);
        Receiver::new(self.open(options, path.as_ref())?)
    }

    /// Opens the end to write to.
    ///
    /// # Errors
    ///
    /// What open(2) says, ENXIO when nobody has it open for reading; `InvalidInput` when it is no
    /// FIFO.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn open_sender<P: AsRef<Path>>(&self, path: P) -> io::Result<Sender> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).read(self.read_write);
        Sender::new(self.open(options, path.as_ref())?)
    }

    /// open(2), and the check.
    fn open(&self, mut options: std::fs::OpenOptions, path: &Path) -> io::Result<File> {
        let file = options.custom_flags(O_NONBLOCK).open(path)?;
        if !self.unchecked && !is_pipe(&file)? {
            return Err(refused("not a pipe; `unchecked` takes it all the same"));
        }
        Ok(file)
    }
}
