//! A task's memory, and the one loop step that runs it.
//!
//! ```text
//!   Cell<F, S>          one allocation, aligned to 8
//!   ┌────────────────────────────────────────────────────────────────────────────┐
//!   │ Header: state │ vtable │ id │ place in the owner list │ wait slot │ join waker │
//!   ├────────────────────────────────────────────────────────────────────────────┤
//!   │ scheduler S │ stage: the future F, then its result, then nothing            │
//!   └────────────────────────────────────────────────────────────────────────────┘
//!        ▲              ▲                 ▲
//!     Waker ×n      Runnable          JoinHandle / TaskRef         all: a pointer to the header
//! ```
//!
//! Who may touch what, and when:
//!
//! | part | who | when |
//! |---|---|---|
//! | state | anybody | any time, through its functions |
//! | vtable, id, scheduler | anybody | any time, they never change |
//! | place | the runtime | written before the first push, read after the last poll |
//! | wait slot | written by the poller, read by anybody | it has its own protocol |
//! | stage | the poller | from `start_poll` to `complete` |
//! | | the join handle, else the runtime | after `complete`, as it says |
//! | join waker | the join handle | while the `WAKER` flag is clear |
//! | | the completing thread | after `complete`, if it said so |
//!
//! Locked operations of `spawn(f).await` on one thread: reference to the scheduler 1, the owner
//! list's mutex 4, parent's waker 1, `leave_waker` 1, `finish_poll` of the parent 1, `complete` 1,
//! wake of the parent 1, `release` 1, scheduler 1. A recycled block instead of malloc; no clock.
//!
//! Why a hand-made vtable and not `Arc<dyn Task>`: a `Waker` has room for one pointer, and the
//! waker's vtable must be one static for all tasks so that `will_wake` works.
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
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::parts::blocks;
use crate::parts::lifo_slot::OnePointer;
use crate::parts::names::Name;
use crate::parts::slab::Key;
use crate::parts::unwind;
use crate::parts::wait_site;
use crate::task::error::JoinError;
use crate::task::id::Id;
use crate::task::state::{AfterPoll, AfterRelease, AfterWake, StartPoll, State};
use crate::task::wait_slot::WaitSlot;

/// Where a task is pushed, and where it is taken off the list of live tasks.
pub(crate) trait Schedule: Send + Sync + 'static {
    /// Puts a woken task into a queue.
    fn schedule(&self, task: Runnable);

    /// Takes a task that ended off the list of live tasks, and gives back the runtime's reference
    /// to it. `None` for a task that was never listed: then whoever runs it holds a reference.
    fn unlist(&self, place: Place) -> Option<TaskRef>;
}

/// Where a task stands in its runtime's list of live tasks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Which of the lists.
    pub(crate) list: u32,
    /// Where in it.
    pub(crate) key: Key,
}

/// What all tasks have, whatever their future.
#[repr(C)]
pub(crate) struct Header {
    state: State,
    vtable: &'static Vtable,
    id: Id,
    /// See the head: written before the first push.
    place: StdCell<Place>,
    slot: WaitSlot,
    /// See the head: ruled by the state's `WAKER` flag.
    join_waker: UnsafeCell<Option<Waker>>,
}

/// What depends on the future's type.
struct Vtable {
    /// Polls the future, or ends the task.
    run: unsafe fn(NonNull<Header>) -> Ran,
    /// Pushes the task into its scheduler's queue.
    schedule: unsafe fn(NonNull<Header>),
    /// Moves the result to where the second pointer says: an `Option<Result<T, JoinError>>`.
    take_output: unsafe fn(NonNull<Header>, NonNull<()>),
    /// Drops the result.
    drop_output: unsafe fn(NonNull<Header>),
    /// Frees the memory.
    free: unsafe fn(NonNull<Header>),
}

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

thread_local! {
    /// The task that this thread polls now.
    static CURRENT: StdCell<Option<NonNull<Header>>> = const { StdCell::new(None) };
    /// Set by `yield_now`: the running task wants to step back.
    static YIELDED: StdCell<bool> = const { StdCell::new(false) };
}

