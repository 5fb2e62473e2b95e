//! Which types can be sent and shared between threads, and which futures may move once polled:
//! `runtime`, `task`, `time`, `net`. (Those of `sync` and `io` are checked beside their tests.)

use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::rc::Rc;

use rt::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixListener, UnixStream};
use rt::runtime::{Builder, EnterGuard, Handle, Runtime, RuntimeMetrics};
use rt::task::{self, AbortHandle, JoinError, JoinHandle, JoinSet};
use rt::time::{self, Duration, Instant, Interval, Sleep, Timeout};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil as rt;

/// Neither `Send` nor `Sync`, `Send` only, both.
type Nn = Rc<u8>;
type Yn = Cell<u8>;
type Yy = u8;

/// Futures with the same three.
type B = Pin<Box<dyn Future<Output = ()>>>;
type Bs = Pin<Box<dyn Future<Output = ()> + Send>>;
type Bss = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

assert_impl_all!(Builder: Send, Sync, Unpin);
assert_impl_all!(Handle: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Runtime: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(RuntimeMetrics: Send, Sync, Unpin);
assert_impl_all!(EnterGuard<'static>: Sync, Unpin);
assert_not_impl_any!(EnterGuard<'static>: Send);

assert_impl_all!(JoinError: Send, Sync, Unpin);
assert_impl_all!(AbortHandle: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(JoinHandle<Yy>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(JoinHandle<Yn>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(JoinHandle<Nn>: Unpin, UnwindSafe, RefUnwindSafe);
assert_not_impl_any!(JoinHandle<Nn>: Send, Sync);
assert_impl_all!(JoinHandle<PhantomPinned>: Unpin);
assert_impl_all!(JoinSet<Yy>: Send, Sync, Unpin);
assert_impl_all!(JoinSet<Yn>: Send, Sync, Unpin);
assert_impl_all!(JoinSet<Nn>: Unpin);
assert_not_impl_any!(JoinSet<Nn>: Send, Sync);

assert_impl_all!(Interval: Send, Sync, Unpin);
assert_impl_all!(Instant: Send, Sync, Unpin);
assert_impl_all!(time::error::Elapsed: Send, Sync, Unpin);
assert_impl_all!(time::error::Error: Send, Sync, Unpin);
assert_impl_all!(Sleep: Send, Sync);
assert_not_impl_any!(Sleep: Unpin);
assert_impl_all!(Timeout<Bss>: Send, Sync);
assert_not_impl_any!(Timeout<Bss>: Unpin);
assert_impl_all!(Timeout<Bs>: Send);
assert_not_impl_any!(Timeout<Bs>: Sync, Unpin);
assert_not_impl_any!(Timeout<B>: Send, Sync, Unpin);

assert_impl_all!(TcpSocket: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(TcpListener: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(TcpStream: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(UdpSocket: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(UnixListener: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(UnixStream: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(rt::net::tcp::OwnedReadHalf: Send, Sync, Unpin);
assert_impl_all!(rt::net::tcp::OwnedWriteHalf: Send, Sync, Unpin);
assert_impl_all!(rt::net::tcp::ReadHalf<'static>: Send, Sync, Unpin);
assert_impl_all!(rt::net::tcp::WriteHalf<'static>: Send, Sync, Unpin);
assert_impl_all!(rt::net::tcp::ReuniteError: Send, Sync, Unpin);
assert_impl_all!(rt::net::unix::OwnedReadHalf: Send, Sync, Unpin);
assert_impl_all!(rt::net::unix::OwnedWriteHalf: Send, Sync, Unpin);
assert_impl_all!(rt::net::unix::ReadHalf<'static>: Send, Sync, Unpin);
assert_impl_all!(rt::net::unix::WriteHalf<'static>: Send, Sync, Unpin);
assert_impl_all!(rt::net::unix::ReuniteError: Send, Sync, Unpin);
assert_impl_all!(rt::net::unix::SocketAddr: Send, Sync, Unpin);

/// `Unpin` or not, told at compile time: the inherent method wins over the trait's.
struct Probe<T>(std::marker::PhantomData<T>);

#[allow(
    dead_code,
    reason = "the compiler takes the inherent ones where it can"
)]
trait Not {
    fn is_unpin(&self) -> bool {
        false
    }
    fn is_send(&self) -> bool {
        false
    }
    fn is_sync(&self) -> bool {
        false
    }
}

impl<T> Not for Probe<T> {}

fn probe<T>(_: &T) -> Probe<T> {
    Probe(std::marker::PhantomData)
}

impl<T: Unpin> Probe<T> {
    fn is_unpin(&self) -> bool {
        true
    }
}

impl<T: Send> Probe<T> {
    fn is_send(&self) -> bool {
        true
    }
}

impl<T: Sync> Probe<T> {
    fn is_sync(&self) -> bool {
        true
    }
}

/// The three of a value whose type has no name here, as `(Send, Sync, Unpin)`.
macro_rules! traits {
    ($value:expr) => {
        // A match: it keeps the temporaries of the expression alive.
        match $value {
            value => {
                let probe = probe(&value);
                (probe.is_send(), probe.is_sync(), probe.is_unpin())
            }
        }
    };
}

const BOTH: (bool, bool, bool) = (true, true, false);
const SEND: (bool, bool, bool) = (true, false, false);
const NONE: (bool, bool, bool) = (false, false, false);

#[test]
fn futures_of_task_and_time() {
    let rt = Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = rt.enter();
    assert_eq!(traits!(1), (true, true, true), "the probe sees them");
    assert_eq!(traits!(task::yield_now()), BOTH);
    assert_eq!(traits!(JoinSet::<Yy>::new().join_next()), BOTH);
    assert_eq!(traits!(JoinSet::<Yn>::new().join_next()), BOTH);
    assert_eq!(traits!(JoinSet::<Nn>::new().join_next()), NONE);
    assert_eq!(traits!(JoinSet::<Yy>::new().shutdown()), BOTH);
    assert_eq!(traits!(JoinSet::<Yn>::new().shutdown()), BOTH);
    assert_eq!(traits!(JoinSet::<Nn>::new().shutdown()), NONE);
    assert_eq!(traits!(time::sleep(Duration::ZERO)), BOTH);
    assert_eq!(traits!(time::sleep_until(Instant::now())), BOTH);
    assert_eq!(traits!(time::advance(Duration::ZERO)), BOTH);
    assert_eq!(traits!(time::interval(Duration::from_secs(1)).tick()), BOTH);
    let boxed: Bss = Box::pin(async {});
    assert_eq!(traits!(time::timeout(Duration::ZERO, boxed)), BOTH);
    let boxed: Bs = Box::pin(async {});
    assert_eq!(traits!(time::timeout_at(Instant::now(), boxed)), SEND);
    let boxed: B = Box::pin(async {});
    assert_eq!(traits!(time::timeout(Duration::ZERO, boxed)), NONE);
}

#[test]
fn futures_of_task_locals() {
    rt::task_local! {
        static YY: Yy;
        static YN: Yn;
        static NN: Nn;
    }
    let bss = || -> Bss { Box::pin(async {}) };
    let bs = || -> Bs { Box::pin(async {}) };
    let b = || -> B { Box::pin(async {}) };
    assert_eq!(traits!(YY.scope(1, bss())), BOTH);
    assert_eq!(traits!(YY.scope(1, bs())), SEND);
    assert_eq!(traits!(YY.scope(1, b())), NONE);
    assert_eq!(traits!(YN.scope(Cell::new(1), bss())), SEND);
    assert_eq!(traits!(YN.scope(Cell::new(1), bs())), SEND);
    assert_eq!(traits!(YN.scope(Cell::new(1), b())), NONE);
    assert_eq!(traits!(NN.scope(Rc::new(1), bss())), NONE);
}
