//! Many jobs at once: `map`, streams, progress, services, `as_completed` and `wait`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use trefoil::processes::{
    self, Chunk, Emitter, JobError, OnError, Service, Until, as_completed, wait,
};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{Scratch, pool, runtime, until};

fn square(x: u64) -> u64 {
    x * x
}

fn pid(_: ()) -> u32 {
    std::process::id()
}

fn not_seven(x: u64) -> u64 {
    assert_ne!(x, 7, "seven");
    x
}

fn dies_at_seven(x: u64) -> u64 {
    if x == 7 {
        std::process::abort();
    }
    x
}

fn wait_for(path: String) {
    until(|| std::path::Path::new(&path).exists());
}

fn forever(_: u64) {
    loop {
        std::thread::park();
    }
}

fn fails(_: u64) -> u64 {
    panic!("no")
}

async fn later(x: u64) -> u64 {
    trefoil::time::sleep(Duration::from_millis(1)).await;
    x + 1
}

fn numbers(to: u64, out: &Emitter<u64>) {
    (0..to).for_each(|x| out.send(&x));
}

fn breaks_off(to: u64, out: &Emitter<u64>) {
    (0..to).for_each(|x| out.send(&x));
    std::process::abort();
}

fn endless(path: String, out: &Emitter<u64>) {
    for x in 0.. {
        out.send(&x);
        std::fs::write(&path, x.to_string()).unwrap();
    }
}

fn reports(to: u32) -> u32 {
    for x in 0..to {
        assert!(processes::report(&x));
    }
    to
}

fn reports_late(_: ()) {
    std::thread::spawn(|| {
        // After the job: nobody hears it.
        std::thread::sleep(Duration::from_millis(20));
        processes::report(&7_u32);
    });
}

/// Counts its calls.
struct Counter(u32);

impl Service for Counter {
    type Request = bool;
    type Response = u32;

    fn init() -> Self {
        Self(0)
    }

    fn run(&mut self, panic: bool) -> u32 {
        self.0 += 1;
        assert!(!panic, "asked for");
        self.0
    }
}

fn main() {
    processes::init(|r| {
        r.job(square)
            .job(pid)
            .job(not_seven)
            .job(dies_at_seven)
            .job(wait_for)
            .job(forever)
            .job(fails)
            .job_async(later)
            .stream(numbers)
            .stream(breaks_off)
            .stream(endless)
            .job(reports)
            .job(reports_late)
            .service::<Counter>()
    });
    runner::run(&[
        ("a20_wait_and_as_completed_behave_as_in_python", a20),
        ("a01_an_async_job_runs_on_a_runtime", a01),
        ("a01_a_service_keeps_its_state", service),
        ("b21_an_ordered_map_equals_the_serial_result", b21),
        ("b22_a_failed_item_stands_in_its_place", b22),
        ("b23_an_iterator_that_panics_ends_its_map_only", b23),
        ("b24_a_map_is_lazy", b24),
        ("b25_an_unordered_map_gives_each_index_once", b25),
        ("b26_a_map_may_have_a_deadline", b26),
        ("b27_a_dropped_map_takes_its_chunks_back", b27),
        ("b28_a_crash_keeps_the_finished_items_of_its_chunk", b28),
        ("b29_a_stream_waits_for_its_consumer", b29),
        ("b29_a_stream_ends_with_the_error_of_its_job", broken_stream),
        ("b29_dropping_a_stream_stops_its_job", dropped_stream),
        ("b30_progress_comes_in_order_and_before_the_result", b30),
    ]);
}

