//! The attributes `#[trefoil::main]` and `#[trefoil::test]`.
//!
//! ```text
//!   #[trefoil::main(flavor = "current_thread")]        fn main() -> Ret {
//!   async fn main() -> Ret {                               let body = async { BODY };
//!       BODY                             ────────►         let runtime = Builder::…build()…;
//!   }                                                      runtime.block_on(body)
//!                                                      }
//! ```
//!
//! The attribute's arguments become calls on `runtime::Builder` (`args.rs`), the function is taken
//! apart (`function.rs`) and put together again (`expand.rs`). All three work on plain tokens:
//! a full parser (`syn`) would have to be compiled before trefoil, for what is one list of
//! `key = value` and the search for a few tokens of a signature.
//! Read next: `expand.rs`, then `args.rs`, `function.rs`.

#![forbid(unsafe_code)]

mod args;
mod error;
mod expand;
mod function;

use proc_macro::TokenStream;

use expand::Attribute;

/// Turns an `async fn main` into a `main` that starts a runtime and runs the body in it.
///
/// The function returns what its body returns, so it may return a `Result`. Without arguments the
/// runtime has a worker thread for each CPU; I/O and timers are on. Other functions than `main`
/// may carry the attribute too and may have arguments; each call starts a runtime of its own.
///
/// | argument | value | meaning |
/// |---|---|---|
/// | `flavor` | `"multi_thread"` (default), `"current_thread"`, `"local"` | which runtime |
/// | `worker_threads` | an integer from 1 | how many workers; only with `"multi_thread"` |
/// | `start_paused` | `true`, `false` | start with the clock paused; not with `"multi_thread"` |
/// | `name` | a string | the runtime's name |
/// | `crate` | a path as a string | where trefoil is, if it has been renamed or re-exported |
///
/// The body runs in `block_on`, on the thread of the caller. It is no task: to run on a worker,
/// spawn.
///
/// # Panics
///
/// When the runtime cannot start (no more threads or file descriptors).
///
/// # Examples
///
/// ```
/// #[trefoil::main(flavor = "current_thread")]
/// async fn main() -> Result<(), std::num::ParseIntError> {
///     let number: u32 = "7".parse()?;
///     assert_eq!(number, 7);
///     Ok(())
/// }
/// ```
///
/// Without the attribute:
///
/// ```
/// fn main() -> Result<(), std::num::ParseIntError> {
///     let body = async {
///         let number: u32 = "7".parse()?;
///         assert_eq!(number, 7);
///         Ok(())
///     };
///     let runtime = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
///     runtime.block_on(body)
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Main, "::trefoil", args, item)
}

/// Turns an `async fn` into a test that runs its body in a runtime of its own.
///
/// The arguments are those of [`main`](macro@main), but the default flavour is
/// `"current_thread"`. The standard `#[test]` is added; other attributes (`#[should_panic]`,
/// `#[ignore]`, `#[cfg]`) work as they do there.
///
/// # Examples
///
/// ```no_run
/// #[trefoil::test]
/// async fn one_and_one_is_two() {
///     assert_eq!(1 + 1, 2);
/// }
///
/// #[trefoil::test(flavor = "multi_thread", worker_threads = 2)]
/// async fn on_two_workers() {
///     assert_eq!(1 + 1, 2);
/// }
///
/// #[trefoil::test(start_paused = true)]
/// async fn an_hour_takes_no_time() {
///     trefoil::time::sleep(std::time::Duration::from_secs(3600)).await;
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Test, "::trefoil", args, item)
}

/// [`main`](macro@main) for a crate that bears tokio's name: paths begin with `::tokio`.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn tokio_main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Main, "::tokio", args, item)
}

/// [`test`](macro@test) for a crate that bears tokio's name: paths begin with `::tokio`.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn tokio_test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Test, "::tokio", args, item)
}
