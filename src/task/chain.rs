//! A doubly linked list of tasks whose links lie in the tasks themselves.
//!
//! ```text
//!   Chain ─first─► Header ◄──► Header ◄──► Header        a task goes in at the front, and out
//!                  one reference of each is the chain's    from anywhere, in two moves each
//! ```
//!
//! Why not a slab of pointers: a slot is 24 bytes, doubled while the slab grows, and each end of a
//! task would have to find its slot again (rows `idle memory`, `spawn_join`). Why not a hash set:
//! the same, and hashing.
//! The list itself is plain data; who may use it, and when, is `task/owned.rs`'s business.
//! Read next: `task/owned.rs`.

#![allow(unsafe_code, reason = "a list through memory that it keeps alive")]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::task::header::{Header, Links, TaskRef};

/// The list. It must be empty when it is dropped: what is in it would never be freed.
#[derive(Debug)]
pub(crate) struct Chain {
    first: Option<NonNull<Header>>,
    len: usize,
}

// SAFETY: it holds counted references to tasks, which may be sent (`TaskRef: Send`), and reaches
// the links only by `&mut self` or `&self`: whoever has the chain has the links.
unsafe impl Send for Chain {}

/// A task in a chain.
fn header<'a>(task: NonNull<Header>) -> &'a Header {
    // SAFETY: private to this file, which calls it for tasks that are in a chain or about to be:
    // the chain's counted reference keeps them, and the result is not kept beyond the call.
    unsafe { task.as_ref() }
}

impl Chain {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self {
            first: None,
            len: 0,
        }
    }

    /// How many tasks are in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts a task that is in no chain in front. Its reference is the chain's from now on.
    #[inline]
    pub(crate) fn push(&mut self, task: TaskRef) {
        let task = ManuallyDrop::new(task).0;
        header(task).links.set(Links {
            before: None,
            after: self.first,
        });
        if let Some(second) = self.first {
            let links = &header(second).links;
            links.set(Links {
                before: Some(task),
                ..links.get()
            });
        }
        self.first = Some(task);
        self.len += 1;
    }

    /// Takes a task out, and gives the chain's reference back.
    ///
    /// # Safety
    ///
    /// The task is in this very chain.
    #[inline]
    pub(crate) unsafe fn unlink(&mut self, task: NonNull<Header>) -> TaskRef {
        let Links { before, after } = header(task).links.get();
        match before {
            Some(before) => {
                let links = &header(before).links;
                links.set(Links {
                    after,
                    ..links.get()
                });
            }
            None => self.first = after,
        }
        if let Some(after) = after {
            let links = &header(after).links;
            links.set(Links {
                before,
                ..links.get()
            });
        }
        self.len -= 1;
        TaskRef(task)
    }

    /// A new reference to each task.
    pub(crate) fn to_vec(&self) -> Vec<TaskRef> {
        let mut all = Vec::with_capacity(self.len);
        let mut next = self.first;
        while let Some(task) = next {
            // The chain's own reference is not given away, only counted up.
            all.push(TaskRef::clone(&ManuallyDrop::new(TaskRef(task))));
            next = header(task).links.get().after;
        }
        all
    }
}
