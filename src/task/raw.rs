//! A task's memory for one type of future, and the step that runs it.
//!
//! ```text
//!   Cell<F, S>          one allocation, aligned to 8
//!   ┌────────────────────────────────────────────────────────────────────────────┐
//!   │ Header: state │ vtable │ id │ links in the owner list │ wait slot │ join waker │
//!   ├────────────────────────────────────────────────────────────────────────────┤
//!   │ scheduler S │ stage: the future F, then its result, then nothing            │
//!   └────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Who may touch what, and when:
//!
//! | part | who | when |
//! |---|---|---|
//! | state | anybody | any time, through its functions |
//! | vtable, id, scheduler | anybody | any time, they never change |
//! | list | the runtime | written before the first push, read after the last poll |
//! | links | the runtime | under the list's lock |
//! | wait slot | written by the poller, read by anybody | it has its own protocol |
//! | stage | the poller | from `start_poll` to `complete` |
//! | | the join handle, else the runtime | after `complete`, as it says |
//! | join waker | the join handle | while the `WAKER` flag is clear |
//! | | the completing thread | after `complete`, if it said so |
//!
//! Locked operations of `spawn(f).await` on one thread: parent's waker 1, `leave_waker` 1,
//! `finish_poll` of the parent 1, `complete` 1, wake of the parent 1, `release` 1. None for the
//! owner list (its biased lock); a recycled block instead of malloc; no clock.
//!
//! Read next: `task/join.rs`.

#![allow(
    unsafe_code,
    reason = "one allocation seen through several kinds of pointers"
)]

use std::alloc::Layout;
use std::any::Any;
use std::cell::{Cell as StdCell, UnsafeCell};
use std::future::Future;
use std::mem::{ManuallyDrop, offset_of};
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use crate::parts::blocks;
use crate::parts::names::Name;
use crate::parts::unwind;
use crate::parts::wait_site;
use crate::task::error::JoinError;
use crate::task::header::{
    CURRENT, Ending, Header, Links, NO_LIST, Ran, Runnable, Schedule, TaskRef, Vtable, YIELDED,
    borrowed_waker, current_id,
};
use crate::task::id::Id;
use crate::task::join::JoinHandle;
use crate::task::state::{AfterPoll, StartPoll, State};
use crate::task::wait_slot::WaitSlot;

/// A whole task.
#[repr(C)]
struct Cell<F: Future, S> {
    header: Header,
    scheduler: S,
    /// See the head.
    stage: UnsafeCell<Stage<F>>,
}

/// What the task holds at this stage of its life.
enum Stage<F: Future> {
    Future(F),
    Output(Result<F::Output, JoinError>),
    Gone,
}

/// A task that was just made.
pub(crate) struct NewTask<T> {
    /// The right to run it: the task is scheduled.
    pub(crate) runnable: Runnable,
    /// The runtime's reference, to be listed ([`TaskRef::set_list`]). While a task is neither
    /// listed nor complete somebody must hold this.
    pub(crate) own: TaskRef,
    /// With the join handle's reference.
    pub(crate) join: JoinHandle<T>,
}

/// Makes a task with a name and the line of its spawn: scheduled, with a reference for the runtime
/// and one for the join handle.
pub(crate) fn new_task<F, S>(
    future: F,
    scheduler: S,
    name: Name,
    spawned: &'static Location<'static>,
) -> NewTask<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
    S: Schedule,
{
    let parent = current_id().map_or(0, |id| id.as_u64() as u32);
    // Before the cell is made, so that its parts are written where they stay: through the stack
    // they cost 5 ns (`spawn_64_ct`).
    let memory = blocks::allocate(Layout::new::<Cell<F, S>>()).cast::<Cell<F, S>>();
    let cell = Cell {
        header: Header {
            state: State::new(),
            vtable: const {
                &Vtable {
                    run: run::<F, S>,
                    schedule: schedule::<F, S>,
                    take_output: take_output::<F, S>,
                    drop_output: drop_output::<F, S>,
                    free: free::<F, S>,
                }
            },
            id: Id::next(),
            links: StdCell::new(Links {
                before: None,
                after: None,
            }),
            list: StdCell::new(NO_LIST),
            slot: WaitSlot::new(parent, name, spawned),
            join_waker: UnsafeCell::new(None),
        },
        scheduler,
        stage: UnsafeCell::new(Stage::Future(future)),
    };
    // SAFETY: `allocate` gave memory of this layout, which nobody else knows.
    unsafe { memory.write(cell) };
    let header = memory.cast::<Header>();
    NewTask {
        runnable: Runnable(header),
        own: TaskRef(header),
        // SAFETY: the reference that the state counts for it; the task's output is an `F::Output`.
        join: unsafe { JoinHandle::new(TaskRef(header)) },
    }
}

