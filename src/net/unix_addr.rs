//! The address of a Unix socket: a path, a name in the abstract namespace, or nothing.
//!
//! Read next: `net/unix_stream.rs`.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as StdAddr;
use std::path::Path;

use socket2::SockAddr;

/// The address of a Unix socket.
///
/// ```
/// use trefoil::net::UnixStream;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let (a, _b) = UnixStream::pair()?;
/// assert!(a.local_addr()?.is_unnamed());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SocketAddr(StdAddr);

impl SocketAddr {
    /// True when the socket has no name: it was made as a pair, or never bound.
    pub fn is_unnamed(&self) -> bool {
        self.0.is_unnamed()
    }

    /// The path, if the name is one.
    pub fn as_pathname(&self) -> Option<&Path> {
        self.0.as_pathname()
    }

    /// The name in the abstract namespace, if it is one; see unix(7).
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        self.0.as_abstract_name()
    }
}

impl From<StdAddr> for SocketAddr {
    fn from(addr: StdAddr) -> Self {
        Self(addr)
    }
}

impl From<SocketAddr> for StdAddr {
    fn from(addr: SocketAddr) -> Self {
        addr.0
    }
}

impl fmt::Debug for SocketAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The address for socket2.
///
/// # Errors
///
/// When it has no name.
pub(crate) fn to_sock_addr(addr: &SocketAddr) -> io::Result<SockAddr> {
    if let Some(path) = addr.as_pathname() {
        return SockAddr::unix(path);
    }
    let Some(name) = addr.as_abstract_name() else {
        let why = "a Unix socket without a name cannot be connected or bound to";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    };
    // A leading zero byte marks an abstract name, for socket2 as for the kernel.
    SockAddr::unix(OsStr::from_bytes(&[b"\0", name].concat()))
}

/// The address that socket2 was told.
///
/// # Errors
///
/// When it is longer than the system's own limit, so never.
pub(crate) fn from_sock_addr(addr: &SockAddr) -> io::Result<SocketAddr> {
    let addr = match (addr.as_pathname(), addr.as_abstract_namespace()) {
        (Some(path), _) => StdAddr::from_pathname(path),
        (None, Some(name)) => StdAddr::from_abstract_name(name),
        // std's way to say "unnamed".
        (None, None) => StdAddr::from_pathname(""),
    };
    addr.map(SocketAddr)
}
