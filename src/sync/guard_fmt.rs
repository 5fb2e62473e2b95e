//! A guard is shown as the value that it guards.
//!
//! Read next: `sync/mutex.rs`.

#![forbid(unsafe_code)]

/// `Debug` and `Display` of guards: their generics, their type, and the type of the value.
macro_rules! shown_as_value {
    ($([$($generics:tt)*] $Guard:ty => $Value:ident;)+) => {$(
        impl<$($generics)*> ::std::fmt::Debug for $Guard
        where
            $Value: ::std::fmt::Debug,
        {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&**self, f)
            }
        }

        impl<$($generics)*> ::std::fmt::Display for $Guard
        where
            $Value: ::std::fmt::Display,
        {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&**self, f)
            }
        }
    )+};
}

pub(super) use shown_as_value;
