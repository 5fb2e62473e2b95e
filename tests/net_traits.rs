//! Send, Sync, Unpin and unwind safety of the sockets and of the futures of their methods.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use rt::io::unix::futures::{WaitFd, WaitFdMut};
use rt::io::unix::{
    AsyncFd, AsyncFdReadyGuard, AsyncFdReadyMutGuard, AsyncFdRegisterError, TryIoError,
};
use rt::net::futures::*;
use rt::net::{
    TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixSocket,
    UnixStream, tcp, unix,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil as rt;

/// A descriptor with the traits of `T`.
struct Fd<T>(T);

impl<T> AsRawFd for Fd<T> {
    fn as_raw_fd(&self) -> RawFd {
        unreachable!("only its type matters")
    }
}

/// `Send` and `Sync`.
type Yy = Fd<u8>;
/// `Send` only.
type Yn = Fd<Cell<u8>>;
/// Neither.
type Nn = Fd<Rc<u8>>;

macro_rules! sockets {
    ($($socket:ty),* $(,)?) => {$(
        assert_impl_all!($socket: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    )*};
}
sockets!(
    TcpListener,
    TcpSocket,
    TcpStream,
    UdpSocket,
    UnixDatagram,
    UnixListener,
    UnixSocket,
    UnixStream,
    unix::pipe::Sender,
    unix::pipe::Receiver,
);

macro_rules! types {
    ($($named:ty),* $(,)?) => {$( assert_impl_all!($named: Send, Sync, Unpin); )*};
}
types!(
    tcp::OwnedReadHalf,
    tcp::OwnedWriteHalf,
    tcp::ReadHalf<'static>,
    tcp::WriteHalf<'static>,
    tcp::ReuniteError,
    unix::OwnedReadHalf,
    unix::OwnedWriteHalf,
    unix::ReadHalf<'static>,
    unix::WriteHalf<'static>,
    unix::ReuniteError,
    unix::SocketAddr,
    unix::UCred,
    unix::pipe::OpenOptions,
    AsyncFd<Yy>,
    AsyncFdReadyGuard<'static, Yy>,
    AsyncFdReadyMutGuard<'static, Yy>,
    AsyncFdRegisterError<Yy>,
    TryIoError,
);

macro_rules! futures {
    ($($future:ty),* $(,)?) => {$(
        assert_impl_all!($future: Send, Sync);
        assert_not_impl_any!($future: Unpin);
    )*};
}
futures!(
    Bind,
    Accept<'static>,
    Connect,
    ConnectSocket,
    Peek<'static>,
    Readable<'static>,
    Writable<'static>,
    ReadyFor<'static>,
    BindUdp,
    ConnectUdp<'static>,
    Recv<'static>,
    RecvFrom<'static>,
    RecvBuf<'static, Vec<u8>>,
    RecvBufFrom<'static, Vec<u8>>,
    RecvFrom<'static, unix::SocketAddr>,
    RecvBufFrom<'static, Vec<u8>, unix::SocketAddr>,
    SendToPath<'static>,
    ConnectUnixSocket,
    SendDatagram<'static>,
    SendTo<'static>,
    PeekSender<'static>,
    LookupHost,
    AcceptUnix<'static>,
    ConnectUnix,
    WaitFd<'static, Yy>,
    WaitFdMut<'static, Yy>,
);

assert_impl_all!(AsyncFd<Yn>: Send, Unpin);
assert_not_impl_any!(AsyncFd<Yn>: Sync);
assert_not_impl_any!(AsyncFd<Nn>: Send, Sync);
assert_impl_all!(AsyncFdReadyMutGuard<'static, Yn>: Send, Unpin);
assert_not_impl_any!(AsyncFdReadyMutGuard<'static, Yn>: Sync);
assert_not_impl_any!(AsyncFdReadyMutGuard<'static, Nn>: Send, Sync);
assert_not_impl_any!(AsyncFdReadyGuard<'static, Yn>: Send, Sync);
assert_not_impl_any!(AsyncFdReadyGuard<'static, Nn>: Send, Sync);
assert_impl_all!(AsyncFdRegisterError<Yn>: Send, Unpin);
assert_not_impl_any!(AsyncFdRegisterError<Yn>: Sync);
assert_not_impl_any!(AsyncFdRegisterError<Nn>: Send, Sync);
assert_not_impl_any!(WaitFd<'static, Yn>: Send, Sync, Unpin);
assert_impl_all!(WaitFdMut<'static, Yn>: Send);
assert_not_impl_any!(WaitFdMut<'static, Yn>: Sync, Unpin);
assert_not_impl_any!(WaitFdMut<'static, Nn>: Send, Sync, Unpin);
assert_not_impl_any!(PhantomPinned: Unpin);

#[test]
fn the_table_holds_because_this_file_compiles() {}
