//! The workers of this program: started when they are needed, reused, and replaced when they are lost.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use gathering_core::{CallContext, Tier};
use gathering_sandbox::Prober;
use serde_json::value::to_raw_value;
use tokio::sync::Semaphore;

use super::failure::WorkerFailure;
use super::process::{Process, Program};
use super::{ARGUMENTS, Answer, Job, Order, tier};
use crate::Failure;

/// After this time without work a worker is ended.
const REST: Duration = Duration::from_secs(60);

/// The workers, shared by all plugins. Cloning gives the same ones.
#[derive(Clone)]
pub(crate) struct Workers(Arc<Inner>);

struct Inner {
    prober: Arc<Prober>,
    /// What is started, if it is not the launcher.
    program: Option<Program>,
    /// A permit for each worker that may have work.
    permits: Arc<Semaphore>,
    /// Those that have none, and since when.
    idle: Mutex<Vec<(Arc<Process>, Instant)>>,
}

impl Workers {
    /// As many workers as there are processors, two at least and eight at most; `prober` knows how they are confined.
    pub(crate) fn new(prober: Arc<Prober>) -> Self {
        Self::of(prober, None)
    }

    pub(super) fn of(prober: Arc<Prober>, program: Option<Program>) -> Self {
        let most = std::thread::available_parallelism().map_or(2, |number| number.get().clamp(2, 8));
        let permits = Arc::new(Semaphore::new(most));
        Self(Arc::new(Inner { prober, program, permits, idle: Mutex::default() }))
    }

    /// How the workers are confined, if that was tried and there can be any.
    pub(crate) fn tier(&self) -> Option<Tier> {
        self.0.prober.known().and_then(tier)
    }

    /// Has `job` done for a call of `tool`, and hands it `files`. Dropping the future ends the worker that does it.
    ///
    /// # Errors
    ///
    /// Where the job came to no end of its own: [`WorkerFailure::of`] says which errors these are.
    pub(crate) async fn run<J: Job>(
        &self,
        tool: &str,
        cx: &CallContext,
        job: J,
        files: Vec<OwnedFd>,
    ) -> Result<J::Output, Failure> {
        self.try_run(job, files).await.map_err(|failure| failure.of(tool, cx))
    }

    /// The same, where it is not a call that it is done for.
    pub(crate) async fn try_run<J: Job>(
        &self,
        job: J,
        files: Vec<OwnedFd>,
    ) -> Result<J::Output, WorkerFailure> {
        let permit = self.0.permits.clone().acquire_owned().await.expect("it is never closed");
        let ended = |error: tokio::task::JoinError| WorkerFailure::Crashed(error.to_string());
        let inner = self.0.clone();
        let process = tokio::task::spawn_blocking(move || inner.take()).await.map_err(ended)??;
        let undecided = Arc::new(AtomicBool::new(true));
        let _given_up = EndOnDrop { process: Arc::downgrade(&process), undecided: undecided.clone() };
        let inner = self.0.clone();
        let working = tokio::task::spawn_blocking(move || {
            // Given back when the worker has no work any more, which for one that is ended is later than the end of the
            // call.
            let _permit = permit;
            let input = to_raw_value(&job).map_err(|error| WorkerFailure::Protocol(error.to_string()))?;
            let order = Order { job: J::NAME.to_owned(), input };
            let answer = process.exchange(&order, &files);
            let is_of_use = matches!(answer, Ok(Answer::Done(_)) | Err(WorkerFailure::JobTooLarge(_)))
                && !process.is_tired();
            // A worker that whoever gave up is ending is nobody's any more, and one that is kept is not theirs to end.
            if undecided.swap(false, Ordering::AcqRel) && is_of_use {
                inner.put_back(process);
            } else {
                process.end();
            }
            let output = match answer? {
                Answer::Done(output) => output,
                Answer::Panicked(said) => return Err(WorkerFailure::Crashed(format!("it panicked: {said}"))),
                Answer::Refused(said) => return Err(WorkerFailure::Protocol(said)),
            };
            serde_json::from_str(output.get()).map_err(|error| WorkerFailure::Protocol(error.to_string()))
        });
        working.await.map_err(ended)?
    }
}

impl Inner {
    /// A worker that has no work: an idle one, or a new one.
    fn take(&self) -> Result<Arc<Process>, WorkerFailure> {
        loop {
            let idle = self.idle().pop();
            match idle {
                Some((process, _)) if process.is_well() => return Ok(process),
                Some(_) => {}
                None => break,
            }
        }
        let program = match (&self.program, self.prober.launcher()) {
            (Some(program), _) => program.clone(),
            (None, Some(launcher)) => {
                Program { path: launcher.to_owned(), arguments: ARGUMENTS.map(str::to_owned).into() }
            }
            (None, None) => {
                let reason = "no program is named that can be a worker: open GatheRing with a sandbox, whose launcher \
                              is the `gathering` binary";
                return Err(WorkerFailure::SetupFailed(reason.to_owned()));
            }
        };
        Process::start(self.prober.holds(), &program).map(Arc::new)
    }

    /// Keeps a worker for the next job, for some time.
    fn put_back(self: Arc<Self>, process: Arc<Process>) {
        self.idle().push((process, Instant::now()));
        // Without a runtime the program is ending.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let inner = Arc::downgrade(&self);
        runtime.spawn(async move {
            tokio::time::sleep(REST).await;
            let Some(inner) = inner.upgrade() else { return };
            let mut rested = Vec::new();
            inner.idle().retain(|(process, since)| {
                let stays = since.elapsed() < REST;
                if !stays {
                    rested.push(process.clone());
                }
                stays
            });
            // To end one blocks for some milliseconds.
            drop(tokio::task::spawn_blocking(move || drop(rested)));
        });
    }

    /// What this guards is whole between any two statements.
    fn idle(&self) -> MutexGuard<'_, Vec<(Arc<Process>, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a worker, unless it was decided before what becomes of it.
struct EndOnDrop {
    process: Weak<Process>,
    undecided: Arc<AtomicBool>,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if self.undecided.swap(false, Ordering::AcqRel)
            && let Some(process) = self.process.upgrade()
        {
            process.end();
        }
    }
}
