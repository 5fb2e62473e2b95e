//! What all sockets have, word for word: methods that wait for readiness, and their descriptor.
//!
//! ```text
//!   readiness_methods!   readable  writable  ready  poll_*_ready  try_io  async_io
//!   descriptor!          AsFd  AsRawFd, of pipes too
//!   descriptor_and_debug!
//! ```
//!
//! Macros, because each type has these methods of its own, as in tokio: a trait would have to be
//! imported. The type has a field `io`, an [`Evented`](crate::io::evented::Evented).
//! Read next: `net/waits.rs`, the futures.

#![forbid(unsafe_code)]

/// The methods that wait for readiness: of a type, the names of its two `poll` methods, and what
/// makes an attempt worth a try.
macro_rules! readiness_methods {
    ($Socket:ident, $poll_read_ready:ident, $poll_write_ready:ident, $read:literal, $write:literal) => {
        /// Readiness.
        impl $Socket {
            #[doc = concat!("Waits until ", $read)]
            ///
            /// # Errors
            ///
            /// That the runtime has ended.
            ///
            /// # Cancel safety
            ///
            /// Safe: it takes nothing.
            #[track_caller]
            pub fn readable(&self) -> $crate::net::waits::Readable<'_> {
                let line = ::std::panic::Location::caller();
                $crate::net::waits::Readable::new(self.io.registration(), line)
            }

            #[doc = concat!("Waits until ", $write)]
            ///
            /// # Errors
            ///
            /// That the runtime has ended.
            ///
            /// # Cancel safety
            ///
            /// Safe: it takes nothing.
            #[track_caller]
            pub fn writable(&self) -> $crate::net::waits::Writable<'_> {
                let line = ::std::panic::Location::caller();
                $crate::net::waits::Writable::new(self.io.registration(), line)
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
            pub fn ready(
                &self,
                interest: $crate::io::Interest,
            ) -> $crate::net::waits::ReadyFor<'_> {
                let line = ::std::panic::Location::caller();
                $crate::net::waits::ReadyFor::new(self.io.registration(), interest, line)
            }

            /// Polls for [`readable`](Self::readable). One task at a time: the last one is woken.
            ///
            /// # Errors
            ///
            /// That the runtime has ended.
            #[track_caller]
            pub fn $poll_read_ready(
                &self,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let line = ::std::panic::Location::caller();
                self.io.registration().poll_read_ready(cx, line)
            }

            /// Polls for [`writable`](Self::writable). One task at a time: the last one is woken.
            ///
            /// # Errors
            ///
            /// That the runtime has ended.
            #[track_caller]
            pub fn $poll_write_ready(
                &self,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let line = ::std::panic::Location::caller();
                self.io.registration().poll_write_ready(cx, line)
            }

            /// Runs a system call of yours if `interest` is ready.
            ///
            /// When `attempt` gives `WouldBlock`, the readiness is cleared; so it must be the
            /// socket that said so.
            ///
            /// # Errors
            ///
            /// `WouldBlock` when it is not ready; what `attempt` gives.
            pub fn try_io<R>(
                &self,
                interest: $crate::io::Interest,
                attempt: impl FnOnce() -> ::std::io::Result<R>,
            ) -> ::std::io::Result<R> {
                self.io.registration().try_io(interest, attempt)
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
            pub fn async_io<R, F: FnMut() -> ::std::io::Result<R>>(
                &self,
                interest: $crate::io::Interest,
                attempt: F,
            ) -> $crate::net::waits::AsyncIo<'_, F> {
                let line = ::std::panic::Location::caller();
                $crate::net::waits::AsyncIo::new(self.io.registration(), interest, line, attempt)
            }
        }
    };
}

/// The descriptor of a type, to look at.
macro_rules! descriptor {
    ($Type:ident) => {
        impl ::std::os::fd::AsFd for $Type {
            fn as_fd(&self) -> ::std::os::fd::BorrowedFd<'_> {
                ::std::os::fd::AsFd::as_fd(self.io.get())
            }
        }

        impl ::std::os::fd::AsRawFd for $Type {
            fn as_raw_fd(&self) -> ::std::os::fd::RawFd {
                ::std::os::fd::AsRawFd::as_raw_fd(self.io.get())
            }
        }
    };
}

/// The same, and `Debug`, which shows the socket.
macro_rules! descriptor_and_debug {
    ($Socket:ident) => {
        $crate::net::socket_methods::descriptor!($Socket);

        impl ::std::fmt::Debug for $Socket {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&self.io, f)
            }
        }
    };
}

pub(crate) use {descriptor, descriptor_and_debug, readiness_methods};
