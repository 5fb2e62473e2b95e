//! What can be connected or bound to: `ToSocketAddrs`, and names looked up on the blocking pool.
//!
//! ```text
//!   an address, a slice ────────────────────────────► Addrs: one after the other
//!   "127.0.0.1:80", ("::1", 80) ──── parsed ─────────► Addrs
//!   "localhost:80" ──► first poll: spawn_blocking ──► getaddrinfo(3) ──► Addrs
//! ```
//!
//! The question is taken apart at the call, which asks nobody; the look-up starts at the first
//! poll. getaddrinfo(3) blocks and reads files, so it gets a thread; an address costs none.
//! Read next: `net/tcp_stream.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use pin_project_lite::pin_project;

use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;
use crate::task::join::JoinHandle;
use crate::task::spawn::spawn_blocking;

/// What names one or several socket addresses: an address, a slice of them, `"host:port"`, or a
/// host and a port.
///
/// A host name is looked up on the blocking pool; each answer is tried in turn. The trait is
/// sealed: it is implemented here and nowhere else.
///
/// ```
/// use trefoil::net::lookup_host;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let mut addrs = lookup_host(("127.0.0.1", 80)).await?;
/// assert_eq!(addrs.next(), Some(([127, 0, 0, 1], 80).into()));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait ToSocketAddrs: sealed::Ask {}

/// Keeps the trait's method, and its implementors, in this crate.
pub(crate) mod sealed {
    use super::Addrs;

    /// The method behind `ToSocketAddrs`.
    pub trait Ask {
        /// Takes the question apart; asks nobody.
        fn ask(&self) -> Addrs;
    }
}

/// Addresses to try, known or still to be looked up.
#[derive(Debug)]
pub enum Addrs {
    /// One, or none any more.
    One(Option<SocketAddr>),
    /// Several.
    Many(vec::IntoIter<SocketAddr>),
    /// A name that nobody has looked up yet, and the port.
    Name(String, u16),
    /// A name that is being looked up.
    Asked(JoinHandle<io::Result<vec::IntoIter<SocketAddr>>>),
    /// Not even a question.
    Bad(&'static str),
}

impl Addrs {
    /// Waits until the addresses are known.
    fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self {
                Self::One(_) | Self::Many(_) => return Poll::Ready(Ok(())),
                Self::Bad(why) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidInput, *why)));
                }
                Self::Name(host, port) => {
                    let question = (std::mem::take(host), *port);
                    *self = Self::Asked(spawn_blocking(move || {
                        std::net::ToSocketAddrs::to_socket_addrs(&question)
                    }));
                }
                Self::Asked(lookup) => {
                    let answer = ready!(Pin::new(lookup).poll(cx));
                    match answer.unwrap_or_else(|error| Err(io::Error::other(error))) {
                        Ok(addrs) => *self = Self::Many(addrs),
                        Err(error) => {
                            *self = Self::One(None);
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            }
        }
    }

    /// The next address to try; `None` after the last.
    ///
    /// # Errors
    ///
    /// When it is no address, or the look-up fails.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
    ) -> Poll<io::Result<Option<SocketAddr>>> {
        ready!(at_line(line, Kind::BlockingJob, || self.poll_known(cx)))?;
        Poll::Ready(Ok(self.next_known()))
    }

    /// The next of the known addresses.
    fn next_known(&mut self) -> Option<SocketAddr> {
        match self {
            Self::One(addr) => addr.take(),
            Self::Many(addrs) => addrs.next(),
            Self::Name(..) | Self::Asked(_) | Self::Bad(_) => None,
        }
    }
}

/// The error when all addresses were tried, or there was none.
pub(crate) fn none_worked(last: Option<io::Error>) -> io::Error {
    last.unwrap_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name has no address to try",
        )
    })
}

/// A host and a port: an address if the host is a number, else a name.
fn host_and_port(host: &str, port: u16) -> Addrs {
    match host.parse::<IpAddr>() {
        Ok(ip) => Addrs::One(Some((ip, port).into())),
        Err(_) => Addrs::Name(host.to_owned(), port),
    }
}

impl ToSocketAddrs for SocketAddr {}
impl sealed::Ask for SocketAddr {
    fn ask(&self) -> Addrs {
        Addrs::One(Some(*self))
    }
}

