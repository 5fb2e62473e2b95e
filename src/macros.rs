//! `pin!`, `join!`, `try_join!`, `select!`: many futures in one task, without a box.
//!
//! All are `macro_rules!`. Each takes its input apart one branch a step and then writes one block
//! in which the futures lie pinned on the stack and one `poll_fn` polls them. A step a branch keeps
//! 64 branches below the default `recursion_limit` of 128.
//!
//! Why not a procedural macro: nothing of this needs one, and its expansion could not be read here.
//! Read next: `macros/join.rs`, then `macros/select.rs`, `macros/support.rs` (the functions that
//! the expansions call) and `macros/refused.rs` (what does not compile).

mod join;
#[doc(hidden)]
pub mod refused;
mod select;
#[doc(hidden)]
pub mod support;

/// Pins futures on the stack.
///
/// `pin!(a, b)` shadows owned variables by `Pin<&mut _>`s of the same names;
/// `pin! { let a = ...; let b = ...; }` declares the variables too.
///
/// A pinned future can be awaited by reference (`(&mut future).await`), which is how one future
/// stays alive over many rounds of [`select!`](crate::select).
///
/// # Examples
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// let first = async { 1 };
/// trefoil::pin!(first);
/// assert_eq!((&mut first).await, 1);
///
/// trefoil::pin! {
///     let second = async { 2 };
///     let third = async { 3 };
/// }
/// assert_eq!(second.await + third.await, 5);
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! pin {
    ($($future:ident),* $(,)?) => {
        $(
            #[allow(unused_mut)]
            let mut $future = $crate::macros::support::pin!($future);
        )*
    };
    ($(let $future:ident = $value:expr;)*) => {
        $(
            // In two steps: what `$value` borrows from a temporary is refused here, by name.
            let $future = $value;
            #[allow(unused_mut)]
            let mut $future = $crate::macros::support::pin!($future);
        )*
    };
}
