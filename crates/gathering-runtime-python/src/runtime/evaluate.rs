//! Running a piece of Python, in an interpreter that has run nothing and runs nothing else.

use std::sync::atomic::Ordering;
use std::time::Instant;

use gathering_core::{
    BoxFuture, Evaluated, Evaluation, EvaluationError, Evaluator, LoadError, LoadErrorKind, Origin,
    PluginSource, ReachedLimit, ResourceLimits,
};
use serde_json::json;
use tokio::runtime::Handle;

use super::{PythonRuntime, Scratch, Wanted};
use crate::starter::within;
use crate::worker::{Failure, Reply, Worker};

/// What the answer may have beside result and output: an exception, and where it was raised.
const ERROR: usize = 256 << 10;
/// How many bytes of JSON one byte of text may take.
const ESCAPED: usize = 6;
/// What it is called in messages to the operator.
const LABEL: &str = "python_eval";

impl Evaluator for PythonRuntime {
    fn evaluate(&self, evaluation: Evaluation) -> BoxFuture<'_, Result<Evaluated, EvaluationError>> {
        Box::pin(self.evaluate_code(evaluation))
    }
}

impl PythonRuntime {
    async fn evaluate_code(&self, evaluation: Evaluation) -> Result<Evaluated, EvaluationError> {
        let deadline = evaluation.deadline;
        let mut session =
            within(deadline, self.session(&evaluation.limits, deadline)).await.map_err(not_begun)?;
        let answer = tokio::time::timeout_at(deadline.into(), session.run(&evaluation)).await;
        // What the code left running ends before its answer is given.
        session.end().await;
        answer.unwrap_or(Err(EvaluationError::LimitReached(ReachedLimit::Time)))
    }

    /// An interpreter with the grants of agent-written code, and less: a scratch folder that is new and goes with it.
    async fn session(&self, limits: &ResourceLimits, deadline: Instant) -> Result<Session, LoadError> {
        let number = self.described.fetch_add(1, Ordering::Relaxed);
        let scratch = Scratch(self.config.data_dir.join("scratch").join(format!(".evaluate-{number}")));
        let (place, home) = (scratch.0.join("session.py"), scratch.0.join("home"));
        // One of before may be there, if the server was killed.
        match tokio::fs::remove_dir_all(&scratch.0).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(disk(&error)),
            _ => {}
        }
        tokio::fs::create_dir_all(&home).await.map_err(|error| disk(&error))?;
        // A worker has code that it may read; here it is sent.
        tokio::fs::write(&place, "").await.map_err(|error| disk(&error))?;
        let source = PluginSource::Path(place);
        let mut wanted = Wanted::to_look(&source, Origin::Agent, LABEL.to_owned(), home, deadline);
        wanted.grants.limits = limits.or(&wanted.grants.limits);
        let worker = self.prepare(wanted).await?.starter.spawn().await?;
        Ok(Session(Some((worker, scratch))))
    }
}

/// A running interpreter and its folder, which is removed when the interpreter is gone.
struct Session(Option<(Worker, Scratch)>);

impl Session {
    async fn run(&mut self, evaluation: &Evaluation) -> Result<Evaluated, EvaluationError> {
        let Evaluation { code, output_limit, result_limit, .. } = evaluation;
        let params = json!({"code": code, "output_limit": output_limit, "result_limit": result_limit});
        let (worker, _) = self.0.as_mut().expect("it is taken out at the end only");
        let limit = ESCAPED * (output_limit + result_limit) + ERROR;
        let strange = |reason: String| EvaluationError::Exited(format!("it gave no answer: {reason}"));
        match worker.request("evaluate", params.to_string().as_bytes(), limit, None).await {
            Ok(Reply::Value(said)) => {
                serde_json::from_value(said).map_err(|error| strange(error.to_string()))
            }
            Ok(Reply::NotJson(error)) => Err(strange(error.to_string())),
            Ok(Reply::Refused(refusal)) => Err(strange(refusal.message)),
            Err(Failure::Exited(ended)) => Err(match ended.limit {
                Some(limit) => EvaluationError::LimitReached(limit),
                None => EvaluationError::Exited(ended.to_string()),
            }),
            Err(failure) => Err(strange(failure.to_string())),
        }
    }

    async fn end(mut self) {
        if let Some((worker, _scratch)) = self.0.take() {
            worker.process.kill().await;
        }
    }
}

impl Drop for Session {
    /// The call was dropped. Its folder can be removed only when nobody writes there any more.
    fn drop(&mut self) {
        if let (Some((worker, scratch)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                worker.process.kill().await;
                drop(scratch);
            });
        }
    }
}

fn not_begun(error: LoadError) -> EvaluationError {
    match error.kind {
        LoadErrorKind::SandboxSetupFailed => EvaluationError::SandboxSetupFailed(error.message),
        LoadErrorKind::TimedOut => EvaluationError::LimitReached(ReachedLimit::Time),
        _ => EvaluationError::Unavailable(error.message),
    }
}

fn disk(error: &std::io::Error) -> LoadError {
    LoadError::new(LoadErrorKind::RuntimeFailed, format!("there is no scratch folder: {error}"))
}
