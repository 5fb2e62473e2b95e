//! Doubly linked lists whose links are keys of a slab: push, pop and unlink in constant time.
//!
//! ```text
//!   List { head ─► (3) ⇄ (0) ⇄ (7) ◄─ tail }        the nodes lie in one slab,
//!   List { head ─► (1) ◄─ tail }                     several lists may share it
//! ```
//!
//! A waiter that is cancelled must leave the middle of its queue at once, without a search; that
//! is what the second link is for. The textbook form puts the links into the waiting object and
//! needs pinning and unsafe code; here a link is a number, and a stale one finds nothing.
//! Read next: `sync/wait.rs` (waiters) and `time/wheel.rs` (timers).

#![forbid(unsafe_code)]

use crate::parts::slab::{Key, Slab};

/// A value with its two neighbours; what a slab under lists holds.
#[derive(Debug)]
pub(crate) struct Node<T> {
    /// What the node carries.
    pub(crate) value: T,
    prev: Key,
    next: Key,
}

impl<T> Node<T> {
    /// A node in no list yet.
    pub(crate) fn new(value: T) -> Self {
        Self {
            value,
            prev: Key::NONE,
            next: Key::NONE,
        }
    }
}

/// Both ends of one list. The caller brings the slab to each call, always the same one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    head: Key,
    tail: Key,
}

impl List {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self {
            head: Key::NONE,
            tail: Key::NONE,
        }
    }

    /// True when no node is linked.
    pub(crate) fn is_empty(&self) -> bool {
        self.head == Key::NONE
    }

    /// The first node's key.
    pub(crate) fn front(&self) -> Option<Key> {
        (self.head != Key::NONE).then_some(self.head)
    }

    /// The last node's key.
    pub(crate) fn back(&self) -> Option<Key> {
        (self.tail != Key::NONE).then_some(self.tail)
    }

    /// The node behind `key` in its list.
    pub(crate) fn next<T>(slab: &Slab<Node<T>>, key: Key) -> Option<Key> {
        slab.get(key)
            .map(|node| node.next)
            .filter(|next| *next != Key::NONE)
    }

    /// Links the node `key`, which is in no list, at the end.
    #[inline]
    pub(crate) fn push_back<T>(&mut self, slab: &mut Slab<Node<T>>, key: Key) {
        let Some(node) = slab.get_mut(key) else {
            return;
        };
        node.prev = self.tail;
        node.next = Key::NONE;
        match slab.get_mut(self.tail) {
            Some(last) => last.next = key,
            None => self.head = key,
        }
        self.tail = key;
    }

    /// Takes the node `key` out of this list; it stays in the slab.
    ///
    /// The node must be in *this* list: the ends are corrected here.
    #[inline]
    pub(crate) fn unlink<T>(&mut self, slab: &mut Slab<Node<T>>, key: Key) {
        let Some(node) = slab.get_mut(key) else {
            return;
        };
        let (prev, next) = (node.prev, node.next);
        node.prev = Key::NONE;
        node.next = Key::NONE;
        match slab.get_mut(prev) {
            Some(node) => node.next = next,
            None => self.head = next,
        }
        match slab.get_mut(next) {
            Some(node) => node.prev = prev,
            None => self.tail = prev,
        }
    }

    /// Unlinks the first node and takes it out of the slab.
    #[inline]
    pub(crate) fn pop_front<T>(&mut self, slab: &mut Slab<Node<T>>) -> Option<T> {
        let key = self.front()?;
        self.unlink(slab, key);
        slab.remove(key).map(|node| node.value)
    }
}
