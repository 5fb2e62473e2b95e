// Slices: see `../threads_submit.rs`.

/// Some thousand numbers without an order.
fn numbers(count: usize, below: u64) -> Vec<u64> {
    let mut state = 7_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Counts what lives.
struct Live<'a>(&'a AtomicUsize);

impl<'a> Live<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        raise(count, 1);
        Self(count)
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[test]
fn map_keeps_the_order() {
    on_each_pool(3, |pool| {
        for count in [0, 1, 2, 3, 1000] {
            let items = numbers(count, 1000);
            let texts = pool.install(|| pool::map(&items, u64::to_string));
            let expected: Vec<_> = items.iter().map(u64::to_string).collect();
            assert_eq!(texts, expected);
        }
    });
}

#[test]
fn map_drops_its_results_when_a_call_panics() {
    on_each_pool(20, |pool| {
        let live = AtomicUsize::new(0);
        let items = numbers(1000, 1000);
        let unlucky = &items[items.len() / 3];
        let run = || {
            pool.install(|| {
                pool::map(&items, |item| {
                    if std::ptr::eq(item, unlucky) {
                        resume_unwind(Box::new("planned"));
                    }
                    Live::new(&live)
                })
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        assert_eq!(live.load(Relaxed), 0);
    });
}

#[test]
fn for_each_meets_each_element_once() {
    on_each_pool(3, |pool| {
        for count in [0, 1, 2, 3, 1000] {
            let mut items = numbers(count, 1000);
            let expected: Vec<_> = items.iter().map(|n| n + 1).collect();
            pool.install(|| pool::for_each(&mut items, |n| *n += 1));
            assert_eq!(items, expected);
        }
    });
}

#[test]
fn reduce_combines_in_order() {
    on_each_pool(3, |pool| {
        for count in [0, 1, 2, 3, 1000] {
            let items = numbers(count, 10);
            let text = pool.install(|| {
                let push = |text: String, n: &u64| text + &n.to_string();
                pool::reduce(&items, String::new, push, |a, b| a + &b)
            });
            let expected: String = items.iter().map(u64::to_string).collect();
            assert_eq!(text, expected);
        }
    });
}

#[test]
fn a_hungry_worker_gets_single_elements() {
    // Two elements whose calls wait for each other: they must not end up in one piece.
    on_pools_of_several(5, |pool| {
        let meet = Barrier::new(2);
        let met = pool.install(|| pool::map(&[(), ()], |()| meet.wait().is_leader()));
        assert_ne!(met[0], met[1]);
    });
}

#[test]
fn sort_sorts_whatever_comes() {
    on_each_pool(2, |pool| {
        let count = 30_000;
        let ascending: Vec<u64> = (0..count).collect();
        let descending: Vec<u64> = (0..count).rev().collect();
        let organ: Vec<u64> = (0..count / 2).chain((0..count / 2).rev()).collect();
        let random = numbers(count as usize, u64::MAX);
        let few = numbers(count as usize, 3);
        let equal = vec![5; count as usize];
        for input in [ascending, descending, organ, random, few, equal, vec![], vec![1]] {
            let mut expected = input.clone();
            expected.sort_unstable();
            let mut sorted = input.clone();
            pool.install(|| pool::sort_unstable(&mut sorted));
            assert!(sorted == expected);
            let mut back = input;
            pool.install(|| pool::sort_unstable_by(&mut back, |a, b| b.cmp(a)));
            expected.reverse();
            assert!(back == expected);
        }
    });
}

#[test]
fn a_sort_that_panics_keeps_all_elements() {
    on_each_pool(5, |pool| {
        let live = AtomicUsize::new(0);
        let left = AtomicUsize::new(20_000);
        let mut items: Vec<_> = numbers(20_000, 1000)
            .into_iter()
            .map(|n| (n, Live::new(&live)))
            .collect();
        let sort = || {
            pool.install(|| {
                pool::sort_unstable_by(&mut items, |a, b| {
                    if left.fetch_sub(1, Relaxed) == 1 {
                        resume_unwind(Box::new("planned"));
                    }
                    a.0.cmp(&b.0)
                })
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(sort)).is_err());
        assert_eq!(live.load(Relaxed), 20_000);
        let mut kept: Vec<_> = items.iter().map(|(n, _)| *n).collect();
        kept.sort_unstable();
        let mut before = numbers(20_000, 1000);
        before.sort_unstable();
        assert!(kept == before);
        drop(items);
        assert_eq!(live.load(Relaxed), 0);
    });
}

#[test]
fn an_order_that_is_none_still_ends() {
    on_each_pool(2, |pool| {
        let mut items = numbers(20_000, 1000);
        let calls = AtomicUsize::new(0);
        let chaos = |_: &u64, _: &u64| match calls.fetch_add(1, Relaxed) % 3 {
            0 => std::cmp::Ordering::Less,
            1 => std::cmp::Ordering::Greater,
            _ => std::cmp::Ordering::Equal,
        };
        // Std's sort may notice and panic; the elements stay in any case.
        let sort = || pool.install(|| pool::sort_unstable_by(&mut items, chaos));
        _ = catch_unwind(AssertUnwindSafe(sort));
        let mut expected = numbers(20_000, 1000);
        expected.sort_unstable();
        items.sort_unstable();
        assert!(items == expected);
    });
}

#[test]
fn slices_are_awaited_through_submit() {
    on_each_pool(2, |pool| {
        let items = numbers(1000, 1000);
        let expected: u64 = items.iter().map(|n| n * 2).sum();
        for rt in runtimes() {
            let items = items.clone();
            let doubled = pool.submit(move || pool::map(&items, |n| n * 2));
            assert_eq!(rt.block_on(doubled).unwrap().iter().sum::<u64>(), expected);
        }
    });
}
