//! The life of a task, cell by cell: each state, each thing that can be done to it, each end.
//!
//! | state | the task is |
//! |---|---|
//! | scheduled | in a queue, after its first poll |
//! | running | being polled, for the second time |
//! | idle | neither |
//! | complete | over, after its second poll |
//!
//! Every cell counts polls, drops of the future and of the output, wake-ups of the join handle's
//! waker, and references to that waker (the last of them goes with the task's memory).

#[path = "both/mod.rs"]
mod both;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};

use both::{Counter, Dropped, Tally, current, hush, planned, until, watchdog, workers};
use rt::runtime::Runtime;
use rt::task::JoinHandle;
use trefoil as rt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Scheduled,
    Running,
    Idle,
    Complete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Nothing,
    Wake,
    WakeByRef,
    WakeTwice,
    CloneWaker,
    DropWakers,
    Abort,
    AbortTwice,
    WakeThenAbort,
    Detach,
    Join,
    JoinThenDetach,
    JoinThenAbort,
    AbortThenDetach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ok,
    Panic,
}

const STATES: [State; 4] = [
    State::Scheduled,
    State::Running,
    State::Idle,
    State::Complete,
];

const ACTIONS: [Action; 14] = [
    Action::Nothing,
    Action::Wake,
    Action::WakeByRef,
    Action::WakeTwice,
    Action::CloneWaker,
    Action::DropWakers,
    Action::Abort,
    Action::AbortTwice,
    Action::WakeThenAbort,
    Action::Detach,
    Action::Join,
    Action::JoinThenDetach,
    Action::JoinThenAbort,
    Action::AbortThenDetach,
];

impl Action {
    fn aborts(self) -> bool {
        matches!(
            self,
            Self::Abort
                | Self::AbortTwice
                | Self::WakeThenAbort
                | Self::JoinThenAbort
                | Self::AbortThenDetach
        )
    }

    fn wakes(self) -> bool {
        matches!(self, Self::Wake | Self::WakeByRef | Self::WakeTwice)
    }

    fn detaches(self) -> bool {
        matches!(
            self,
            Self::Detach | Self::JoinThenDetach | Self::AbortThenDetach
        )
    }

    fn joins(self) -> bool {
        matches!(self, Self::Join | Self::JoinThenAbort)
    }
}

type Inside = Box<dyn FnOnce() + Send>;

/// What a cell's task shares with its test.
struct Desk {
    end: End,
    polls: Tally,
    futures_dropped: Tally,
    outputs_dropped: Tally,
    wakers: Mutex<Vec<Waker>>,
    finish: AtomicBool,
    /// Called in the middle of the next poll.
    inside: Mutex<Option<Inside>>,
    handle: Mutex<Option<JoinHandle<Dropped>>>,
    joiner: Arc<Counter>,
}

impl Desk {
    fn new(end: End) -> Arc<Self> {
        Arc::new(Self {
            end,
            polls: Tally::new(),
            futures_dropped: Tally::new(),
            outputs_dropped: Tally::new(),
            wakers: Mutex::default(),
            finish: AtomicBool::new(false),
            inside: Mutex::default(),
            handle: Mutex::default(),
            joiner: Counter::new(),
        })
    }

    fn start(self: &Arc<Self>, rt: &Runtime) {
        let task = rt.spawn(Probe {
            desk: self.clone(),
            _dropped: self.futures_dropped.guard(),
        });
        *self.handle.lock().unwrap() = Some(task);
    }

    fn wake_by_ref(&self) {
        let waker = self.wakers.lock().unwrap().last().cloned();
        waker.expect("the task was polled").wake_by_ref();
    }

    fn poll_handle(&self) -> Option<Poll<Result<Dropped, rt::task::JoinError>>> {
        let waker = Waker::from(self.joiner.clone());
        let mut handle = self.handle.lock().unwrap().take()?;
        let result = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
        if result.is_pending() {
            *self.handle.lock().unwrap() = Some(handle);
        }
        Some(result)
    }

    fn abort(&self) {
        self.handle.lock().unwrap().as_ref().unwrap().abort();
    }

    fn detach(&self) {
        let handle = self.handle.lock().unwrap().take();
        drop(handle);
    }

