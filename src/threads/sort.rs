//! `sort_unstable`: quicksort over `join`.
//!
//! ```text
//!   partition round a pivot, on this thread:   [ smaller | pivot | the rest ]
//!   join:                                        sort        sort
//!   few elements, or too many bad pivots: std's sort
//! ```
//!
//! With many equal elements "smaller" is empty again and again; then the elements that are equal
//! to the pivot are put aside, since they are sorted already. The pivot is the middle of nine.
//! Only swaps move elements: whatever `cmp` does, panics included, the slice keeps all of them.
//! Why not merge sort: it needs a second slice.
//! Read next: `threads/current.rs`.

#![forbid(unsafe_code)]

use std::cmp::Ordering;

use crate::threads::global::in_worker;
use crate::threads::join::join;

/// Elements from which on a piece is partitioned and its parts may go to different threads.
///
/// Unit: elements. Source: some 20 µs of sorting, the price of a woken thread; not tuned.
const CUT_OFF: usize = 1024;

/// Sorts the slice; equal elements may change places.
///
/// As std's `sort_unstable`, on several threads. Runs in the pool that this thread belongs to, or
/// in the global one.
///
/// # Panics
///
/// As std's: it may if the order of `T` is none. The elements are all there then, in some order.
///
/// # Examples
///
/// ```
/// let mut numbers: Vec<u32> = (0..10_000).map(|n| n * 7919 % 10_000).collect();
/// trefoil::threads::sort_unstable(&mut numbers);
/// assert!(numbers.is_sorted());
/// ```
pub fn sort_unstable<T>(items: &mut [T])
where
    T: Ord + Send,
{
    sort_unstable_by(items, T::cmp);
}

/// Sorts the slice with an order of your own; equal elements may change places.
///
/// # Panics
///
/// When `cmp` panics, or is no order. The elements are all there then, in some order.
///
/// # Examples
///
/// ```
/// let mut numbers = [0.5, 2.5, 1.5];
/// trefoil::threads::sort_unstable_by(&mut numbers, |a, b| f64::total_cmp(b, a));
/// assert_eq!(numbers, [2.5, 1.5, 0.5]);
/// ```
pub fn sort_unstable_by<T, F>(items: &mut [T], cmp: F)
where
    T: Send,
    F: Fn(&T, &T) -> Ordering + Sync,
{
    // Twice the depth of a tree that is perfectly balanced.
    let depth = 2 * items.len().checked_ilog2().unwrap_or(0);
    in_worker(|_, _| sort(items, &cmp, depth));
}

/// Sorts a piece; `depth` is how many more bad pivots it may have.
fn sort<T, F>(mut items: &mut [T], cmp: &F, mut depth: u32)
where
    T: Send,
    F: Fn(&T, &T) -> Ordering + Sync,
{
    while items.len() >= CUT_OFF && depth > 0 {
        depth -= 1;
        let middle = middle_of_nine(items, cmp);
        items.swap(0, middle);
        let smaller = partition(items, |item, pivot| cmp(item, pivot).is_lt());
        if smaller == 0 {
            // Nothing is smaller than the pivot: what is not greater equals it.
            let equal = partition(items, |item, pivot| cmp(item, pivot).is_le());
            items = &mut items[equal + 1..];
            continue;
        }
        let (left, right) = items.split_at_mut(smaller);
        let right = &mut right[1..];
        join(|| sort(left, cmp, depth), || sort(right, cmp, depth));
        return;
    }
    items.sort_unstable_by(cmp);
}

/// Brings the elements that go left of the pivot, which is the first element, to the front, and
/// the pivot behind them; gives its place.
fn partition<T>(items: &mut [T], goes_left: impl Fn(&T, &T) -> bool) -> usize {
    let Some((pivot, rest)) = items.split_first_mut() else {
        return 0;
    };
    let mut left = 0;
    for place in 0..rest.len() {
        // Swapped in any case: a branch that depends on random data costs more than the moves.
        let goes = goes_left(&rest[place], pivot);
        rest.swap(place, left);
        left += usize::from(goes);
    }
    items.swap(0, left);
    left
}

/// The place of the middle one of nine elements, nearly: the middle of three middles.
fn middle_of_nine<T>(items: &[T], cmp: &impl Fn(&T, &T) -> Ordering) -> usize {
    let step = items.len() / 9;
    let three = |first: usize| middle_of_three(items, [0, 1, 2].map(|n| (first + n) * step), cmp);
    middle_of_three(items, [three(0), three(3), three(6)], cmp)
}

/// That of the three places whose element is between the others.
fn middle_of_three<T>(
    items: &[T],
    [a, b, c]: [usize; 3],
    cmp: &impl Fn(&T, &T) -> Ordering,
) -> usize {
    let is_less = |i: usize, j: usize| cmp(&items[i], &items[j]).is_lt();
    if is_less(a, b) == is_less(b, c) {
        b
    } else if is_less(b, a) == is_less(a, c) {
        a
    } else {
        c
    }
}
