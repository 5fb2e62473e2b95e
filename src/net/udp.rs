//! `UdpSocket`: datagrams, each sent and received whole.
//!
//! A datagram socket has no end and no short reads: only WouldBlock says that nothing is there.
//! An error that the network reports (nobody listens there: ECONNREFUSED) arrives at the next
//! call, also at one that waits to receive.
//! Read next: `net/udp_ops.rs`, the futures.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::marker::PhantomPinned;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::task::{Context, Poll};

use bytes::BufMut;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::io::evented::{Evented, Registration, Wait};
use crate::io::interest::Interest;
use crate::io::read_buf::{ReadBuf, fill_spare};
use crate::net::addr::{Addrs, ToSocketAddrs};
use crate::net::receive::{peek_from, receive, receive_from};
use crate::net::udp_ops::{
    BindUdp, ConnectUdp, PeekSender, Recv, RecvBuf, RecvBufFrom, RecvFrom, SendDatagram, SendTo,
    reading, writing,
};
use crate::net::waits::{AsyncIo, Readable, ReadyFor, Writable};
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;

/// A UDP socket.
///
/// All methods take `&self`: share it in an `Arc` to send in one task and receive in another.
///
/// ```
/// use trefoil::net::UdpSocket;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"ping", server.local_addr()?).await?;
/// let mut buf = [0; 16];
/// let (n, from) = server.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..n], from), (&b"ping"[..], client.local_addr()?));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UdpSocket {
    io: Evented<StdSocket>,
}

/// Making one.
impl UdpSocket {
    /// Binds to the first of `addr`'s addresses that works; port 0 lets the kernel choose.
    ///
    /// # Errors
    ///
    /// What bind(2) says of the last address; that `addr` is none.
    ///
    /// # Panics
    ///
    /// When polled outside of a runtime, or in one without I/O.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has bound nothing.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> BindUdp {
        BindUdp {
            addrs: addr.ask(),
            last: None,
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Binds at once.
    pub(super) fn bind_addr(addr: SocketAddr) -> io::Result<Self> {
        let kind = Type::DGRAM.nonblocking();
        let socket = Socket::new(Domain::for_address(addr), kind, Some(Protocol::UDP))?;
        socket.bind(&addr.into())?;
        Self::registered(socket.into(), "UdpSocket::bind")
    }

    /// Registers a socket that is non-blocking.
    #[track_caller]
    fn registered(socket: StdSocket, what: &str) -> io::Result<Self> {
        let io = Evented::new(socket, what)?;
        // Its send buffer is empty; and a wrong guess costs one system call.
        io.registration().assume_writable();
        Ok(Self { io })
    }

    /// Takes over a socket of the standard library; makes it non-blocking.
    ///
    /// tokio differs: there the caller must have done that.
    ///
    /// # Errors
    ///
    /// What fcntl(2) or epoll_ctl(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn from_std(socket: StdSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::registered(socket, "UdpSocket::from_std")
    }

    /// Gives the socket to the standard library; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<StdSocket> {
        Ok(self.io.into_io())
    }

    /// Notes a peer: `send` sends to it, and only its datagrams are received.
    ///
    /// # Errors
    ///
    /// What connect(2) says of the last address; that `addr` is none.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, no peer is noted.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> ConnectUdp<'_> {
        ConnectUdp {
            socket: self,
            addrs: addr.ask(),
            last: None,
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// The peer that [`connect`](Self::connect) has noted.
    ///
    /// # Errors
    ///
    /// What getpeername(2) says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().peer_addr()
    }

    /// The socket beneath.
    pub(super) fn get(&self) -> &StdSocket {
        self.io.get()
    }

    /// Where it waits.
    pub(super) fn registration(&self) -> &Registration {
        self.io.registration()
    }
}

