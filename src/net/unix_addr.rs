//! The address of a Unix socket: a path, a name in the abstract namespace, or nothing.
//!
//! Read next: `net/unix_stream.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as StdAddr;
use std::path::Path;

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

    /// The standard library's address.
    pub(crate) fn as_std(&self) -> &StdAddr {
        &self.0
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
