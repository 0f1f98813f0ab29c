//! The errors of the two contracts: a variant for each thing somebody can do something about.

use std::time::Duration;

use serde::Serialize;

use crate::{AgentId, PluginId, PluginStatus, RateLimit, Requirement, ToolName};

/// Why a call gave no result. [`ToolError::code`] is stable, for programs; the text is for people and models.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// No tool has this name.
    #[error("there is no tool called `{tool}`{}", nearest_names(.nearest))]
    UnknownTool {
        /// What was asked for, shortened.
        tool: String,
        /// Names that look like it.
        nearest: Vec<ToolName>,
    },
    /// The caller lacks a competency that the tool requires.
    #[error(
        "`{tool}` requires {}, which the agent `{agent}` does not hold; \
         the operator grants it with `gathering agents grant {agent} {}`",
        quoted(.missing), words(.missing)
    )]
    MissingCompetency {
        /// The tool.
        tool: ToolName,
        /// The agent that lacks it: the caller, or one whose rights bound the caller's.
        agent: AgentId,
        /// What is missing.
        missing: Vec<Requirement>,
    },
    /// The caller may not do this, whatever it holds.
    #[error("{reason}")]
    Forbidden {
        /// What is not allowed and who could allow it.
        reason: String,
    },
    /// The agent has made as many calls as it may, or used as much of its models; more becomes free with time.
    #[error(
        "the agent `{agent}` {limit}; try again in {} s",
        retry_after.as_secs_f64().ceil()
    )]
    RateLimited {
        /// The agent that is limited: the caller, or one whose rights bound the caller's.
        agent: AgentId,
        /// What it may do.
        limit: RateLimit,
        /// When something becomes free.
        retry_after: Duration,
    },
    /// The tool's plugin is disabled.
    #[error("`{tool}` belongs to the plugin `{plugin}`, which is disabled: enable it first")]
    PluginDisabled {
        /// The tool.
        tool: ToolName,
        /// Its plugin.
        plugin: PluginId,
    },
    /// The tool's plugin is in a state in which it cannot be called.
    #[error("the plugin `{plugin}` is in the state `{status}`: {reason}")]
    WrongState {
        /// The plugin.
        plugin: PluginId,
        /// Its state.
        status: PluginStatus,
        /// Why, and what to do.
        reason: String,
    },
    /// The arguments do not fit the tool's schema.
    #[error("invalid arguments for `{tool}`: {}", join(.errors))]
    InvalidArguments {
        /// The tool.
        tool: ToolName,
        /// Each thing that does not fit; at least one.
        errors: Vec<ArgumentError>,
    },
    /// Something is larger than is taken.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The most that is taken, in bytes.
        limit: usize,
    },
    /// All workers of the plugin have work and its queue is full; try again later.
    #[error("the plugin `{plugin}` is busy: {waiting} calls are waiting already; try again later")]
    Busy {
        /// The plugin.
        plugin: PluginId,
        /// How many calls wait.
        waiting: usize,
    },
    /// The tool itself raised an error. The call was made.
    #[error("{message}")]
    Failed {
        /// The tool.
        tool: ToolName,
        /// What it said, such as `ValueError: no such city`.
        message: String,
        /// Where in the plugin's own code, for its author; may be empty.
        traceback: String,
    },
    /// What the call ran came to a limit and was stopped. The call was made.
    #[error("{message}")]
    LimitReached {
        /// The tool.
        tool: ToolName,
        /// Which limit.
        limit: ReachedLimit,
        /// What was reached, what to do, and what it had said until then.
        message: String,
    },
    /// The worker ended before it answered. Its state is lost; the next call gets a new worker.
    #[error(
        "the worker of the plugin `{plugin}` ended during the call ({reason}); the next call gets a new one"
    )]
    WorkerExited {
        /// The plugin.
        plugin: PluginId,
        /// Its exit code or signal.
        reason: String,
    },
    /// The deadline passed; what ran the call was stopped.
    #[error("`{tool}` did not answer within {limit:?}")]
    TimedOut {
        /// The tool.
        tool: ToolName,
        /// The time it had.
        limit: Duration,
    },
    /// The worker answered with something that is no answer; it was stopped.
    #[error(
        "the worker of the plugin `{plugin}` did not keep to the protocol: {reason}; the next call gets a new one"
    )]
    ProtocolError {
        /// The plugin.
        plugin: PluginId,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The result is larger than the output limit.
    #[error("the result of `{tool}` is larger than the output limit of {limit} bytes")]
    OutputLimit {
        /// The tool.
        tool: ToolName,
        /// The most that is taken, in bytes.
        limit: usize,
    },
    /// The result is not what the tool's `returns` promises, or has no form in JSON.
    #[error("the result of `{tool}` does not hold what the tool promises: {}", join(.errors))]
    InvalidResult {
        /// The tool.
        tool: ToolName,
        /// What does not fit; at least one.
        errors: Vec<ArgumentError>,
    },
    /// The confinement for the call could not be set up, so nothing ran.
    #[error("the sandbox could not be set up, so nothing was run: {reason}")]
    SandboxSetupFailed {
        /// What failed and how to mend it.
        reason: String,
    },
    /// No row of the call can be kept in the journal.
    #[error(
        "{}: {reason}",
        if *.ran {
            "the call was made, and its result is withheld because the journal could not keep a row of it"
        } else {
            "nothing was run, because the journal could not keep a row of it"
        }
    )]
    JournalFailed {
        /// Whether it ran all the same.
        ran: bool,
        /// What failed and what to do.
        reason: String,
    },
    /// The host is stopping and takes no new calls.
    #[error("the server is shutting down and takes no new calls")]
    ShuttingDown,
}

