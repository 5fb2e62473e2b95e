// mpsc, oneshot, Notify, Semaphore, Mutex, Barrier: who is served before whom, and how each ends.

use std::sync::Arc;

use rt::sync::{Barrier, Mutex, Notify, Semaphore, mpsc, oneshot};
use rt::task::yield_now;

use crate::Log;

pub fn run() -> Vec<String> {
    let log = Log::default();
    let runtime = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(bounded(&log));
    runtime.block_on(ends(&log));
    runtime.block_on(fairness(&log));
    runtime.block_on(notify(&log));
    runtime.block_on(barrier(&log));
    log.lines()
}

/// Lets every task that can run do so: more steps than any of these programs needs.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// A full channel makes senders wait, first in, first out; permits count as taken.
async fn bounded(log: &Log) {
    let (send, mut receive) = mpsc::channel::<u32>(2);
    log.say(format!(
        "capacity {} of {}",
        send.capacity(),
        send.max_capacity()
    ));
    for number in 0..4 {
        let (send, log) = (send.clone(), log.clone());
        rt::spawn(async move {
            send.send(number).await.unwrap();
            log.say(format!("{number} sent"));
        });
    }
    settle().await;
    let full = matches!(send.try_send(9), Err(mpsc::error::TrySendError::Full(9)));
    log.say(format!("try_send gives it back, full: {full}"));
    log.say(format!("received {:?}", receive.recv().await));
    settle().await;
    let permit = {
        log.say(format!("received {:?}", receive.try_recv()));
        log.say(format!("received {:?}", receive.recv().await));
        log.say(format!("received {:?}", receive.recv().await));
        send.reserve().await.unwrap()
    };
    log.say(format!("capacity with a permit out: {}", send.capacity()));
    log.say(format!("try_recv: {:?}", receive.try_recv()));
    permit.send(10);
    let mut many = Vec::new();
    let received = receive.recv_many(&mut many, 8).await;
    log.say(format!("{received} at once: {many:?}"));
    drop(send);
    log.say(format!("after the last sender: {:?}", receive.recv().await));
}

/// Closing from either side, with values inside.
async fn ends(log: &Log) {
    let (send, mut receive) = mpsc::channel::<u32>(4);
    send.send(1).await.unwrap();
    receive.close();
    log.say(format!(
        "closed: {}, send: {:?}",
        send.is_closed(),
        send.send(2).await
    ));
    log.say(format!(
        "still inside: {:?}, then {:?}",
        receive.recv().await,
        receive.recv().await
    ));

    let (send, receive) = mpsc::unbounded_channel::<u32>();
    let closed = rt::spawn({
        let (send, log) = (send.clone(), log.clone());
        async move {
            send.closed().await;
            log.say("the sender hears that it is closed");
        }
    });
    settle().await;
    drop(receive);
    log.say(format!("send: {:?}", send.send(3)));
    closed.await.unwrap();

    let (send, receive) = oneshot::channel::<u32>();
    drop(send);
    log.say(format!("oneshot without a value: {:?}", receive.await));
    let (send, mut receive) = oneshot::channel::<u32>();
    log.say(format!("too early: {:?}", receive.try_recv()));
    receive.close();
    log.say(format!(
        "closed: {}, send: {:?}",
        send.is_closed(),
        send.send(4)
    ));
    let (send, receive) = oneshot::channel::<u32>();
    send.send(5).unwrap();
    log.say(format!("oneshot: {:?}", receive.await));
}

/// Semaphore and mutex serve in the order of arrival; who asks for much is not overtaken.
async fn fairness(log: &Log) {
    let semaphore = Arc::new(Semaphore::new(3));
    let all = semaphore.clone().acquire_many_owned(3).await.unwrap();
    for (name, permits) in [("two", 2), ("three", 3), ("one", 1)] {
        let (semaphore, log) = (semaphore.clone(), log.clone());
        rt::spawn(async move {
            let permit = semaphore.acquire_many(permits).await.unwrap();
            log.say(format!("{name} has its permits"));
            yield_now().await;
            drop(permit);
            log.say(format!("{name} gives them back"));
        });
    }
    settle().await;
    log.say(format!(
        "available {}, try: {}",
        semaphore.available_permits(),
        semaphore.try_acquire().is_err()
    ));
    drop(all);
    settle().await;
    log.say(format!("available {}", semaphore.available_permits()));
    let waiter = rt::spawn({
        let semaphore = semaphore.clone();
        async move { semaphore.acquire_many(9).await.map(drop) }
    });
    settle().await;
    semaphore.close();
    log.say(format!("after close: {:?}", waiter.await.unwrap()));

    let mutex = Arc::new(Mutex::new(Vec::new()));
    let guard = mutex.lock().await;
    let tasks: Vec<_> = (0..4)
        .map(|number| {
            let mutex = mutex.clone();
            rt::spawn(async move { mutex.lock().await.push(number) })
        })
        .collect();
    settle().await;
    tasks[1].abort();
    log.say(format!("try_lock: {}", mutex.try_lock().is_err()));
    drop(guard);
    for task in tasks {
        log.say(format!("done: {}", task.await.is_ok()));
    }
    log.say(format!(
        "in order, without the aborted: {:?}",
        mutex.lock().await
    ));
}

/// A permit kept for one who comes later, the oldest waiter first, and all at once.
async fn notify(log: &Log) {
    let notify = Arc::new(Notify::new());
    notify.notify_one();
    notify.notify_one();
    notify.notified().await;
    log.say("one permit is kept, not two");
    let waiters: Vec<_> = (0..4)
        .map(|number| {
            let (notify, log) = (notify.clone(), log.clone());
            rt::spawn(async move {
                notify.notified().await;
                log.say(format!("waiter {number} was notified"));
            })
        })
        .collect();
    settle().await;
    notify.notify_one();
    settle().await;
    waiters[1].abort();
    settle().await;
    notify.notify_one();
    settle().await;
    notify.notify_waiters();
    settle().await;
    let late = notify.notified();
    notify.notify_waiters();
    late.await;
    log.say("made before notify_waiters, so notified by it");
}

/// All or nobody, and one leader: the last to come. The others pass in no promised order.
async fn barrier(log: &Log) {
    let barrier = Arc::new(Barrier::new(3));
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            let (barrier, log) = (barrier.clone(), log.clone());
            rt::spawn(async move {
                let leader = barrier.wait().await.is_leader();
                if leader {
                    log.say(format!("{number} leads"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let too_few = rt::spawn({
        let barrier = barrier.clone();
        async move { barrier.wait().await.is_leader() }
    });
    settle().await;
    log.say(format!("one alone passes: {}", too_few.is_finished()));
    too_few.abort();
}