/// Runs a task: [`Runnable::run`] for one type.
///
/// # Safety
///
/// `task` is a `Cell<F, S>` whose `Runnable` the caller had.
unsafe fn run<F: Future, S: Schedule>(task: NonNull<Header>) -> Ran {
    let cell = task.cast::<Cell<F, S>>();
    // SAFETY: the task is not complete, so it lives; the type is right by contract. Only shared
    // references to a cell are ever made: what changes is in cells of its own.
    let cell = unsafe { cell.as_ref() };
    let header = &cell.header;
    let seen = match header.state.start_poll() {
        StartPoll::Poll(seen) => seen,
        StartPoll::Cancelled => {
            // SAFETY: between `start_poll` and `complete` the stage is ours.
            let stage = unsafe { &mut *cell.stage.get() };
            let error = match drop_stage(task, stage) {
                Ok(()) => JoinError::cancelled(header.id),
                Err(payload) => JoinError::panicked(header.id, payload),
            };
            *stage = Stage::Output(Err(error));
            finish(cell);
            return Ran::Done;
        }
    };

    let waker = ManuallyDrop::new(borrowed_waker(task));
    let mut cx = Context::from_waker(&waker);
    // SAFETY: as above: the stage is ours until `complete` or `finish_poll`.
    let stage = unsafe { &mut *cell.stage.get() };
    let before = CURRENT.with(|current| current.replace(Some(task)));
    let result = unwind::catch(|| {
        // What panics is dropped amid the panic: its `Drop` may ask whether there is one.
        let guard = DropAmidPanic { task, stage };
        let Stage::Future(future) = &mut *guard.stage else {
            unreachable!("a task that is not complete has its future");
        };
        // SAFETY: the future lies in the task's allocation and is dropped in place.
        let poll = unsafe { Pin::new_unchecked(future) }.poll(&mut cx);
        // In here, so that one landing pad serves both. The assignment drops the future in place
        // (the task is still the current one: its `Drop` may ask for its id); when that panics
        // the output has still been stored, and is dropped by the guard.
        let poll = poll.map(|output| *guard.stage = Stage::Output(Ok(output)));
        std::mem::forget(guard);
        poll
    });
    CURRENT.with(|current| current.set(before));
    let site = wait_site::take();
    let yielded = YIELDED.with(StdCell::take);
    match result {
        Ok(Poll::Pending) => {
            if let Some(site) = site {
                header.slot.write(site);
            }
            return if yielded {
                // The wake-ups seen stay counted, so nobody else pushes: no locked operation.
                Ran::Yielded
            } else {
                match header.state.finish_poll(seen) {
                    AfterPoll::Rest => Ran::Done,
                    // Wake-ups are left, so the task is still the caller's.
                    AfterPoll::RunAgain => Ran::Again,
                }
            };
        }
        Ok(Poll::Ready(())) => {}
        Err(payload) => {
            // The guard has dropped the future whose poll panicked, or the output of one whose
            // `Drop` did.
            *stage = Stage::Output(Err(JoinError::panicked(header.id, payload)));
        }
    }
    finish(cell);
    Ran::Done
}

/// Drops what the stage holds when a poll panics; a second panic ends in [`drop_stage`].
struct DropAmidPanic<'a, F: Future> {
    task: NonNull<Header>,
    stage: &'a mut Stage<F>,
}

impl<F: Future> Drop for DropAmidPanic<'_, F> {
    fn drop(&mut self) {
        _ = drop_stage(self.task, self.stage);
    }
}

/// Drops what the stage of `task` holds, in place; a panic in its `Drop` is given back. The caller
/// keeps the task alive.
fn drop_stage<F: Future>(
    task: NonNull<Header>,
    stage: &mut Stage<F>,
) -> Result<(), Box<dyn Any + Send>> {
    // The current task wherever its future or output is dropped: `Drop` may ask for its id.
    let before = CURRENT.with(|current| current.replace(Some(task)));
    // Assigning drops the old value in place, as a pinned future asks for. When that drop
    // panics the assignment has still been made.
    let result = unwind::catch(|| *stage = Stage::Gone);
    CURRENT.with(|current| current.set(before));
    result
}

