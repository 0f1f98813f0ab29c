//! Why a job came to no end of its own.

use gathering_core::{CallContext, ReachedLimit, ToolError, ToolName};

use super::process::LIMITS;
use crate::Failure;

/// Why a job came to no end of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WorkerFailure {
    /// No worker could be started, or none may be; nothing ran.
    SetupFailed(String),
    /// The job came to a limit, and its worker was stopped.
    LimitReached(ReachedLimit),
    /// The worker crashed: how.
    Crashed(String),
    /// The job has more than so many bytes.
    JobTooLarge(usize),
    /// The answer has more than so many bytes.
    AnswerTooLarge(usize),
    /// The worker answered what makes no sense.
    Protocol(String),
}

impl WorkerFailure {
    /// As the end of the call of `tool`.
    pub(crate) fn of(self, tool: &str, cx: &CallContext) -> Failure {
        let plugin = cx.plugin().clone();
        let named = || ToolName::new(tool).expect("it is the name of a tool of this program");
        match self {
            Self::SetupFailed(reason) => ToolError::SandboxSetupFailed { reason },
            Self::LimitReached(limit) => {
                let message = reached(limit);
                ToolError::LimitReached { tool: named(), limit, message }
            }
            Self::Crashed(reason) => ToolError::WorkerExited { plugin, reason },
            Self::JobTooLarge(limit) => {
                ToolError::TooLarge { what: format!("what `{tool}` is to work on"), limit }
            }
            Self::AnswerTooLarge(limit) => ToolError::OutputLimit { tool: named(), limit },
            Self::Protocol(reason) => ToolError::ProtocolError { plugin, reason },
        }
        .into()
    }
}

fn reached(limit: ReachedLimit) -> String {
    let most = match limit {
        ReachedLimit::Time => return "the work was not done in time and was stopped".to_owned(),
        ReachedLimit::Memory => format!("{} MiB of memory", LIMITS.memory_bytes >> 20),
        ReachedLimit::Cpu => format!("{} s of processor time", LIMITS.cpu_seconds),
        ReachedLimit::Processes => format!("{} threads", LIMITS.processes),
        ReachedLimit::FileSize => format!("{} MiB in one file", LIMITS.file_bytes >> 20),
        ReachedLimit::Disk => format!("{} MiB on disk", LIMITS.disk_bytes >> 20),
    };
    format!(
        "the work took more than the {most} that a worker has, and was stopped: ask for less at a time, or give a \
         smaller input"
    )
}
