//! The live tasks of one runtime, so that its end can cancel them and `dump()` can show them.
//!
//! ```text
//!   list 0 (worker 0): mutex ─► slab of tasks      a task is listed where it was spawned,
//!   list 1 (worker 1): mutex ─► slab of tasks      and unlisted wherever it ends
//!   list 2 (others)  : mutex ─► slab of tasks
//! ```
//!
//! One list a worker, so that two workers that spawn do not meet at one mutex; an uncontended one
//! costs 11 ns. A listed task is not complete, therefore not freed: that is why what
//! is found on a list is safe to count up.
//! Read next: `runtime/handle.rs`, which lists tasks when they are spawned.

#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use crate::parts::pad::CachePadded;
use crate::parts::slab::Slab;
use crate::task::header::{Place, TaskRef};

/// One list.
#[derive(Debug)]
struct List {
    /// The runtime's reference to each.
    tasks: Slab<TaskRef>,
    /// No task is taken any more.
    closed: bool,
}

/// All lists of a runtime.
#[derive(Debug)]
pub(crate) struct Owned {
    lists: Box<[CachePadded<Mutex<List>>]>,
}

impl Owned {
    /// `lists` empty lists.
    pub(crate) fn new(lists: usize) -> Self {
        let list = || {
            CachePadded::new(Mutex::new(List {
                tasks: Slab::new(),
                closed: false,
            }))
        };
        Self {
            lists: (0..lists).map(|_| list()).collect(),
        }
    }

    /// Lists a new task. Gives it back when the runtime is ending: it must be cancelled then.
    #[inline]
    pub(crate) fn insert(&self, list: usize, own: TaskRef) -> Result<(), TaskRef> {
        let mut guard = self.lists[list]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if guard.closed {
            return Err(own);
        }
        let key = guard.tasks.insert(own);
        if let Some(own) = guard.tasks.get(key) {
            own.set_place(Place {
                list: list as u32,
                key,
            });
        }
        Ok(())
    }

    /// Takes a task that ended off its list. A task that was refused has no place: `None`.
    #[inline]
    pub(crate) fn remove(&self, place: Place) -> Option<TaskRef> {
        let list = &self.lists[place.list as usize];
        list.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tasks
            .remove(place.key)
    }

    /// Refuses new tasks and cancels all that are there. Cancelled tasks are pushed into their
    /// queues like woken ones; somebody has to run them. May be called again.
    pub(crate) fn close_and_cancel(&self) {
        for list in &self.lists {
            let tasks: Vec<TaskRef> = {
                let mut guard = list.lock().unwrap_or_else(PoisonError::into_inner);
                guard.closed = true;
                guard.tasks.iter().map(|(_, own)| own.clone()).collect()
            };
            // Outside the lock: a push may unlist a task at once, on another thread.
            for task in tasks {
                task.cancel();
            }
        }
    }

    /// True when no task is alive.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tasks are alive.
    pub(crate) fn len(&self) -> usize {
        self.lists
            .iter()
            .map(|list| {
                list.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .tasks
                    .len()
            })
            .sum()
    }

    /// References to all live tasks, list after list: each was alive when it was read.
    pub(crate) fn snapshot(&self) -> Vec<TaskRef> {
        self.lists
            .iter()
            .flat_map(|list| {
                let guard = list.lock().unwrap_or_else(PoisonError::into_inner);
                guard
                    .tasks
                    .iter()
                    .map(|(_, own)| own.clone())
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}
