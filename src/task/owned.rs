//! The live tasks of one runtime, so that its end can cancel them and `dump()` can show them.
//!
//! ```text
//!   list 0 (worker 0): biased lock ─► chain of tasks     ended: mutex ─► tasks that ended elsewhere
//!   list 1 (worker 1): biased lock ─► chain of tasks     ended: mutex ─► …
//!   list 2 (others)  : mutex       ─► chain of tasks
//!
//!   spawned by worker i     ─► list i, as its owner: two plain stores (parts/biased.rs)
//!   ends on worker i        ─► off list i, likewise
//!   ends on another thread  ─► noted in `ended`; worker i takes it off at its next spawn
//!   spawned by no worker    ─► the last list, wherever it ends
//! ```
//!
//! A worker that spawns has no neighbour at its lock, and pays for none. What a peer stole and
//! finished waits in `ended` with its memory (the future is gone already): until the worker spawns
//! again, or until [`ENDED_AT_MOST`] wait there; then the peer clears the list as a stranger.
//! A list holds a reference to each of its tasks: what is found on it is safe to count up.
//! Why not one mutex a list: four of the ten locked operations of a task (`spawn_join` 109 ns, with
//! this 87).
//! Read next: `runtime/handle.rs`, which lists tasks when they are spawned.

#![allow(
    unsafe_code,
    reason = "a lock that must know its owner, and links in the tasks"
)]

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::parts::biased::Biased;
use crate::parts::pad::CachePadded;
use crate::task::chain::Chain;
use crate::task::header::{Ending, Header, NO_LIST, TaskRef};

/// Tasks that ended elsewhere before somebody takes them off their list for its owner.
///
/// Unit: tasks. Source: the heavy barrier (about 10 µs) by this many tasks is 40 ns each; not tuned.
const ENDED_AT_MOST: usize = 256;

/// The list that a thread owns now.
#[derive(Clone, Copy)]
struct Here {
    /// Whose list: the address of its `Owned`'s lists, never followed. Null: none.
    lists: *const CachePadded<List>,
    index: usize,
}

/// A thread that owns no list.
const NOWHERE: Here = Here {
    lists: ptr::null(),
    index: 0,
};

thread_local! {
    /// Set by [`Owned::pick_up`], which sees to it that one thread at a time names a list.
    static HERE: Cell<Here> = const { Cell::new(NOWHERE) };
}

/// While it lives, this thread owns a list (unless it puts it down meanwhile).
pub(crate) struct Owner<'a> {
    owned: &'a Owned,
    /// What the thread owned before: of another runtime.
    before: Here,
}

impl Drop for Owner<'_> {
    fn drop(&mut self) {
        self.owned.put_down();
        HERE.set(self.before);
    }
}

/// What is under the lock.
#[derive(Debug)]
struct Live {
    /// The tasks.
    chain: Chain,
    /// No task is taken any more.
    closed: bool,
}

/// A task in a chain that is to be taken out.
#[derive(Debug)]
struct Ended(NonNull<Header>);

// SAFETY: it stands for the chain's reference, which may be sent, and is used under the lock.
unsafe impl Send for Ended {}

/// One list.
#[derive(Debug)]
struct List {
    live: Biased<Live>,
    /// Tasks of the chain that ended on other threads.
    ended: Mutex<Vec<Ended>>,
    /// The length of `ended`, for a look without the lock; written under it.
    waiting: AtomicUsize,
    /// No thread owns the list. Ownership passes from thread to thread through this mutex.
    free: Mutex<bool>,
}

impl List {
    /// An empty list over the lock that `lock` makes.
    fn new(lock: fn(Live) -> Biased<Live>) -> Self {
        Self {
            live: lock(Live {
                chain: Chain::new(),
                closed: false,
            }),
            ended: Mutex::new(Vec::new()),
            waiting: AtomicUsize::new(0),
            free: Mutex::new(true),
        }
    }

    /// Notes a task that ended away from its list. True: too many wait, [`clear`](Self::clear).
    fn note(&self, task: NonNull<Header>) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push(Ended(task));
        self.waiting.store(ended.len(), Ordering::Relaxed);
        ended.len() >= ENDED_AT_MOST
    }

    /// Takes what ended elsewhere off the list; `lock` is one of the two ways in.
    #[cold]
    fn clear(&self, lock: impl FnOnce(&mut dyn FnMut(&mut Live))) {
        let ended = {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            self.waiting.store(0, Ordering::Relaxed);
            std::mem::take(&mut *ended)
        };
        let mut gone = Vec::with_capacity(ended.len());
        lock(&mut |live| {
            gone.extend(ended.iter().map(|task| {
                // SAFETY: `remove` noted it, once, for the list that it was inserted into, and we
                // took it out of `ended`: nobody else unlinks it.
                unsafe { live.chain.unlink(task.0) }
            }));
        });
        // The references are dropped here, outside of the lock: the last one frees.
    }
}

/// All lists of a runtime.
#[derive(Debug)]
pub(crate) struct Owned {
    lists: Box<[CachePadded<List>]>,
}

