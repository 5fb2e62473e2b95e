//! `join!` and `try_join!`: all of several futures.
//!
//! ```text
//!   join!(E0, E1)
//!
//!   match (maybe_done(E0), maybe_done(E1)) {      temporaries of E0, E1 live until the end
//!       (f0, f1) => {                             pinned on the stack
//!           poll_fn(|cx| poll those that are not done, in turn; all done? the tuple).await
//!       }
//!   }
//! ```
//!
//! Read next: `macros/select.rs`.

#![forbid(unsafe_code)]

/// Runs futures at the same time, in this task, until all are done.
///
/// The value is the tuple of their outputs in the written order. Nothing is allocated, and the
/// futures need not be `Send` or `'static`. They do not run in parallel: that takes
/// [`task::spawn`](crate::task).
///
/// Each poll begins with another future (the first, then the second, ...): with one that eats the
/// whole cooperative budget the others still get their turn. `join!(biased; ...)` always begins
/// with the first; then it is up to you to put the greedy ones last.
///
/// # Cancel safety
///
/// Dropping the join drops all its futures; what the finished ones gave is lost.
///
/// # Examples
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// let (text, number) = trefoil::join!(async { "seven" }, async { 7 });
/// assert_eq!((text, number), ("seven", 7));
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! join {
    (biased; $($futures:tt)*) => {
        $crate::__trefoil_join!(@next [join stay] [] $($futures)*)
    };
    ($($futures:tt)*) => {
        $crate::__trefoil_join!(@next [join rotate] [] $($futures)*)
    };
}

/// Runs futures at the same time, in this task, until all are `Ok` or the first is `Err`.
///
/// As [`join!`](crate::join), with futures of `Result`s of one error type. The value is `Ok` of
/// the tuple of values, or the first error that comes; then the other futures are dropped
/// unfinished.
///
/// # Cancel safety
///
/// Dropping the join drops all its futures; what the finished ones gave is lost.
///
/// # Examples
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// let both = trefoil::try_join!(async { Ok::<_, String>(1) }, async { Ok("two") });
/// assert_eq!(both, Ok((1, "two")));
///
/// let failed = trefoil::try_join!(std::future::pending::<Result<(), _>>(), async {
///     Err::<(), _>("out of luck")
/// });
/// assert_eq!(failed, Err("out of luck"));
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! try_join {
    (biased; $($futures:tt)*) => {
        $crate::__trefoil_join!(@next [try_join stay] [] $($futures)*)
    };
    ($($futures:tt)*) => {
        $crate::__trefoil_join!(@next [try_join rotate] [] $($futures)*)
    };
}

/// The steps of [`join!`](crate::join) and [`try_join!`](crate::try_join).
///
/// `@next` takes one expression a step. The name `future` that a step adds is another one each
/// time (hygiene: a name belongs to the step that wrote it), so no numbers are needed and there
/// is no limit but `recursion_limit`.
#[doc(hidden)]
#[macro_export]
macro_rules! __trefoil_join {
    (@next $kind:tt [$($done:tt)*] $value:expr, $($rest:tt)*) => {
        $crate::__trefoil_join!(@next $kind [$($done)* (future $value)] $($rest)*)
    };
    (@next $kind:tt [$($done:tt)*] $value:expr) => {
        $crate::__trefoil_join!(@write $kind [$($done)* (future $value)])
    };
    (@next $kind:tt [$($done:tt)*]) => {
        $crate::__trefoil_join!(@write $kind [$($done)*])
    };

    // The `let` ends the temporaries of the expressions before the value is passed on.
    (@write [$kind:ident $turn:ident] [$(($future:ident $value:expr))*]) => {{
        let output = match ($($crate::macros::support::maybe_done($value),)*) {
            ($($future,)*) => {
                $(let mut $future = $crate::macros::support::pin!($future);)*
                let mut turns = $crate::macros::support::Turns::$turn(
                    <[&'static str]>::len(&[$(::core::stringify!($future)),*]),
                );
                $crate::macros::support::poll_fn(|cx| {
                    let mut pending = false;
                    // From the first in turn to the end, then from the start to the first in turn.
                    let first = turns.next();
                    for wrapped in [false, true] {
                        let mut index = 0_usize;
                        $(
                            if (index < first) == wrapped {
                                $crate::__trefoil_join!(@poll $kind $future cx pending);
                            }
                            index += 1;
                        )*
                        let _ = index;
                    }
                    if pending {
                        $crate::macros::support::Poll::Pending
                    } else {
                        $crate::macros::support::Poll::Ready(
                            $crate::__trefoil_join!(@output $kind [$($future)*]),
                        )
                    }
                })
                .await
            }
        };
        output
    }};

    (@poll join $future:ident $cx:ident $pending:ident) => {
        if !$future.as_mut().poll_done($cx) {
            $pending = true;
        }
    };
    (@poll try_join $future:ident $cx:ident $pending:ident) => {
        if !$future.as_mut().poll_done($cx) {
            $pending = true;
        } else if let $crate::macros::support::Some(error) = $future.as_mut().take_error() {
            return $crate::macros::support::Poll::Ready($crate::macros::support::Err(error));
        }
    };
    (@output join [$($future:ident)*]) => {
        ($($future.as_mut().take_output(),)*)
    };
    (@output try_join [$($future:ident)*]) => {
        $crate::macros::support::Ok(($($future.as_mut().take_value(),)*))
    };
}
