//! `SharedVec` and `SharedSlice`: numbers that a job gets without a copy.
//!
//! ```text
//!   SharedVec    program ══ moved into a job ══► worker ══ moved back in the result ══► program
//!   SharedSlice  program ── named in jobs ──► many workers at once; nobody can write it
//! ```
//!
//! What travels is a handle of three numbers (slab, offset, length) and, with the job, the
//! descriptor of its memory: one round trip for any size.
//! A `SharedVec` is moved: while a job has it, this process has no way to it, so nothing can race.
//! Both are for workers of this same program, which is its own trust boundary: a worker that goes
//! wrong can spoil the numbers it was given, and no others.
//! Read next: `processes/pool.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::processes::luggage;
use crate::processes::pool::ProcessPool;
use crate::processes::slab::Slab;
use crate::sys::memory::Plain;

/// Numbers in memory that is moved between processes instead of copied; see
/// [`ProcessPool::shared_vec`].
///
/// It goes into a job as its argument, or a part of it, and comes back in the result. While it is
/// away this process cannot touch it. When the job fails its numbers are lost: those of a crashed
/// worker may be half written. A job that is begun again after a crash
/// ([`Retry`](crate::processes::Retry)) finds what the first attempt left.
///
/// It travels with `submit`, `job`, `submit_async` and `call`. With `map` there is an
/// [`Encode`](crate::processes::JobError::Encode) error: results of a chunk come before its end.
/// Any other serializer (JSON, say) gives an error, too.
///
/// ```standalone_crate
/// use trefoil::processes::{self, ProcessPool, SharedVec};
///
/// fn double(mut numbers: SharedVec<f32>) -> SharedVec<f32> {
///     for number in &mut *numbers {
///         *number *= 2.0;
///     }
///     numbers
/// }
///
/// fn main() {
///     processes::init(|r| r.job(double));
///
///     let pool = ProcessPool::builder().workers(1).build().unwrap();
///     let mut numbers = pool.shared_vec::<f32>(1_000_000).unwrap();
///     numbers[7] = 21.0;
///     let numbers = pool.submit(double, numbers).wait().unwrap();
///     assert_eq!(numbers[7], 42.0);
/// }
/// ```
pub struct SharedVec<T: Plain> {
    /// The only way to it in this process, but while it is being encoded.
    slab: Arc<Slab>,
    place: Place<T>,
}

/// Numbers in memory that many workers read at once and nobody can write; see
/// [`ProcessPool::shared_slice`].
///
/// A clone names the same memory. It may go into any number of jobs, also through `map`, and a
/// job may give it back.
///
/// ```standalone_crate
/// use trefoil::processes::{self, ProcessPool, SharedSlice};
///
/// fn sum((numbers, from): (SharedSlice<u64>, usize)) -> u64 {
///     numbers[from..from + 250].iter().sum()
/// }
///
/// fn main() {
///     processes::init(|r| r.job(sum));
///
///     let pool = ProcessPool::builder().workers(2).build().unwrap();
///     let numbers: Vec<u64> = (0..1000).collect();
///     let numbers = pool.shared_slice(&numbers).unwrap();
///     let parts = (0..4).map(|part| (numbers.clone(), part * 250));
///     let sums: Vec<u64> = pool.map(sum, parts).collect_blocking().unwrap();
///     assert_eq!(sums.iter().sum::<u64>(), 499_500);
/// }
/// ```
#[derive(Clone)]
pub struct SharedSlice<T: Plain> {
    slab: Arc<Slab>,
    place: Place<T>,
}

/// Where the numbers lie in their slab.
#[derive(Clone, Copy)]
struct Place<T> {
    /// Unit: bytes.
    offset: usize,
    /// Unit: numbers.
    len: usize,
    _number: PhantomData<T>,
}

impl<T> Place<T> {
    /// From the byte `offset` on.
    fn new(offset: usize, len: usize) -> Self {
        Self {
            offset,
            len,
            _number: PhantomData,
        }
    }
}

