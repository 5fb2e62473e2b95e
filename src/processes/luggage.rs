//! What travels beside the bytes of a job: the shared buffers that its values name.
//!
//! ```text
//!   encode: each SharedVec packs its slab ──► packed ──► value dropped: is each slab ours alone?
//!                                                          └─► SLAB frames, then the bytes
//!   decode: each handle (slab, offset, length) ──► items ──► found, within bounds, given once
//! ```
//!
//! Serde has no place for such a thing, so it lies in a thread-local while a value is encoded or
//! decoded, and only then: any other serializer finds the table shut and gets an error.
//! A buffer has left this process only when the value that named it is dropped: who still holds it
//! could read what the worker writes. So the check comes after the drop.
//! Read next: `processes/shared.rs`.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use serde::Serialize;

use crate::processes::slab::Slab;
use crate::processes::wire;
use crate::sys::memory::{EMFILE, Plain};

/// What is wrong with a buffer that a value names.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No such buffer came along, or the handle reaches out of it.
    Handle,
    /// Its descriptor or its pages could not be had.
    Resource(io::Error),
}

/// A buffer that came along.
#[derive(Debug)]
enum Item {
    /// Not looked at yet; `None`: its descriptor was lost on the way (EMFILE).
    Arrived(u64, Option<OwnedFd>),
    /// Mapped. One that is read-only may be named often.
    Here(Arc<Slab>),
    /// Given to a value; the claim tells whether it still lives.
    Given(u64, Weak<()>),
}

/// What the table is good for just now.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Shut,
    Packing,
    Unpacking,
}

/// The table.
#[derive(Debug, Default)]
struct Luggage {
    mode: Mode,
    items: Vec<Item>,
    packed: Vec<Arc<Slab>>,
    fault: Option<Fault>,
}

thread_local! {
    /// The table of this thread.
    static LUGGAGE: RefCell<Luggage> = RefCell::default();
}

/// Runs `f` with another table, and gives that back. `f` does not unwind: it encodes or decodes,
/// where panics are caught.
fn with<R>(luggage: Luggage, f: impl FnOnce() -> R) -> (R, Luggage) {
    let before = LUGGAGE.replace(luggage);
    let result = f();
    (result, LUGGAGE.replace(before))
}

// ---- out --------------------------------------------------------------------------------------

/// Appends the bytes of a value and drops it; gives the buffers that it named.
///
/// # Errors
///
/// What serde said, or that a buffer is still held here; `bytes` is as it was then.
pub(crate) fn pack<T: Serialize>(value: T, bytes: &mut Vec<u8>) -> Result<Vec<Arc<Slab>>, String> {
    let before = bytes.len();
    let packing = Luggage {
        mode: Mode::Packing,
        ..Luggage::default()
    };
    let (result, luggage) = with(packing, || wire::encode(&value, bytes));
    result?;
    drop(value);
    let mut slabs = luggage.packed;
    let held = |slab: &mut Arc<Slab>| !slab.pages().is_read_only() && Arc::get_mut(slab).is_none();
    if slabs.iter_mut().any(held) {
        bytes.truncate(before);
        return Err("a SharedVec that is still held here, or named twice".to_owned());
    }
    Ok(slabs)
}

/// A value that is being encoded names this buffer.
///
/// # Errors
///
/// When no job is being encoded.
pub(crate) fn put(slab: &Arc<Slab>) -> Result<(), &'static str> {
    LUGGAGE.with_borrow_mut(|luggage| {
        if luggage.mode != Mode::Packing {
            return Err("a shared buffer travels only in a job's argument or result");
        }
        let known = |other: &Arc<Slab>| Arc::ptr_eq(other, slab);
        // One that is read-only may be named often; for the others the second one is held.
        if !slab.pages().is_read_only() || !luggage.packed.iter().any(known) {
            luggage.packed.push(Arc::clone(slab));
        }
        Ok(())
    })
}

// ---- in ---------------------------------------------------------------------------------------

