//! What `#[trefoil::main]` and `#[trefoil::test]` promise when the code is right. The errors of
//! wrong code are doc tests, in `src/macros/refused.rs`.

use trefoil as rt;

/// Another path of the crate, as a re-export would make it.
mod elsewhere {
    pub use trefoil as renamed;
}

/// True on the thread that libtest gave the running test.
fn on_the_tests_thread(name: &str) -> bool {
    std::thread::current()
        .name()
        .is_some_and(|thread| thread == name || thread == "main")
}

#[rt::test]
async fn a_test_runs_on_its_own_thread() {
    assert!(on_the_tests_thread("a_test_runs_on_its_own_thread"));
}

#[rt::test()]
async fn empty_brackets_are_fine() {}

#[rt::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_threads() {
    assert!(
        on_the_tests_thread("many_threads"),
        "the body itself is no task"
    );
}

#[rt::test(flavor = "multi_thread", worker_threads = 0x1_usize)]
async fn numbers_may_be_written_in_every_way() {}

#[rt::test(flavor = "current_thread", start_paused = true)]
async fn paused() {}

#[rt::test(name = "named", flavor = r"current_thread")]
async fn with_a_name() {}

#[rt::test(crate = "elsewhere::renamed")]
async fn at_another_path() {}

#[rt::test(crate = "::trefoil")]
async fn at_a_global_path() {}

#[rt::test]
#[should_panic(expected = "passes on")]
async fn other_attributes_are_kept() {
    panic!("it passes on");
}

#[rt::test]
#[ignore = "it would fail"]
async fn ignored_ones_do_not_run() {
    panic!("it ran");
}

#[rt::test]
async fn a_test_may_return_a_result() -> Result<(), std::num::ParseIntError> {
    let number: u32 = "7".parse()?;
    if number == 7 {
        return Ok(());
    }
    unreachable!()
}

#[rt::test]
async fn a_test_may_return_what_it_does_not_name() -> impl std::process::Termination {
    std::process::ExitCode::SUCCESS
}

/// A `main` that is called like a function.
#[rt::main(flavor = "current_thread")]
async fn main_of_one_thread() -> Result<String, std::num::ParseIntError> {
    let number: u32 = "8".parse()?;
    // The error type is known from the signature alone: nothing else in here says it.
    let more = "x".parse::<u32>().or_else(|_| "1".parse())?;
    Ok(format!("{}", number + more))
}

#[rt::main(worker_threads = 1)]
async fn main_of_many_threads(text: &str, mut count: usize) -> &str {
    count -= 1;
    &text[count..]
}

#[rt::main(flavor = "current_thread")]
async fn with_generics<T: Fn() -> usize, const N: usize, U>(f: T, name: [U; N]) -> usize
where
    U: Copy,
{
    let body = N;
    f() + body + name.len()
}

struct Counter(usize);

impl Counter {
    #[rt::main(flavor = "current_thread")]
    async fn add(&mut self, n: usize) -> Self {
        self.0 += n;
        Self(self.0)
    }
}

macro_rules! main_like {
    ($(#[$attribute:meta])* $vis:vis $name:ident, $workers:literal, $body:block) => {
        #[rt::main(flavor = "multi_thread", worker_threads = $workers)]
        $(#[$attribute])*
        $vis async fn $name() -> u32 $body
    };
}

main_like!(pub(crate) written_by_a_macro, 1, { 11 });

#[rt::main(flavor = "current_thread")]
async fn with_inner_attributes() -> u32 {
    #![allow(unused_variables)]
    let unused = 1;
    12
}

#[rt::main(flavor = "current_thread")]
async fn never_returns() -> ! {
    panic!("not even a value")
}

#[rt::main(flavor = "current_thread")]
async unsafe fn of_the_unsafe_kind(n: u32) -> u32 {
    n
}

#[test]
fn the_function_returns_what_its_body_returns() {
    assert_eq!(main_of_one_thread().unwrap(), "9");
    assert_eq!(main_of_many_threads("abc", 3), "c");
    assert_eq!(with_generics(|| 1, [0_u8; 3]), 7);
    let mut counter = Counter(1);
    assert_eq!(counter.add(2).0 + counter.0, 6);
    assert_eq!(written_by_a_macro(), 11);
    assert_eq!(with_inner_attributes(), 12);
}

#[test]
#[should_panic(expected = "not even a value")]
fn a_function_may_never_return() {
    never_returns();
}

#[test]
fn qualifiers_are_kept() {
    let f: unsafe fn(u32) -> u32 = of_the_unsafe_kind;
    assert_ne!(f as usize, 0);
}