impl ProcessPool {
    /// `len` zeros that can be moved into jobs.
    ///
    /// The pool keeps the memory of buffers that were dropped, up to 256 MiB, for the next ones.
    ///
    /// # Errors
    ///
    /// When there is no memory, or no descriptor for it.
    pub fn shared_vec<T: Plain + Default>(&self, len: usize) -> io::Result<SharedVec<T>> {
        let (mut numbers, zeros) = self.taken(len)?;
        if !zeros {
            numbers.fill(T::default());
        }
        Ok(numbers)
    }

    /// A copy of `numbers` that can be moved into jobs.
    ///
    /// # Errors
    ///
    /// When there is no memory, or no descriptor for it.
    pub fn shared_vec_from<T: Plain>(&self, numbers: &[T]) -> io::Result<SharedVec<T>> {
        let (mut copy, _zeros) = self.taken(numbers.len())?;
        copy.copy_from_slice(numbers);
        Ok(copy)
    }

    /// A copy of `numbers` that many jobs can read at once.
    ///
    /// Costs what fresh memory costs, once for all its readers.
    ///
    /// # Errors
    ///
    /// When there is no memory, or no descriptor for it.
    pub fn shared_slice<T: Plain>(&self, numbers: &[T]) -> io::Result<SharedSlice<T>> {
        Ok(SharedSlice {
            slab: Arc::new(Slab::frozen(numbers)?),
            place: Place::new(0, numbers.len()),
        })
    }

    /// Room for `len` numbers; true when they are zeros.
    fn taken<T: Plain>(&self, len: usize) -> io::Result<(SharedVec<T>, bool)> {
        let bytes = len.checked_mul(size_of::<T>());
        let bytes = bytes.ok_or(io::ErrorKind::OutOfMemory)?;
        let (slab, zeros) = self.core().shelf.take(bytes)?;
        let slab = Arc::new(slab);
        let place = Place::new(0, len);
        Ok((SharedVec { slab, place }, zeros))
    }
}

impl<T: Plain> Deref for SharedVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.slab.pages().numbers(self.place.offset, self.place.len)
    }
}

impl<T: Plain> DerefMut for SharedVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // The other one that there may be belongs to a value that is being encoded; its job then
        // fails, since this one lives.
        let Some(slab) = Arc::get_mut(&mut self.slab) else {
            panic!("SharedVec: written while it is being encoded; write it before the submit");
        };
        let (offset, len) = (self.place.offset, self.place.len);
        slab.pages_mut().numbers_mut(offset, len)
    }
}

impl<T: Plain> Deref for SharedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.slab.pages().numbers(self.place.offset, self.place.len)
    }
}

/// The handle: slab, offset in bytes, length in numbers.
type Handle = (u64, u64, u64);

/// Packs the slab and writes its handle.
fn send<T: Plain, S: Serializer>(
    slab: &Arc<Slab>,
    place: &Place<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    luggage::put(slab).map_err(S::Error::custom)?;
    let handle: Handle = (slab.number(), place.offset as u64, place.len as u64);
    handle.serialize(serializer)
}

/// Reads a handle and finds its slab.
fn receive<'de, T: Plain, D: Deserializer<'de>>(
    deserializer: D,
    read_only: bool,
) -> Result<(Arc<Slab>, Place<T>), D::Error> {
    let (number, offset, len) = Handle::deserialize(deserializer)?;
    // What no usize can say is out of bounds.
    let [offset, len] = [offset, len].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let slab = luggage::take::<T>(number, offset, len, read_only).map_err(D::Error::custom)?;
    Ok((slab, Place::new(offset, len)))
}

impl<T: Plain> Serialize for SharedVec<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        send(&self.slab, &self.place, serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for SharedVec<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (slab, place) = receive(deserializer, false)?;
        Ok(Self { slab, place })
    }
}

impl<T: Plain> Serialize for SharedSlice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        send(&self.slab, &self.place, serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for SharedSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (slab, place) = receive(deserializer, true)?;
        Ok(Self { slab, place })
    }
}

impl<T: Plain> fmt::Debug for SharedVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedVec")
            .field("len", &self.place.len)
            .finish_non_exhaustive()
    }
}

impl<T: Plain> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSlice")
            .field("len", &self.place.len)
            .finish_non_exhaustive()
    }
}
