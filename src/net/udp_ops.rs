//! The futures of `UdpSocket`: one datagram each.
//!
//! Any number of them may wait on one socket; each datagram goes to one of them.
//! Read next: `net/unix_addr.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use pin_project_lite::pin_project;

use crate::io::evented::{Wait, Waiting};
use crate::io::read_buf::{ReadBuf, fill_spare};
use crate::net::addr::{Addrs, none_worked};
use crate::net::udp::UdpSocket;
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;

/// Waits to read from `socket`, on the user's line.
pub(crate) fn reading<'a>(socket: &'a UdpSocket, line: &'static Location<'static>) -> Waiting<'a> {
    Waiting::new(
        socket.registration(),
        Wait::of(Direction::Read, Kind::Read, line),
    )
}

/// Waits to write to `socket`, on the user's line.
pub(crate) fn writing<'a>(socket: &'a UdpSocket, line: &'static Location<'static>) -> Waiting<'a> {
    Waiting::new(
        socket.registration(),
        Wait::of(Direction::Write, Kind::Write, line),
    )
}

pin_project! {
    /// Future of [`UdpSocket::bind`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct BindUdp {
        pub(super) addrs: Addrs,
        pub(super) last: Option<io::Error>,
        pub(super) line: &'static Location<'static>,
        #[pin]
        pub(super) pinned: PhantomPinned,
    }
}

impl Future for BindUdp {
    type Output = io::Result<UdpSocket>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<UdpSocket>> {
        let this = self.project();
        while let Some(addr) = ready!(this.addrs.poll_next(cx, this.line))? {
            match UdpSocket::bind_addr(addr) {
                Ok(socket) => return Poll::Ready(Ok(socket)),
                Err(error) => *this.last = Some(error),
            }
        }
        Poll::Ready(Err(none_worked(this.last.take())))
    }
}

pin_project! {
    /// Future of [`UdpSocket::connect`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ConnectUdp<'a> {
        pub(super) socket: &'a UdpSocket,
        pub(super) addrs: Addrs,
        pub(super) last: Option<io::Error>,
        pub(super) line: &'static Location<'static>,
        #[pin]
        pub(super) pinned: PhantomPinned,
    }
}

impl Future for ConnectUdp<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        while let Some(addr) = ready!(this.addrs.poll_next(cx, this.line))? {
            // A datagram socket only notes the peer: connect(2) does not wait.
            match this.socket.get().connect(addr) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) => *this.last = Some(error),
            }
        }
        Poll::Ready(Err(none_worked(this.last.take())))
    }
}

pin_project! {
    /// Future of [`UdpSocket::send`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct SendDatagram<'a> {
        pub(super) socket: &'a UdpSocket,
        pub(super) buf: &'a [u8],
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl Future for SendDatagram<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let (socket, buf) = (this.socket.get(), *this.buf);
        this.waiting.poll_io(cx, || socket.send(buf))
    }
}

pin_project! {
    /// Future of [`UdpSocket::send_to`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct SendTo<'a> {
        pub(super) socket: &'a UdpSocket,
        pub(super) buf: &'a [u8],
        pub(super) addrs: Addrs,
        // The first of the addresses, once it is known.
        pub(super) target: Option<SocketAddr>,
        pub(super) line: &'static Location<'static>,
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl Future for SendTo<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let target = match *this.target {
            Some(target) => target,
            None => match ready!(this.addrs.poll_next(cx, this.line))? {
                Some(target) => *this.target.insert(target),
                None => return Poll::Ready(Err(none_worked(None))),
            },
        };
        let (socket, buf) = (this.socket.get(), *this.buf);
        this.waiting.poll_io(cx, || socket.send_to(buf, target))
    }
}

pin_project! {
    /// Future of [`UdpSocket::recv`] and [`UdpSocket::peek`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Recv<'a> {
        pub(super) socket: &'a UdpSocket,
        pub(super) buf: &'a mut [u8],
        // Leave the datagram where it is.
        pub(super) peek: bool,
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl Future for Recv<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let (socket, peek) = (this.socket.get(), *this.peek);
        this.waiting.poll_io(cx, || match peek {
            true => socket.peek(this.buf),
            false => socket.recv(this.buf),
        })
    }
}

pin_project! {
    /// Future of [`UdpSocket::recv_from`] and [`UdpSocket::peek_from`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvFrom<'a> {
        pub(super) socket: &'a UdpSocket,
        pub(super) buf: &'a mut [u8],
        // Leave the datagram where it is.
        pub(super) peek: bool,
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl Future for RecvFrom<'_> {
    type Output = io::Result<(usize, SocketAddr)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (socket, peek) = (this.socket.get(), *this.peek);
        this.waiting.poll_io(cx, || match peek {
            true => socket.peek_from(this.buf),
            false => socket.recv_from(this.buf),
        })
    }
}

pin_project! {
    /// Future of [`UdpSocket::peek_sender`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct PeekSender<'a> {
        pub(super) socket: &'a UdpSocket,
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl Future for PeekSender<'_> {
    type Output = io::Result<SocketAddr>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        let this = self.project();
        let socket = *this.socket;
        this.waiting.poll_io(cx, || socket.peek_sender_now())
    }
}

pin_project! {
    /// Future of [`UdpSocket::recv_buf`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvBuf<'a, B: ?Sized> {
        pub(super) socket: &'a UdpSocket,
        pub(super) buf: &'a mut B,
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl<B: BufMut + ?Sized> Future for RecvBuf<'_, B> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let socket = *this.socket;
        let waiting = this.waiting;
        fill_spare(&mut **this.buf, |buf: &mut ReadBuf<'_>| {
            waiting.poll_io(cx, || socket.recv_now(buf))
        })
    }
}

pin_project! {
    /// Future of [`UdpSocket::recv_buf_from`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvBufFrom<'a, B: ?Sized> {
        pub(super) socket: &'a UdpSocket,
        pub(super) buf: &'a mut B,
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl<B: BufMut + ?Sized> Future for RecvBufFrom<'_, B> {
    type Output = io::Result<(usize, SocketAddr)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let socket = *this.socket;
        let waiting = this.waiting;
        let mut from = None;
        let n = ready!(fill_spare(&mut **this.buf, |buf: &mut ReadBuf<'_>| {
            waiting
                .poll_io(cx, || socket.recv_from_now(buf))
                .map_ok(|addr| from = Some(addr))
        }))?;
        let from = from.ok_or(io::ErrorKind::InvalidData)?;
        Poll::Ready(Ok((n, from)))
    }
}
