//! Channels and locks that know only wakers: they work on any executor, and off it.
//!
//! | to | use |
//! |---|---|
//! | send one value | [`oneshot`] |
//! | send many values to one receiver | [`mpsc`] |
//! | send each value to all receivers | [`broadcast`] |
//! | show many the latest value | [`watch`] |
//! | guard data across an `.await` | [`Mutex`] |
//! | let many read or one write | [`RwLock`] |
//! | let at most n pass | [`Semaphore`] |
//! | tell that something happened | [`Notify`] |
//! | make a value when it is needed first | [`OnceCell`] |
//! | wait for a value that is set once | [`SetOnce`] |
//! | meet | [`Barrier`] |
//! | ask a tree of tasks to stop | [`CancellationToken`] |
//!
//! In reading order: `wait` (a line of waiters), `semaphore`, `mutex`, `notify`, `oneshot` (over
//! `parts/outcome`), `mpsc_queue`, `mpsc`, then the rest.

pub(crate) mod wait;

pub(crate) mod semaphore;
pub(crate) mod semaphore_error;
pub(crate) mod semaphore_line;
pub(crate) mod semaphore_owned;
pub(crate) mod semaphore_permit;

pub(crate) mod mutex;
pub(crate) mod mutex_mapped;
pub(crate) mod mutex_owned;

pub(crate) mod rwlock;
pub(crate) mod rwlock_guard;
pub(crate) mod rwlock_owned;
pub(crate) mod rwlock_owned_guard;

pub(crate) mod notify;
// The waiter's side of it.
pub(crate) mod notified;

pub(crate) mod barrier;

pub(crate) mod once_cell;
pub(crate) mod once_init;
pub(crate) mod once_value;
pub(crate) mod set_once;

pub(crate) mod cancellation_token;
pub(crate) mod cancellation_wait;

pub mod oneshot;

// The head of mpsc.rs has these in reading order.
pub(crate) mod guard_fmt;
pub mod mpsc;
pub(crate) mod mpsc_channel;
pub(crate) mod mpsc_closed;
pub(crate) mod mpsc_error;
pub(crate) mod mpsc_owned_permit;
pub(crate) mod mpsc_permit;
pub(crate) mod mpsc_queue;
pub(crate) mod mpsc_receiver;
pub(crate) mod mpsc_recv;
pub(crate) mod mpsc_rx;
pub(crate) mod mpsc_sender;
pub(crate) mod mpsc_unbounded;
pub(crate) mod mpsc_weak;

// The head of watch.rs has these in reading order.
pub mod watch;
pub(crate) mod watch_channel;
pub(crate) mod watch_error;
pub(crate) mod watch_receiver;
pub(crate) mod watch_sender;
pub(crate) mod watch_wait;

// The head of broadcast.rs has these in reading order.
pub mod broadcast;
pub(crate) mod broadcast_error;
pub(crate) mod broadcast_leave;
pub(crate) mod broadcast_receiver;
pub(crate) mod broadcast_ring;
pub(crate) mod broadcast_sender;
pub(crate) mod broadcast_weak;

pub use crate::sync::barrier::{Barrier, BarrierWaitResult};
pub use crate::sync::cancellation_token::{CancellationToken, DropGuard, DropGuardRef};
pub use crate::sync::cancellation_wait::{
    WaitForCancellationFuture, WaitForCancellationFutureOwned,
};
pub use crate::sync::mutex::{Mutex, MutexGuard, TryLockError};
pub use crate::sync::mutex_mapped::{MappedMutexGuard, OwnedMappedMutexGuard};
pub use crate::sync::mutex_owned::OwnedMutexGuard;
pub use crate::sync::notify::Notify;
pub use crate::sync::once_cell::{OnceCell, SetError};
pub use crate::sync::rwlock::RwLock;
pub use crate::sync::rwlock_guard::{RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard};
pub use crate::sync::rwlock_owned_guard::{
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard,
};
pub use crate::sync::semaphore::Semaphore;
pub use crate::sync::semaphore_error::{AcquireError, TryAcquireError};
pub use crate::sync::semaphore_owned::OwnedSemaphorePermit;
pub use crate::sync::semaphore_permit::SemaphorePermit;
pub use crate::sync::set_once::{SetOnce, SetOnceError};

/// The futures that the methods of this chapter return.
pub mod futures {
    pub use crate::sync::barrier::Wait;
    pub use crate::sync::cancellation_wait::{
        RunUntilCancelledFuture, RunUntilCancelledFutureOwned,
    };
    pub use crate::sync::mutex::Lock;
    pub use crate::sync::mutex_owned::LockOwned;
    pub use crate::sync::notified::{Notified, OwnedNotified};
    pub use crate::sync::once_init::{GetOrInit, GetOrTryInit};
    pub use crate::sync::rwlock::{Read, Write};
    pub use crate::sync::rwlock_owned::{ReadOwned, WriteOwned};
    pub use crate::sync::semaphore_owned::AcquireOwned;
    pub use crate::sync::semaphore_permit::Acquire;
    pub use crate::sync::set_once::SetOnceWait;
}
