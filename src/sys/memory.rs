//! Memory that two processes see: a file without a name, sealed, and mapped.
//!
//! ```text
//!   memfd_create ─► set_len ─► seals SHRINK, GROW ─► mmap        here, to read and write
//!        │                        └─ and WRITE, once it is filled: nobody writes it any more
//!        └─ its descriptor travels ─► look at the seals ─► mmap  in the other process
//! ```
//!
//! A file of fixed size cannot be cut under a mapping, so no access here ends in SIGBUS
//! (memfd_create(2), *File sealing*). It has no name, and is gone with its last descriptor and
//! mapping, however its users end.
//! What the other process writes meanwhile this file cannot see: who may touch the bytes, and
//! when, is told in `processes/slab.rs`.
//! Read next: `processes/slab.rs`.

#![allow(
    unsafe_code,
    reason = "memfd, seals, mmap, and numbers read from raw memory"
)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::NonNull;
use std::slice;

pub(crate) use libc::EMFILE;

use crate::sys::call::check;

/// What is said of a descriptor that is not one of these files.
const NOT_SEALED: &str = "a shared buffer that is not sealed";

/// Seals of each of our files: its size is fixed, and no seal is added later.
const SIZE: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;

/// Numbers that may lie in memory which another process writes: each pattern of bits is one.
///
/// Implemented for the integers and floats, and closed: `bool` or `char` would not do, since not
/// each of their bytes is a value.
pub trait Plain: Copy + Send + Sync + sealed::Sealed + 'static {}

/// Keeps [`Plain`] closed.
mod sealed {
    /// Nobody else can name it.
    pub trait Sealed {}
}

/// A list of types, each plain.
macro_rules! plain {
    ($($number:ty),*) => {
        $(impl sealed::Sealed for $number {}
        impl Plain for $number {})*
    };
}

plain!(
    u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, usize, isize, f32, f64
);

/// A file in memory of `len` bytes, zeros, whose size cannot change.
///
/// # Errors
///
/// What memfd_create(2), ftruncate(2) and fcntl(2) say.
pub(crate) fn create(len: usize) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name ends with a zero and is only read.
    let raw = check(unsafe { libc::memfd_create(c"trefoil".as_ptr(), flags) })?;
    // SAFETY: just opened; nobody else owns it.
    let file = unsafe { File::from_raw_fd(raw) };
    file.set_len(len as u64)?;
    seal(&file, SIZE)?;
    Ok(file)
}

/// Forbids writing for good, and other seals, too. No writable mapping may exist (EBUSY).
///
/// # Errors
///
/// What fcntl(2) says.
pub(crate) fn forbid_writing(file: &File) -> io::Result<()> {
    seal(file, libc::F_SEAL_WRITE | libc::F_SEAL_SEAL)
}

/// Adds seals.
fn seal(file: &File, seals: i32) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    Ok(())
}

/// The bytes of numbers.
pub(crate) fn bytes_of<T: Plain>(numbers: &[T]) -> &[u8] {
    // SAFETY: the same memory, for the same time; a `Plain` number has no padding, so each of its
    // bytes has a value.
    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// Pages of a file, mapped here.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
    writable: bool,
}

// SAFETY: it owns its pages; they belong to no thread.
unsafe impl Send for Mapping {}

// SAFETY: through `&Mapping` the pages are only read, see `numbers`.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the whole file: writable, unless it is sealed against that.
    ///
    /// # Errors
    ///
    /// `InvalidData` when its size is not sealed; what fcntl(2) and mmap(2) say.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: no memory is passed.
        let seals = check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) })?;
        if seals & SIZE != SIZE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, NOT_SEALED));
        }
        let writable = seals & libc::F_SEAL_WRITE == 0;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let access = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        let (shared, fd) = (libc::MAP_SHARED, file.as_raw_fd());
        // SAFETY: a new mapping, placed by the kernel: no other memory is touched.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, shared, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            start: NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?,
            len,
            writable,
        })
    }

    /// Its size. Unit: bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Nobody can write it, here or elsewhere.
    pub(crate) fn is_read_only(&self) -> bool {
        !self.writable
    }

    /// True when `len` numbers lie within it from the byte `offset` on, well aligned.
    pub(crate) fn holds<T: Plain>(&self, offset: usize, len: usize) -> bool {
        let end = len.checked_mul(size_of::<T>());
        let end = end.and_then(|bytes| bytes.checked_add(offset));
        offset.is_multiple_of(align_of::<T>()) && end.is_some_and(|end| end <= self.len)
    }

    /// `len` numbers from the byte `offset` on.
    ///
    /// # Panics
    ///
    /// When they are not all within it.
    pub(crate) fn numbers<T: Plain>(&self, offset: usize, len: usize) -> &[T] {
        assert!(self.holds::<T>(offset, len), "shared buffer: out of bounds");
        let first = self.start.as_ptr().wrapping_add(offset).cast::<T>();
        // SAFETY: `holds` says that the numbers are within the mapping, which lives as long as
        // `self`, and aligned (the mapping begins at a page). Each pattern of bits is a `T`.
        // The file cannot shrink: `new` has seen its seals. Here nobody writes them while `self`
        // is borrowed; that the other process does not either is its owner's promise: the bytes
        // belong to one process at a time (`processes/slab.rs`), or can be written by none.
        unsafe { slice::from_raw_parts(first, len) }
    }

    /// The same, to be written.
    ///
    /// # Panics
    ///
    /// When they are not all within it, or it is read-only.
    pub(crate) fn numbers_mut<T: Plain>(&mut self, offset: usize, len: usize) -> &mut [T] {
        assert!(self.holds::<T>(offset, len), "shared buffer: out of bounds");
        assert!(self.writable, "shared buffer: read-only");
        let first = self.start.as_ptr().wrapping_add(offset).cast::<T>();
        // SAFETY: as in `numbers`; the pages are mapped writable, and `&mut self` is the only
        // way to them in this process.
        unsafe { slice::from_raw_parts_mut(first, len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the pages that `new` has mapped; what borrowed them has borrowed `self`.
        _ = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn two_mappings_show_the_same_bytes_and_the_size_stays() {
        let file = create(8192).unwrap();
        let mut one = Mapping::new(&file).unwrap();
        let other = Mapping::new(&file).unwrap();
        one.numbers_mut::<u32>(4096, 2).copy_from_slice(&[7, 8]);
        assert_eq!(other.numbers::<u32>(4096, 2), [7, 8]);
        let error = file.set_len(1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(forbid_writing(&file).is_err(), "a writable mapping exists");
        drop(one);
    }

    #[test]
    fn what_does_not_fit_is_seen() {
        let mapping = Mapping::new(&create(4096).unwrap()).unwrap();
        assert!(mapping.holds::<u64>(0, 512) && mapping.holds::<u8>(4096, 0));
        for (offset, len) in [
            (0, 513),
            (4, 1),
            (8, 512),
            (usize::MAX - 7, 8),
            (8, usize::MAX),
        ] {
            assert!(!mapping.holds::<u64>(offset, len), "{offset} {len}");
        }
        let bare = File::open("/proc/self/exe").unwrap();
        assert!(Mapping::new(&bare).is_err());
    }
}
