//! A child process, made by clone(VM, VFORK, PIDFD) and exec.
//!
//! ```text
//!   parent                                child, in the parent's memory, on a stack of its own
//!   block all signals
//!   clone ──── suspended ────────────────► 1 handlers to default    4 empty signal mask
//!     │                                    2 `Setup::apply`         5 filter of system calls
//!     │                                    3 CLOEXEC above 4        6 exec: memory of its own
//!     ◄──── exec went well, or exit ─────────┘        │ a step fails: step and errno to `Shared`
//!   mask as before; the pidfd came with clone         └─► exit_group(127)
//! ```
//!
//! What may run between clone and exec, where the parent's other threads run on in the same memory:
//!
//! | allowed | forbidden, and why |
//! |---|---|
//! | raw system calls on values made before | taking memory: malloc's lock may be held |
//! | reading the `Plan` | any lock: its holder may be a thread that waits for us |
//! | writing `Shared`, volatile | a panic: it would unwind the parent's stack |
//! | errno, which is the suspended caller's | exit handlers: `exit_group` runs none |
//!
//! Why not std's `Command`: with any set-up of ours it forks, and that costs 100 ms a GiB.
//! Read next: `sys/pidfd.rs`.

#![allow(
    unsafe_code,
    reason = "clone and what must happen between it and exec; std has none of it"
)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::sys::call::check;
use crate::sys::pidfd::Child;
use crate::sys::setup::{Setup, close_range};
use crate::sys::step::Step;

/// The child's stack. Unit: bytes. Effect: room for the few calls of [`child`]; a guard page is
/// added. Not tuned.
const STACK: usize = 64 << 10;
/// The guard page below the stack. Unit: bytes; the larger page size of aarch64 fits, too.
const GUARD: usize = 64 << 10;

/// What is executed.
pub(crate) enum Program<'a> {
    /// An `O_PATH` descriptor: the same file, whatever has its name by now. No script: its
    /// interpreter could not open it.
    Open(RawFd),
    /// A path; may be a script.
    Named(&'a CString),
}

/// All that the child needs, made before the clone.
pub(crate) struct Plan<'a> {
    /// The program.
    pub(crate) program: Program<'a>,
    /// Its arguments.
    pub(crate) args: &'a [CString],
    /// Its environment, `NAME=value`.
    pub(crate) env: &'a [CString],
    /// What the child does to itself.
    pub(crate) setup: &'a Setup,
}

/// What crosses to the child: pointers into a [`Plan`], and the answer.
struct Shared<'a> {
    plan: *const Plan<'a>,
    argv: *const *const c_char,
    envp: *const *const c_char,
    step: c_int,
    errno: c_int,
}

/// A mapping that goes away with its owner.
struct Stack(*mut c_void);

impl Stack {
    /// A fresh stack above a page that nobody may touch.
    fn new() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let (len, none) = (STACK + GUARD, libc::PROT_NONE);
        // SAFETY: a new mapping at an address of the kernel's choice harms nobody.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, none, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self(base);
        let usable = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: inside the mapping made above, which nobody else knows.
        check(unsafe { libc::mprotect(base.wrapping_byte_add(GUARD), STACK, usable) })?;
        Ok(stack)
    }

    /// Its upper end: stacks grow down on both architectures.
    fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(GUARD + STACK)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: made by `new` with this length; the child has left it (CLONE_VFORK).
        _ = unsafe { libc::munmap(self.0, STACK + GUARD) };
    }
}

/// Pointers to the texts, and a null.
fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    let ends = std::iter::once(ptr::null());
    texts.iter().map(|text| text.as_ptr()).chain(ends).collect()
}

/// Starts the child of a plan.
///
/// # Errors
///
/// The step that failed, and how; no child is left then.
pub(crate) fn start(plan: &Plan<'_>) -> Result<Child, (Step, io::Error)> {
    let (argv, envp) = (pointers(plan.args), pointers(plan.env));
    let stack = Stack::new().map_err(|error| (Step::Clone, error))?;
    let mut shared = Shared {
        plan,
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        step: 0,
        errno: 0,
    };
    let mut pidfd: c_int = -1;
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset(3) writes the whole set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // A handler of the parent's must not run in the child, in the parent's memory.
    // SAFETY: both are places for a set, and the first was filled.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let (argument, top) = ((&raw mut shared).cast(), stack.top());
    // SAFETY: `child` runs on a stack of its own and only makes system calls; this thread is
    // suspended until it execs or exits, so `shared` and what it points to stay valid and still.
    let pid = check(unsafe { libc::clone(child, top, flags, argument, &raw mut pidfd) });
    // SAFETY: `before` was written by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    let pid = pid.map_err(|error| (Step::Clone, error))?;
    // SAFETY: clone succeeded with CLONE_PIDFD: an open descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // From here on every way out reaps it.
    let child = Child::new(pid, pidfd);
    // SAFETY: a field of a local; volatile, since the child wrote it unseen by the compiler.
    let step = unsafe { (&raw const shared.step).read_volatile() };
    if step == 0 {
        return Ok(child);
    }
    // SAFETY: as for `step`.
    let errno = unsafe { (&raw const shared.errno).read_volatile() };
    Err((Step::from_number(step), io::Error::from_raw_os_error(errno)))
}

