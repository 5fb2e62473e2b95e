// Starts the runtime a row asks for. Compiled once for each side, like the workloads.
// Read next: `executor.rs`.

use crate::job::{Flavour, Job, Metrics};
use crate::kernel;

/// The row's runtime, with I/O and time.
pub fn runtime(job: Job) -> rt::runtime::Runtime {
    let mut builder = match job.flavour {
        Flavour::CurrentThread => rt::runtime::Builder::new_current_thread(),
        Flavour::MultiThread(workers) => {
            let mut builder = rt::runtime::Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
    };
    if let Some(cores) = job.server_cores() {
        builder.on_thread_start(move || kernel::pin(cores));
    }
    builder.enable_all().build().expect("build the runtime")
}

/// Runs `body` in a spawned task: on a worker, not on the thread in `block_on`.
pub fn in_task(job: Job, body: impl Future<Output = Metrics> + Send + 'static) -> Metrics {
    runtime(job).block_on(async { rt::spawn(body).await.expect("the workload panicked") })
}

/// Runs `body` as the future given to `block_on`, outside of all workers.
pub fn outside(job: Job, body: impl Future<Output = Metrics>) -> Metrics {
    let runtime = runtime(job);
    job.pin_client();
    runtime.block_on(body)
}
