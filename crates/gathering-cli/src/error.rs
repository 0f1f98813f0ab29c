//! What went wrong, told to people and to scripts.

use std::io::{self, Write};
use std::process::ExitCode;

use gathering::StartError;
use gathering::config::ConfigError;
use serde_json::{Value, json};

use crate::output::{BAD, HINT, plain};

/// What scripts learn from the exit code; the help text lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The tool or the operation failed.
    Failed = 1,
    /// The command line, the configuration or the arguments do not fit.
    Usage = 2,
    /// No server could be reached, or the data directory could not be opened.
    Unreachable = 3,
    /// There is no such thing.
    NotFound = 4,
}

/// Why a verb failed. Boxed: it is the rare case.
#[derive(Debug)]
pub(crate) struct CliError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    exit: Exit,
    code: String,
    message: String,
    remedy: Option<String>,
    traceback: String,
    /// The problem document of the server, or the answer that holds the failure.
    document: Option<Value>,
    /// It was told already, or nobody reads what is written.
    is_told: bool,
}

impl CliError {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        let remedy = remedy(&code).map(str::to_owned);
        let failure =
            Failure { exit, code, message, remedy, traceback: String::new(), document: None, is_told: false };
        Self(Box::new(failure))
    }

    /// What was said does not fit.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Nobody answers.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, "unreachable", message)
    }

    /// A failure whose answer was shown already.
    pub(crate) fn told() -> Self {
        let mut error = Self::new(Exit::Failed, "failed", "");
        error.0.is_told = true;
        error
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// What a server says of a request that it did not fulfil (RFC 9457).
    pub(crate) fn from_problem(status: u16, document: Value) -> Self {
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let code = text("code");
        let exit = match (code.as_str(), status) {
            ("bad_request" | "invalid_arguments" | "invalid_config", _) => Exit::Usage,
            (_, 404) => Exit::NotFound,
            _ => Exit::Failed,
        };
        let message = match text("detail") {
            empty if empty.is_empty() => format!("the server answered {status} and did not say why"),
            detail => detail,
        };
        let traceback = text("traceback");
        Self::new(exit, &code, message).with(traceback, document)
    }

    /// The answer of a tool that itself raised an error.
    pub(crate) fn from_tool(answer: Value) -> Self {
        let text = |name: &str| answer.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (code, message, traceback) =
            (text("/error/code"), text("/error/message"), text("/error/traceback"));
        Self::new(Exit::Failed, &code, message).with(traceback, answer)
    }

    fn with(mut self, traceback: String, document: Value) -> Self {
        self.0.traceback = traceback;
        self.0.document = Some(document);
        self
    }

    /// Tells it on standard error, or with `as_json` as a document on standard output.
    pub(crate) fn report(&self, as_json: bool, verbose: bool) -> ExitCode {
        let written = match as_json {
            _ if self.0.is_told => Ok(()),
            true => self.write_json(),
            false => self.write_text(verbose),
        };
        match written {
            Ok(()) => ExitCode::from(self.0.exit as u8),
            // Nobody is left to tell it to.
            Err(_) => ExitCode::from(Exit::Failed as u8),
        }
    }

    fn write_json(&self) -> io::Result<()> {
        let document = self.0.document.clone().unwrap_or_else(
            || json!({"code": self.0.code, "detail": self.0.message, "remedy": self.0.remedy}),
        );
        writeln!(io::stdout(), "{document:#}")
    }

    fn write_text(&self, verbose: bool) -> io::Result<()> {
        let mut out = anstream::stderr();
        writeln!(out, "{BAD}error[{}]{BAD:#}: {}", plain(&self.0.code), plain(&self.0.message))?;
        if verbose && !self.0.traceback.is_empty() {
            writeln!(out, "{}", plain(self.0.traceback.trim_end()))?;
        } else if !self.0.traceback.is_empty() {
            writeln!(out, "  {HINT}--verbose shows where in the plugin's code{HINT:#}")?;
        }
        if let Some(remedy) = &self.0.remedy {
            writeln!(out, "  {HINT}{}{HINT:#}", plain(remedy))?;
        }
        Ok(())
    }
}

/// What to do, where the message does not say it.
fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "unknown_tool" => {
            "`gathering tools list` shows the tools, and `gathering plugins list` what can be loaded"
        }
        "unknown_plugin" => "`gathering plugins list` shows the plugins",
        "unknown_conversation" => "`gathering agents conversations AGENT` shows the conversations",
        "unknown_agent" => "`gathering agents list` shows the agents",
        "unknown_competency" => "`gathering competencies list` shows the competencies",
        "invalid_arguments" => "`gathering tools show TOOL` shows what it takes",
        "unauthenticated" => "give the operator's or an agent's token with --token or GATHERING_TOKEN",
        "worker_exited" | "protocol_error" => "`gathering plugins logs PLUGIN` shows what it printed",
        "has_dependents" => "--cascade does it to them too",
        _ => return None,
    })
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, "invalid_configuration", error.to_string())
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        let (exit, code) = match &error {
            StartError::InUse { .. } => (Exit::Unreachable, "in_use"),
            StartError::PluginId { .. } => (Exit::Usage, "invalid_configuration"),
            StartError::Plugins(error) => (Exit::Unreachable, error.code()),
            _ => (Exit::Unreachable, "data_directory"),
        };
        Self::new(exit, code, error.to_string())
    }
}

/// Standard output could not be written. That nobody reads on, as with `| head`, is no failure to tell of.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let mut told = Self::new(Exit::Failed, "output", format!("the answer could not be written: {error}"));
        told.0.is_told = error.kind() == io::ErrorKind::BrokenPipe;
        told
    }
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}
