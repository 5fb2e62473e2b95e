//! One door to the sync types, so that a model checker can stand behind it.
//!
//! ```text
//!   cargo build                          std's atomics, Mutex, Arc; crossbeam's deque; membarrier(2)
//!   RUSTFLAGS="--cfg trefoil_loom"       loom's, which try every interleaving of a small test;
//!                                        a deque of a mutex and a VecDeque
//! ```
//!
//! Only the protocol files (marked A in DESIGN.md), the parker, parts/steal and the worker loops
//! come through here; everything else uses std directly and is not modelled.
//! Not `cfg(loom)`: tokio and hyper, which are dev-dependencies, do not build under it.
//! Read next: `parts/parker.rs`, the smallest file that uses it.

#![forbid(unsafe_code)]

#[cfg(not(trefoil_loom))]
pub(crate) use std_side::*;

#[cfg(trefoil_loom)]
pub(crate) use loom_side::*;

/// The real ones.
#[cfg(not(trefoil_loom))]
mod std_side {
    pub(crate) use crate::sys::barrier;
    pub(crate) use crossbeam_deque as deque;
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};

    /// Atomics and fences.
    pub(crate) mod atomic {
        pub(crate) use std::sync::atomic::{
            AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }

    /// A cell that is reached through closures, so that loom can check who is inside.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// Wraps `value`.
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Lends the pointer for reading.
        #[inline]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Lends the pointer for writing.
        #[inline]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    /// Gives the processor a hint that this thread is waiting in a loop.
    pub(crate) fn spin_hint() {
        std::hint::spin_loop();
    }

    /// Lets another thread run that this one waits for.
    pub(crate) fn give_way() {
        std::thread::yield_now();
    }
}

/// The checked ones.
#[cfg(trefoil_loom)]
mod loom_side {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};

    /// Atomics and fences.
    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }

    /// Tells loom that another thread must run before this one can go on.
    pub(crate) fn spin_hint() {
        loom::thread::yield_now();
    }

    /// The same.
    pub(crate) use spin_hint as give_way;

    /// The two-sided barrier's stand-in. A model has no processors to interrupt: a fence on both
    /// sides says the same.
    pub(crate) mod barrier {
        use loom::sync::atomic::{Ordering, fence};

        /// Always.
        pub(crate) fn available() -> bool {
            true
        }

        /// The frequent side.
        pub(crate) fn light() {
            fence(Ordering::SeqCst);
        }

        /// The rare side.
        pub(crate) fn heavy() {
            fence(Ordering::SeqCst);
        }
    }

    /// The deque's stand-in: the same names, one mutex round a `VecDeque`.
    pub(crate) mod deque {
        use loom::sync::{Arc, Mutex};
        use std::collections::VecDeque;

        /// What an attempt to steal gave.
        #[derive(Debug)]
        pub(crate) enum Steal<T> {
            /// Nothing is there.
            Empty,
            /// One item.
            Success(T),
            /// Lost a race (never happens here).
            Retry,
        }

        /// The queue's owner.
        #[derive(Debug)]
        pub(crate) struct Worker<T>(Arc<Mutex<VecDeque<T>>>, bool);

        impl<T> Worker<T> {
            /// First in, first out.
            pub(crate) fn new_fifo() -> Self {
                Self(Arc::new(Mutex::new(VecDeque::new())), true)
            }

            /// Last in, first out for the owner.
            pub(crate) fn new_lifo() -> Self {
                Self(Arc::new(Mutex::new(VecDeque::new())), false)
            }

            /// Adds an item.
            pub(crate) fn push(&self, item: T) {
                self.0.lock().unwrap().push_back(item);
            }

            /// Takes the owner's next item.
            pub(crate) fn pop(&self) -> Option<T> {
                let mut queue = self.0.lock().unwrap();
                if self.1 {
                    queue.pop_front()
                } else {
                    queue.pop_back()
                }
            }

            /// True when nothing is there.
            pub(crate) fn is_empty(&self) -> bool {
                self.0.lock().unwrap().is_empty()
            }

            /// How many items are there.
            pub(crate) fn len(&self) -> usize {
                self.0.lock().unwrap().len()
            }

            /// A handle for thieves.
            pub(crate) fn stealer(&self) -> Stealer<T> {
                Stealer(self.0.clone())
            }
        }

        /// A thief's handle.
        #[derive(Debug)]
        pub(crate) struct Stealer<T>(Arc<Mutex<VecDeque<T>>>);

        impl<T> Clone for Stealer<T> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<T> Stealer<T> {
            /// Takes the oldest item.
            pub(crate) fn steal(&self) -> Steal<T> {
                match self.0.lock().unwrap().pop_front() {
                    Some(item) => Steal::Success(item),
                    None => Steal::Empty,
                }
            }

            /// Takes the oldest item; the stand-in moves no more than one.
            pub(crate) fn steal_batch_and_pop(&self, _to: &Worker<T>) -> Steal<T> {
                self.steal()
            }

            /// The stand-in moves none.
            pub(crate) fn steal_batch_with_limit(
                &self,
                _to: &Worker<T>,
                _most: usize,
            ) -> Steal<()> {
                Steal::Empty
            }

            /// True when nothing is there.
            pub(crate) fn is_empty(&self) -> bool {
                self.0.lock().unwrap().is_empty()
            }

            /// How many items are there.
            pub(crate) fn len(&self) -> usize {
                self.0.lock().unwrap().len()
            }
        }

        /// The queue that anybody may push into.
        #[derive(Debug)]
        pub(crate) struct Injector<T>(Mutex<VecDeque<T>>);

        impl<T> Injector<T> {
            /// An empty queue.
            pub(crate) fn new() -> Self {
                Self(Mutex::new(VecDeque::new()))
            }

            /// Adds an item.
            pub(crate) fn push(&self, item: T) {
                self.0.lock().unwrap().push_back(item);
            }

            /// Takes the oldest item.
            pub(crate) fn steal(&self) -> Steal<T> {
                match self.0.lock().unwrap().pop_front() {
                    Some(item) => Steal::Success(item),
                    None => Steal::Empty,
                }
            }

            /// Takes the oldest item; the stand-in moves no more than one.
            pub(crate) fn steal_batch_and_pop(&self, _to: &Worker<T>) -> Steal<T> {
                self.steal()
            }

            /// True when nothing is there.
            pub(crate) fn is_empty(&self) -> bool {
                self.0.lock().unwrap().is_empty()
            }

            /// How many items are there.
            pub(crate) fn len(&self) -> usize {
                self.0.lock().unwrap().len()
            }
        }
    }
}

/// Declares a `const fn`; in the models a plain `fn`, since loom's types have no const constructor.
#[cfg(not(trefoil_loom))]
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}

/// The same without `const`.
#[cfg(trefoil_loom)]
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility fn $($rest)*
    };
}

pub(crate) use const_fn;
