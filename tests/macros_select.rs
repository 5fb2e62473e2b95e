//! What `select!` promises. No runtime: it works on any executor, here on a loop.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use trefoil as rt;

/// Polls until ready; a future that stays pending for 10,000 polls is stuck.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("stuck");
}

/// Ready at its n-th poll.
fn at_poll<T>(n: usize, value: T) -> impl Future<Output = T> {
    let mut left = n;
    let mut value = Some(value);
    poll_fn(move |_| {
        left -= 1;
        if left == 0 {
            Poll::Ready(value.take().unwrap())
        } else {
            Poll::Pending
        }
    })
}

/// Says in a log when it is dropped.
struct Logs<'a>(&'a RefCell<Vec<&'static str>>, &'static str);

impl Drop for Logs<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn the_first_ready_branch_wins() {
    let winner = run(async {
        rt::select! {
            name = at_poll(3, "late") => name,
            name = at_poll(2, "early") => name,
            _ = pending::<()>() => "never",
        }
    });
    assert_eq!(winner, "early");
}

#[test]
fn every_form_of_a_handler_is_understood() {
    for which in 0..6 {
        let got = run(async {
            rt::select! {
                _ = ready(()), if which == 0 => { 0 }
                _ = ready(()), if which == 1 => { 1 },
                _ = ready(()), if which == 2 => 2,
                _ = ready(()), if which == 3 => match which { 3 => 3, _ => unreachable!() },
                4.. = ready(which) => if which == 4 { 4 } else { 5 },
                else => 100,
            }
        });
        assert_eq!(got, which);
    }
}

#[test]
fn one_branch_and_trailing_commas_are_fine() {
    run(async {
        rt::select! { _ = ready(()) => {} }
        rt::select! { _ = ready(()) => {}, }
        rt::select! { _ = ready(()) => () }
        let seven = rt::select! { biased; n = ready(7) => n, else => 8, };
        assert_eq!(seven, 7);
        assert_eq!(rt::select! { else => 9 }, 9);
        assert_eq!(rt::select! { biased; else => 9, }, 9);
    });
}

#[test]
fn conditions_come_first_then_all_expressions_even_those_that_are_off() {
    let log = RefCell::new(Vec::new());
    let note = |text: &'static str| log.borrow_mut().push(text);
    run(async {
        rt::select! {
            biased;
            _ = { note("expression 1"); poll_fn::<(), _>(|_| panic!("it is off")) },
                if { note("condition 1"); false } => {}
            _ = { note("expression 2"); poll_fn(|_| { note("poll 2"); Poll::Ready(()) }) },
                if { note("condition 2"); true } => note("handler 2"),
        }
    });
    let expected = [
        "condition 1",
        "condition 2",
        "expression 1",
        "expression 2",
        "poll 2",
        "handler 2",
    ];
    assert_eq!(*log.borrow(), expected);
}

#[test]
fn a_branch_whose_value_does_not_fit_is_off_and_the_others_go_on() {
    let polls = Cell::new(0);
    let got = run(async {
        rt::select! {
            biased;
            Some(n) = poll_fn(|_| { polls.set(polls.get() + 1); Poll::Ready(None::<u32>) }) => n,
            n = at_poll(3, 5) => n,
        }
    });
    assert_eq!((got, polls.get()), (5, 1));
}

#[test]
fn else_runs_when_nothing_fits() {
    let got = run(async {
        rt::select! {
            Ok(_) = at_poll(2, Err::<u32, _>("no")) => 1,
            Some(_) = ready(None::<u32>) => 2,
            _ = ready(()), if false => 3,
            else => 4,
        }
    });
    assert_eq!(got, 4);
}

#[test]
#[should_panic(expected = "all branches are disabled and there is no else branch")]
fn without_else_it_panics_when_all_branches_are_off() {
    run(async {
        rt::select! {
            _ = ready(()), if false => {}
            Some(()) = ready(None) => {}
        }
    });
}