fn a20() {
    let (pool, scratch) = (pool(2), Scratch::new());
    let (gate, zero) = (scratch.path("gate"), Some(Duration::ZERO));
    let slow = || pool.submit(wait_for, gate.clone());

    let waited = wait([slow(), slow()], Until::All, zero);
    assert_eq!((waited.done.len(), waited.not_done.len()), (0, 2));
    let (place, job) = waited.not_done.into_iter().next().unwrap();
    assert_eq!(place, 0);
    std::fs::write(&gate, "").unwrap();
    job.wait().unwrap();

    let quick = pool.submit(square, 3);
    until(|| quick.is_finished());
    let waited = wait([quick], Until::All, zero);
    assert_eq!(*waited.done[0].1.as_ref().unwrap(), 9);

    let first = wait(
        [pool.submit(forever, 0), pool.submit(forever, 1)],
        Until::First,
        zero,
    );
    assert!(first.done.is_empty());
    first
        .not_done
        .iter()
        .for_each(|(_, job)| assert!(job.cancel()));
    let gone = wait(
        first.not_done.into_iter().map(|(_, job)| job),
        Until::All,
        None,
    );
    assert!(
        gone.done
            .iter()
            .all(|(_, end)| end.as_ref().unwrap_err().is_cancelled())
    );

    let hold = |x| pool.submit(dies_at_seven, x);
    let waited = wait([hold(1), hold(7), hold(2)], Until::FirstError, None);
    assert!(
        waited
            .done
            .iter()
            .any(|(place, end)| *place == 1 && end.is_err())
    );

    let mut seen: Vec<_> = Vec::new();
    let mut all = as_completed((0..100).map(|x| pool.submit(square, x)));
    while let Some((place, result)) = all.next_blocking() {
        assert_eq!(result.unwrap(), (place * place) as u64);
        seen.push(place);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..100));
    assert!(
        as_completed(Vec::<processes::Pending<u8>>::new())
            .next_blocking()
            .is_none()
    );

    let mut job = pool.submit(square, 4);
    until(|| job.is_finished());
    assert_eq!(job.wait_timeout(Duration::ZERO).unwrap().unwrap(), 16);
}

fn a01() {
    assert_eq!(pool(1).submit_async(later, 1).wait().unwrap(), 2);
}

fn service() {
    let pool = pool(1);
    let calls: Vec<_> = (0..3)
        .map(|_| pool.call::<Counter>(false).wait().unwrap())
        .collect();
    assert_eq!(calls, [1, 2, 3]);
    assert!(pool.call::<Counter>(true).wait().unwrap_err().is_panic());
    assert_eq!(
        pool.call::<Counter>(false).wait().unwrap(),
        1,
        "made anew after a panic"
    );
}

fn b21() {
    let pool = pool(2);
    for chunk in [1, 7, 1000] {
        let sizes = [0, 1, chunk - 1, chunk, chunk + 1];
        let more = if chunk == 1 { 10_000 } else { 100_000 };
        for n in sizes.into_iter().chain([more]) {
            let map = pool.map(square, 0..n).chunk(Chunk::Items(chunk as usize));
            let all = map.collect_blocking().unwrap();
            assert!(
                all.into_iter().eq((0..n).map(|x| x * x)),
                "{n} items by {chunk}"
            );
        }
    }
    let all = runtime().block_on(async { self::pool(2).map(square, 0..100_000).await.unwrap() });
    assert!(all.into_iter().eq((0..100_000).map(|x| x * x)));
}

fn b22() {
    let pool = pool(2);
    for chunk in [Chunk::Auto, Chunk::Items(1), Chunk::Items(4)] {
        let error = pool
            .map(not_seven, 0..20)
            .chunk(chunk)
            .collect_blocking()
            .unwrap_err();
        assert_eq!(error.index, 7);
        assert!(error.error.is_panic());

        let mut map = pool.map(not_seven, 0..20).chunk(chunk);
        let (mut good, mut bad) = (Vec::new(), 0);
        while let Some(result) = map.next_blocking() {
            result.map_or_else(|_| bad += 1, |x| good.push(x));
        }
        assert_eq!((good.len(), bad), (19, 1), "they go on");

        let mut map = pool
            .map(not_seven, 0..)
            .chunk(chunk)
            .on_error(OnError::Cancel);
        let mut before = 0;
        while map.next_blocking().unwrap().is_ok() {
            before += 1;
        }
        assert_eq!(before, 7);
        // What was on its way still comes; then it ends, though there are more arguments.
        while map.next_blocking().is_some() {}
    }
}

fn b23() {
    let pool = pool(2);
    let arguments = (0..).inspect(|x| assert_ne!(*x, 50, "the iterator's own"));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pool.map(square, arguments).collect_blocking()
    }));
    assert!(result.is_err());
    assert_eq!(pool.submit(square, 5).wait().unwrap(), 25);
}