    fn act(&self, action: Action, state: State) {
        let join = || {
            if state == State::Complete {
                // Its result is looked at in the end.
                assert!(self.handle.lock().unwrap().as_ref().unwrap().is_finished());
            } else {
                assert!(self.poll_handle().unwrap().is_pending());
            }
        };
        match action {
            Action::Nothing => {}
            Action::Wake => {
                let waker = self.wakers.lock().unwrap().last().cloned().unwrap();
                waker.wake();
            }
            Action::WakeByRef => self.wake_by_ref(),
            Action::WakeTwice => {
                self.wake_by_ref();
                self.wake_by_ref();
            }
            Action::CloneWaker => {
                let waker = self.wakers.lock().unwrap().last().cloned().unwrap();
                self.wakers.lock().unwrap().push(waker);
            }
            Action::DropWakers => {
                let wakers = std::mem::take(&mut *self.wakers.lock().unwrap());
                drop(wakers);
            }
            Action::Abort => self.abort(),
            Action::AbortTwice => {
                self.abort();
                self.abort();
            }
            Action::WakeThenAbort => {
                self.wake_by_ref();
                self.abort();
            }
            Action::Detach => self.detach(),
            Action::Join => join(),
            Action::JoinThenDetach => {
                join();
                self.detach();
            }
            Action::JoinThenAbort => {
                join();
                self.abort();
            }
            Action::AbortThenDetach => {
                self.abort();
                self.detach();
            }
        }
    }

    /// The polls there must have been when the action has taken effect.
    fn expected_polls(state: State, action: Action) -> usize {
        match state {
            State::Scheduled if action.aborts() => 1,
            State::Scheduled => 2,
            State::Running if action.wakes() => 3,
            State::Running => 2,
            State::Idle if action.wakes() => 2,
            State::Idle => 1,
            State::Complete => 2,
        }
    }

    /// Lets the task end, checks its result and all counts. `settle` lets the runtime run; `apart`:
    /// it also runs by itself.
    fn finish(self: Arc<Self>, state: State, action: Action, apart: bool, settle: impl Fn()) {
        let cell = (state, action, self.end);
        let cancelled = action.aborts() && state != State::Complete;
        let polls = self.polls.get();
        let expected = Self::expected_polls(state, action);
        // Between two wakes, or a wake and an abort, from another thread there may be a poll.
        let two = matches!(action, Action::WakeTwice | Action::WakeThenAbort);
        let between = usize::from(apart && two && state == State::Idle);
        assert!(
            (expected..=expected + between).contains(&polls),
            "{cell:?}: {polls} polls, not {expected}"
        );
        let mut ended = cancelled || state == State::Complete;
        assert_eq!(self.futures_dropped.get(), usize::from(ended), "{cell:?}");
        let mut aborted_late = false;
        if !ended {
            self.finish.store(true, Ordering::SeqCst);
            if self.wakers.lock().unwrap().is_empty() {
                // Nobody can wake it any more; the runtime still has it.
                self.abort();
                aborted_late = true;
            } else {
                self.wake_by_ref();
            }
            settle();
            ended = true;
        }
        let cancelled = cancelled || aborted_late;
        assert!(ended);
        assert_eq!(self.futures_dropped.get(), 1, "{cell:?}: future dropped");

        let had_waker = action.joins() && state != State::Complete;
        assert_eq!(self.joiner.wakes(), usize::from(had_waker), "{cell:?}");
        let produced = self.end == End::Ok && !cancelled;
        match self.poll_handle() {
            None => assert!(action.detaches(), "{cell:?}"),
            Some(Poll::Pending) => panic!("{cell:?}: still pending"),
            Some(Poll::Ready(Ok(output))) => {
                assert!(produced, "{cell:?}: an output");
                assert_eq!(self.outputs_dropped.get(), 0, "{cell:?}");
                drop(output);
            }
            Some(Poll::Ready(Err(error))) => {
                assert!(!produced, "{cell:?}: {error}");
                assert_eq!(error.is_cancelled(), cancelled, "{cell:?}: {error}");
                assert_eq!(error.is_panic(), !cancelled, "{cell:?}: {error}");
            }
        }
        assert_eq!(
            self.outputs_dropped.get(),
            usize::from(produced),
            "{cell:?}: output dropped"
        );

        // Stale wakers do nothing, and the last reference frees the task with its join waker.
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap());
        let polls = self.polls.get();
        for waker in wakers {
            waker.wake_by_ref();
            waker.wake_by_ref();
            drop(waker);
        }
        settle();
        assert_eq!(self.polls.get(), polls, "{cell:?}: polled after its end");
        assert_eq!(Arc::strong_count(&self.joiner), 1, "{cell:?}: join waker");
        assert_eq!(Arc::strong_count(&self), 1, "{cell:?}: future");
    }
}

/// The task.
struct Probe {
    desk: Arc<Desk>,
    _dropped: Dropped,
}

impl Future for Probe {
    type Output = Dropped;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Dropped> {
        let desk = &self.desk;
        let first = desk.polls.add() == 1;
        if first {
            desk.wakers.lock().unwrap().push(cx.waker().clone());
        }
        let inside = desk.inside.lock().unwrap().take();
        if let Some(inside) = inside {
            inside();
        }
        if !desk.finish.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        match desk.end {
            End::Ok => Poll::Ready(desk.outputs_dropped.guard()),
            End::Panic => planned(),
        }
    }
}

