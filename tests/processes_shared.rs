//! Shared buffers: what a job gets without a copy, and who may touch it when (behaviours 62 to 70).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trefoil::processes::{
    self, Blob, Chunk, JobError, ProcessPool, SharedSlice, SharedVec, Violation,
};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{Scratch, kill, pool, runtime, until};

/// False in workers.
static PARENT: AtomicBool = AtomicBool::new(false);

/// A sum that sees each byte and its place.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Bytes that differ by place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 255) as u8).collect()
}

fn echo(bytes: Blob) -> Blob {
    bytes
}

fn make(len: usize) -> Blob {
    Blob(vec![7; len])
}

fn hashed(bytes: SharedVec<u8>) -> (u64, SharedVec<u8>) {
    (hash(&bytes), bytes)
}

fn back(numbers: SharedVec<u64>) -> SharedVec<u64> {
    numbers
}

fn fill((mut numbers, with): (SharedVec<u64>, u64)) -> SharedVec<u64> {
    numbers.fill(with);
    numbers
}

fn swallow(_: SharedVec<u64>) {}

fn panics(_: SharedVec<u64>) {
    panic!("on purpose");
}

fn leaks(numbers: SharedVec<u64>) {
    std::mem::forget(numbers);
}

fn twice(numbers: SharedVec<u64>) -> Twice {
    Twice(numbers)
}

fn dies(mut numbers: SharedVec<u64>) {
    numbers.fill(u64::MAX);
    std::process::abort();
}

/// Writes, says its pid, stops.
fn stops((mut numbers, here): (SharedVec<u64>, String)) {
    numbers.fill(u64::MAX);
    let pid = std::process::id();
    fs::write(format!("{here}.new"), pid.to_string()).unwrap();
    fs::rename(format!("{here}.new"), here).unwrap();
    kill(pid as i32, libc::SIGSTOP);
    loop {
        numbers.fill(u64::MAX);
    }
}

/// Mappings of shared buffers in this process.
fn mappings(_: ()) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("memfd:")).count()
}

/// The open shared buffers of this process, by their path.
fn files() -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let of_memory = |path: &std::path::PathBuf| {
        fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("memfd:"))
    };
    entries
        .map(|entry| entry.path())
        .filter(of_memory)
        .collect()
}

/// What the system says to cutting and to growing the file of the buffer.
fn resizes(numbers: SharedVec<u64>) -> (Vec<Option<i32>>, SharedVec<u64>) {
    let [path] = &files()[..] else {
        panic!("one file")
    };
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let errors = [0, 1 << 40].map(|len| file.set_len(len).unwrap_err().raw_os_error());
    (errors.to_vec(), numbers)
}

/// What the system says to writing the file of a slice.
fn scribbles(_: SharedSlice<u64>) -> bool {
    let [path] = &files()[..] else {
        panic!("one file")
    };
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|mut file| file.write_all(b"x")).is_err()
}

fn sum((numbers, part): (SharedSlice<u64>, usize)) -> u64 {
    numbers.iter().skip(part).step_by(8).sum()
}

fn same_slice(numbers: SharedSlice<u64>) -> SharedSlice<u64> {
    numbers
}

/// Serializes its buffer twice.
#[derive(Debug)]
struct Twice(SharedVec<u64>);

impl Serialize for Twice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0, &self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Twice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(SharedVec::deserialize(deserializer)?))
    }
}

/// A buffer in the program, the bare handle in a worker.
enum Trick {
    Buffer(SharedVec<u64>),
    Handle(u64, u64, u64),
}

impl Serialize for Trick {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Buffer(numbers) => numbers.serialize(serializer),
            Self::Handle(slab, offset, len) => (slab, offset, len).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Trick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if PARENT.load(Ordering::Relaxed) {
            return Ok(Self::Buffer(SharedVec::deserialize(deserializer)?));
        }
        let (slab, offset, len) = Deserialize::deserialize(deserializer)?;
        Ok(Self::Handle(slab, offset, len))
    }
}

