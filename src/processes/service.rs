//! Services: jobs with a state that each worker makes once and keeps.
//!
//! For what is expensive to load and cheap to ask: a model, an index, a connection.
//! The state lives in a thread-local of the worker's one thread, and goes when the worker goes.
//! Read next: `processes/child.rs`.

#![forbid(unsafe_code)]

use std::any::{Any, TypeId, type_name};
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::processes::failure::guarded;
use crate::processes::job::{Registry, give_back};
use crate::processes::pending::Pending;
use crate::processes::pool::ProcessPool;
use crate::runtime::builder::Builder;
use crate::runtime::runtime::Runtime;

/// Jobs with a state: made at a worker's first call, kept for its later ones.
///
/// ```standalone_crate
/// use trefoil::processes::{self, ProcessPool, Service};
///
/// struct Dictionary(Vec<&'static str>);
///
/// impl Service for Dictionary {
///     type Request = usize;
///     type Response = String;
///
///     fn init() -> Self {
///         Self(vec!["zero", "one", "two"])
///     }
///
///     fn run(&mut self, number: usize) -> String {
///         self.0[number].to_owned()
///     }
/// }
///
/// fn main() {
///     processes::init(|r| r.service::<Dictionary>());
///     let pool = ProcessPool::builder().workers(1).build().unwrap();
///     assert_eq!(pool.call::<Dictionary>(2).wait().unwrap(), "two");
/// }
/// ```
pub trait Service: Sized + 'static {
    /// What it is asked.
    type Request: Serialize + DeserializeOwned;
    /// What it answers.
    type Response: Serialize + DeserializeOwned;

    /// Makes the state, in the worker, before the first call there.
    fn init() -> Self;

    /// Answers. After a panic the state is thrown away and made anew for the next call.
    fn run(&mut self, request: Self::Request) -> Self::Response;
}

/// The key of a service in the table of jobs: of size 0, whatever its state is.
struct Of<S>(PhantomData<fn() -> S>);

thread_local! {
    /// The states of this worker's services.
    static STATES: RefCell<HashMap<TypeId, Box<dyn Any>>> = RefCell::new(HashMap::new());
    /// What runs the futures of `job_async`; made at the first.
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

impl Registry {
    /// Adds a [`Service`].
    pub fn service<S: Service>(self) -> Self {
        self.call::<Of<S>, S::Request>(|request, result| {
            // Taken out for the call: after a panic it is gone, half changed as it may be.
            let key = TypeId::of::<S>();
            let kept = STATES.with_borrow_mut(|states| states.remove(&key));
            let (state, response) = guarded(|| {
                let state = kept.and_then(|state| state.downcast::<S>().ok());
                let mut state = state.unwrap_or_else(|| Box::new(S::init()));
                let response = state.run(request);
                (state, response)
            })?;
            STATES.with_borrow_mut(|states| states.insert(key, state));
            give_back(response, result)
        })
    }

    /// Adds a function that gives a future, for
    /// [`ProcessPool::submit_async`]; the worker runs it on a current-thread runtime of its own.
    pub fn job_async<F, A, Fut>(self, f: F) -> Self
    where
        F: Fn(A) -> Fut + Copy + Send + Sync + 'static,
        A: DeserializeOwned,
        Fut: Future,
        Fut::Output: Serialize,
    {
        self.call::<F, A>(move |argument, result| {
            let value = guarded(|| on_runtime(|rt| rt.block_on(f(argument))))?;
            give_back(value, result)
        })
    }
}

/// Uses the worker's runtime.
fn on_runtime<R>(f: impl FnOnce(&Runtime) -> R) -> R {
    // Taken out for the call, so that a panic of the job leaves no borrow behind.
    let runtime = RUNTIME.take().unwrap_or_else(|| {
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("job_async: cannot build a runtime: {error}"),
        }
    });
    let result = f(&runtime);
    RUNTIME.set(Some(runtime));
    result
}

impl ProcessPool {
    /// Asks the service `S` of some worker.
    #[track_caller]
    pub fn call<S: Service>(&self, request: S::Request) -> Pending<S::Response> {
        self.make(TypeId::of::<Of<S>>(), type_name::<S>(), request)
            .submit()
    }
}
