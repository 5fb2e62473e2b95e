//! The fork server's own loop: a process of one thread that makes workers by copying itself.
//!
//! ```text
//!   program                           server                            worker
//!   request, descriptors ───────────► sibling() ──────────────────────► setup, closes the pipe
//!   pid, pidfd ◄───────────────────── pipe at its end: it went well      └─► HELLO on its socket
//! ```
//!
//! A copy of a small process costs 0.1 ms; a fresh one 0.75 ms (exec, the loader, `main`).
//! The copy never runs this loop: [`serve`] returns there, and the copy goes on as any worker.
//! Why one thread: a copy has only the thread that made it, and would wait for the others' locks.
//! Read next: `processes/fork_server.rs`, the program's side.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::processes::wire;
use crate::sys::passing::{self, Received};
use crate::sys::setup::{EMFILE, FilterStep, Setup, close_range};
use crate::sys::sibling::{Side, leave, sibling};
use crate::sys::step::Step;

/// The number that says "the file by which the cgroup is joined", among numbers of descriptors.
pub(crate) const CGROUP: RawFd = -1;
/// Bytes of a reply: pid, step, errno.
pub(crate) const REPLY: usize = 12;
/// The longest request. Unit: bytes. Effect: a longer one is made by exec.
const LONGEST: usize = 60 << 10;

/// A request as it travels: numbers of the descriptors, limits, OOM score, flags (no new
/// privileges, PDEATHSIG), nice, processors, filter, mark.
type Wire = (
    Vec<RawFd>,
    Vec<(u32, u64)>,
    Option<Vec<u8>>,
    (bool, bool),
    Option<i32>,
    Vec<usize>,
    Vec<(u16, u8, u8, u32)>,
    Option<String>,
);

/// The bytes of a request, its length first; `numbers` are those of the descriptors beside it.
///
/// # Errors
///
/// When it is too long.
pub(crate) fn request(
    setup: Setup,
    numbers: Vec<RawFd>,
    mark: Option<String>,
) -> io::Result<Vec<u8>> {
    let step = |step: &FilterStep| (step.code, step.jump_if, step.jump_else, step.value);
    let wire: Wire = (
        numbers,
        setup.limits,
        setup
            .oom_score
            .as_ref()
            .map(|text| text.as_bytes().to_vec()),
        (setup.no_new_privs, setup.pdeathsig),
        setup.nice,
        setup.affinity,
        setup.filter.iter().map(step).collect(),
        mark,
    );
    let mut bytes = vec![0; 4];
    wire::encode(&wire, &mut bytes).map_err(io::Error::other)?;
    if bytes.len() > LONGEST {
        return Err(io::ErrorKind::ArgumentListTooLong.into());
    }
    let len = u32::try_from(bytes.len() - 4).unwrap_or(0);
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    Ok(bytes)
}

/// What the worker is to set up, and its mark.
fn understood(bytes: &[u8], fds: &[OwnedFd]) -> io::Result<(Setup, Option<String>)> {
    let wire: Wire = wire::decode(bytes).map_err(io::Error::other)?;
    let (numbers, limits, oom_score, (no_new_privs, pdeathsig), nice, affinity, filter, mark) =
        wire;
    if numbers.len() != fds.len() {
        // Some did not arrive: this process has no room for them.
        return Err(io::Error::from_raw_os_error(EMFILE));
    }
    let mut setup = Setup {
        limits,
        oom_score: oom_score.and_then(|text| CString::new(text).ok()),
        no_new_privs,
        pdeathsig,
        nice,
        affinity,
        ..Setup::default()
    };
    for (number, fd) in numbers.into_iter().zip(fds) {
        match number {
            CGROUP => setup.cgroup = Some(fd.as_raw_fd()),
            number => setup.descriptors.push((fd.as_raw_fd(), number)),
        }
    }
    let step = |(code, jump_if, jump_else, value)| FilterStep {
        code,
        jump_if,
        jump_else,
        value,
    };
    setup.filter = filter.into_iter().map(step).collect();
    Ok((setup, mark))
}

