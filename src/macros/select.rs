//! `select!`: the first of several futures.
//!
//! ```text
//!   select! { P0 = E0, if C0 => H0,  P1 = E1 => H1 }
//!
//!   {
//!       conditions: C0                          a bit for each branch that is off
//!       match (E0, E1) {                        all expressions; their temporaries live as long
//!           (f0, f1) => {                       pinned on the stack
//!               poll_fn(|cx| poll f0, f1; the first whose value fits its pattern wins).await
//!           }
//!       }                                       futures and temporaries end here
//!       match output { B0(P0) => H0, B1(P1) => H1, AllOff => else }
//!   }
//! ```
//!
//! The handlers stand outside of every closure and `async` block, so `.await`, `?`, `break` and
//! `return` in them mean what they mean in the enclosing function.
//!
//! A pattern is tested without consuming the value by a guard that never passes, since bindings
//! move only after their guard has passed:
//!
//! ```
//! let value = Some(String::from("kept"));
//! let mut fits = false;
//! match value {
//!     Some(_text) if { fits = true; false } => unreachable!(),
//!     _ => {}
//! }
//! assert!(fits && value.is_some());
//! ```
//!
//! Read next: `macros/support.rs`.

#![forbid(unsafe_code)]

/// Waits for the first of several futures, drops the others and runs the handler of that one.
///
/// ```text
/// select! {
///     PATTERN = EXPRESSION, if CONDITION => HANDLER,      up to 64 branches
///     PATTERN = EXPRESSION => { HANDLER }
///     else => EXPRESSION,
/// }
/// ```
///
/// 1. All conditions are evaluated. A branch with a false one is off.
/// 2. All expressions are evaluated, also those of branches that are off. Each is anything that
///    can be awaited (`IntoFuture`). Temporaries in them live until step 4.
/// 3. The futures of the branches that are on are polled, until one is ready with a value that
///    fits its pattern. A branch whose value does not fit is off from then on. At each poll the
///    first one is drawn by lot, so that a branch that is always ready cannot starve the others;
///    with `biased;` as the first word they are polled from top to bottom.
/// 4. All futures are dropped. To keep one for the next round, pin it outside and write
///    `&mut future`.
/// 5. The handler runs, in the enclosing function: `.await`, `?`, `break` and `return` work. Its
///    value is the value of the macro, so all handlers have one type. A handler that is a block
///    needs no comma.
///
/// When all branches are off, `else` runs.
///
/// With no cooperative budget left, no branch is polled before the task's next turn.
///
/// # Panics
///
/// When all branches are off and there is no `else`.
///
/// # Cancel safety
///
/// Every branch but one is dropped unfinished, often after it has been polled: use futures that
/// lose nothing then (their documentation says so under this heading), or keep them over the
/// rounds as in step 4.
///
/// # Examples
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// let mut numbers = vec![1, 2, 3].into_iter();
/// let mut sum = 0;
/// let end = loop {
///     trefoil::select! {
///         biased;
///         Some(number) = async { numbers.next() } => sum += number,
///         end = async { "no more" }, if sum > 0 => break end,
///     }
/// };
/// assert_eq!((sum, end), (6, "no more"));
///
/// let name = trefoil::select! {
///     biased;
///     None = async { Some(1) } => "does not fit",
///     _ = async {}, if false => "is off",
///     else => "nothing was left",
/// };
/// assert_eq!(name, "nothing was left");
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! select {
    (biased; $($branches:tt)+) => {
        $crate::__trefoil_select!(@start [in_order] $($branches)+)
    };
    (biased $(;)?) => {
        ::core::compile_error!("select!: write at least one branch: `PATTERN = FUTURE => HANDLER`")
    };
    () => {
        ::core::compile_error!("select!: write at least one branch: `PATTERN = FUTURE => HANDLER`")
    };
    ($($branches:tt)+) => {
        $crate::__trefoil_select!(@start [by_lot] $($branches)+)
    };
}

