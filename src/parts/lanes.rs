//! What `dump()` lists: every runtime and pool registers a reader of itself here.
//!
//! So the dump knows no pool, and a pool knows no dump: a lane is anything that can describe
//! itself in lines of text. Entries are weak; a lane that ended is forgotten at the next look.
//! Read next: `runtime/dump.rs`.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Something that `dump()` shows.
pub(crate) trait Lane: Send + Sync {
    /// Its state now, as lines without a last newline. Called without any lock held.
    fn describe(&self) -> String;
}

/// All lanes, in the order of their start; guards the vector.
static LANES: Mutex<Vec<Weak<dyn Lane>>> = Mutex::new(Vec::new());

/// Adds a lane, and forgets those that have ended.
pub(crate) fn register(lane: &Arc<dyn Lane>) {
    let mut lanes = LANES.lock().unwrap_or_else(PoisonError::into_inner);
    lanes.retain(|lane| lane.strong_count() > 0);
    lanes.push(Arc::downgrade(lane));
}

/// The lanes that are alive.
pub(crate) fn alive() -> Vec<Arc<dyn Lane>> {
    let lanes = LANES.lock().unwrap_or_else(PoisonError::into_inner);
    lanes.iter().filter_map(Weak::upgrade).collect()
}
