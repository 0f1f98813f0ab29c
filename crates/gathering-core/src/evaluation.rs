//! Running a piece of Python: what a plugin asks of the host, and what comes of it.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BoxFuture, ReachedLimit, ResourceLimits};

/// A piece of Python that is to be run in an interpreter of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The code: what one would type into a session.
    pub code: String,
    /// When it is stopped.
    pub deadline: Instant,
    /// The most of what it prints that is kept, in bytes.
    pub output_limit: usize,
    /// The most that its result may have as JSON, in bytes; of a larger one the beginning of its `repr` is given.
    pub result_limit: usize,
    /// What it may use; what is absent is as for plugins that agents write.
    pub limits: ResourceLimits,
}

/// What came of a piece of Python that was run to its end, or to an exception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// The value of its last expression, as JSON where it has a form there and else as its `repr`.
    pub result: Value,
    /// What it printed.
    pub output: String,
    /// Whether it printed more than that.
    pub truncated: bool,
    /// The exception that ended it.
    pub error: Option<String>,
    /// Where in the code; may be empty.
    pub traceback: String,
}

/// Why a piece of Python came to no end of its own.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// The confinement could not be set up, so nothing ran.
    #[error("{0}")]
    SandboxSetupFailed(String),
    /// It came to a limit and was stopped, with all that it had started.
    #[error("it came to its limit: {}", .0.code())]
    LimitReached(ReachedLimit),
    /// Its interpreter ended in the middle of it.
    #[error("its interpreter ended: {0}")]
    Exited(String),
    /// There is nothing to run it.
    #[error("{0}")]
    Unavailable(String),
}

/// Runs pieces of Python, each in a confined interpreter of its own, of which nothing is left when the answer is given.
/// Dropping the future stops it.
pub trait Evaluator: Send + Sync {
    /// Runs a piece.
    fn evaluate(&self, evaluation: Evaluation) -> BoxFuture<'_, Result<Evaluated, EvaluationError>>;
}