/// Readiness.
impl UdpSocket {
    /// Waits until a receive is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn readable(&self) -> Readable<'_> {
        Readable::new(self.registration(), Location::caller())
    }

    /// Waits until a send is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn writable(&self) -> Writable<'_> {
        Writable::new(self.registration(), Location::caller())
    }

    /// Waits until something of `interest` is ready, and tells what.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn ready(&self, interest: Interest) -> ReadyFor<'_> {
        ReadyFor::new(self.registration(), interest, Location::caller())
    }

    /// Polls for [`readable`](Self::readable). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Read, Kind::Read, Location::caller());
        self.registration()
            .poll_ready(cx, &wait, None)
            .map_ok(|_| ())
    }

    /// Polls for [`writable`](Self::writable). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Write, Kind::Write, Location::caller());
        self.registration()
            .poll_ready(cx, &wait, None)
            .map_ok(|_| ())
    }

    /// Runs a system call of yours if `interest` is ready.
    ///
    /// When `attempt` gives `WouldBlock`, the readiness is cleared; so it must be the socket that
    /// said so.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when it is not ready; what `attempt` gives.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        attempt: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration().try_io(interest, attempt)
    }

    /// Runs a system call of yours each time `interest` is ready, until it does not block.
    ///
    /// # Errors
    ///
    /// What `attempt` gives, but `WouldBlock`; that the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe if `attempt` is: it runs within one poll.
    #[track_caller]
    pub fn async_io<R, F: FnMut() -> io::Result<R>>(
        &self,
        interest: Interest,
        attempt: F,
    ) -> AsyncIo<'_, F> {
        AsyncIo::new(self.registration(), interest, Location::caller(), attempt)
    }

    /// Polls for one of our own system calls in the direction's slot.
    #[track_caller]
    fn poll_own<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        attempt: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let kind = match direction {
            Direction::Read => Kind::Read,
            Direction::Write => Kind::Write,
        };
        let wait = Wait::of(direction, kind, Location::caller());
        self.registration()
            .poll_io(cx, &wait, None, attempt, |_| false)
    }

    /// Tries one of our own system calls once.
    fn try_own<R>(
        &self,
        direction: Direction,
        attempt: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration().try_now(direction, attempt, |_| false)
    }
}

/// Sending.
impl UdpSocket {
    /// Sends a datagram to the peer; gives its length.
    ///
    /// # Errors
    ///
    /// What send(2) says; `NotConnected` without a peer.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, nothing was sent.
    #[track_caller]
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> SendDatagram<'a> {
        SendDatagram {
            socket: self,
            buf,
            waiting: writing(self, Location::caller()),
        }
    }

    /// Polls for [`send`](Self::send). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_own(cx, Direction::Write, || self.get().send(buf))
    }

    /// Sends a datagram to the peer, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; what send(2) says.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_own(Direction::Write, || self.get().send(buf))
    }

    /// Sends a datagram to `target`, the first of its addresses; gives its length.
    ///
    /// # Errors
    ///
    /// What sendto(2) says; that `target` is no address.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, nothing was sent.
    #[track_caller]
    pub fn send_to<'a, A: ToSocketAddrs>(&'a self, buf: &'a [u8], target: A) -> SendTo<'a> {
        let addrs: Addrs = target.ask();
        let waiting = writing(self, Location::caller());
        SendTo {
            socket: self,
            buf,
            addrs,
            target: None,
            line: Location::caller(),
            waiting,
        }
    }

    /// Polls for [`send_to`](Self::send_to). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// What sendto(2) says.
    #[track_caller]
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll_own(cx, Direction::Write, || self.get().send_to(buf, target))
    }

    /// Sends a datagram to `target`, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; what sendto(2) says.
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.try_own(Direction::Write, || self.get().send_to(buf, target))
    }
}

