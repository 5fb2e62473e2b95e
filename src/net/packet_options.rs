//! Options of the packets that a socket sends: the same for TCP and UDP.
//!
//! Read next: `net/tcp_socket_options.rs`.

#![forbid(unsafe_code)]

/// The methods, of a type that has a descriptor.
macro_rules! packet_options {
    ($Socket:ident) => {
        /// Options of packets. Each gives what getsockopt(2) or setsockopt(2) says when it fails.
        impl $Socket {
            /// The type-of-service byte of IPv4 packets (IP_TOS).
            ///
            /// # Errors
            ///
            /// As the system call.
            pub fn tos_v4(&self) -> ::std::io::Result<u32> {
                ::socket2::SockRef::from(self).tos_v4()
            }

            /// Sets the type-of-service byte of IPv4 packets (IP_TOS).
            ///
            /// # Errors
            ///
            /// As the system call.
            pub fn set_tos_v4(&self, tos: u32) -> ::std::io::Result<()> {
                ::socket2::SockRef::from(self).set_tos_v4(tos)
            }

            /// The old name of [`tos_v4`](Self::tos_v4).
            ///
            /// # Errors
            ///
            /// As the system call.
            #[deprecated(note = "use `tos_v4`, which says that IPv6 has another one")]
            pub fn tos(&self) -> ::std::io::Result<u32> {
                self.tos_v4()
            }

            /// The old name of [`set_tos_v4`](Self::set_tos_v4).
            ///
            /// # Errors
            ///
            /// As the system call.
            #[deprecated(note = "use `set_tos_v4`, which says that IPv6 has another one")]
            pub fn set_tos(&self, tos: u32) -> ::std::io::Result<()> {
                self.set_tos_v4(tos)
            }

            /// The traffic class of IPv6 packets (IPV6_TCLASS).
            ///
            /// # Errors
            ///
            /// As the system call.
            pub fn tclass_v6(&self) -> ::std::io::Result<u32> {
                ::socket2::SockRef::from(self).tclass_v6()
            }

            /// Sets the traffic class of IPv6 packets (IPV6_TCLASS).
            ///
            /// # Errors
            ///
            /// As the system call.
            pub fn set_tclass_v6(&self, tclass: u32) -> ::std::io::Result<()> {
                ::socket2::SockRef::from(self).set_tclass_v6(tclass)
            }

            /// The network device that it is bound to (SO_BINDTODEVICE).
            ///
            /// # Errors
            ///
            /// As the system call.
            pub fn device(&self) -> ::std::io::Result<Option<Vec<u8>>> {
                ::socket2::SockRef::from(self).device()
            }

            /// Binds it to one network device, or with `None` to none (SO_BINDTODEVICE).
            ///
            /// # Errors
            ///
            /// As the system call.
            pub fn bind_device(&self, interface: Option<&[u8]>) -> ::std::io::Result<()> {
                ::socket2::SockRef::from(self).bind_device(interface)
            }
        }
    };
}

pub(super) use packet_options;