impl ToolError {
    /// The stable code, the same over REST, MCP, Python and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownTool { .. } => "unknown_tool",
            Self::MissingCompetency { .. } => "missing_competency",
            Self::Forbidden { .. } => "forbidden",
            Self::RateLimited { .. } => "rate_limited",
            Self::PluginDisabled { .. } => "plugin_disabled",
            Self::WrongState { .. } => "wrong_state",
            Self::InvalidArguments { .. } => "invalid_arguments",
            Self::TooLarge { .. } => "too_large",
            Self::Busy { .. } => "busy",
            Self::Failed { .. } => "tool_error",
            Self::LimitReached { limit, .. } => limit.code(),
            Self::WorkerExited { .. } => "worker_exited",
            Self::TimedOut { .. } => "timed_out",
            Self::ProtocolError { .. } => "protocol_error",
            Self::OutputLimit { .. } => "output_limit",
            Self::InvalidResult { .. } => "invalid_result",
            Self::SandboxSetupFailed { .. } => "sandbox_setup_failed",
            Self::JournalFailed { .. } => "journal_failed",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// Gives `change` each text that what ran the call may have written.
    pub(crate) fn each_text(&mut self, change: impl Fn(&mut String)) {
        match self {
            Self::Failed { message, traceback, .. } => {
                change(message);
                change(traceback);
            }
            Self::LimitReached { message, .. } => change(message),
            Self::Forbidden { reason }
            | Self::WrongState { reason, .. }
            | Self::WorkerExited { reason, .. }
            | Self::ProtocolError { reason, .. }
            | Self::SandboxSetupFailed { reason } => change(reason),
            Self::InvalidArguments { errors, .. } | Self::InvalidResult { errors, .. } => {
                for error in errors {
                    change(&mut error.pointer);
                    change(&mut error.message);
                }
            }
            Self::UnknownTool { .. }
            | Self::MissingCompetency { .. }
            | Self::RateLimited { .. }
            | Self::PluginDisabled { .. }
            | Self::TooLarge { .. }
            | Self::Busy { .. }
            | Self::TimedOut { .. }
            | Self::OutputLimit { .. }
            | Self::JournalFailed { .. }
            | Self::ShuttingDown => {}
        }
    }
}

/// A limit that what a call ran came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReachedLimit {
    /// The time that it was given.
    Time,
    /// Memory.
    Memory,
    /// Processes and threads at once.
    Processes,
    /// Processor time.
    Cpu,
    /// The size of a file.
    FileSize,
    /// What all files together take on disk.
    Disk,
}

impl ReachedLimit {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Time => "time_limit",
            Self::Memory => "memory_limit",
            Self::Processes => "process_limit",
            Self::Cpu => "cpu_limit",
            Self::FileSize => "file_size_limit",
            Self::Disk => "disk_limit",
        }
    }
}

/// One thing that does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArgumentError {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole.
    pub pointer: String,
    /// What is wrong, naming the field.
    pub message: String,
}

impl std::fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.pointer.is_empty() { "(root)" } else { self.pointer.as_str() };
        write!(f, "{} (at {path})", self.message)
    }
}

/// Why a plugin could not be described or loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// What kind of thing went wrong.
    pub kind: LoadErrorKind,
    /// What went wrong and what to do, in one or a few lines.
    pub message: String,
    /// Where in the plugin's own code, for its author; may be empty.
    pub traceback: String,
}

/// What kind of thing went wrong while a plugin was described or loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// There is nothing at the source.
    NotFound,
    /// The plugin's own code or data is wrong: a syntax error, no `Plugin` subclass, a malformed schema.
    InvalidPlugin,
    /// A package that it needs could not be installed.
    MissingDependency,
    /// The interpreter or another part of the runtime is missing or failed.
    RuntimeFailed,
    /// It took longer than it may.
    TimedOut,
    /// Its confinement could not be set up, so nothing of it was run.
    SandboxSetupFailed,
}

impl LoadErrorKind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::InvalidPlugin => "invalid_plugin",
            Self::MissingDependency => "missing_dependency",
            Self::RuntimeFailed => "runtime_failed",
            Self::TimedOut => "timed_out",
            Self::SandboxSetupFailed => "sandbox_setup_failed",
        }
    }
}

impl LoadError {
    /// An error without a traceback.
    pub fn new(kind: LoadErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), traceback: String::new() }
    }
}

/// A hook of a plugin (`on_enable`, `on_disable`) failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HookError {
    /// What it said.
    pub message: String,
}

fn join<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn quoted(missing: &[Requirement]) -> String {
    missing.iter().map(|requirement| format!("`{requirement}`")).collect::<Vec<_>>().join(" and ")
}

fn words(missing: &[Requirement]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn nearest_names(names: &[ToolName]) -> String {
    match names {
        [] => String::new(),
        names => {
            let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("; did you mean {}?", quoted.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_expected_and_what_to_do() {
        let tool = ToolName::new("add").expect("a name");
        let errors = vec![ArgumentError { pointer: "/x".into(), message: "`x` is not an integer".into() }];

        let invalid = ToolError::InvalidArguments { tool: tool.clone(), errors };
        let unknown = ToolError::UnknownTool { tool: "ad".into(), nearest: vec![tool] };

        assert_eq!(invalid.to_string(), "invalid arguments for `add`: `x` is not an integer (at /x)");
        assert_eq!(unknown.to_string(), "there is no tool called `ad`; did you mean `add`?");
        assert_eq!(unknown.code(), "unknown_tool");
    }
}
