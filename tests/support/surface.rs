//! Checks of names, signatures and auto traits, for the tests called `surface_*`.
//!
//! Used with `#[path = "support/surface.rs"] #[macro_use] mod surface;`. The futures are made and
//! never polled.

#![allow(dead_code, reason = "each test file uses its part of it")]
#![allow(unused_macros, reason = "each test file uses its part of it")]

use std::future::Future;
use std::marker::PhantomData;

/// A future's type, to ask it a question that the compiler answers.
pub struct Probe<T>(PhantomData<T>);

/// The probe of a value.
pub fn probe<T>(_: &T) -> Probe<T> {
    Probe(PhantomData)
}

/// The answer for all types; the inherent method wins where it exists.
pub trait Pinned {
    fn is_unpin(&self) -> bool {
        false
    }
}

impl<T> Pinned for Probe<T> {}

impl<T: Unpin> Probe<T> {
    pub fn is_unpin(&self) -> bool {
        true
    }
}

/// Compiles for futures that give a `T` and may be sent and shared.
pub fn gives<T>(_: &(impl Future<Output = T> + Send + Sync)) {}

/// The call gives a future of this output that is `Send`, `Sync` and not `Unpin`.
macro_rules! awaits {
    ($($call:expr => $output:ty;)*) => {$(
        // A match: it keeps the temporaries of the expression alive.
        match $call {
            future => {
                $crate::surface::gives::<$output>(&future);
                #[allow(unused_imports, reason = "of those that are Unpin nobody asks the trait")]
                use $crate::surface::Pinned;
                assert!(!$crate::surface::probe(&future).is_unpin(), stringify!($call));
            }
        }
    )*};
}

/// The call compiles and gives this type; it is not made.
macro_rules! calls {
    ($($call:expr => $output:ty;)*) => {$(
        #[allow(unused_mut, reason = "some calls change what they are called on")]
        if std::hint::black_box(false) {
            let _: $output = $call;
        }
    )*};
}

/// The types are `Send`, `Sync` and `Unpin`.
macro_rules! plain_types {
    ($($named:ty),* $(,)?) => {$(
        static_assertions::assert_impl_all!($named: Send, Sync, Unpin);
    )*};
}