#[test]
fn values_move_into_the_handler() {
    let text = run(async {
        rt::select! {
            Some(text) = ready(Some(String::from("moved"))) => text,
            Ok(text) | Err(text) = pending::<Result<String, String>>() => text,
        }
    });
    assert_eq!(text, "moved");
}

#[test]
fn patterns_may_bind_in_every_way() {
    run(async {
        rt::select! { (mut a, ref b) = ready((1, String::from("b"))) => {
            a += 1;
            assert_eq!((a, b.as_str()), (2, "b"));
        }}
        rt::select! { ref mut n = ready(1) => { *n += 1; assert_eq!(*n, 2); } }
        rt::select! { whole @ Some(1..=3) = ready(Some(2)) => assert_eq!(whole, Some(2)) }
        rt::select! { [first, .., last] = ready([1, 2, 3]) => assert_eq!(first + last, 4) }
        rt::select! { Ok(n) | Err(n) = ready(Err::<u32, u32>(3)) => assert_eq!(n, 3) }
    });
}

#[test]
fn the_futures_are_gone_before_the_handler_runs() {
    let log = RefCell::new(Vec::new());
    run(async {
        let branch = |name| {
            let logs = Logs(&log, name);
            async move {
                let _logs = logs;
                if name == "loser" {
                    pending().await
                }
            }
        };
        rt::select! {
            biased;
            _ = branch("loser") => unreachable!(),
            _ = branch("winner") => log.borrow_mut().push("handler"),
        }
    });
    assert_eq!(*log.borrow(), ["winner", "loser", "handler"]);
}

#[test]
fn a_future_by_reference_lives_on() {
    let rounds = run(async {
        let slow = at_poll(5, ());
        rt::pin!(slow);
        let mut rounds = 0;
        loop {
            rt::select! {
                biased;
                _ = &mut slow => break rounds,
                _ = ready(()) => rounds += 1,
            }
        }
    });
    assert_eq!(rounds, 4);
}

#[test]
fn handlers_belong_to_the_enclosing_function() {
    async fn question_mark() -> Result<u32, String> {
        rt::select! {
            result = ready(Err::<u32, _>(String::from("passed on"))) => { result?; }
        }
        Ok(1)
    }
    async fn returns() -> u32 {
        loop {
            rt::select! {
                n = ready(1), if true => return n,
                _ = ready(()), if false => continue,
            }
        }
    }
    async fn awaits() -> u32 {
        rt::select! { n = ready(1) => at_poll(3, n).await + 1 }
    }
    assert_eq!(run(question_mark()), Err(String::from("passed on")));
    assert_eq!(run(returns()), 1);
    assert_eq!(run(awaits()), 2);
}

#[test]
fn expressions_belong_to_the_enclosing_function_too() {
    async fn question_mark() -> Result<u32, String> {
        let failed: Result<std::future::Ready<u32>, String> = Err(String::from("early"));
        rt::select! { n = failed? => Ok(n) }
    }
    assert_eq!(run(question_mark()), Err(String::from("early")));
    let n = run(async {
        rt::select! { n = at_poll(2, ready(3)).await => n }
    });
    assert_eq!(n, 3);
}

#[test]
fn temporaries_of_the_expressions_live_as_long_as_the_futures() {
    async fn length(text: &str) -> usize {
        at_poll(2, ()).await;
        text.len()
    }
    let got = run(async {
        rt::select! {
            n = length(&String::from("four")) => n,
            n = length(String::from("seven").as_str()), if false => n,
        }
    });
    assert_eq!(got, 4);
}

#[test]
fn branches_may_borrow_from_one_variable_in_all_handlers() {
    let mut count = 0;
    run(async {
        rt::select! {
            _ = ready(()) => count += 1,
            _ = ready(()) => count += 1,
        }
    });
    assert_eq!(count, 1);
}

