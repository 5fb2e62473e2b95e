//! Task names, each kept once for the life of the process and then known by a `u32`.
//!
//! A name in every task header would cost 16 bytes and a reference count; a number costs 4.
//! The price: a name is never freed, so names are for kinds of tasks ("conn"), not for each one.
//! Read next: `task/wait_slot.rs`, where the number lies.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A kept name. 0 is "no name".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Name(u32);

/// All names so far.
struct Table {
    /// The number of each name.
    numbers: HashMap<&'static str, u32>,
    /// The name of each number, less one.
    names: Vec<&'static str>,
}

/// The process's table; guards both of its halves.
static TABLE: Mutex<Option<Table>> = Mutex::new(None);

impl Name {
    /// No name.
    pub(crate) const NONE: Self = Self(0);

    /// Keeps `text` and gives its number.
    ///
    /// After 2^32 - 1 different names the rest has none.
    pub(crate) fn intern(text: &str) -> Self {
        let mut guard = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let table = guard.get_or_insert_with(|| Table {
            numbers: HashMap::new(),
            names: Vec::new(),
        });
        if let Some(&number) = table.numbers.get(text) {
            return Self(number);
        }
        let Ok(number) = u32::try_from(table.names.len() + 1) else {
            return Self::NONE;
        };
        let kept: &'static str = Box::leak(text.into());
        table.names.push(kept);
        table.numbers.insert(kept, number);
        Self(number)
    }

    /// The text, if there is one.
    pub(crate) fn text(self) -> Option<&'static str> {
        let index = self.0.checked_sub(1)? as usize;
        let guard = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_ref()?.names.get(index).copied()
    }

    /// The bare number, for a field that is an atomic.
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// The name behind [`number`](Self::number).
    pub(crate) fn from_number(number: u32) -> Self {
        Self(number)
    }
}