/// Decodes a value that may name `slabs`.
///
/// # Errors
///
/// What serde said, and what is wrong with a buffer.
pub(crate) fn unpack<R>(
    slabs: Vec<Arc<Slab>>,
    decode: impl FnOnce() -> Result<R, String>,
) -> Result<R, (String, Option<Fault>)> {
    let unpacking = Luggage {
        mode: Mode::Unpacking,
        items: slabs.into_iter().map(Item::Here).collect(),
        ..Luggage::default()
    };
    let (result, luggage) = with(unpacking, decode);
    result.map_err(|text| (text, luggage.fault))
}

/// In a worker: a job begins, and these buffers came along.
pub(crate) fn begin(arrived: Vec<(u64, Option<OwnedFd>)>) {
    let item = |(number, fd)| Item::Arrived(number, fd);
    LUGGAGE.set(Luggage {
        items: arrived.into_iter().map(item).collect(),
        ..Luggage::default()
    });
}

/// In a worker: decodes a value of the job that runs.
///
/// # Errors
///
/// As [`unpack`].
pub(crate) fn open<R>(
    decode: impl FnOnce() -> Result<R, String>,
) -> Result<R, (String, Option<Fault>)> {
    LUGGAGE.with_borrow_mut(|luggage| luggage.mode = Mode::Unpacking);
    let result = decode();
    let fault = LUGGAGE.with_borrow_mut(|luggage| {
        luggage.mode = Mode::Shut;
        luggage.fault.take()
    });
    result.map_err(|text| (text, fault))
}

/// In a worker: true when the job that runs has got all of these.
pub(crate) fn came_along(slabs: &[Arc<Slab>]) -> bool {
    LUGGAGE.with_borrow(|luggage| {
        let has = |slab: &Arc<Slab>| {
            let of_it = |item: &Item| item.number() == slab.number();
            luggage.items.iter().any(of_it)
        };
        slabs.iter().all(has)
    })
}

/// In a worker: the job is over. True when it has kept a buffer that may be written.
pub(crate) fn end() -> bool {
    let luggage = LUGGAGE.take();
    let kept = |item: &Item| matches!(item, Item::Given(_, claim) if claim.strong_count() > 0);
    luggage.items.iter().any(kept)
}

/// A value that is being decoded names `len` numbers of a buffer, from the byte `offset` on.
///
/// # Errors
///
/// When there is no such buffer, or it is not so large; the fault is kept for the error of the job.
pub(crate) fn take<T: Plain>(
    number: u64,
    offset: usize,
    len: usize,
    read_only: bool,
) -> Result<Arc<Slab>, &'static str> {
    LUGGAGE.with_borrow_mut(|luggage| {
        if luggage.mode != Mode::Unpacking {
            return Err("a shared buffer travels only in a job's argument or result");
        }
        let fits = |slab: &Slab| {
            slab.pages().is_read_only() == read_only && slab.pages().holds::<T>(offset, len)
        };
        luggage.find(number, fits).map_err(|fault| {
            luggage.fault = Some(fault);
            "a shared buffer that did not come along, or is too small"
        })
    })
}

impl Luggage {
    /// The slab with this number, if it is there and fits.
    fn find(&mut self, number: u64, fits: impl Fn(&Slab) -> bool) -> Result<Arc<Slab>, Fault> {
        let item = self.items.iter_mut().find(|item| item.number() == number);
        let item = item.ok_or(Fault::Handle)?;
        if let Item::Arrived(_, fd) = item {
            // EMFILE: the kernel drops a descriptor for which there is no room.
            let lost = || Fault::Resource(io::Error::from_raw_os_error(EMFILE));
            let file = File::from(fd.take().ok_or_else(lost)?);
            let slab = Slab::received(number, file).map_err(Fault::Resource)?;
            *item = Item::Here(Arc::new(slab));
        }
        let Item::Here(slab) = item else {
            return Err(Fault::Handle);
        };
        if !fits(slab) {
            return Err(Fault::Handle);
        }
        let slab = Arc::clone(slab);
        if !slab.pages().is_read_only() {
            *item = Item::Given(number, Arc::downgrade(slab.claim()));
        }
        Ok(slab)
    }
}

impl Item {
    /// The number of its slab.
    fn number(&self) -> u64 {
        match self {
            Self::Arrived(number, _) | Self::Given(number, _) => *number,
            Self::Here(slab) => slab.number(),
        }
    }
}