fn b24() {
    let (pool, pulled) = (pool(2), Arc::new(AtomicUsize::new(0)));
    let count = pulled.clone();
    let arguments = (0..).inspect(move |_| _ = count.fetch_add(1, Ordering::SeqCst));
    let mut map = pool.map(square, arguments).window(32);
    for x in 0..10 {
        assert_eq!(map.next_blocking().unwrap().unwrap(), x * x);
    }
    assert!(pulled.load(Ordering::SeqCst) <= 42, "{pulled:?}");
    drop(map);
    let _untouched = pool.map(square, (0..).inspect(|_| panic!("pulled without a poll")));
}

fn b25() {
    let pool = pool(2);
    let mut map = pool.map_unordered(square, 0..5000);
    let mut seen = vec![false; 5000];
    while let Some((index, result)) = map.next_blocking() {
        assert_eq!(result.unwrap(), (index * index) as u64);
        assert!(!std::mem::replace(&mut seen[index], true));
    }
    assert!(seen.into_iter().all(|seen| seen));
}

fn b26() {
    let pool = pool(2);
    let map = pool.map(forever, 0..10).deadline(Duration::from_millis(30));
    let error = map.collect_blocking().unwrap_err();
    assert!(
        matches!(error.error, JobError::TimedOut { .. }),
        "{error:?}"
    );
    assert_eq!(pool.submit(square, 6).wait().unwrap(), 36);
}

fn b27() {
    let (pool, scratch) = (pool(1), Scratch::new());
    let gate = scratch.path("gate");
    let job = pool.submit(wait_for, gate.clone());
    until(|| pool.queued() == 0);
    let mut map = pool.map(square, 0..).window(10);
    runtime().block_on(async {
        let mut next = std::pin::pin!(map.next());
        assert!(futures_util::poll!(next.as_mut()).is_pending());
    });
    assert!(pool.queued() > 0);
    drop(map);
    assert_eq!(pool.queued(), 0);
    std::fs::write(gate, "").unwrap();
    job.wait().unwrap();
}

fn b28() {
    let pool = pool(2);
    let mut map = pool.map(dies_at_seven, 0..30).chunk(Chunk::Items(10));
    for x in 0..30 {
        let result = map.next_blocking().unwrap();
        match x {
            7..10 => assert!(result.unwrap_err().is_crash(), "item {x}"),
            _ => assert_eq!(result.unwrap(), x, "item {x}"),
        }
    }
    assert!(map.next_blocking().is_none());
}

fn b29() {
    let pool = pool(1);
    let mut stream = pool.stream(numbers, 1_000_000);
    let mut wanted = 0;
    while let Some(item) = stream.next_blocking() {
        assert_eq!(item.unwrap(), wanted);
        wanted += 1;
    }
    assert_eq!(wanted, 1_000_000);
}

fn broken_stream() {
    let pool = pool(1);
    let mut stream = pool.stream(breaks_off, 10);
    for wanted in 0..10 {
        assert_eq!(stream.next_blocking().unwrap().unwrap(), wanted);
    }
    assert!(stream.next_blocking().unwrap().unwrap_err().is_crash());
    assert!(stream.next_blocking().is_none());
}

fn dropped_stream() {
    let (pool, scratch) = (pool(1), Scratch::new());
    let path = scratch.path("last");
    let mut stream = pool.stream(endless, path.clone());
    for wanted in 0..100 {
        assert_eq!(stream.next_blocking().unwrap().unwrap(), wanted);
    }
    // Nobody takes them: it stops when the credit is used up.
    let last = || {
        std::fs::read_to_string(&path)
            .unwrap_or_default()
            .parse()
            .unwrap_or(0)
    };
    until(|| last() == 255);
    drop(stream);
    assert_eq!(pool.submit(square, 2).wait().unwrap(), 4);
    assert_eq!(last(), 255);
}

fn b30() {
    let pool = pool(1);
    let (job, mut events) = pool.job(reports, 1000).submit_with_events::<u32>();
    for wanted in 0..1000 {
        assert_eq!(events.next_blocking(), Some(wanted));
    }
    assert_eq!(events.next_blocking(), None);
    assert_eq!(job.wait().unwrap(), 1000);
    assert!(!processes::report(&1), "no worker here");

    let (job, mut events) = pool.job(reports_late, ()).submit_with_events::<u32>();
    job.wait().unwrap();
    assert_eq!(events.next_blocking(), None);
    // The late one goes to nobody, and harms nobody.
    std::thread::sleep(Duration::from_millis(40));
    assert!(pool.submit(pid, ()).wait().is_ok());
    assert!(pool.submit(fails, 1).wait().unwrap_err().is_panic());
}