/// Tells which step failed, and leaves without running anything of the parent's.
fn leave(shared: *mut Shared<'_>, step: Step) -> ! {
    // SAFETY: it has no precondition (errno(3)).
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: errno of the suspended parent thread, whose thread-locals we share.
    let errno = unsafe { *errno };
    // SAFETY: the parent's local, which it does not touch while it is suspended.
    let shared = unsafe { &mut *shared };
    // Volatile: the parent reads it behind the compiler's back.
    // SAFETY: a field of a live struct.
    unsafe { (&raw mut shared.errno).write_volatile(errno) };
    // SAFETY: as above.
    unsafe { (&raw mut shared.step).write_volatile(step as c_int) };
    loop {
        // SAFETY: exit_group(2) has no precondition; no exit handler of libc runs.
        unsafe { libc::syscall(libc::SYS_exit_group, 127) };
    }
}

/// The child, from clone to exec.
extern "C" fn child(shared: *mut c_void) -> c_int {
    let shared: *mut Shared<'_> = shared.cast();
    // SAFETY: the parent's local, which it does not touch while it is suspended.
    let Shared {
        plan, argv, envp, ..
    } = unsafe { shared.read() };
    // SAFETY: `start` keeps the plan alive until this child has left its memory.
    let plan = unsafe { &*plan };
    let must = |step: Step, result: c_int| {
        if result == -1 {
            leave(shared, step);
        }
    };
    default_handlers();
    if let Err(step) = plan.setup.apply() {
        leave(shared, step);
    }
    // CLOEXEC instead of closing: the program's own descriptor is among them until exec.
    must(
        Step::CloseRange,
        close_range(5, u32::MAX, libc::CLOSE_RANGE_CLOEXEC),
    );
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset(3) writes the whole set.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: written just above; the mask survives exec, so it is emptied here.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) };
    // The last step: what a filter forbids may be needed above.
    must(Step::Seccomp, plan.setup.filter());
    let (dir, path, flags) = match &plan.program {
        Program::Open(fd) => (*fd, c"".as_ptr(), libc::AT_EMPTY_PATH),
        Program::Named(path) => (libc::AT_FDCWD, path.as_ptr(), 0),
    };
    // SAFETY: both lists end with null, and all texts live in the plan.
    unsafe { libc::syscall(libc::SYS_execveat, dir, path, argv, envp, flags) };
    leave(shared, Step::Exec)
}

/// No handler of the parent's, and nothing ignored: SIG_IGN would survive exec.
fn default_handlers() {
    // SAFETY: integers and an optional function pointer: zeros are valid, and mean SIG_DFL.
    let default: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    for signal in 1..=64 {
        // Those that cannot be changed say EINVAL: they are as they must be.
        // SAFETY: `default` outlives the call; the table of handlers is the child's copy.
        unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
    }
}

/// The same at number 5 or above, so that it can be a source in a plan.
///
/// # Errors
///
/// EMFILE.
pub(crate) fn raised(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= 5 {
        return Ok(fd);
    }
    // SAFETY: fcntl(2) with an integer argument.
    let raw = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 5) })?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Opens a file only to name it in a [`Plan`]; at number 5 or above.
///
/// # Errors
///
/// What open(2) says.
pub(crate) fn open_program(path: &std::path::Path) -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC);
    raised(options.open(path)?.into())
}

/// Lets exec close a descriptor.
pub(crate) fn close_on_exec(fd: RawFd) {
    // SAFETY: fcntl(2) with an integer argument.
    _ = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Makes reads and writes of a pipe's end return at once.
///
/// # Errors
///
/// What fcntl(2) says.
pub(crate) fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    let flags = libc::O_NONBLOCK;
    // SAFETY: fcntl(2) with an integer argument; a fresh pipe has no other flag to keep.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) })?;
    Ok(())
}