/// The next request; `None`: the program is gone, or has no use for this server any more.
fn next(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Option<(usize, Vec<OwnedFd>)> {
    let (mut have, mut all) = (0, Vec::new());
    loop {
        let room = &mut buffer[have..];
        let Received { len, fds, .. } = passing::receive(socket, room, true).ok()?;
        if len == 0 {
            return None;
        }
        have += len;
        all.extend(fds);
        let wanted = u32::from_le_bytes(*buffer.first_chunk()?) as usize + 4;
        if have >= 4 && have >= wanted {
            return Some((wanted, all));
        }
    }
}

/// Serves requests until the program has none any more. Returns only in a worker: its mark.
pub(crate) fn serve(socket: BorrowedFd<'_>) -> Option<String> {
    // What stands here would be written by each copy once more.
    _ = io::stdout().flush();
    let mut buffer = vec![0; LONGEST + 4];
    while let Some((len, fds)) = next(socket, &mut buffer) {
        let made = understood(&buffer[4..len], &fds)
            .map_err(|error| (Step::Prepare, error))
            .and_then(|(setup, mark)| Ok((copy(&setup)?, mark)));
        let (reply, pidfd) = match made {
            Ok((Copied::Worker, mark)) => {
                // The numbers were closed by `become_worker`: closing them again would be an error.
                std::mem::forget(fds);
                return mark;
            }
            Ok((Copied::Made(pid, pidfd, result), _)) => ((pid, result), Some(pidfd)),
            Err((step, error)) => ((0, (step as i32, error.raw_os_error().unwrap_or(0))), None),
        };
        // The worker's ends are closed before anybody hears of it: its death is their end.
        drop(fds);
        let (pid, (step, errno)) = reply;
        let bytes: Vec<u8> = [pid, step, errno].map(i32::to_le_bytes).concat();
        let fds: Vec<_> = pidfd.iter().map(AsFd::as_fd).collect();
        if passing::send(socket, &[IoSlice::new(&bytes)], &fds, true).is_err() {
            break;
        }
    }
    leave(0)
}

/// What a copy gave.
enum Copied {
    /// This is the worker, and it is set up.
    Worker,
    /// The worker's number, its pidfd, and which step failed there, with which errno; (0, 0): none.
    Made(i32, OwnedFd, (i32, i32)),
}

/// Makes a worker, and waits until it is set up.
fn copy(setup: &Setup) -> Result<Copied, (Step, io::Error)> {
    let (mut read, write) = io::pipe().map_err(|error| (Step::Prepare, error))?;
    match sibling().map_err(|error| (Step::Clone, error))? {
        Side::New => {
            become_worker(setup, write);
            std::mem::forget(read);
            Ok(Copied::Worker)
        }
        Side::Maker(pid, pidfd) => {
            drop(write);
            let mut said = Vec::new();
            _ = read.read_to_end(&mut said);
            let number = |at| said.get(at..at + 4).and_then(|part| part.try_into().ok());
            let number = |at| number(at).map_or(0, i32::from_le_bytes);
            Ok(Copied::Made(pid, pidfd, (number(0), number(4))))
        }
    }
}

/// In the worker: sets it up, or says what failed and ends.
fn become_worker(setup: &Setup, mut status: io::PipeWriter) {
    let own = status.as_raw_fd().unsigned_abs();
    let result = setup.apply().and_then(|()| {
        // Everything but the five, and the pipe until the last step.
        let below = if own > 5 {
            close_range(5, own - 1, 0)
        } else {
            0
        };
        match (below, close_range(own + 1, u32::MAX, 0)) {
            (0, 0) => Ok(()),
            _ => Err(Step::CloseRange),
        }
    });
    let result = result.and_then(|()| match setup.filter() {
        0 => Ok(()),
        _ => Err(Step::Seccomp),
    });
    if let Err(step) = result {
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        let said: Vec<u8> = [step as i32, errno].map(i32::to_le_bytes).concat();
        _ = status.write_all(&said);
        leave(127);
    }
}
