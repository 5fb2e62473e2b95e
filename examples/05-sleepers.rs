//! 05 sleepers: 100,000 tasks asleep on one thread.
//!
//! Teaches what a waiting task costs (some hundred bytes, and no CPU), and how a loop finds the
//! next deadline among so many: a wheel with levels, where a timer is put in and taken out
//! without a look at any other. In the lab's map these are the rows `× wait 100 ms` and
//! `memory of one that waits`.
//!
//! Run: `cargo run --release --example 05-sleepers`
//!
//! Expected output:
//!
//! ```text
//! -- 1. a thread each: 2000 of them
//! 9800 bytes each, and a stack in the kernel that is not counted
//! -- 2. a task each: 100000 of them
//! 460 bytes each
//! -- 3. the wheel: a level has 64 slots, and a slot of it is as long as the level below
//! level 0, slots of 1 ms: 20000 timers ######
//! level 1, slots of 64 ms: 20000 timers ######
//! level 2, slots of 4.1 s: 20000 timers ######
//! level 3, slots of 4.4 min: 20000 timers ######
//! level 4, slots of 4.7 h: 20000 timers ######
//! level 5, slots of 12.4 days: no timers
//! turning: when level 0 is through, the next slot of level 1 is dealt out over it
//! -- 4. sleeping
//! 40000 woke within 3 s
//! CPU for all of them: 90 ms
//! 60000 still asleep were dropped: each took its timer out of the wheel
//! next: 06-echo gives a task to each connection
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::time::Duration;

/// How many tasks sleep.
const TASKS: u64 = 100_000;
/// How many threads sleep, for comparison: the machine may not allow many more.
const THREADS: u64 = 2_000;

/// Resident memory of this process in bytes, from /proc/self/status (proc_pid_status(5)).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a line `VmRSS: 1234 kB`") * 1024
}

/// CPU time that this process's first thread has used, from /proc/self/schedstat. In ms.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    let nanoseconds = stat
        .split(' ')
        .next()
        .and_then(|first| first.parse::<u64>().ok());
    nanoseconds.expect("a number") / 1_000_000
}

/// How long sleeper number `i` sleeps, in ms: a fifth of them in the reach of each level.
fn delay(i: u64) -> u64 {
    // Level n reaches from 64^n to 64^(n+1). These fill it from 2 to 33 times 64^n.
    let reach = 64_u64.pow(i as u32 % 5);
    2 * reach + i % (reach * 31)
}

/// The level that a timer goes to when the wheel stands at 0: the highest group of 6 bits
/// that is not 0 in its deadline.
fn level(delay: u64) -> usize {
    delay.ilog2() as usize / 6
}

/// One line a level: how long its slots are, and how many timers lie there.
fn draw(delays: impl Iterator<Item = u64>) {
    let mut levels = [0_usize; 6];
    delays.for_each(|delay| levels[level(delay)] += 1);
    let slots = ["1 ms", "64 ms", "4.1 s", "4.4 min", "4.7 h", "12.4 days"];
    for (level, (slot, timers)) in slots.iter().zip(levels).enumerate() {
        let bar = "#".repeat(timers.div_ceil(3500));
        match timers {
            0 => println!("level {level}, slots of {slot}: no timers"),
            _ => println!("level {level}, slots of {slot}: {timers} timers {bar}"),
        }
    }
}

#[rt::main(flavor = "current_thread")]
async fn main() {
    println!("-- 1. a thread each: {THREADS} of them");
    let before = resident();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| std::thread::spawn(std::thread::park))
        .collect();
    // Until all have come to their `park`, more or less; they touch their stack before that.
    rt::time::sleep(Duration::from_millis(200)).await;
    let bytes = resident().saturating_sub(before) / THREADS;
    println!("{bytes} bytes each, and a stack in the kernel that is not counted");
    for thread in threads {
        thread.thread().unpark();
        thread.join().expect("it only parks");
    }

    println!("-- 2. a task each: {TASKS} of them");
    let (before, cpu_before) = (resident(), cpu());
    let sleeper = |i| rt::spawn(rt::time::sleep(Duration::from_millis(delay(i))));
    let tasks: Vec<_> = (0..TASKS).map(sleeper).collect();
    // Queued last, so polled last: by then each of the others has set its timer.
    rt::spawn(async {}).await.expect("an empty task ends");
    println!("{} bytes each", resident().saturating_sub(before) / TASKS);

    println!(
        "-- 3. the wheel: a level has 64 slots, and a slot of it is as long as the level below"
    );
    draw((0..TASKS).map(delay));
    println!("turning: when level 0 is through, the next slot of level 1 is dealt out over it");

    println!("-- 4. sleeping");
    rt::time::sleep(Duration::from_secs(3)).await;
    let woke = tasks.iter().filter(|task| task.is_finished()).count();
    println!("{woke} woke within 3 s");
    println!("CPU for all of them: {} ms", cpu() - cpu_before);
    let asleep = tasks.len() - woke;
    for task in tasks {
        task.abort();
        let _ = task.await;
    }
    println!("{asleep} still asleep were dropped: each took its timer out of the wheel");
    println!("next: 06-echo gives a task to each connection");
}