/// The steps of [`select!`](crate::select).
///
/// `@next ORDER [free places] [finished branches] rest` takes one branch a step and gives it the
/// first free place: a number (its field of the tuple and its bit) and a name (its variant). The
/// variants are those of an enum that the expansion declares; names of items are not hygienic,
/// so unlike in `join!` each branch needs one of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __trefoil_select {
    (@start $order:tt else => $else:expr $(,)?) => { $else };
    (@start $order:tt $($branches:tt)+) => {
        $crate::__trefoil_select!(@next $order [
            (0 B0) (1 B1) (2 B2) (3 B3) (4 B4) (5 B5) (6 B6) (7 B7)
            (8 B8) (9 B9) (10 B10) (11 B11) (12 B12) (13 B13) (14 B14) (15 B15)
            (16 B16) (17 B17) (18 B18) (19 B19) (20 B20) (21 B21) (22 B22) (23 B23)
            (24 B24) (25 B25) (26 B26) (27 B27) (28 B28) (29 B29) (30 B30) (31 B31)
            (32 B32) (33 B33) (34 B34) (35 B35) (36 B36) (37 B37) (38 B38) (39 B39)
            (40 B40) (41 B41) (42 B42) (43 B43) (44 B44) (45 B45) (46 B46) (47 B47)
            (48 B48) (49 B49) (50 B50) (51 B51) (52 B52) (53 B53) (54 B54) (55 B55)
            (56 B56) (57 B57) (58 B58) (59 B59) (60 B60) (61 B61) (62 B62) (63 B63)
        ] [] $($branches)+)
    };

    // The end, with and without `else`.
    (@next $order:tt $free:tt $done:tt else => $else:expr $(,)?) => {
        $crate::__trefoil_select!(@write $order $done [$else])
    };
    (@next $order:tt $free:tt $done:tt) => {
        $crate::__trefoil_select!(@write $order $done [
            ::core::panic!(
                "select!: all branches are disabled and there is no else branch; \
                 add `else => ..` or a branch without a condition"
            )
        ])
    };
    (@next $order:tt [] $done:tt $($rest:tt)+) => {
        ::core::compile_error!("select!: at most 64 branches; put some into a future of their own")
    };

    // A branch: block or expression, with and without condition, last or not.
    (@next $order:tt [$place:tt $($free:tt)*] [$($done:tt)*]
        $pattern:pat = $future:expr, if $on:expr => $handler:block, $($rest:tt)*
    ) => {
        $crate::__trefoil_select!(@next $order [$($free)*]
            [$($done)* ($place [$on] [$pattern] [$future] [$handler] future)] $($rest)*)
    };
    (@next $order:tt [$place:tt $($free:tt)*] [$($done:tt)*]
        $pattern:pat = $future:expr => $handler:block, $($rest:tt)*
    ) => {
        $crate::__trefoil_select!(@next $order [$($free)*]
            [$($done)* ($place [] [$pattern] [$future] [$handler] future)] $($rest)*)
    };
    (@next $order:tt [$place:tt $($free:tt)*] [$($done:tt)*]
        $pattern:pat = $future:expr, if $on:expr => $handler:block $($rest:tt)*
    ) => {
        $crate::__trefoil_select!(@next $order [$($free)*]
            [$($done)* ($place [$on] [$pattern] [$future] [$handler] future)] $($rest)*)
    };
    (@next $order:tt [$place:tt $($free:tt)*] [$($done:tt)*]
        $pattern:pat = $future:expr => $handler:block $($rest:tt)*
    ) => {
        $crate::__trefoil_select!(@next $order [$($free)*]
            [$($done)* ($place [] [$pattern] [$future] [$handler] future)] $($rest)*)
    };
    (@next $order:tt [$place:tt $($free:tt)*] [$($done:tt)*]
        $pattern:pat = $future:expr, if $on:expr => $handler:expr $(, $($rest:tt)*)?
    ) => {
        $crate::__trefoil_select!(@next $order [$($free)*]
            [$($done)* ($place [$on] [$pattern] [$future] [$handler] future)] $($($rest)*)?)
    };
    (@next $order:tt [$place:tt $($free:tt)*] [$($done:tt)*]
        $pattern:pat = $future:expr => $handler:expr $(, $($rest:tt)*)?
    ) => {
        $crate::__trefoil_select!(@next $order [$($free)*]
            [$($done)* ($place [] [$pattern] [$future] [$handler] future)] $($($rest)*)?)
    };

    // `$future` is the name of a future's variable, another one for each branch: `join!` says why.
    (@write [$order:ident] [$((
        ($index:tt $name:ident) [$($on:expr)?] [$pattern:pat] [$value:expr] [$handler:expr]
        $future:ident
    ))+] [$else:expr]) => {{
        enum __TrefoilSelect<$($name),+> {
            $($name($name),)+
            AllOff,
        }

        // Bit i: branch i is off.
        let mut off = 0_u64;
        $($(
            if !$on {
                off |= 1 << $index;
            }
        )?)+
        const BRANCHES: u32 = <[u32]>::len(&[$($index),+]) as u32;

        let output = match ($($crate::macros::support::IntoFuture::into_future($value),)+) {
            ($($future,)+) => {
                $(let mut $future = $crate::macros::support::pin!($future);)+
                $crate::macros::support::poll_fn(|cx| {
                    if $crate::macros::support::poll_budget(cx).is_pending() {
                        return $crate::macros::support::Poll::Pending;
                    }
                    let mut pending = false;
                    for branch in $crate::macros::support::$order(BRANCHES) {
                        if off & (1 << branch) != 0 {
                            continue;
                        }
                        match branch {
                            $($index => {
                                // `mut` for patterns with `ref mut`, here and below.
                                #[allow(unused_mut)]
                                let mut value = match $crate::macros::support::Future::poll(
                                    $future.as_mut(),
                                    cx,
                                ) {
                                    $crate::macros::support::Poll::Ready(value) => value,
                                    // That this arm has no value lets a future without one
                                    // (`poll_fn(|_| panic!())`) have a type: `()`.
                                    $crate::macros::support::Poll::Pending => {
                                        pending = true;
                                        continue;
                                    }
                                };
                                let mut fits = false;
                                // The pattern is the user's, and it is there twice: what is to be
                                // said of it, the handler's match says.
                                #[allow(unused, clippy::all, clippy::pedantic)]
                                match value {
                                    $pattern if { fits = true; false } => ::core::unreachable!(),
                                    _ => {}
                                }
                                if fits {
                                    return $crate::macros::support::Poll::Ready(
                                        __TrefoilSelect::$name(value),
                                    );
                                }
                                off |= 1 << $index;
                            })+
                            _ => ::core::unreachable!(),
                        }
                    }
                    if pending {
                        $crate::macros::support::Poll::Pending
                    } else {
                        $crate::macros::support::Poll::Ready(__TrefoilSelect::AllOff)
                    }
                })
                .await
            }
        };
        #[allow(unused_mut)]
        let mut output = output;
        match output {
            $(__TrefoilSelect::$name($pattern) => $handler,)+
            __TrefoilSelect::AllOff => $else,
            // Refutable patterns do not fit here what they fitted there only if they lie.
            #[allow(unreachable_patterns)]
            _ => ::core::unreachable!("select!: a pattern matched a value once, but not twice"),
        }
    }};
}