/// Gives back another handle than it got.
fn forge((trick, how): (Trick, u32)) -> Trick {
    let Trick::Handle(slab, offset, len) = trick else {
        panic!("not in a worker");
    };
    match how {
        0 => Trick::Handle(slab, offset, len),
        1 => Trick::Handle(slab, offset, 1 << 20),
        2 => Trick::Handle(slab, 4, len - 1),
        3 => Trick::Handle(slab, u64::MAX - 7, 2),
        4 => Trick::Handle(slab, 8, u64::MAX),
        5 => Trick::Handle(slab, 1 << 40, 1),
        _ => Trick::Handle(slab + 1, offset, len),
    }
}

fn main() {
    processes::init(|r| {
        r.job(echo)
            .job(make)
            .job(hashed)
            .job(back)
            .job(fill)
            .job(swallow)
            .job(panics)
            .job(leaks)
            .job(twice)
            .job(dies)
            .job(stops)
            .job(mappings)
            .job(resizes)
            .job(scribbles)
            .job(sum)
            .job(same_slice)
            .job(forge)
    });
    PARENT.store(true, Ordering::Relaxed);
    runner::run(&[
        ("e62_each_size_arrives_whole", e62),
        ("e65_results_in_flight_bound_the_memory", e65),
        ("e66_a_shared_vec_comes_back_where_it_was", e66),
        ("e66_a_buffer_is_used_again", e66_again),
        ("e66_what_a_job_kept_is_not_used_again", e66_kept),
        ("e66_a_buffer_that_is_held_does_not_travel", e66_held),
        ("e66_other_serializers_refuse", e66_serializers),
        ("e67_a_crash_costs_the_numbers_only", e67),
        (
            "e67_a_stopped_writer_cannot_reach_the_next_buffer",
            e67_stopped,
        ),
        ("e68_nobody_can_resize_a_buffer", e68),
        ("e69_nothing_is_left_of_a_pool", e69),
        ("e70_a_forged_handle_is_a_violation", e70),
        (
            "e70_slices_are_read_by_many_and_written_by_none",
            e70_slices,
        ),
    ]);
}

fn address<T: processes::Plain>(numbers: &SharedVec<T>) -> usize {
    numbers.as_ptr().addr()
}

fn e62() {
    let pool = pool(2);
    let classes = (16..=22).map(|power| 1_usize << power);
    let around = classes.flat_map(|class| [class - 1, class, class + 1]);
    for len in around.chain([0, 1, 1 << 25]) {
        let bytes = pattern(len);
        let expected = hash(&bytes);
        let copy = pool.submit(echo, Blob(bytes.clone())).wait().unwrap();
        assert!(copy.0 == bytes, "{len} bytes by value");
        let shared = pool.shared_vec_from(&bytes).unwrap();
        let (found, shared) = pool.submit(hashed, shared).wait().unwrap();
        assert_eq!(found, expected, "{len} shared bytes");
        assert!(*shared == bytes[..], "{len} shared bytes, back");
    }
    let large = pool.shared_vec::<u8>(256 << 20).unwrap();
    let (found, large) = pool.submit(hashed, large).wait().unwrap();
    assert_eq!((found, large.len()), (hash(&large), 256 << 20));
}

fn e65() {
    const LEN: usize = 64 << 20;
    let resident = || {
        let text = fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    };
    runtime().block_on(async {
        let pool = pool(2);
        let before = resident();
        let mut made = pool.map(make, (0..100).map(|_| LEN));
        made = made.chunk(Chunk::Items(1)).window(3);
        let (mut count, mut most) = (0, 0);
        while let Some(bytes) = made.next().await {
            assert_eq!(bytes.unwrap().0.len(), LEN);
            most = most.max(resident().saturating_sub(before));
            count += 1;
        }
        assert_eq!(count, 100);
        // A window of encoded results and of decoded ones, and the buffers kept for the next.
        assert!(most < 10 * LEN, "{most} bytes");
    });
}

