//! The few system calls the comparison needs and std does not offer.
//!
//! CPU clocks, pinning, a signal to ourselves, resident memory, and a bare epoll for the client
//! side and for the servers without a runtime. Both sides use the same ones, so what they cost
//! falls out of every ratio.
//! Read next: `job.rs`, which measures with these clocks.

#![allow(unsafe_code, reason = "system calls through libc")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What one libc clock shows.
fn clock(id: libc::clockid_t) -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a timespec of ours that lives across the call, which only writes it.
    let failed = unsafe { libc::clock_gettime(id, &mut now) };
    assert_eq!(failed, 0, "clock_gettime: {}", io::Error::last_os_error());
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// CPU time of all threads of this process, user and kernel.
pub fn process_cpu() -> Duration {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Lets the calling thread, and threads it starts from now on, run on `cores` only.
///
/// # Panics
///
/// If the machine has no such core.
pub fn pin(cores: &[usize]) {
    // SAFETY: a cpu_set_t is an array of integers, for which all zeros is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &core in cores {
        // SAFETY: `set` is a live cpu_set_t; core numbers here are 0 and 1, far below its size.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    // SAFETY: `set` outlives the call, which reads as many bytes as it is told; 0 is this thread.
    let failed = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
    assert_eq!(
        failed,
        0,
        "pin to cores {cores:?}: {}",
        io::Error::last_os_error()
    );
}

/// Sends SIGUSR1 to this process.
pub fn signal_self() {
    let this = std::process::id() as libc::pid_t;
    // SAFETY: kill touches no memory of ours.
    let failed = unsafe { libc::kill(this, libc::SIGUSR1) };
    assert_eq!(failed, 0, "kill: {}", io::Error::last_os_error());
}

/// Raises the limit on open descriptors as far as this user may: 1000 connections need 2000.
pub fn raise_fd_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a live rlimit of ours; the call only writes it.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0 {
        limit.rlim_cur = limit.rlim_max;
        // A refusal shows later, as an error of accept or connect, with its own text.
        // SAFETY: `limit` is a live rlimit; the call only reads it.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    }
}

/// Resident memory of this process in bytes, from `/proc/self/statm` (proc(5)).
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("read /proc/self/statm");
    let pages: u64 = text
        .split_whitespace()
        .nth(1)
        .expect("second field")
        .parse()
        .expect("number");
    // SAFETY: sysconf touches no memory of ours.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages * page_bytes as u64
}

/// A bare epoll instance: what a program without a runtime has.
pub struct Epoll {
    /// The epoll descriptor, closed on drop.
    fd: OwnedFd,
    /// Filled by [`Epoll::wait`].
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// An empty set that reports at most `capacity` events at once.
    pub fn new(capacity: usize) -> Epoll {
        // SAFETY: epoll_create1 touches no memory of ours.
        let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(raw >= 0, "epoll_create1: {}", io::Error::last_os_error());
        // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        Epoll {
            fd,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; capacity],
        }
    }

    /// Reports `source` as `key` when it becomes readable; `edge` as in epoll(7).
    pub fn add(&self, source: RawFd, key: usize, edge: bool) {
        let flags = libc::EPOLLIN | if edge { libc::EPOLLET } else { 0 };
        let mut event = libc::epoll_event {
            events: flags as u32,
            u64: key as u64,
        };
        // SAFETY: `event` lives across the call, which only reads it; a wrong descriptor is an
        // error, not undefined behaviour.
        let failed = unsafe {
            libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, source, &mut event)
        };
        assert_eq!(failed, 0, "epoll_ctl: {}", io::Error::last_os_error());
    }

    /// Waits for something readable and gives back its keys.
    pub fn wait(&mut self) -> impl Iterator<Item = usize> + '_ {
        let room = self.events.len() as libc::c_int;
        // SAFETY: the buffer is ours, lives across the call, and `room` is its true length.
        let ready =
            unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), room, -1) };
        // -1 is EINTR here (no other error can occur): nothing ready, the caller asks again.
        self.events[..ready.max(0) as usize]
            .iter()
            .map(|event| event.u64 as usize)
    }
}