/// Receiving.
impl UdpSocket {
    /// Receives a datagram from the peer; gives its length. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// What recv(2) says.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv {
            socket: self,
            buf,
            peek: false,
            waiting: reading(self, Location::caller()),
        }
    }

    /// Polls for [`recv`](Self::recv). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_own(cx, Direction::Read, || self.recv_now(buf))
    }

    /// Receives a datagram from the peer, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; what recv(2) says.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_own(Direction::Read, || self.get().recv(buf))
    }

    /// As [`recv`](Self::recv), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn recv_buf<'a, B: BufMut + ?Sized>(&'a self, buf: &'a mut B) -> RecvBuf<'a, B> {
        RecvBuf {
            socket: self,
            buf,
            waiting: reading(self, Location::caller()),
        }
    }

    /// As [`try_recv`](Self::try_recv), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_recv_buf<B: BufMut + ?Sized>(&self, buf: &mut B) -> io::Result<usize> {
        now(fill_spare(buf, |buf| {
            Poll::Ready(self.try_own(Direction::Read, || self.recv_now(buf)))
        }))
    }

    /// Receives a datagram; gives its length and its sender. What does not fit is lost.
    ///
    /// # Errors
    ///
    /// What recvfrom(2) says.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a> {
        RecvFrom {
            socket: self,
            buf,
            peek: false,
            waiting: reading(self, Location::caller()),
        }
    }

    /// Polls for [`recv_from`](Self::recv_from). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_own(cx, Direction::Read, || self.recv_from_now(buf))
    }

    /// Receives a datagram and its sender, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; what recvfrom(2) says.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_own(Direction::Read, || self.get().recv_from(buf))
    }

    /// As [`recv_from`](Self::recv_from), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn recv_buf_from<'a, B: BufMut + ?Sized>(&'a self, buf: &'a mut B) -> RecvBufFrom<'a, B> {
        RecvBufFrom {
            socket: self,
            buf,
            waiting: reading(self, Location::caller()),
        }
    }

    /// As [`try_recv_from`](Self::try_recv_from), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_recv_buf_from<B: BufMut + ?Sized>(
        &self,
        buf: &mut B,
    ) -> io::Result<(usize, SocketAddr)> {
        let mut from: io::Result<SocketAddr> = Err(io::ErrorKind::InvalidData.into());
        let n = now(fill_spare(buf, |buf| {
            let received = self.try_own(Direction::Read, || self.recv_from_now(buf));
            Poll::Ready(received.map(|addr| from = Ok(addr)))
        }))?;
        Ok((n, from?))
    }

    /// recv(2).
    pub(super) fn recv_now(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        receive(self.get(), buf).map(|_| ())
    }

    /// recvfrom(2).
    pub(super) fn recv_from_now(&self, buf: &mut ReadBuf<'_>) -> io::Result<SocketAddr> {
        addr_of(&receive_from(self.get(), buf)?.1)
    }
}

/// Looking at the next datagram without taking it.
impl UdpSocket {
    /// As [`recv`](Self::recv), and leaves the datagram where it is.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv {
            socket: self,
            buf,
            peek: true,
            waiting: reading(self, Location::caller()),
        }
    }

    /// Polls for [`peek`](Self::peek). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_own(cx, Direction::Read, || {
            peek_from(self.get(), buf).map(|_| ())
        })
    }

    /// As [`try_recv`](Self::try_recv), and leaves the datagram where it is.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_own(Direction::Read, || self.get().peek(buf))
    }

    /// As [`recv_from`](Self::recv_from), and leaves the datagram where it is.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a> {
        RecvFrom {
            socket: self,
            buf,
            peek: true,
            waiting: reading(self, Location::caller()),
        }
    }

    /// Polls for [`peek_from`](Self::peek_from). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_own(cx, Direction::Read, || {
            addr_of(&peek_from(self.get(), buf)?.1)
        })
    }

    /// As [`try_recv_from`](Self::try_recv_from), and leaves the datagram where it is.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_own(Direction::Read, || self.get().peek_from(buf))
    }

    /// Waits for a datagram, and tells its sender without taking it.
    ///
    /// # Errors
    ///
    /// What recvfrom(2) says.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn peek_sender(&self) -> PeekSender<'_> {
        PeekSender {
            socket: self,
            waiting: reading(self, Location::caller()),
        }
    }

    /// Polls for [`peek_sender`](Self::peek_sender). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_own(cx, Direction::Read, || self.peek_sender_now())
    }

    /// Tells the sender of the next datagram, without waiting and without taking it.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; what recvfrom(2) says.
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.try_own(Direction::Read, || self.peek_sender_now())
    }

    /// recvfrom(2) without room for bytes.
    pub(super) fn peek_sender_now(&self) -> io::Result<SocketAddr> {
        addr_of(&SockRef::from(self.get()).peek_sender()?)
    }
}

/// The address of a datagram's sender.
fn addr_of(addr: &SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket()
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The result of something that does not wait.
fn now<R>(result: Poll<io::Result<R>>) -> io::Result<R> {
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl TryFrom<StdSocket> for UdpSocket {
    type Error = io::Error;

    /// As [`UdpSocket::from_std`].
    #[track_caller]
    fn try_from(socket: StdSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get().as_fd()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get().as_raw_fd()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}