/// The id of the task that this thread polls now.
pub(crate) fn current_id() -> Option<Id> {
    CURRENT.with(StdCell::get).map(|task| {
        // SAFETY: `CURRENT` is set only while this thread works on that task: in `run`, and a
        // running task is not freed; or in `drop_stage`, whose caller keeps it.
        unsafe { task.as_ref() }.id
    })
}

/// Notes that the running task steps back by itself; it will be pushed behind everything else
/// without a wake-up. False: `waker` is not the running task's own (it belongs to a combinator),
/// so it must be woken the usual way.
pub(crate) fn step_back(waker: &Waker) -> bool {
    let ours = CURRENT.with(StdCell::get).is_some_and(|task| {
        std::ptr::eq(waker.data(), task.as_ptr().cast()) && std::ptr::eq(waker.vtable(), &WAKER)
    });
    if ours {
        YIELDED.with(|yielded| yielded.set(true));
    }
    ours
}

/// What a new task is told about itself.
pub(crate) struct Birth {
    /// Its id.
    pub(crate) id: Id,
    /// Its name.
    pub(crate) name: Name,
    /// The line of the spawn.
    pub(crate) spawned: &'static Location<'static>,
}

/// A task that was just made.
pub(crate) struct NewTask {
    /// The right to run it: the task is scheduled.
    pub(crate) runnable: Runnable,
    /// The runtime's reference, to be listed ([`TaskRef::set_place`]). While a task is neither
    /// listed nor complete somebody must hold this.
    pub(crate) own: TaskRef,
    /// The join handle's reference.
    pub(crate) join: TaskRef,
}

