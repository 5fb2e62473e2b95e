//! The global pool: made at its first use, or by `build_global`; it never ends.
//! Read next: `threads/join.rs`.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::threads::build_error::{BuildErrorKind, ThreadPoolBuildError};
use crate::threads::registry::Registry;
use crate::threads::start::{DefaultSpawn, Settings, ThreadSpawn, start};
use crate::threads::worker::{Worker, with_current};

/// The pool, once there is one.
static GLOBAL: OnceLock<Arc<Registry>> = OnceLock::new();

/// Held while the pool is made, so that only one is.
static BUILDING: Mutex<()> = Mutex::new(());

/// Makes the global pool.
pub(crate) fn build(
    settings: Settings,
    spawn: &mut impl ThreadSpawn,
) -> Result<(), ThreadPoolBuildError> {
    let registry = {
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        if GLOBAL.get().is_some() {
            return Err(BuildErrorKind::GlobalAlreadyBuilt.into());
        }
        // Its first hold is never given up.
        let registry = start(settings, spawn)?;
        GLOBAL.get_or_init(|| registry)
    };
    registry.wait_until_begun();
    Ok(())
}

/// The global pool; made with default settings if there is none.
///
/// # Panics
///
/// When its threads cannot be started.
pub(crate) fn registry() -> &'static Arc<Registry> {
    if let Some(registry) = GLOBAL.get() {
        return registry;
    }
    let built = build(Settings::default(), &mut DefaultSpawn::default());
    match (GLOBAL.get(), built) {
        (Some(registry), _) => registry,
        (None, built) => panic!(
            "threads: the global pool could not be started ({built:?}); set TREFOIL_NUM_THREADS \
             to a smaller number, or use a ThreadPoolBuilder and handle its error"
        ),
    }
}

/// Runs `op` on a worker: on this thread if it is one, of whichever pool, else in the global pool
/// while this thread waits. The flag says whether it was sent there.
#[inline]
pub(crate) fn in_worker<R: Send>(op: impl FnOnce(&Worker, bool) -> R + Send) -> R {
    with_current(|worker| match worker {
        Some(worker) => op(worker, false),
        None => registry().visit(|worker| op(worker, true)),
    })
}

/// Calls `f` with the pool that this thread belongs to, else with the global one.
pub(crate) fn with_registry<R>(f: impl FnOnce(&Arc<Registry>) -> R) -> R {
    with_current(|worker| match worker {
        Some(worker) => f(&worker.registry),
        None => f(registry()),
    })
}