#[test]
fn anything_that_can_be_awaited_is_a_branch() {
    struct Later;
    impl IntoFuture for Later {
        type Output = u32;
        type IntoFuture = std::future::Ready<u32>;
        fn into_future(self) -> Self::IntoFuture {
            ready(8)
        }
    }
    assert_eq!(
        run(async {
            rt::select! { n = Later => n }
        }),
        8
    );
}

#[test]
fn without_biased_every_branch_is_first_sometimes() {
    let mut wins = [0; 3];
    for _ in 0..3_000 {
        let winner = run(async {
            rt::select! { _ = ready(()) => 0, _ = ready(()) => 1, _ = ready(()) => 2 }
        });
        wins[winner] += 1;
    }
    // 1000 each; the standard deviation is 26.
    assert!(wins.iter().all(|&n| n > 800), "{wins:?}");
}

#[test]
fn with_biased_the_first_ready_one_always_wins() {
    for _ in 0..200 {
        let winner = run(async {
            rt::select! { biased; _ = pending::<()>() => 0, _ = ready(()) => 1, _ = ready(()) => 2 }
        });
        assert_eq!(winner, 1);
    }
}

#[test]
fn it_nests() {
    let n = run(async {
        rt::select! {
            n = async { rt::select! { n = at_poll(2, 1) => n, n = pending::<u32>() => n } } => {
                rt::select! { m = ready(10) => n + m, else => 0 }
            }
            _ = pending::<()>() => 0,
        }
    });
    assert_eq!(n, 11);
}

#[test]
fn the_users_own_names_do_not_come_between() {
    #[expect(dead_code, reason = "only their names matter")]
    mod names {
        pub enum Poll {
            Ready,
            Pending,
        }
        pub struct Some;
        pub struct Ok;
        pub struct B0;
    }
    #[expect(unused_imports, reason = "only their names matter")]
    use names::{B0, Ok, Poll, Some};
    let (cx, off, output, branch, value, future) = (1, 2, 3, 4, 5, 6);
    let sum = run(async {
        rt::select! { n = ready(cx + off) => n + output + branch + value + future, else => 0 }
    });
    assert_eq!(sum, 21);
}

#[test]
fn the_future_is_send_when_its_branches_are() {
    fn assert_send<T: Send>(_: &T) {}
    let future = async {
        rt::select! { _ = pending::<String>() => {}, _ = ready(1) => {} }
    };
    assert_send(&future);
    run(future);
}

#[test]
fn sixty_four_branches_stay_below_the_default_recursion_limit() {
    let winner = run(async {
        rt::select! {
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => n, n = pending::<u32>() => n, n = pending::<u32>() => n,
            n = pending::<u32>() => { n } n = pending::<u32>() => { n } n = pending::<u32>() => n,
            n = pending::<u32>(), if true => n, n = pending::<u32>(), if true => { n }
            n = pending::<u32>(), if true => n, n = pending::<u32>(), if true => { n }
            n = pending::<u32>(), if true => n, n = pending::<u32>(), if true => { n }
            n = at_poll(3, 64) => assert_and_give(n),
            else => 0,
        }
    });
    assert_eq!(winner, 64);
}

/// A handler that is itself a macro call deep inside: there is room left for some more levels.
fn assert_and_give(n: u32) -> u32 {
    assert_eq!(n, 64, "the last branch of {}", 64);
    n
}

#[test]
fn branches_take_no_more_room_than_their_futures() {
    let big = || async {
        let bytes = [1_u8; 1024];
        at_poll(2, ()).await;
        bytes.len()
    };
    let future = async move {
        rt::select! { n = big() => n, n = big() => n }
    };
    let size = size_of_val(&future);
    assert!(size < 2 * size_of_val(&big()) + 256, "{size} bytes");
    assert_eq!(run(future), 1024);
}

#[test]
fn a_branch_whose_future_has_no_value_has_a_type() {
    let never = std::future::poll_fn(|_| panic!("is off"));
    let value = futures_util::FutureExt::now_or_never(async {
        rt::select! {
            _ = never, if false => unreachable!(),
            value = async { 1 } => value,
        }
    });
    assert_eq!(value, Some(1));
}