/// Makes a task: scheduled, with a reference for the runtime and one for the join handle.
pub(crate) fn new_task<F, S>(future: F, scheduler: S, birth: Birth) -> NewTask
where
    F: Future + 'static,
    F::Output: 'static,
    S: Schedule,
{
    let parent = current_id().map_or(0, |id| id.as_u64() as u32);
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
            id: birth.id,
            place: StdCell::new(Place {
                list: 0,
                key: Key::NONE,
            }),
            slot: WaitSlot::new(parent, birth.name, birth.spawned),
            join_waker: UnsafeCell::new(None),
        },
        scheduler,
        stage: UnsafeCell::new(Stage::Future(future)),
    };
    let memory = blocks::allocate(Layout::new::<Cell<F, S>>()).cast::<Cell<F, S>>();
    // SAFETY: `allocate` gave memory of this layout, which nobody else knows.
    unsafe { memory.write(cell) };
    let header = memory.cast::<Header>();
    NewTask {
        runnable: Runnable(header),
        own: TaskRef(header),
        join: TaskRef(header),
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ran {
    /// It is complete, or waits for a wake-up: not ours any more.
    Done,
    /// It was woken while it ran.
    Again,
    /// It stepped back by itself.
    Yielded,
}

/// What whoever ran a task must do with it.
#[derive(Debug)]
#[must_use = "a task that is not pushed never runs again"]
pub(crate) enum AfterRun {
    /// Nothing.
    Done,
    /// Push it behind the tasks that can run.
    Again(Runnable),
    /// Push it behind everything else.
    Yielded(Runnable),
}

/// A task that is to be run: what queues hold. It carries no reference (see `task/state.rs`).
///
/// Whoever has it must run it or pass it on: a task whose `Runnable` is thrown away never runs
/// again.
#[derive(Debug)]
#[must_use]
pub(crate) struct Runnable(NonNull<Header>);

// SAFETY: it stands for the right to run the task, which passes from thread to thread; that the
// future may be polled on another thread is asked for where tasks are spawned (`F: Send`), or the
// scheduler keeps local tasks on their thread.
unsafe impl Send for Runnable {}

// SAFETY: a `NonNull` is never null, and the pointer is turned back as it was.
unsafe impl OnePointer for Runnable {
    fn into_pointer(self) -> *mut () {
        self.0.as_ptr().cast()
    }

    unsafe fn from_pointer(pointer: *mut ()) -> Self {
        // SAFETY: by contract the pointer came from `into_pointer`, so it is not null.
        Self(unsafe { NonNull::new_unchecked(pointer.cast()) })
    }
}

impl Runnable {
    /// Polls the task once, or ends it if it was cancelled.
    #[inline]
    pub(crate) fn run(self) -> AfterRun {
        // SAFETY: a task in a queue is not complete, so it is not freed; the vtable was made for
        // its type; and there is one `Runnable` a count above 0, so nobody else runs it.
        let run = unsafe { self.0.as_ref() }.vtable.run;
        // SAFETY: as above.
        match unsafe { run(self.0) } {
            Ran::Done => AfterRun::Done,
            Ran::Again => AfterRun::Again(self),
            Ran::Yielded => AfterRun::Yielded(self),
        }
    }

    /// Runs a task that was cancelled: it ends.
    pub(crate) fn end(self) {
        let after = self.run();
        debug_assert!(
            matches!(after, AfterRun::Done),
            "task: ran on after its cancellation"
        );
    }

    /// The task's id.
    pub(crate) fn id(&self) -> Id {
        // SAFETY: as in `run`.
        unsafe { self.0.as_ref() }.id
    }
}

/// A counted reference to a task of any type.
#[derive(Debug)]
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: through a reference one reaches the state word (atomic), what never changes, and the
// wait slot (its own protocol). The stage and the join waker are reached only by the unsafe
// functions below, whose callers say why they may.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// The header; valid as long as this reference is.
    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the memory lives while a reference is counted, and we hold one. Only shared
        // references to a header are ever made.
        unsafe { self.0.as_ref() }
    }

    /// The state word.
    #[inline]
    pub(crate) fn state(&self) -> &State {
        &self.header().state
    }

    /// The task's id.
    pub(crate) fn id(&self) -> Id {
        self.header().id
    }

    /// What `dump()` reads.
    pub(crate) fn slot(&self) -> &WaitSlot {
        &self.header().slot
    }

    /// Notes where the task stands in its runtime's list. Before the first push only.
    pub(crate) fn set_place(&self, place: Place) {
        self.header().place.set(place);
    }

    /// Asks for the task's end.
    pub(crate) fn cancel(&self) {
        if self.state().cancel() == AfterWake::Push {
            // SAFETY: the count went from 0 to 1 by us, so the push is ours; the task is not
            // complete, and the vtable was made for it.
            unsafe { (self.header().vtable.schedule)(self.0) }
        }
    }

    /// Moves the result out, if it was not taken before.
    ///
    /// # Safety
    ///
    /// The caller is the task's join handle, the state is complete, and `T` is the task's output.
    pub(crate) unsafe fn take_output<T>(&self) -> Option<Result<T, JoinError>> {
        let mut output: Option<Result<T, JoinError>> = None;
        // SAFETY: by contract the output is ours to touch, and the target's type is the right one.
        unsafe { (self.header().vtable.take_output)(self.0, NonNull::from(&mut output).cast()) };
        output
    }

    /// Drops the result, if it was not taken.
    ///
    /// # Safety
    ///
    /// The caller is the task's join handle, and the state is complete.
    pub(crate) unsafe fn drop_output(&self) {
        // SAFETY: by contract the output is ours to touch.
        unsafe { (self.header().vtable.drop_output)(self.0) }
    }

    /// The join handle's waker.
    ///
    /// # Safety
    ///
    /// The caller is the task's join handle, and the `WAKER` flag is clear.
    pub(crate) unsafe fn with_join_waker<R>(&self, f: impl FnOnce(&mut Option<Waker>) -> R) -> R {
        // SAFETY: by contract nobody else touches it now: the completing thread does so only when
        // it finds the flag set.
        f(unsafe { &mut *self.header().join_waker.get() })
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        self.state().retain();
        Self(self.0)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is our counted reference, and it is given up once.
        unsafe { release(self.0) }
    }
}