/// Ends a task whose result is stored: tells the join handle, gives up the runtime's reference.
/// The caller ran the task, and does not touch it again.
fn finish<F: Future, S: Schedule>(cell: &Cell<F, S>) {
    let header = &cell.header;
    // Before `complete`, and dropped last: it keeps the memory. What is on the list is therefore
    // alive, so `dump` and shutdown may count references to it up.
    // SAFETY: the caller ran the task, which is completed below, once.
    let ending = unsafe { Ending::new(NonNull::from(cell).cast()) };
    let own = cell.scheduler.unlist(ending);
    let after = header.state.complete();
    if after.drop_output {
        // SAFETY: `complete` said that no join handle wants the output; nobody else touches it.
        let stage = unsafe { &mut *cell.stage.get() };
        _ = drop_stage(NonNull::from(cell).cast(), stage);
    }
    if after.wake_joiner {
        // SAFETY: `complete` said that the flag is set: the waker is there, and the join handle
        // touches it no more.
        let waker = unsafe { &mut *header.join_waker.get() }.take();
        if let Some(waker) = waker {
            // A waker that panics ends here: the task is over, its worker goes on.
            _ = unwind::catch(|| waker.wake());
        }
    }
    drop(own);
}

/// [`Vtable::schedule`] for one type.
///
/// # Safety
///
/// `task` is a `Cell<F, S>` that is not complete, and the caller owes the push.
unsafe fn schedule<F: Future, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: a task that is not complete lives; the type is right by contract.
    let cell = unsafe { task.cast::<Cell<F, S>>().as_ref() };
    cell.scheduler.schedule(Runnable(task));
}

/// [`Vtable::take_output`] for one type.
///
/// # Safety
///
/// As [`TaskRef::take_output`]; `target` points to an `Option<Result<F::Output, JoinError>>`.
unsafe fn take_output<F: Future, S>(task: NonNull<Header>, target: NonNull<()>) {
    // SAFETY: the caller's reference keeps the task; the type is right by contract.
    let cell = unsafe { task.cast::<Cell<F, S>>().as_ref() };
    // SAFETY: the task is complete and the caller is its join handle, to whom the stage belongs.
    let stage = unsafe { &mut *cell.stage.get() };
    if let Stage::Output(output) = std::mem::replace(stage, Stage::Gone) {
        // SAFETY: by contract the target has this type and is the caller's own.
        unsafe {
            *target
                .cast::<Option<Result<F::Output, JoinError>>>()
                .as_mut() = Some(output)
        };
    }
}

/// [`Vtable::drop_output`] for one type.
///
/// # Safety
///
/// As [`TaskRef::drop_output`].
unsafe fn drop_output<F: Future, S>(task: NonNull<Header>) {
    // SAFETY: the caller's reference keeps the task; the type is right by contract.
    let cell = unsafe { task.cast::<Cell<F, S>>().as_ref() };
    // SAFETY: the task is complete and the caller is its join handle, to whom the stage belongs.
    let stage = unsafe { &mut *cell.stage.get() };
    if matches!(stage, Stage::Gone) {
        // Taken, as mostly.
        return;
    }
    // A panic in the `Drop` of an output that nobody takes is swallowed.
    _ = drop_stage(task, stage);
}

/// [`Vtable::free`] for one type.
///
/// # Safety
///
/// `task` is a `Cell<F, S>` without any reference left.
unsafe fn free<F: Future, S>(task: NonNull<Header>) {
    let cell = task.cast::<Cell<F, S>>();
    // The stage is `Gone` by now; what is dropped is the scheduler's handle and the join waker.
    // SAFETY: nobody else knows the memory any more, and it is not used as a cell again.
    unsafe { cell.drop_in_place() };
    // SAFETY: it was allocated by `new_task` with this layout, and its content is dropped.
    unsafe { blocks::release(cell.cast(), Layout::new::<Cell<F, S>>()) };
}

const _: () = {
    // The header comes first, so that a pointer to a cell is one to its header.
    assert!(offset_of!(Cell<std::future::Ready<()>, ()>, header) == 0);
};