/// Minor page faults of this thread so far: stat of proc(5).
fn faults() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let after_name = text.rsplit(')').next().unwrap();
    after_name.split(' ').nth(8).unwrap().parse().unwrap()
}

fn e66() {
    runtime().block_on(async {
        let pool = pool(1);
        let mut numbers = pool.shared_vec::<u64>(1 << 20).unwrap();
        for with in 0..3 {
            numbers = pool.submit(fill, (numbers, with)).await.unwrap();
            assert!(numbers.iter().all(|number| *number == with));
            faults();
        }
        let (place, before) = (address(&numbers), faults());
        let numbers = pool.submit(fill, (numbers, 9)).await.unwrap();
        assert!(numbers.iter().all(|number| *number == 9));
        let count = faults() - before;
        assert!(count < 10, "{count} page faults");
        assert_eq!(address(&numbers), place);
        assert_eq!(pool.submit(mappings, ()).await.unwrap(), 0);
    });
}

fn e66_again() {
    let pool = pool(1);
    let numbers = pool.shared_vec_from(&[7_u64; 1000]).unwrap();
    let place = address(&numbers);
    for round in 0..30 {
        let numbers = pool.shared_vec_from(&[7_u64; 1000]).unwrap();
        match round % 3 {
            0 => pool.submit(swallow, numbers).wait().unwrap(),
            1 => assert!(pool.submit(panics, numbers).wait().unwrap_err().is_panic()),
            _ => drop(numbers),
        }
    }
    drop(numbers);
    let numbers = pool.shared_vec::<u64>(1000).unwrap();
    assert_eq!(address(&numbers), place, "the youngest is used again");
    assert!(numbers.iter().all(|number| *number == 0), "old numbers");
    // The answer may be here a moment before the buffer is.
    assert!(mappings(()) <= 4, "they are used again: {}", mappings(()));
}

fn e66_kept() {
    let pool = pool(1);
    let numbers = pool.shared_vec::<u64>(1000).unwrap();
    let place = address(&numbers);
    pool.submit(leaks, numbers).wait().unwrap();
    let numbers = pool.shared_vec::<u64>(1000).unwrap();
    assert_ne!(address(&numbers), place);
}

fn e66_held() {
    let pool = pool(1);
    let numbers = pool.shared_vec::<u64>(1000).unwrap();
    let error = pool.submit(twice, numbers).wait().unwrap_err();
    assert!(matches!(error, JobError::Encode(_)), "{error}");
    let numbers = std::rc::Rc::new(pool.shared_vec_from(&[5_u64; 10]).unwrap());
    let argument = Held(std::rc::Rc::clone(&numbers));
    let error = pool.submit(take_held, argument).wait().unwrap_err();
    assert!(matches!(error, JobError::NotRegistered { .. }), "{error}");
    let mut map = pool.map(back, [pool.shared_vec::<u64>(1).unwrap()]);
    let error = map.next_blocking().unwrap().unwrap_err();
    assert!(matches!(error, JobError::Encode(_)), "{error}");
    assert_eq!(**numbers, [5; 10]);
}

/// A buffer that somebody else may hold, too.
struct Held(std::rc::Rc<SharedVec<u64>>);

