//! Confined processes of this program in which jobs run that work on what strangers wrote.
//!
//! A native thread cannot be stopped, and where its stack overflows, the whole server ends. So parsers, interpreters and
//! the like are jobs: plain functions from data to data that run in a worker, a process of the `gathering` binary that
//! sees no folder and no network. Files reach it as open descriptors. Whatever a job does, a crash, a loop, too much
//! memory, costs only the call that it belongs to.
//!
//! ```ignore
//! #[derive(Serialize, Deserialize)]
//! struct Count { byte: u8 }
//!
//! impl Job for Count {
//!     const NAME: &'static str = "bytes.count";
//!     type Output = Result<usize, String>;
//!
//!     fn run(self, mut files: Vec<File>) -> Self::Output { ... }
//! }
//!
//! let count = workers.run("count_bytes", &cx, Count { byte: b'x' }, vec![file]).await??;
//! ```
//! and one line in `jobs()`.
mod failure;
mod pool;
mod process;
mod serve;
#[cfg(test)]
mod tests;

use std::fs::File;

use gathering_core::Tier;
use gathering_sandbox::Holds;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(crate) use self::pool::Workers;
pub use self::serve::serve;

/// The argument that makes the `gathering` binary a worker.
pub(crate) const ARGUMENTS: [&str; 2] = ["__worker", "native"];

/// The largest job and the largest answer, in bytes of JSON.
const MAX_JOB: usize = 16 << 20;
const MAX_ANSWER: usize = 48 << 20;

/// A piece of work for a worker: data, and the function that does it there.
pub(crate) trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// What it is called by, such as `documents.read`.
    const NAME: &'static str;

    /// What comes of it; a `Result`, where the job can fail in ways of its own.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Does the work. Runs in the worker, on a thread with a stack of 16 MiB, one job at a time; `files` are those that
    /// were handed over, in their order. A panic ends the worker.
    fn run(self, files: Vec<File>) -> Self::Output;
}

/// Every job: one line each.
fn jobs() -> Vec<Known> {
    vec![
        Known::of::<crate::design::Edit>(),
        Known::of::<crate::design::TakeColors>(),
        Known::of::<crate::documents::Look>(),
        Known::of::<crate::core::Script>(),
        #[cfg(test)]
        Known::of::<tests::Echo>(),
        #[cfg(test)]
        Known::of::<tests::Crash>(),
    ]
}

/// A job with its types erased.
struct Known {
    name: &'static str,
    run: fn(&RawValue, Vec<File>) -> Result<Box<RawValue>, serde_json::Error>,
}

impl Known {
    fn of<J: Job>() -> Self {
        let run = |input: &RawValue, files| {
            let job: J = serde_json::from_str(input.get())?;
            serde_json::value::to_raw_value(&job.run(files))
        };
        Self { name: J::NAME, run }
    }
}

/// What a worker is told. The files come with it.
#[derive(Serialize, Deserialize)]
struct Order {
    job: String,
    input: Box<RawValue>,
}

/// What it answers.
#[derive(Serialize, Deserialize)]
enum Answer {
    /// What came of the job.
    Done(Box<RawValue>),
    /// The job panicked, and said this. The worker ends.
    Panicked(String),
    /// The order makes no sense to it: it is not of the same build.
    Refused(String),
}

/// How what runs outside of this process is confined on this machine, if that was tried and anything can be run.
pub(crate) fn tier(holds: &Holds) -> Option<Tier> {
    match holds {
        Holds::Sandbox { tier: gathering_sandbox::Tier::Isolated, .. } => Some(Tier::Isolated),
        Holds::Sandbox { tier: gathering_sandbox::Tier::Confined, .. } => Some(Tier::Confined),
        Holds::Unconfined(_) => Some(Tier::Unconfined),
        Holds::Nothing(_) => None,
    }
}
