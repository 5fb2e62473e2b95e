//! What all tasks have, whatever their future: header, references, the right to run, the waker.
//!
//! ```text
//!   Header: state │ vtable │ id │ links in the owner list │ wait slot │ join waker
//!      ▲        ▲                   ▲
//!   Waker ×n  Runnable      TaskRef (JoinHandle, AbortHandle, the list)     all: one pointer
//! ```
//!
//! | handle | counts a reference | may |
//! |---|---|---|
//! | `Runnable` | no: a task in a queue is not complete | run it, once |
//! | `TaskRef` | yes | look, cancel; what a join handle may, if it is the join handle's |
//! | `Waker` | yes (the poll loop's own is borrowed) | wake it |
//!
//! What depends on the future's type is behind [`Vtable`] and lies in `task/raw.rs`.
//!
//! Why a hand-made vtable and not `Arc<dyn Task>`: a `Waker` has room for one pointer, and the
//! waker's vtable must be one static for all tasks so that `will_wake` works.
//! Read next: `task/raw.rs`.

#![allow(unsafe_code, reason = "tasks of any type behind one pointer")]

use std::cell::{Cell as StdCell, UnsafeCell};
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::parts::lifo_slot::OnePointer;
use crate::task::error::JoinError;
use crate::task::id::Id;
use crate::task::state::{AfterRelease, AfterWake, State};
use crate::task::wait_slot::WaitSlot;

/// Where a task is pushed, and where it is taken off the list of live tasks.
pub(crate) trait Schedule: Send + Sync + 'static {
    /// Puts a woken task into a queue.
    fn schedule(&self, task: Runnable);

    /// Takes a task that ends off the list of live tasks, and gives a reference that keeps it
    /// until its end is over. `None` for a task that was never listed: then whoever runs it holds
    /// one.
    fn unlist(&self, task: Ending) -> Option<TaskRef>;
}

/// A task that whoever ran it is about to complete.
pub(crate) struct Ending(NonNull<Header>);

impl Ending {
    /// The task's one `Ending`.
    ///
    /// # Safety
    ///
    /// The caller ran the task and completes it after this; it gives the `Ending` to the task's own
    /// scheduler, at once, and makes no other.
    #[inline]
    pub(crate) unsafe fn new(task: NonNull<Header>) -> Self {
        Self(task)
    }

    /// The task.
    #[inline]
    pub(crate) fn task(&self) -> NonNull<Header> {
        self.0
    }
}

/// A task's neighbours in its runtime's list of live tasks (`task/chain.rs`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links {
    /// Towards the front.
    pub(crate) before: Option<NonNull<Header>>,
    /// Towards the end.
    pub(crate) after: Option<NonNull<Header>>,
}

/// The list of a task that is on none.
pub(crate) const NO_LIST: u32 = u32::MAX;

/// What all tasks have, whatever their future.
#[repr(C)]
pub(crate) struct Header {
    /// The life of the task.
    pub(crate) state: State,
    /// What depends on the type.
    pub(crate) vtable: &'static Vtable,
    /// The task's id.
    pub(crate) id: Id,
    /// Its neighbours in the list; under the list's lock.
    pub(crate) links: StdCell<Links>,
    /// Which list: written before the first push, read after the last poll.
    pub(crate) list: StdCell<u32>,
    /// Where it waits; has its own protocol.
    pub(crate) slot: WaitSlot,
    /// The join handle's while the state's `WAKER` flag is clear, else of the thread that completes
    /// the task.
    pub(crate) join_waker: UnsafeCell<Option<Waker>>,
}

/// What depends on the future's type.
pub(crate) struct Vtable {
    /// Polls the future, or ends the task.
    pub(crate) run: unsafe fn(NonNull<Header>) -> Ran,
    /// Pushes the task into its scheduler's queue.
    pub(crate) schedule: unsafe fn(NonNull<Header>),
    /// Moves the result to where the second pointer says: an `Option<Result<T, JoinError>>`.
    pub(crate) take_output: unsafe fn(NonNull<Header>, NonNull<()>),
    /// Drops the result.
    pub(crate) drop_output: unsafe fn(NonNull<Header>),
    /// Frees the memory.
    pub(crate) free: unsafe fn(NonNull<Header>),
}

thread_local! {
    /// The task that this thread polls now.
    pub(crate) static CURRENT: StdCell<Option<NonNull<Header>>> = const { StdCell::new(None) };
    /// Set by `yield_now`: the running task wants to step back.
    pub(crate) static YIELDED: StdCell<bool> = const { StdCell::new(false) };
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

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
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
pub(crate) struct Runnable(pub(crate) NonNull<Header>);

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
pub(crate) struct TaskRef(pub(crate) NonNull<Header>);

// SAFETY: through a reference one reaches the state word (atomic), what never changes, and the
// wait slot (its own protocol). The links are reached under the list's lock only, its number as
// `Header` says. The stage and the join waker are reached only by the unsafe functions below,
// whose callers say why they may.
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

    /// Notes on which list the task is. Before the first push only.
    pub(crate) fn set_list(&self, list: u32) {
        self.header().list.set(list);
    }

    /// One more reference to a task.
    ///
    /// # Safety
    ///
    /// Somebody holds a counted reference to it meanwhile.
    pub(crate) unsafe fn count_up(task: NonNull<Header>) -> Self {
        // SAFETY: the reference that somebody holds keeps the memory.
        unsafe { task.as_ref() }.state.retain();
        Self(task)
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

/// The one vtable of all task wakers.
static WAKER: RawWakerVTable =
    RawWakerVTable::new(waker_clone, waker_wake, waker_wake_by_ref, waker_drop);

/// A waker of the running task that holds no reference; it must not be dropped.
pub(crate) fn borrowed_waker(task: NonNull<Header>) -> Waker {
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

const _: () = assert!(size_of::<Header>() <= 96 && align_of::<Header>() == 8);