impl Serialize for Held {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

fn take_held(_: Held) {}

fn e66_serializers() {
    let pool = pool(1);
    let numbers = pool.shared_vec::<u64>(4).unwrap();
    assert!(postcard::to_allocvec(&numbers).is_err());
    assert!(postcard::from_bytes::<SharedVec<u64>>(&[1, 0, 1]).is_err());
}

fn e67() {
    let pool = pool(2);
    let numbers = pool.shared_vec::<u64>(1 << 16).unwrap();
    assert!(pool.submit(dies, numbers).wait().unwrap_err().is_crash());
    for _ in 0..4 {
        let numbers = pool.shared_vec::<u64>(1 << 16).unwrap();
        assert!(numbers.iter().all(|number| *number == 0));
        let numbers = pool.submit(fill, (numbers, 3)).wait().unwrap();
        assert!(numbers.iter().all(|number| *number == 3));
    }
}

fn e67_stopped() {
    let scratch = Scratch::new();
    let here = scratch.path("pid");
    // One thread runs all: between two awaits no death can be heard of.
    runtime().block_on(async {
        let pool = ProcessPool::builder().workers(1).build().unwrap();
        let numbers = pool.shared_vec::<u64>(1000).unwrap();
        let place = address(&numbers);
        let job = pool.submit(stops, (numbers, here.clone()));
        while !fs::exists(&here).unwrap() {
            trefoil::task::yield_now().await;
        }
        let pid: i32 = fs::read_to_string(&here).unwrap().parse().unwrap();
        assert!(job.cancel());
        let other = pool.shared_vec::<u64>(1000).unwrap();
        assert_ne!(address(&other), place, "its worker is not known to be dead");
        assert!(job.await.unwrap_err().is_cancelled());
        while pool.worker_pids().contains(&pid) {
            trefoil::task::yield_now().await;
        }
        let again = pool.shared_vec::<u64>(1000).unwrap();
        assert_eq!(address(&again), place);
        assert!(other.iter().chain(&*again).all(|number| *number == 0));
    });
}

fn e68() {
    let pool = pool(1);
    let numbers = pool.shared_vec_from(&[8_u64; 10_000]).unwrap();
    let (errors, numbers) = pool.submit(resizes, numbers).wait().unwrap();
    assert_eq!(errors, [Some(libc::EPERM), Some(libc::EPERM)]);
    assert!(numbers.iter().all(|number| *number == 8));
}

fn e69() {
    let named = || fs::read_dir("/dev/shm").map_or(0, Iterator::count);
    let before = named();
    let pool = pool(2);
    let slice = pool.shared_slice(&[1_u64; 1000]).unwrap();
    let numbers = pool.shared_vec::<u64>(1 << 20).unwrap();
    let numbers = pool.submit(back, numbers).wait().unwrap();
    assert_eq!(named(), before);
    assert_eq!((files().len(), mappings(())), (2, 2));
    drop(pool);
    // What the program holds outlives the pool.
    assert_eq!((numbers[0], slice[0]), (0, 1));
    drop((numbers, slice));
    assert_eq!((files().len(), mappings(())), (0, 0));
    assert_eq!(named(), before);
}

fn e70() {
    let pool = pool(1);
    for how in 0..=6 {
        let numbers = pool.shared_vec::<u64>(1000).unwrap();
        let result = pool.submit(forge, (Trick::Buffer(numbers), how)).wait();
        match result {
            Ok(Trick::Buffer(numbers)) => assert_eq!((how, numbers.len()), (0, 1000)),
            Err(JobError::Protocol(Violation::Handle)) => assert_ne!(how, 0),
            Ok(Trick::Handle(..)) => panic!("not in the program"),
            Err(error) => panic!("{how}: {error}"),
        }
    }
    until(|| pool.ready_workers() == 1);
}

fn e70_slices() {
    let pool = pool(4);
    let numbers: Vec<u64> = (0..80_000).collect();
    let slice = pool.shared_slice(&numbers).unwrap();
    let parts = (0..8).map(|part| (slice.clone(), part));
    let sums: Vec<u64> = pool.map(sum, parts).collect_blocking().unwrap();
    assert_eq!(sums.iter().sum::<u64>(), numbers.iter().sum::<u64>());
    assert!(pool.submit(scribbles, slice.clone()).wait().unwrap());
    let same = pool.submit(same_slice, slice).wait().unwrap();
    assert_eq!(*same, numbers[..]);
    let empty = pool.shared_slice::<u64>(&[]).unwrap();
    assert!(pool.submit(same_slice, empty).wait().unwrap().is_empty());
}
