//! What the macros and attributes refuse, each beside the form that compiles.
//!
//! Doc tests: rustdoc has a way to say that a text must not compile. A text may fail for the wrong
//! reason; the twin next to it, which differs in that one thing, shows that it does not.
//!
//! # A key that does not exist
//!
//! ```compile_fail
//! #[trefoil::main(flavour = "current_thread")]
//! async fn run() {}
//! ```
//!
//! ```
//! #[trefoil::main(flavor = "current_thread")]
//! async fn run() {}
//! ```
//!
//! # A flavour that does not exist
//!
//! ```compile_fail
//! #[trefoil::main(flavor = "single_thread")]
//! async fn run() {}
//! ```
//!
//! ```
//! #[trefoil::main(flavor = "current_thread")]
//! async fn run() {}
//! ```
//!
//! # A key without a value
//!
//! ```compile_fail
//! #[trefoil::main(flavor)]
//! async fn run() {}
//! ```
//!
//! ```
//! #[trefoil::main(flavor = "multi_thread")]
//! async fn run() {}
//! ```
//!
//! # A key given twice
//!
//! ```compile_fail
//! #[trefoil::main(worker_threads = 1, worker_threads = 2)]
//! async fn run() {}
//! ```
//!
//! ```
//! #[trefoil::main(worker_threads = 1)]
//! async fn run() {}
//! ```
//!
//! # A value of the wrong type
//!
//! ```compile_fail
//! #[trefoil::main(worker_threads = "2")]
//! async fn run() {}
//! ```
//!
//! ```
//! #[trefoil::main(worker_threads = 2)]
//! async fn run() {}
//! ```
//!
//! # No workers at all
//!
//! ```compile_fail
//! #[trefoil::main(worker_threads = 0)]
//! async fn run() {}
//! ```
//!
//! ```
//! #[trefoil::main(worker_threads = 1)]
//! async fn run() {}
//! ```
//!
//! # Workers without a runtime that has some
//!
//! ```compile_fail
//! #[trefoil::test(worker_threads = 2)]
//! async fn works() {}
//! ```
//!
//! ```
//! #[trefoil::test(flavor = "multi_thread", worker_threads = 2)]
//! async fn works() {}
//! ```
//!
//! # A paused clock for several threads
//!
//! ```compile_fail
//! #[trefoil::main(start_paused = true)]
//! async fn run() {}
//! ```
//!
//! ```
//! #[trefoil::main(flavor = "current_thread", start_paused = true)]
//! async fn run() {}
//! ```
//!
//! # A crate that is no path
//!
//! ```compile_fail
//! #[trefoil::main(crate = "my-trefoil")]
//! async fn run() {}
//! ```
//!
//! ```
//! use trefoil as my_trefoil;
//! #[trefoil::main(crate = "my_trefoil")]
//! async fn run() {}
//! ```
//!
//! # A function that is not `async`
//!
//! ```compile_fail
//! #[trefoil::main]
//! fn run() {}
//! ```
//!
//! ```
//! #[trefoil::main]
//! async fn run() {}
//! ```
//!
//! # What is no function
//!
//! ```compile_fail
//! #[trefoil::main]
//! struct Run;
//! ```
//!
//! ```
//! #[trefoil::main]
//! async fn run() {}
//! ```
//!
//! # A test that is one already
//!
//! ```compile_fail
//! #[trefoil::test]
//! #[test]
//! async fn works() {}
//! ```
//!
//! ```
//! #[trefoil::test]
//! async fn works() {}
//! ```
//!
//! # A `main` with arguments
//!
//! ```compile_fail
//! #[trefoil::main]
//! async fn main(arguments: Vec<String>) {}
//! ```
//!
//! ```
//! #[trefoil::main]
//! async fn main() {}
//! ```
//!
//! # A body of another type
//!
//! ```compile_fail
//! #[trefoil::main]
//! async fn run() -> u32 {
//!     let n = 1_u64;
//!     n
//! }
//! ```
//!
//! ```
//! #[trefoil::main]
//! async fn run() -> u32 {
//!     let n = 1_u32;
//!     n
//! }
//! ```
//!
//! # A body without the value that is due
//!
//! ```compile_fail
//! #[trefoil::main]
//! async fn run() -> Result<(), String> {
//!     let _n = 1;
//! }
//! ```
//!
//! ```
//! #[trefoil::main]
//! async fn run() -> Result<(), String> {
//!     let _n = 1;
//!     Ok(())
//! }
//! ```
//!
//! # `select!` without a branch
//!
//! ```compile_fail
//! async fn run() {
//!     trefoil::select! {}
//! }
//! ```
//!
//! ```
//! async fn run() {
//!     trefoil::select! { _ = async {} => {} }
//! }
//! ```
//!
//! # Handlers of two types
//!
//! ```compile_fail
//! async fn run() -> u32 {
//!     trefoil::select! { n = async { 1 } => n, _ = async {} => "two" }
//! }
//! ```
//!
//! ```
//! async fn run() -> u32 {
//!     trefoil::select! { n = async { 1 } => n, _ = async {} => 2 }
//! }
//! ```
//!
//! # `try_join!` of what cannot fail
//!
//! ```compile_fail
//! async fn run() -> Result<(u8,), String> {
//!     trefoil::try_join!(async { 1 })
//! }
//! ```
//!
//! ```
//! async fn run() -> Result<(u8,), String> {
//!     trefoil::try_join!(async { Ok(1) })
//! }
//! ```
//!
//! # A future that was pinned and is moved all the same
//!
//! ```compile_fail
//! async fn run() {
//!     let future = async {};
//!     let moved = &future;
//!     trefoil::pin!(future);
//!     let _ = (moved, future.await);
//! }
//! ```
//!
//! ```
//! async fn run() {
//!     let future = async {};
//!     trefoil::pin!(future);
//!     future.await;
//! }
//! ```
//!
//! # A task-local that is no static
//!
//! ```compile_fail
//! trefoil::task_local!(let NUMBER: u32);
//! ```
//!
//! ```
//! trefoil::task_local!(static NUMBER: u32);
//! ```

#![forbid(unsafe_code)]