impl Owned {
    /// Empty lists for `workers` workers and for everybody else.
    pub(crate) fn new(workers: usize) -> Self {
        let of_worker = (0..workers).map(|_| List::new(Biased::new));
        let others = std::iter::once(List::new(Biased::unbiased));
        Self {
            lists: of_worker.chain(others).map(CachePadded::new).collect(),
        }
    }

    /// This thread becomes worker `index`: it owns that list until the guard is dropped. When
    /// another thread owns it still, this one does everything as a stranger: slower, not wrong.
    pub(crate) fn owner(&self, index: usize) -> Owner<'_> {
        let before = HERE.get();
        self.pick_up(index);
        Owner {
            owned: self,
            before,
        }
    }

    /// Takes a list again after [`put_down`](Self::put_down). For a thread that has an [`Owner`].
    pub(crate) fn pick_up(&self, index: usize) {
        let mut free = self.lists[index]
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lists = self.lists.as_ptr();
        HERE.set(if std::mem::replace(&mut *free, false) {
            Here { lists, index }
        } else {
            NOWHERE
        });
    }

    /// Lets another thread become the worker that this one is.
    pub(crate) fn put_down(&self) {
        if let Some(index) = self.mine() {
            HERE.set(NOWHERE);
            *self.lists[index]
                .free
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = true;
        }
    }

    /// The list that this thread owns.
    #[inline]
    fn mine(&self) -> Option<usize> {
        let here = HERE.get();
        ptr::eq(here.lists, self.lists.as_ptr()).then_some(here.index)
    }

    /// Lists a new task: with the worker that this thread is, or with the others. Gives it back
    /// when the runtime is ending: it must be cancelled then.
    #[inline]
    pub(crate) fn insert(&self, own: TaskRef) -> Result<(), TaskRef> {
        let mine = self.mine();
        let index = mine.unwrap_or(self.lists.len() - 1);
        let list = &*self.lists[index];
        let insert = |live: &mut Live| {
            if live.closed {
                return Err(own);
            }
            own.set_list(index as u32);
            live.chain.push(own);
            Ok(())
        };
        if mine.is_none() {
            return list.live.by_stranger(insert);
        }
        if list.waiting.load(Ordering::Relaxed) != 0 {
            list.clear(|unlink| {
                // SAFETY: as below.
                unsafe { list.live.by_owner(unlink) }
            });
        }
        // SAFETY: `mine` names a list on one thread at a time, and that passes from thread to
        // thread through a mutex; and `insert` calls nothing.
        unsafe { list.live.by_owner(insert) }
    }

    /// Takes a task that ends off its list, or has it taken off. Gives a reference that keeps it
    /// until the caller is done with it; `None` for a task that was refused.
    #[inline]
    pub(crate) fn remove(&self, task: Ending) -> Option<TaskRef> {
        let task = task.task();
        // SAFETY: it is not complete, so it lives.
        let index = unsafe { task.as_ref() }.list.get();
        if index == NO_LIST {
            return None;
        }
        let list = &*self.lists[index as usize];
        let unlink = |live: &mut Live| {
            // SAFETY: `insert` put the task into this chain of its own runtime; a task has one
            // `Ending`, so it is taken out once.
            unsafe { live.chain.unlink(task) }
        };
        if self.mine() == Some(index as usize) {
            // SAFETY: as in `insert`.
            return Some(unsafe { list.live.by_owner(unlink) });
        }
        if index as usize == self.lists.len() - 1 {
            return Some(list.live.by_stranger(unlink));
        }
        // Before the note: after it the list's own reference may go at any time.
        // SAFETY: the chain's reference is there until then.
        let keep = unsafe { TaskRef::count_up(task) };
        if list.note(task) {
            list.clear(|unlink| list.live.by_stranger(unlink));
        }
        Some(keep)
    }

    /// Takes off what ended elsewhere and still waits for that, as the last worker does.
    pub(crate) fn clear(&self) {
        for list in &self.lists {
            list.clear(|unlink| list.live.by_stranger(unlink));
        }
    }

    /// Refuses new tasks and cancels all that are there. Cancelled tasks are pushed into their
    /// queues like woken ones; somebody has to run them. May be called again.
    pub(crate) fn close_and_cancel(&self) {
        for list in &self.lists {
            let tasks = list.live.by_stranger(|live| {
                live.closed = true;
                live.chain.to_vec()
            });
            // Outside the lock: a push may unlist a task at once, on another thread.
            for task in tasks {
                task.cancel();
            }
        }
    }

    /// True when no task is alive. Asks all lists as a stranger: not for a hot path.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tasks are alive. Asks all lists as a stranger: not for a hot path.
    pub(crate) fn len(&self) -> usize {
        self.lists
            .iter()
            .map(|list| {
                list.live.by_stranger(|live| {
                    let ended = list.ended.lock().unwrap_or_else(PoisonError::into_inner);
                    live.chain.len() - ended.len()
                })
            })
            .sum()
    }

    /// References to all live tasks, list after list: each was alive when it was read.
    pub(crate) fn snapshot(&self) -> Vec<TaskRef> {
        self.clear();
        self.lists
            .iter()
            .flat_map(|list| list.live.by_stranger(|live| live.chain.to_vec()))
            .collect()
    }
}
