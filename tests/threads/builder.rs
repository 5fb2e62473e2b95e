// The builder and the global pool: see `../threads_pool.rs`.

use pool::{ThreadPoolBuildError, ThreadPoolBuilder};
use std::error::Error;
use std::sync::Mutex;

// ---- numbers ----

#[test]
fn a_number_above_zero_is_the_number_of_threads() {
    let _limit = Limit::new();
    for threads in [1, 2, 3, 8] {
        assert_eq!(pool_of(threads).current_num_threads(), threads);
    }
}

#[test]
fn zero_means_one_thread_for_each_core() {
    if alone!("zero_means_one_thread_for_each_core") {
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(pool_of(0).current_num_threads(), cores);
        assert_eq!(
            ThreadPoolBuilder::new()
                .build()
                .unwrap()
                .current_num_threads(),
            cores
        );
        assert_eq!(pool::current_num_threads(), cores);
    }
}

#[test]
fn the_environment_sets_the_default() {
    if alone!(
        "the_environment_sets_the_default",
        ("RAYON_NUM_THREADS", "5")
    ) {
        assert_eq!(pool_of(0).current_num_threads(), 5);
        assert_eq!(pool_of(3).current_num_threads(), 3);
        assert_eq!(pool::current_num_threads(), 5);
    }
}

#[test]
fn the_old_variable_counts_where_the_new_one_is_not_set() {
    if alone!(
        "the_old_variable_counts_where_the_new_one_is_not_set",
        ("RAYON_RS_NUM_CPUS", "6")
    ) {
        assert_eq!(pool_of(0).current_num_threads(), 6);
    }
}

#[test]
fn the_new_variable_beats_the_old_one() {
    let variables = [("RAYON_NUM_THREADS", "4"), ("RAYON_RS_NUM_CPUS", "6")];
    if alone!(
        "the_new_variable_beats_the_old_one",
        variables[0],
        variables[1]
    ) {
        assert_eq!(pool_of(0).current_num_threads(), 4);
    }
}

