//! Jobs: functions that both processes know by the same number.
//!
//! ```text
//!   init(|r| r.job(square).job(resize))      the first line of main, in parent and worker alike
//!                 │
//!                 ▼
//!   0  square   TypeId ─┐    submit(square, 12): TypeId of `square` ──► 0 ──► JOB frame
//!   1  resize   TypeId ─┴──► a hash, compared when a worker says HELLO
//! ```
//!
//! The key is the type of the function: each `fn` item has a type of its own, of size 0. So there
//! are no names to mistype, and what captures something does not compile.
//! Why not the function's address: it differs from process to process.
//! Read next: `processes/service.rs`, jobs with state.

#![forbid(unsafe_code)]

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::processes::failure::{Failure, guarded};
use crate::processes::luggage::{self, Fault};
use crate::processes::wire;

/// Takes an argument off the bytes, calls, appends the result's bytes.
pub(crate) type Call = Box<dyn Fn(&mut &[u8], &mut Vec<u8>) -> Result<(), Failure> + Send + Sync>;

/// One job of the table.
pub(crate) struct Entry {
    key: TypeId,
    /// `type_name` of the function.
    pub(crate) name: &'static str,
    /// What runs in the worker.
    pub(crate) call: Call,
}

/// The jobs of this program, in the order in which `init` got them.
pub(crate) struct Table {
    entries: Vec<Entry>,
    by_key: HashMap<TypeId, u32>,
    /// Of all names and keys: equal in two processes of one program.
    pub(crate) hash: u64,
}

/// The table of this process; empty before `init`.
static TABLE: OnceLock<Table> = OnceLock::new();

/// The table, once `init` has run.
pub(crate) fn table() -> Option<&'static Table> {
    TABLE.get()
}

impl Table {
    /// The number of a job.
    pub(crate) fn find(&self, key: TypeId) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// The job with this number.
    pub(crate) fn get(&self, kind: u32) -> Option<&Entry> {
        self.entries.get(kind as usize)
    }
}

/// Fails to compile for a closure that captures: what it captures would not be in the other process.
///
/// To be called in a `const` block of a function that is instantiated: `cargo check` does not see it.
pub(crate) const fn captures_nothing<F>() {
    assert!(
        size_of::<F>() == 0,
        "a job is a function: what it captures would not be in the other process"
    );
}

/// Appends the bytes of a result, and lets go of it. Of shared buffers it may name those that came
/// with the job.
///
/// # Errors
///
/// Why it cannot be sent.
pub(crate) fn give_back<R: Serialize>(value: R, result: &mut Vec<u8>) -> Result<(), Failure> {
    let before = result.len();
    let slabs = luggage::pack(value, result).map_err(Failure::Encode)?;
    if luggage::came_along(&slabs) {
        return Ok(());
    }
    result.truncate(before);
    let text = "a shared buffer that did not come with this job";
    Err(Failure::Encode(text.to_owned()))
}

/// Collects the jobs of a program; see [`init`](crate::processes::init).
#[must_use = "give it back to `init`"]
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// Adds a function of one argument: a tuple where there are several.
    ///
    /// A function is registered once, however many pools use it. What captures does not compile:
    ///
    /// ```compile_fail
    /// let factor = 3;
    /// trefoil::processes::init(|r| r.job(move |x: u64| x * factor));
    /// ```
    pub fn job<F, A, R>(self, f: F) -> Self
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: DeserializeOwned,
        R: Serialize,
    {
        self.call::<F, A>(move |argument, result| {
            let value = guarded(|| f(argument))?;
            give_back(value, result)
        })
    }

    /// Adds a function that sets a worker up before its first job; see
    /// [`Builder::initializer`](crate::processes::Builder::initializer).
    pub fn initializer<F, A, R>(self, f: F) -> Self
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: DeserializeOwned,
        R: Setup,
    {
        self.call::<F, A>(move |argument, _result| {
            guarded(|| f(argument))?
                .outcome()
                .map_err(|message| Failure::Panicked {
                    message,
                    location: String::new(),
                })
        })
    }

    /// Adds an entry under the type `K`; a second one of the same type is left out. `run` gets the
    /// decoded argument, and appends the result's bytes.
    pub(crate) fn call<K, A>(
        mut self,
        run: impl Fn(A, &mut Vec<u8>) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self
    where
        K: 'static,
        A: DeserializeOwned,
    {
        const { captures_nothing::<K>() }
        let key = TypeId::of::<K>();
        if self.entries.iter().all(|entry| entry.key != key) {
            self.entries.push(Entry {
                key,
                name: type_name::<K>(),
                call: Box::new(move |argument, result| {
                    let argument = luggage::open(|| wire::decode_next(argument));
                    let argument = argument.map_err(|(text, fault)| match fault {
                        Some(Fault::Handle) => Failure::Handle,
                        Some(Fault::Resource(error)) => {
                            Failure::Resource(error.raw_os_error().unwrap_or(0))
                        }
                        None => Failure::Decode(text),
                    })?;
                    run(argument, result)
                }),
            });
        }
        self
    }

    /// Makes it the table of this process. False when there is one already.
    pub(crate) fn install(self) -> bool {
        // Without random keys: the same in each process of the program.
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let of: Vec<_> = self.entries.iter().map(|e| (e.name, e.key)).collect();
        let table = Table {
            hash: hasher.hash_one(&of),
            by_key: (0..)
                .zip(&of)
                .map(|(kind, (_, key))| (*key, kind))
                .collect(),
            entries: self.entries,
        };
        TABLE.set(table).is_ok()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.entries.iter().map(|entry| entry.name))
            .finish()
    }
}

/// What an initializer may give back: nothing, or a `Result` whose error fails the worker.
pub trait Setup {
    /// How it went.
    ///
    /// # Errors
    ///
    /// Why the worker cannot be used.
    fn outcome(self) -> Result<(), String>;
}

impl Setup for () {
    fn outcome(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display> Setup for Result<(), E> {
    fn outcome(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
