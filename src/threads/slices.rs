//! `map`, `for_each` and `reduce` over a slice: a page of `join` each.
//!
//! ```text
//!   [ a b c d e f g h ]    4 splits to spend (the number of threads)
//!   [ a b c d ][ e f g h ]   2 each
//!   [ab][cd]     [ef][gh]    1 each; a piece that was stolen gets 4 again: somebody is hungry
//! ```
//!
//! So an undisturbed slice is cut into a few pieces, and a piece that somebody waits for goes on
//! being cut, down to one element. Why not fixed pieces: nobody knows how long `f` takes.
//! Adaptors, zips and filters are rayon's job.
//! Read next: `threads/sort.rs`.

#![allow(unsafe_code, reason = "results are written into a vector's spare room")]

use std::mem::{self, MaybeUninit};

use crate::threads::current::current_num_threads;
use crate::threads::global::in_worker;
use crate::threads::join::{FnContext, join_context};

/// How many times a piece may still be cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credit(usize);

impl Credit {
    /// For a whole slice, on a worker.
    pub(crate) fn full() -> Self {
        Self(current_num_threads())
    }

    /// The credit of each half of a piece of `len` elements; `None`: do not cut it.
    pub(crate) fn cut(self, len: usize, migrated: bool) -> Option<Self> {
        if len < 2 {
            None
        } else if migrated {
            Some(Self::full())
        } else {
            (self.0 > 0).then_some(Self(self.0 / 2))
        }
    }
}

/// Calls `f` for each element; gives the results in the order of the elements.
///
/// Runs in the pool that this thread belongs to, or in the global one. A task of the event loop
/// awaits it as `submit(move || map(&data, f)).await`.
///
/// # Panics
///
/// When `f` panics: the panic comes out after all that had begun is over, and results that were
/// made already are dropped.
///
/// # Examples
///
/// ```
/// let lengths = trefoil::threads::map(&["clover", "leaf"], |word| word.len());
/// assert_eq!(lengths, [6, 4]);
/// ```
#[must_use = "for_each is for functions without a result"]
pub fn map<T, R, F>(items: &[T], f: F) -> Vec<R>
where
    T: Sync,
    R: Send,
    F: Fn(&T) -> R + Sync,
{
    let mut results = Vec::with_capacity(items.len());
    let slots = &mut results.spare_capacity_mut()[..items.len()];
    in_worker(|_, injected| fill(items, slots, &f, Credit::full(), injected).keep());
    // SAFETY: `fill` has written all the slots, or it would have unwound.
    unsafe { results.set_len(items.len()) };
    results
}

/// Results in a part of the vector; dropped with this, unless they are kept.
struct Filled<'a, R> {
    slots: &'a mut [MaybeUninit<R>],
    /// The first so many are written.
    len: usize,
}

impl<R> Filled<'_, R> {
    /// Somebody else drops the results.
    fn keep(self) {
        mem::forget(self);
    }
}

impl<R> Drop for Filled<'_, R> {
    fn drop(&mut self) {
        for slot in &mut self.slots[..self.len] {
            // SAFETY: the first `len` are written, and dropped by nobody else.
            unsafe { slot.assume_init_drop() };
        }
    }
}

/// Writes the results for a piece.
fn fill<'a, T, R, F>(
    items: &[T],
    slots: &'a mut [MaybeUninit<R>],
    f: &F,
    credit: Credit,
    migrated: bool,
) -> Filled<'a, R>
where
    T: Sync,
    R: Send,
    F: Fn(&T) -> R + Sync,
{
    let Some(credit) = credit.cut(items.len(), migrated) else {
        let mut filled = Filled { slots, len: 0 };
        for (slot, item) in filled.slots.iter_mut().zip(items) {
            slot.write(f(item));
            filled.len += 1;
        }
        return filled;
    };
    let middle = items.len() / 2;
    let (left_items, right_items) = items.split_at(middle);
    let (left_slots, right_slots) = slots.split_at_mut(middle);
    let (left, right) = join_context(
        |ctx| fill(left_items, left_slots, f, credit, ctx.migrated()),
        |ctx| fill(right_items, right_slots, f, credit, ctx.migrated()),
    );
    left.keep();
    right.keep();
    Filled {
        len: slots.len(),
        slots,
    }
}

/// Calls `f` for each element, once.
///
/// # Panics
///
/// When `f` panics: the panic comes out after all that had begun is over.
///
/// # Examples
///
/// ```
/// let mut numbers = [1, 2, 3];
/// trefoil::threads::for_each(&mut numbers, |n| *n *= 10);
/// assert_eq!(numbers, [10, 20, 30]);
/// ```
pub fn for_each<T, F>(items: &mut [T], f: F)
where
    T: Send,
    F: Fn(&mut T) + Sync,
{
    in_worker(|_, injected| visit(items, &f, Credit::full(), injected));
}

/// `for_each` for a piece.
fn visit<T, F>(items: &mut [T], f: &F, credit: Credit, migrated: bool)
where
    T: Send,
    F: Fn(&mut T) + Sync,
{
    let Some(credit) = credit.cut(items.len(), migrated) else {
        return items.iter_mut().for_each(f);
    };
    let (left, right) = items.split_at_mut(items.len() / 2);
    join_context(
        |ctx| visit(left, f, credit, ctx.migrated()),
        |ctx| visit(right, f, credit, ctx.migrated()),
    );
}

/// Folds all elements into one value.
///
/// Each piece starts with `identity()` and takes its elements in with `fold`; `combine` joins the
/// pieces, in the order of the elements. The result is that of one fold if `combine` is
/// associative and `identity()` changes nothing in it; how the slice is cut is left open.
///
/// # Panics
///
/// When one of the closures panics: the panic comes out after all that had begun is over, and
/// values that were made already are dropped.
///
/// # Examples
///
/// ```
/// let words = ["clover", "leaf", "trefoil"];
/// let longest = trefoil::threads::reduce(
///     &words,
///     || 0,
///     |most, word| most.max(word.len()),
///     |a, b| a.max(b),
/// );
/// assert_eq!(longest, 7);
/// ```
#[must_use = "for_each is for functions without a result"]
pub fn reduce<T, A, ID, FOLD, COMBINE>(items: &[T], identity: ID, fold: FOLD, combine: COMBINE) -> A
where
    T: Sync,
    A: Send,
    ID: Fn() -> A + Sync,
    FOLD: Fn(A, &T) -> A + Sync,
    COMBINE: Fn(A, A) -> A + Sync,
{
    let leaf = |piece: &[T]| piece.iter().fold(identity(), &fold);
    in_worker(|_, injected| fold_piece(items, &leaf, &combine, Credit::full(), injected))
}

/// `reduce` for a piece.
fn fold_piece<T, A, LEAF, COMBINE>(
    items: &[T],
    leaf: &LEAF,
    combine: &COMBINE,
    credit: Credit,
    migrated: bool,
) -> A
where
    T: Sync,
    A: Send,
    LEAF: Fn(&[T]) -> A + Sync,
    COMBINE: Fn(A, A) -> A + Sync,
{
    let Some(credit) = credit.cut(items.len(), migrated) else {
        return leaf(items);
    };
    let (left, right) = items.split_at(items.len() / 2);
    let half = |items, ctx: FnContext| fold_piece(items, leaf, combine, credit, ctx.migrated());
    let (a, b) = join_context(|ctx| half(left, ctx), |ctx| half(right, ctx));
    combine(a, b)
}