fn cells() -> impl Iterator<Item = (State, Action, End)> {
    STATES.into_iter().flat_map(|state| {
        ACTIONS
            .into_iter()
            .flat_map(move |action| [(state, action, End::Ok), (state, action, End::Panic)])
    })
}

/// Runs what can run on a current-thread runtime.
fn turn(rt: &Runtime) {
    rt.block_on(async {
        for _ in 0..3 {
            rt::task::yield_now().await;
        }
    });
}

#[test]
fn every_cell_on_one_thread() {
    let _dog = watchdog();
    hush();
    let rt = current();
    for (state, action, end) in cells() {
        let desk = Desk::new(end);
        desk.start(&rt);
        turn(&rt);
        assert_eq!(desk.polls.get(), 1);
        match state {
            State::Scheduled => {
                desk.wake_by_ref();
                desk.act(action, state);
            }
            State::Running => {
                let d = desk.clone();
                *desk.inside.lock().unwrap() = Some(Box::new(move || d.act(action, state)));
                desk.wake_by_ref();
            }
            State::Idle => desk.act(action, state),
            State::Complete => {
                desk.finish.store(true, Ordering::SeqCst);
                desk.wake_by_ref();
                turn(&rt);
                desk.act(action, state);
            }
        }
        turn(&rt);
        desk.finish(state, action, false, || turn(&rt));
        assert_eq!(rt.metrics().num_alive_tasks(), 0);
    }
}

#[test]
fn every_cell_acted_upon_from_another_thread() {
    let _dog = watchdog();
    hush();
    // One worker, so that a task that blocks it keeps others in the queue, and a task that is
    // spawned and joined proves that the polls before it are over.
    let rt = workers(1);
    let settle = || {
        for _ in 0..3 {
            rt.block_on(rt.spawn(async {})).unwrap();
        }
    };
    for (state, action, end) in cells() {
        let desk = Desk::new(end);
        desk.start(&rt);
        until(|| desk.polls.get() == 1);
        settle();
        let (here, there) = (mpsc::channel::<()>(), mpsc::channel::<()>());
        let (arrived, open) = (here.1, there.0);
        let (arrive, opened) = (here.0, there.1);
        let gate = move || {
            arrive.send(()).unwrap();
            opened.recv().unwrap();
        };
        match state {
            State::Scheduled => {
                let hog = rt.spawn(async move { gate() });
                arrived.recv().unwrap();
                desk.wake_by_ref();
                desk.act(action, state);
                open.send(()).unwrap();
                rt.block_on(hog).unwrap();
            }
            State::Running => {
                *desk.inside.lock().unwrap() = Some(Box::new(gate));
                desk.wake_by_ref();
                arrived.recv().unwrap();
                desk.act(action, state);
                open.send(()).unwrap();
            }
            State::Idle => desk.act(action, state),
            State::Complete => {
                desk.finish.store(true, Ordering::SeqCst);
                desk.wake_by_ref();
                settle();
                desk.act(action, state);
            }
        }
        settle();
        desk.finish(state, action, true, settle);
        assert_eq!(rt.metrics().num_alive_tasks(), 0);
    }
}

#[test]
fn a_task_that_ends_while_it_is_acted_upon_ends_well() {
    let _dog = watchdog();
    hush();
    let rt = current();
    for action in ACTIONS {
        for end in [End::Ok, End::Panic] {
            let desk = Desk::new(end);
            desk.start(&rt);
            turn(&rt);
            let d = desk.clone();
            *desk.inside.lock().unwrap() = Some(Box::new(move || {
                d.act(action, State::Running);
                d.finish.store(true, Ordering::SeqCst);
            }));
            desk.wake_by_ref();
            turn(&rt);
            // The poll was under way, so its output counts, also after an abort.
            let cell = (action, end);
            assert_eq!((desk.polls.get(), desk.futures_dropped.get()), (2, 1));
            assert_eq!(desk.joiner.wakes(), usize::from(action.joins()), "{cell:?}");
            match desk.poll_handle() {
                None => assert!(action.detaches()),
                Some(Poll::Pending) => panic!("{cell:?}: still pending"),
                Some(Poll::Ready(Ok(_))) => assert_eq!(end, End::Ok, "{cell:?}"),
                Some(Poll::Ready(Err(error))) => {
                    assert!(end == End::Panic && error.is_panic(), "{cell:?}: {error}");
                }
            }
            assert_eq!(desk.outputs_dropped.get(), usize::from(end == End::Ok));
            desk.wakers.lock().unwrap().clear();
            assert_eq!(Arc::strong_count(&desk.joiner), 1, "{cell:?}");
            assert_eq!(Arc::strong_count(&desk), 1, "{cell:?}");
        }
    }
}
