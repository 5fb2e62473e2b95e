// Channels, locks and notifications: alone in one task, and contended.
//
// The rows with `_local` or `_unc` measure the fast path that the sync types take most of the
// time; the others mostly measure the executor's wakes.
// Read next: `rest.rs`.

use crate::job::{Job, Meter, Metrics};
use rt::sync::{Mutex, Notify, Semaphore, mpsc, oneshot};
use rt::task::yield_now;
use std::sync::Arc;

/// Runs the row, if it belongs to this chapter.
pub fn run(job: Job) -> Option<Metrics> {
    use start::in_task;
    Some(match job.workload {
        "mpsc_b_local" => in_task(job, mpsc_b_local(job.meter(1))),
        "mpsc_b_1to1" => in_task(job, mpsc_b(job.meter(1), 1)),
        "mpsc_b_4to1" => in_task(job, mpsc_b(job.meter(4), 4)),
        "mpsc_u_1to1" => in_task(job, mpsc_u(job.meter(1), 1)),
        "mpsc_u_4to1" => in_task(job, mpsc_u(job.meter(4), 4)),
        "oneshot_local" => in_task(job, oneshot_local(job.meter(1))),
        "mutex_unc" => in_task(job, mutex_unc(job.meter(1))),
        "mutex_unc_nobudget" => in_task(job, rt::task::unconstrained(mutex_unc(job.meter(1)))),
        "sem_unc" => in_task(job, sem_unc(job.meter(1))),
        "mutex_con" => in_task(job, mutex_con(job.meter(4))),
        "sem_con" => in_task(job, sem_con(job.meter(6))),
        "notify_pp" => in_task(job, notify_pp(job.meter(1))),
        "notify_local" => in_task(job, notify_local(job.meter(1))),
        _ => return None,
    })
}

/// Waits for all of `handles`.
async fn join_all(handles: &mut Vec<rt::task::JoinHandle<()>>) {
    for handle in handles.drain(..) {
        handle.await.unwrap();
    }
}

/// Send and receive one u64 in one task.
async fn mpsc_b_local(mut meter: Meter) -> Metrics {
    let (sender, mut receiver) = mpsc::channel::<u64>(16);
    while let Some(n) = meter.run() {
        for i in 0..n {
            sender.send(i).await.unwrap();
            assert_eq!(receiver.recv().await, Some(i));
        }
    }
    meter.metrics()
}

/// `senders` tasks fill a channel of 128 places, one receiver empties it; per message.
async fn mpsc_b(mut meter: Meter, senders: usize) -> Metrics {
    let mut handles = Vec::new();
    while let Some(n) = meter.run() {
        let (sender, mut receiver) = mpsc::channel::<u64>(128);
        for _ in 0..senders {
            let sender = sender.clone();
            handles.push(rt::spawn(async move {
                for i in 0..n {
                    sender.send(i).await.unwrap();
                }
            }));
        }
        drop(sender);
        while receiver.recv().await.is_some() {}
        join_all(&mut handles).await;
    }
    meter.metrics()
}

/// The same without a bound; senders yield after every 128th.
async fn mpsc_u(mut meter: Meter, senders: usize) -> Metrics {
    let mut handles = Vec::new();
    while let Some(n) = meter.run() {
        let (sender, mut receiver) = mpsc::unbounded_channel::<u64>();
        for _ in 0..senders {
            let sender = sender.clone();
            handles.push(rt::spawn(async move {
                for i in 1..=n {
                    sender.send(i).unwrap();
                    if i % 128 == 0 {
                        yield_now().await;
                    }
                }
            }));
        }
        drop(sender);
        while receiver.recv().await.is_some() {}
        join_all(&mut handles).await;
    }
    meter.metrics()
}

/// Create, send, await, in one task.
async fn oneshot_local(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for i in 0..n {
            let (sender, receiver) = oneshot::channel();
            sender.send(i).unwrap();
            assert_eq!(receiver.await, Ok(i));
        }
    }
    meter.metrics()
}

/// Lock and unlock with nobody else about.
async fn mutex_unc(mut meter: Meter) -> Metrics {
    let mutex = Mutex::new(0);
    while let Some(n) = meter.run() {
        for _ in 0..n {
            *mutex.lock().await += 1;
        }
    }
    meter.metrics()
}

/// Take and give back one of four permits with nobody else about.
async fn sem_unc(mut meter: Meter) -> Metrics {
    let semaphore = Semaphore::new(4);
    while let Some(n) = meter.run() {
        for _ in 0..n {
            drop(semaphore.acquire().await.unwrap());
        }
    }
    meter.metrics()
}

/// Four tasks on one mutex; every eighth time the guard is held across a yield. Per lock.
async fn mutex_con(mut meter: Meter) -> Metrics {
    let mut handles = Vec::new();
    while let Some(n) = meter.run() {
        let mutex = Arc::new(Mutex::new(0));
        for _ in 0..4 {
            let mutex = mutex.clone();
            handles.push(rt::spawn(async move {
                for i in 0..n {
                    let mut guard = mutex.lock().await;
                    *guard += 1;
                    if i % 8 == 0 {
                        yield_now().await;
                    }
                }
            }));
        }
        join_all(&mut handles).await;
    }
    meter.metrics()
}

/// Six tasks on two permits, each held across a yield. Per permit.
async fn sem_con(mut meter: Meter) -> Metrics {
    let mut handles = Vec::new();
    while let Some(n) = meter.run() {
        let semaphore = Arc::new(Semaphore::new(2));
        for _ in 0..6 {
            let semaphore = semaphore.clone();
            handles.push(rt::spawn(async move {
                for _ in 0..n {
                    let permit = semaphore.acquire().await.unwrap();
                    yield_now().await;
                    drop(permit);
                }
            }));
        }
        join_all(&mut handles).await;
    }
    meter.metrics()
}

/// Two tasks and two `Notify`s, there and back.
async fn notify_pp(mut meter: Meter) -> Metrics {
    let ping = Arc::new(Notify::new());
    let pong = Arc::new(Notify::new());
    let peer = {
        let (ping, pong) = (ping.clone(), pong.clone());
        rt::spawn(async move {
            loop {
                ping.notified().await;
                pong.notify_one();
            }
        })
    };
    while let Some(n) = meter.run() {
        for _ in 0..n {
            ping.notify_one();
            pong.notified().await;
        }
    }
    peer.abort();
    meter.metrics()
}

/// `notify_one` and the wait it ends, in one task.
async fn notify_local(mut meter: Meter) -> Metrics {
    let notify = Notify::new();
    while let Some(n) = meter.run() {
        for _ in 0..n {
            notify.notify_one();
            notify.notified().await;
        }
    }
    meter.metrics()
}
