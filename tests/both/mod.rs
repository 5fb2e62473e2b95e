//! What the tests of the runtime share: both kinds of runtime, counted drops, planned panics, and
//! a limit for hangs.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::Write;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use trefoil::runtime::{Builder, Runtime};

/// A runtime of this thread only.
pub fn current() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime with `count` workers.
pub fn workers(count: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(count)
        .enable_all()
        .build()
        .unwrap()
}

/// Both kinds, in turn.
pub fn both() -> [Runtime; 2] {
    [current(), workers(2)]
}

/// Ends the process when a test hangs.
///
/// Only a limit: no test waits for it.
pub struct Watchdog(#[allow(dead_code, reason = "dropping it is the signal")] mpsc::Sender<()>);

/// Starts a watchdog for the length of the caller.
///
/// With `PLAIN_MALLOC` in the environment task memory is not recycled from here on, so that a
/// memory checker sees each block's end.
#[track_caller]
pub fn watchdog() -> Watchdog {
    if std::env::var_os("PLAIN_MALLOC").is_some() {
        trefoil::testing::set_block_cap(0);
    }
    let (alive, end) = mpsc::channel::<()>();
    let line = std::panic::Location::caller();
    std::thread::spawn(move || {
        if end.recv_timeout(Duration::from_secs(100)) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Not eprintln: the harness would keep it to itself.
            _ = writeln!(std::io::stderr(), "{line}: hangs\n{}", trefoil::dump());
            std::process::abort();
        }
    });
    Watchdog(alive)
}

/// Gives the processor away until `done`; panics when that never comes.
#[track_caller]
pub fn until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "never came true");
        std::thread::yield_now();
    }
}

/// Panics in a way that is not printed.
pub fn planned() -> ! {
    hush();
    panic!("planned");
}

/// Keeps panics with the text `planned` off stderr.
pub fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let planned = info
                .payload_as_str()
                .is_some_and(|text| text.starts_with("planned"));
            if !planned {
                before(info);
            }
        }));
    });
}

/// A number that several threads count up.
#[derive(Clone, Default, Debug)]
pub struct Tally(Arc<AtomicUsize>);

impl Tally {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Something whose drop is counted.
    pub fn guard(&self) -> Dropped {
        Dropped(self.clone())
    }
}

/// Counts its drop.
#[derive(Debug)]
pub struct Dropped(Tally);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// Calls a closure when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A waker that counts, and whose references can be counted.
#[derive(Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waker that does nothing.
pub fn deaf() -> Waker {
    Waker::noop().clone()
}

/// The text of a caught panic.
pub fn text(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}
