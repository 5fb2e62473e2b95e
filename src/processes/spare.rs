//! Large buffers, kept for the next large message.
//!
//! Memory that the system hands out fresh costs a page fault each 4 KiB, which for a message of
//! 64 MiB is several times its copying; and malloc gives large blocks back at once. So a few of
//! them are kept here, by whoever has sent or decoded a message, for whoever reads or encodes the
//! next one.
//! Why not a buffer for each worker: most of the time no large message is on its way.
//! Read next: `processes/wire.rs`.

#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

/// Buffers below this are malloc's affair. Unit: bytes; where its mapping of fresh memory begins.
pub(crate) const LARGE: usize = 128 << 10;
/// What is kept at most, in all. Unit: bytes. Effect: memory that a process keeps after its last
/// large message. Not tuned.
const KEPT: usize = 160 << 20;
/// How many are kept at most.
const MANY: usize = 4;

/// The kept buffers, empty each.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// An empty buffer that has room for `bytes`.
pub(crate) fn take(bytes: usize) -> Vec<u8> {
    if bytes >= LARGE {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough.
        let fits = spare
            .iter()
            .enumerate()
            .filter(|(_, buffer)| buffer.capacity() >= bytes);
        let place = fits
            .min_by_key(|(_, buffer)| buffer.capacity())
            .map(|(place, _)| place);
        if let Some(place) = place {
            return spare.swap_remove(place);
        }
    }
    Vec::with_capacity(bytes)
}

/// Takes a buffer back, if it is worth it.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() < LARGE {
        return;
    }
    buffer.clear();
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    spare.push(buffer);
    let kept: usize = spare.iter().map(Vec::capacity).sum();
    if spare.len() > MANY || kept > KEPT {
        // The oldest goes: sizes that nobody asks for any more do not stay.
        let old = spare.remove(0);
        drop(spare);
        drop(old);
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_comes_back() {
        let mut buffer = take(LARGE * 2);
        buffer.push(7);
        let address = buffer.as_ptr();
        give(buffer);
        let again = take(LARGE);
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
        give(Vec::with_capacity(10));
        assert!(take(10).capacity() >= 10);
    }
}