impl ToSocketAddrs for SocketAddrV4 {}
impl sealed::Ask for SocketAddrV4 {
    fn ask(&self) -> Addrs {
        Addrs::One(Some((*self).into()))
    }
}

impl ToSocketAddrs for SocketAddrV6 {}
impl sealed::Ask for SocketAddrV6 {
    fn ask(&self) -> Addrs {
        Addrs::One(Some((*self).into()))
    }
}

impl ToSocketAddrs for (IpAddr, u16) {}
impl sealed::Ask for (IpAddr, u16) {
    fn ask(&self) -> Addrs {
        Addrs::One(Some((*self).into()))
    }
}

impl ToSocketAddrs for (Ipv4Addr, u16) {}
impl sealed::Ask for (Ipv4Addr, u16) {
    fn ask(&self) -> Addrs {
        Addrs::One(Some((*self).into()))
    }
}

impl ToSocketAddrs for (Ipv6Addr, u16) {}
impl sealed::Ask for (Ipv6Addr, u16) {
    fn ask(&self) -> Addrs {
        Addrs::One(Some((*self).into()))
    }
}

impl ToSocketAddrs for &[SocketAddr] {}
impl sealed::Ask for &[SocketAddr] {
    fn ask(&self) -> Addrs {
        Addrs::Many(Vec::from(*self).into_iter())
    }
}

impl ToSocketAddrs for str {}
impl sealed::Ask for str {
    fn ask(&self) -> Addrs {
        if let Ok(addr) = self.parse() {
            return Addrs::One(Some(addr));
        }
        match self.rsplit_once(':') {
            None => Addrs::Bad("not a socket address: a port is missing (host:port)"),
            Some((host, port)) => match port.parse() {
                Ok(port) => Addrs::Name(host.to_owned(), port),
                Err(_) => Addrs::Bad("not a socket address: the port is no number from 0 to 65535"),
            },
        }
    }
}

impl ToSocketAddrs for (&str, u16) {}
impl sealed::Ask for (&str, u16) {
    fn ask(&self) -> Addrs {
        host_and_port(self.0, self.1)
    }
}

impl ToSocketAddrs for String {}
impl sealed::Ask for String {
    fn ask(&self) -> Addrs {
        self.as_str().ask()
    }
}

impl ToSocketAddrs for (String, u16) {}
impl sealed::Ask for (String, u16) {
    fn ask(&self) -> Addrs {
        host_and_port(&self.0, self.1)
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}
impl<T: sealed::Ask + ?Sized> sealed::Ask for &T {
    fn ask(&self) -> Addrs {
        (**self).ask()
    }
}

/// Looks up the addresses of a host.
///
/// The answer may hold addresses of both families, in the system's order of preference.
///
/// # Errors
///
/// When `host` is no address and no name that can be resolved.
///
/// # Panics
///
/// When polled outside of a runtime, for a name.
///
/// # Cancel safety
///
/// Safe: dropped early, the answer is thrown away (the look-up itself goes on to its end).
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// for addr in trefoil::net::lookup_host("localhost:80").await? {
///     assert!(addr.ip().is_loopback());
/// }
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn lookup_host<T: ToSocketAddrs>(host: T) -> LookupHost {
    LookupHost {
        addrs: Some(host.ask()),
        line: Location::caller(),
        pinned: PhantomPinned,
    }
}

pin_project! {
    /// Future of [`lookup_host`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct LookupHost {
        addrs: Option<Addrs>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Future for LookupHost {
    type Output = io::Result<SocketAddrs>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddrs>> {
        let this = self.project();
        let addrs = this
            .addrs
            .as_mut()
            .expect("lookup_host polled after it was done");
        ready!(at_line(this.line, Kind::BlockingJob, || addrs.poll_known(cx)))?;
        let known = this.addrs.take().unwrap_or(Addrs::One(None));
        Poll::Ready(Ok(SocketAddrs(known)))
    }
}

/// The addresses that [`lookup_host`] found.
#[derive(Debug)]
pub struct SocketAddrs(Addrs);

impl Iterator for SocketAddrs {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.0.next_known()
    }
}
