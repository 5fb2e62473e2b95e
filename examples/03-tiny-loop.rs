//! 03 tiny-loop: an event loop with sockets and timers.
//!
//! Teaches who calls `wake`. The executor polls what was woken and knows no sockets; the reactor
//! waits for sockets and timers and knows no futures; a `Waker` is the executor's, and lies in
//! the reactor until its event comes. (Longer than the others, because the
//! whole loop is here.)
//!
//! Run: `cargo run --release --example 03-tiny-loop` (argument: the port, 7003 if none)
//!
//! In a second terminal: `nc 127.0.0.1 7003`, then type a line
//!
//! Expected output:
//!
//! ```text
//! listening on 127.0.0.1:7003
//! -- 1. timers: one thread, two sleeps at the same time
//! executor: polls `slow`: Pending
//! executor: polls `quick`: Pending
//! executor: the queue is empty, so the reactor may wait
//! reactor: a timer is due, I call its waker: `quick` goes into the queue
//! executor: polls `quick`: Ready(())
//! executor: the queue is empty, so the reactor may wait
//! reactor: a timer is due, I call its waker: `slow` goes into the queue
//! executor: polls `slow`: Ready(())
//! -- 2. sockets: the same loop, only the event is another one
//! executor: polls `visitor`: Pending
//! executor: the queue is empty, so the reactor may wait
//! reactor: socket 0 is readable, I call its waker: `visitor` goes into the queue
//! executor: polls `visitor`: (accepted) Pending
//! executor: the queue is empty, so the reactor may wait
//! reactor: socket 1 is readable, I call its waker: `visitor` goes into the queue
//! executor: polls `visitor`: (6 bytes, sent back) Ready(())
//! next: 04-hello does the same with a runtime: names, spawn, join
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::TcpListener;
use mio::{Events, Interest, Token};

// ---- the reactor: waits for the world and calls wakers; knows no futures, no tasks ----

/// What is waited for, and whom to wake. A real one is shared by threads; this one is not.
struct Reactor {
    /// The kernel's half: epoll.
    epoll: RefCell<mio::Poll>,
    /// Who waits for which socket.
    sockets: RefCell<HashMap<Token, Waker>>,
    /// Who waits until when, the earliest first.
    timers: RefCell<BTreeMap<Instant, Waker>>,
}

impl Reactor {
    /// Tells epoll about a socket. It reports each *change* to readable once.
    fn register(&self, socket: &mut impl Source, token: usize) {
        let epoll = self.epoll.borrow();
        let result = (epoll.registry()).register(socket, Token(token), Interest::READABLE);
        result.expect("epoll takes it");
    }

    /// Tries `io` at each poll; while it would block, the task's waker lies here.
    async fn readable<T>(&self, token: usize, mut io: impl FnMut() -> io::Result<T>) -> T {
        poll_fn(|cx| match io() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // The latest waker replaces the one before it: 01's lesson.
                let mut sockets = self.sockets.borrow_mut();
                sockets.insert(Token(token), cx.waker().clone());
                Poll::Pending
            }
            result => Poll::Ready(result.expect("a healthy socket")),
        })
        .await
    }

    /// Waits until `deadline`. One waker an instant is enough for an example.
    async fn sleep_until(&self, deadline: Instant) {
        poll_fn(|cx| {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            let mut timers = self.timers.borrow_mut();
            timers.insert(deadline, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Sleeps in the kernel until a socket is ready or a timer is due, and wakes who waits.
    fn turn(&self) {
        let mut events = Events::with_capacity(16);
        let first = self.timers.borrow().first_key_value().map(|(at, _)| *at);
        let timeout = first.map(|at| at.saturating_duration_since(Instant::now()));
        // An interrupted wait has no events: the next turn repeats it.
        let _ = self.epoll.borrow_mut().poll(&mut events, timeout);
        for event in &events {
            let Token(socket) = event.token();
            let waker = self.sockets.borrow_mut().remove(&Token(socket));
            // Nobody waits for a second visitor, for instance.
            if let Some(waker) = waker {
                print!("reactor: socket {socket} is readable, I call its waker: ");
                waker.wake();
            }
        }
        let later = self.timers.borrow_mut().split_off(&Instant::now());
        for (_, waker) in self.timers.replace(later) {
            print!("reactor: a timer is due, I call its waker: ");
            waker.wake();
        }
    }
}

// ---- the executor: polls what was woken; knows no sockets, no time ----

/// The waker of one task: its name, its place in `run`'s list, and the queue of the woken.
struct TaskWaker(&'static str, usize, Arc<Mutex<VecDeque<usize>>>);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        println!("`{}` goes into the queue", self.0);
        self.2.lock().unwrap().push_back(self.1);
    }
}

/// A future on the heap, so that futures of different types fit into one list.
type Task<'a> = (&'static str, Pin<Box<dyn Future<Output = ()> + 'a>>);

/// Runs all tasks to their end, on this thread.
fn run(reactor: &Reactor, mut tasks: Vec<Task<'_>>) {
    let queue = Arc::new(Mutex::new(VecDeque::from_iter(0..tasks.len())));
    let mut alive = tasks.len();
    while alive > 0 {
        let woken = queue.lock().unwrap().pop_front();
        let Some(index) = woken else {
            println!("executor: the queue is empty, so the reactor may wait");
            reactor.turn();
            continue;
        };
        let (name, future) = &mut tasks[index];
        let waker = Waker::from(Arc::new(TaskWaker(name, index, queue.clone())));
        let mut cx = Context::from_waker(&waker);
        print!("executor: polls `{name}`: ");
        let poll = future.as_mut().poll(&mut cx);
        println!("{poll:?}");
        // Each task here waits for one thing at a time, so nothing wakes it after its end.
        // A real executor must expect that, and keep the finished from being polled again.
        alive -= usize::from(poll.is_ready());
    }
}

/// Accepts one connection and sends its first bytes back.
async fn visitor(reactor: &Reactor, mut listener: TcpListener) {
    reactor.register(&mut listener, 0);
    let (mut stream, _) = reactor.readable(0, || listener.accept()).await;
    print!("(accepted) ");
    reactor.register(&mut stream, 1);
    let mut bytes = [0; 1024];
    let n = reactor.readable(1, || stream.read(&mut bytes)).await;
    // A few bytes fit into an empty socket: this write does not have to wait.
    stream
        .write_all(&bytes[..n])
        .expect("the visitor is still there");
    print!("({n} bytes, sent back) ");
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7003".into());
    let address = format!("127.0.0.1:{port}").parse().expect("a port");
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let epoll = RefCell::new(mio::Poll::new()?);
    let (sockets, timers) = (RefCell::default(), RefCell::default());
    let reactor = Reactor {
        epoll,
        sockets,
        timers,
    };

    println!("-- 1. timers: one thread, two sleeps at the same time");
    let start = Instant::now();
    let sleep = |ms| Box::pin(reactor.sleep_until(start + Duration::from_millis(ms)));
    run(&reactor, vec![("slow", sleep(200)), ("quick", sleep(100))]);

    println!("-- 2. sockets: the same loop, only the event is another one");
    let visitor = Box::pin(visitor(&reactor, listener));
    run(&reactor, vec![("visitor", visitor)]);
    println!("next: 04-hello does the same with a runtime: names, spawn, join");
    Ok(())
}