#[test]
fn zero_in_the_environment_is_the_default_and_what_is_no_number_is_ignored() {
    let name = "::zero_in_the_environment_is_the_default_and_what_is_no_number_is_ignored";
    let name = [module_path!(), name].concat();
    if !in_child() {
        passes_again(&name, &[("RAYON_NUM_THREADS", "0")]);
        passes_again(&name, &[("RAYON_NUM_THREADS", "many")]);
        return;
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(pool_of(0).current_num_threads(), cores);
}

// ---- names, stacks, handlers ----

#[test]
fn threads_have_the_names_they_are_given() {
    let _limit = Limit::new();
    for threads in [1, 8] {
        let builder = ThreadPoolBuilder::new().num_threads(threads);
        let pool = builder
            .thread_name(|index| format!("worker {index}"))
            .build()
            .unwrap();
        let names = pool.broadcast(|_| std::thread::current().name().map(str::to_owned));
        for (index, name) in names.into_iter().enumerate() {
            assert_eq!(name, Some(format!("worker {index}")));
        }
    }
}

#[test]
fn a_panic_of_the_name_ends_the_threads_that_have_started() {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    let _limit = Limit::new();
    for _ in 0..20 {
        let (started, exited) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (send, over) = channel::<()>();
        let builder = ThreadPoolBuilder::new()
            .num_threads(10)
            .thread_name(|index| match index {
                5 => resume_unwind(Box::new("no name")),
                _ => String::new(),
            })
            .start_handler({
                let started = started.clone();
                move |_| raise(&started, 1)
            })
            .exit_handler({
                let exited = exited.clone();
                move |_| {
                    let _keep = &send;
                    exited.fetch_add(1, Relaxed);
                }
            });
        assert!(catch_unwind(AssertUnwindSafe(|| builder.build())).is_err());
        assert!(over.recv().is_err());
        assert_eq!((started.load(Relaxed), exited.load(Relaxed)), (5, 5));
    }
}

#[test]
fn a_stack_that_cannot_be_had_is_an_error_and_leaves_nothing_behind() {
    let _limit = Limit::new();
    let (started, exited) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (send, over) = channel::<()>();
    let count = |counter: &Arc<AtomicUsize>| {
        let (counter, send) = (counter.clone(), Mutex::new(send.clone()));
        move |_| {
            let _keep = &send;
            counter.fetch_add(1, Relaxed);
        }
    };
    let (keep, name) = (send.clone(), send.clone());
    let result = ThreadPoolBuilder::new()
        .stack_size(isize::MAX as usize)
        .start_handler(count(&started))
        .exit_handler(count(&exited))
        .panic_handler({
            let keep = Mutex::new(keep);
            move |_| drop(keep.lock())
        })
        .thread_name(move |_| {
            let _keep = &name;
            String::new()
        })
        .build();
    let error = result.expect_err("no machine has so much");
    drop(send);
    assert!(over.recv().is_err(), "every handler is dropped");
    assert_eq!(started.load(Relaxed), exited.load(Relaxed));
    // The reason is the operating system's, with its text.
    let source = error.source().expect("an io::Error");
    assert!(source.downcast_ref::<std::io::Error>().is_some());
    assert_eq!(error.to_string(), source.to_string());
}

#[test]
fn start_and_exit_handlers_run_on_the_worker_with_its_index() {
    let _limit = Limit::new();
    for threads in [1, 8] {
        let (send, seen) = channel();
        let note = |what: &'static str, send: &std::sync::mpsc::Sender<_>| {
            let send = send.clone();
            move |index| {
                let name = std::thread::current().name().unwrap_or("?").to_owned();
                send.send((what, index, name)).unwrap();
            }
        };
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("{index}"))
            .start_handler(note("start", &send))
            .exit_handler(note("exit", &send))
            .build()
            .unwrap();
        drop((pool, send));
        let mut seen: Vec<_> = seen.iter().collect();
        seen.sort_unstable();
        let mut expected = Vec::new();
        for what in ["exit", "start"] {
            expected.extend((0..threads).map(|index| (what, index, index.to_string())));
        }
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_start_handler_has_run_before_the_first_job_of_its_thread() {
    let _limit = Limit::new();
    for _ in 0..50 {
        thread_local!(static READY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
        let builder = ThreadPoolBuilder::new()
            .num_threads(4)
            .start_handler(|_| READY.set(true));
        let pool = builder.build().unwrap();
        assert!(
            pool.broadcast(|_| READY.get())
                .into_iter()
                .all(|ready| ready)
        );
    }
}

#[test]
fn a_builder_prints_its_fields_and_hides_its_closures() {
    let plain = ThreadPoolBuilder::new().num_threads(3).stack_size(4096);
    let expected = "ThreadPoolBuilder { num_threads: 3, use_current_thread: false, \
                    get_thread_name: None, panic_handler: None, stack_size: Some(4096), \
                    start_handler: None, exit_handler: None, breadth_first: false }";
    assert_eq!(format!("{plain:?}"), expected);
    let full = ThreadPoolBuilder::new()
        .use_current_thread()
        .thread_name(|_| String::new())
        .panic_handler(|_| ())
        .start_handler(|_| ())
        .exit_handler(|_| ());
    let expected = "ThreadPoolBuilder { num_threads: 0, use_current_thread: true, \
                    get_thread_name: Some(<closure>), panic_handler: Some(<closure>), \
                    stack_size: None, start_handler: Some(<closure>), \
                    exit_handler: Some(<closure>), breadth_first: false }";
    assert_eq!(format!("{full:?}"), expected);
    assert_eq!(
        format!("{:?}", ThreadPoolBuilder::default())
            .matches("None")
            .count(),
        5
    );
}

// ---- threads of one's own ----

#[test]
fn a_spawn_handler_makes_the_threads_itself() {
    let _limit = Limit::new();
    for threads in [1, 8] {
        let mut made = Vec::new();
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(1 << 20)
            .thread_name(|index| format!("own {index}"))
            .spawn_handler(|thread| {
                let text = format!("{thread:?}");
                assert!(text.contains("ThreadBuilder"), "{text}");
                assert_eq!(thread.stack_size(), Some(1 << 20));
                assert_eq!(thread.name(), Some(&*format!("own {}", thread.index())));
                made.push(thread.index());
                std::thread::Builder::new()
                    .name("mine".to_owned())
                    .spawn(|| thread.run())?;
                Ok(())
            })
            .build()
            .unwrap();
        let names = pool.broadcast(|_| std::thread::current().name().map(str::to_owned));
        assert!(names.iter().all(|name| name.as_deref() == Some("mine")));
        assert_eq!(made, (0..threads).collect::<Vec<_>>());
    }
}

#[test]
fn a_thread_that_has_run_for_a_pool_is_clean_and_may_serve_another() {
    let _limit = Limit::new();
    let (send, threads) = channel::<pool::ThreadBuilder>();
    let (left, clean) = channel();
    let server = std::thread::spawn(move || {
        for thread in threads {
            let index = thread.index();
            thread.run();
            left.send((index, pool::current_thread_index())).unwrap();
        }
    });
    for _ in 0..20 {
        let hand_over = |thread| send.send(thread).map_err(|_| std::io::Error::other("gone"));
        let builder = ThreadPoolBuilder::new()
            .num_threads(1)
            .spawn_handler(hand_over);
        let pool = builder.build().unwrap();
        assert_eq!(pool.install(pool::current_thread_index), Some(0));
        drop(pool);
        assert_eq!(clean.recv().unwrap(), (0, None));
    }
    drop(send);
    server.join().unwrap();
}

#[test]
fn a_spawn_handler_that_fails_fails_the_build_and_ends_the_threads() {
    let _limit = Limit::new();
    let (send, over) = channel::<()>();
    let result = ThreadPoolBuilder::new()
        .num_threads(6)
        .exit_handler(move |_| drop(send.clone()))
        .spawn_handler(|thread| {
            if thread.index() == 3 {
                return Err(std::io::Error::other("three are enough"));
            }
            std::thread::spawn(|| thread.run());
            Ok(())
        })
        .build();
    assert_eq!(
        result.expect_err("it failed").to_string(),
        "three are enough"
    );
    assert!(over.recv().is_err(), "the three threads have ended");
}

#[test]
fn the_threads_of_a_scoped_pool_borrow_and_end_with_it() {
    let _limit = Limit::new();
    for threads in [1, 8] {
        let data: Vec<usize> = (0..1000).collect();
        thread_local!(static SUM: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
        let total = AtomicUsize::new(0);
        let sum = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_scoped(
                |thread| {
                    SUM.set(data.len());
                    thread.run();
                    total.fetch_add(SUM.get(), Relaxed);
                },
                |pool| pool.broadcast(|_| SUM.get()).into_iter().sum::<usize>(),
            )
            .unwrap();
        assert_eq!(sum, 1000 * threads);
        assert_eq!(total.into_inner(), 1000 * threads, "all threads are over");
    }
}

#[test]
fn the_current_thread_becomes_index_zero() {
    let _limit = Limit::new();
    for threads in [1, 2, 8] {
        std::thread::spawn(move || {
            let starts = Arc::new(AtomicUsize::new(0));
            let counter = starts.clone();
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .use_current_thread()
                .start_handler(move |_| raise(&counter, 1))
                .build()
                .unwrap();
            assert_eq!(pool::current_thread_index(), Some(0));
            assert_eq!(pool.current_thread_index(), Some(0));
            assert_eq!(pool.current_num_threads(), threads);
            let here = std::thread::current().id();
            pool.install(|| assert_eq!(std::thread::current().id(), here));
            assert_eq!(pool.join(|| 1, || 2), (1, 2));
            let sum = AtomicUsize::new(0);
            pool.scope(|scope| {
                for n in 0..10 {
                    let sum = &sum;
                    scope.spawn(move |_| raise(sum, n));
                }
            });
            assert_eq!(sum.into_inner(), 45);
            assert_eq!(pool.broadcast(|context| context.index()).len(), threads);
            assert!(starts.load(Relaxed) < threads, "the caller has no handler");
            // It works when it yields.
            pool.spawn(|| ());
            while pool::yield_now() == Some(Yield::Executed) {}
            // A thread serves one pool at a time.
            let again = ThreadPoolBuilder::new()
                .num_threads(1)
                .use_current_thread()
                .build();
            let error = again.expect_err("it already belongs to a pool");
            assert!(error.source().is_none());
        })
        .join()
        .unwrap();
    }
}

#[test]
fn a_worker_cannot_become_the_current_thread_of_another_pool() {
    on_each_pool(5, |pool| {
        let inside = || {
            ThreadPoolBuilder::new()
                .num_threads(1)
                .use_current_thread()
                .build()
        };
        assert!(pool.install(|| inside().is_err()));
    });
}

// ---- the global pool ----

#[test]
fn the_global_pool_is_built_once() {
    if alone!("the_global_pool_is_built_once") {
        let build = |threads| {
            let builder = ThreadPoolBuilder::new().num_threads(threads);
            builder
                .thread_name(|index| format!("global {index}"))
                .build_global()
        };
        build(3).unwrap();
        assert_eq!(pool::current_num_threads(), 3);
        let name = pool::join(|| std::thread::current().name().map(str::to_owned), || ()).0;
        assert!(name.unwrap().starts_with("global "));
        let error = build(4).expect_err("there is one");
        assert!(error.source().is_none());
        assert_eq!(pool::current_num_threads(), 3);
    }
}

#[test]
fn the_global_pool_makes_itself_and_cannot_be_built_then() {
    if alone!("the_global_pool_makes_itself_and_cannot_be_built_then") {
        assert_eq!(pool::join(|| 1, || 2), (1, 2));
        assert!(ThreadPoolBuilder::new().build_global().is_err());
    }
}

#[test]
fn every_free_function_finds_the_global_pool() {
    if alone!("every_free_function_finds_the_global_pool") {
        ThreadPoolBuilder::new()
            .num_threads(2)
            .build_global()
            .unwrap();
        let (send, seen) = channel();
        let again = send.clone();
        pool::spawn(move || send.send(1).unwrap());
        pool::spawn_fifo(move || again.send(2).unwrap());
        assert_eq!(seen.iter().sum::<i32>(), 3);
        let (send, seen) = channel();
        pool::spawn_broadcast(move |context| send.send(context.index()).unwrap());
        assert_eq!(seen.iter().sum::<usize>(), 1);
        assert_eq!(pool::broadcast(|context| context.num_threads()), [2, 2]);
        assert_eq!(pool::scope(|_| pool::current_num_threads()), 2);
        assert_eq!(pool::join(pool::current_num_threads, || ()).0, 2);
    }
}

#[test]
fn the_current_thread_may_be_part_of_the_global_pool() {
    if alone!("the_current_thread_may_be_part_of_the_global_pool") {
        let builder = ThreadPoolBuilder::new().num_threads(2).use_current_thread();
        builder.build_global().unwrap();
        assert_eq!(pool::current_thread_index(), Some(0));
        assert_eq!(pool::current_num_threads(), 2);
        let here = std::thread::current().id();
        assert_eq!(pool::join(|| std::thread::current().id(), || ()).0, here);
    }
}

#[test]
fn a_build_error_is_an_error_for_every_thread() {
    static_assertions::assert_impl_all!(ThreadPoolBuildError: Error, Send, Sync);
}