/// Gives a reference up.
///
/// # Safety
///
/// The caller owns a counted reference and does not use it again.
#[inline]
unsafe fn release(task: NonNull<Header>) {
    // SAFETY: the caller's reference keeps the memory until here.
    if unsafe { task.as_ref() }.state.release() {
        // SAFETY: the state says that no other reference is left; the memory is still whole.
        let free = unsafe { task.as_ref() }.vtable.free;
        // SAFETY: as above, and the vtable was made for the task's type.
        unsafe { free(task) }
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
        let Stage::Future(future) = stage else {
            unreachable!("a task that is not complete has its future");
        };
        // SAFETY: the future lies in the task's allocation and is dropped in place.
        let poll = unsafe { Pin::new_unchecked(future) }.poll(&mut cx);
        // In here, so that one landing pad serves both. The assignment drops the future in place
        // (the task is still the current one: its `Drop` may ask for its id); when that panics
        // the output has still been stored, and is dropped apart below.
        poll.map(|output| *stage = Stage::Output(Ok(output)))
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
            // The future whose poll panicked, or the output of one whose `Drop` did.
            _ = drop_stage(task, stage);
            *stage = Stage::Output(Err(JoinError::panicked(header.id, payload)));
        }
    }
    finish(cell);
    Ran::Done
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
    let own = cell.scheduler.unlist(header.place.get());
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

/// The one vtable of all task wakers.
static WAKER: RawWakerVTable =
    RawWakerVTable::new(waker_clone, waker_wake, waker_wake_by_ref, waker_drop);

/// A waker of the running task that holds no reference; it must not be dropped.
fn borrowed_waker(task: NonNull<Header>) -> Waker {
    // SAFETY: the vtable's functions take a header pointer; a clone counts its own reference, and
    // the caller never drops the borrowed one.
    unsafe { Waker::new(task.as_ptr().cast_const().cast(), &WAKER) }
}

/// The header behind a waker's data pointer.
///
/// # Safety
///
/// `data` came from [`borrowed_waker`].
#[inline]
unsafe fn header_of(data: *const ()) -> NonNull<Header> {
    // SAFETY: `borrowed_waker` got it from a `NonNull`.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

/// [`RawWakerVTable`]'s clone.
unsafe fn waker_clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker was made by `borrowed_waker`.
    let task = unsafe { header_of(data) };
    // SAFETY: the waker keeps the task (by its reference, or because the task runs now).
    unsafe { task.as_ref() }.state.retain();
    RawWaker::new(data, &WAKER)
}

/// [`RawWakerVTable`]'s wake: uses up the waker's reference.
unsafe fn waker_wake(data: *const ()) {
    // SAFETY: the waker was made by `borrowed_waker`.
    let task = unsafe { header_of(data) };
    // SAFETY: the waker's reference keeps the task until here.
    let header = unsafe { task.as_ref() };
    let vtable = header.vtable;
    match header.state.wake_and_release() {
        AfterRelease::Nothing => {}
        // SAFETY: the count went from 0 to 1 by us: the push is ours, and the task not complete.
        AfterRelease::Push => unsafe { (vtable.schedule)(task) },
        // SAFETY: the state says that no reference is left.
        AfterRelease::Free => unsafe { (vtable.free)(task) },
    }
}

/// [`RawWakerVTable`]'s wake by reference.
unsafe fn waker_wake_by_ref(data: *const ()) {
    // SAFETY: the waker was made by `borrowed_waker`.
    let task = unsafe { header_of(data) };
    // SAFETY: the waker keeps the task (by its reference, or because the task runs now).
    let header = unsafe { task.as_ref() };
    if header.state.wake() == AfterWake::Push {
        // SAFETY: the count went from 0 to 1 by us: the push is ours, and the task not complete.
        unsafe { (header.vtable.schedule)(task) }
    }
}

/// [`RawWakerVTable`]'s drop.
unsafe fn waker_drop(data: *const ()) {
    // SAFETY: the waker was made by `borrowed_waker`.
    let task = unsafe { header_of(data) };
    // SAFETY: the waker's reference, given up once.
    unsafe { release(task) }
}

const _: () = {
    // The header comes first, so that a pointer to a cell is one to its header.
    assert!(offset_of!(Cell<std::future::Ready<()>, ()>, header) == 0);
    assert!(size_of::<Header>() <= 96 && align_of::<Header>() == 8);
};
