//! Why a confinement could not be set up.

use std::path::PathBuf;
use std::{fmt, io};

use serde::{Deserialize, Serialize};

/// Why a program was not started: its confinement could not be set up, or it cannot run in it.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The launcher could not be started.
    #[error("the launcher `{}` could not be started: {source}: name the `gathering` binary", path.display())]
    Launcher {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The policy contradicts itself or names what cannot be.
    #[error("the policy cannot be applied: {0}")]
    Policy(String),
    /// The launcher says which step failed.
    #[error("{0}")]
    Step(Failure),
    /// Nothing was heard from the launcher, or nothing that makes sense.
    #[error("the launcher gave no answer: {0}")]
    Lost(String),
}

impl SetupError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        "sandbox_setup_failed"
    }

    /// What the launcher said, if it was the launcher who found the error.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Step(failure) => Some(failure),
            _ => None,
        }
    }
}

/// A step of the launcher that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which one.
    pub step: Step,
    /// What went wrong, and why if that is known.
    pub cause: String,
    /// What would help.
    pub remedy: String,
}

impl Failure {
    pub(crate) fn new(step: Step, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { step, cause: cause.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.step, self.cause)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, ": {}", self.remedy) }
    }
}

/// The steps of the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Reading the policy, starting processes.
    Start,
    /// Becoming the tool's user.
    User,
    /// Making namespaces.
    Namespaces,
    /// Building what the program sees of the files.
    Files,
    /// Setting limits.
    Limits,
    /// Giving up privileges.
    Privileges,
    /// Restricting files with Landlock.
    Landlock,
    /// Filtering system calls.
    Seccomp,
    /// Handing the confinement over to a newborn, which may have ended with its parent, or may not join it here.
    Newborn,
    /// Running the program itself.
    Program,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "starting the launcher",
            Self::User => "becoming the tool's user",
            Self::Namespaces => "making namespaces",
            Self::Files => "building the file system",
            Self::Limits => "setting limits",
            Self::Privileges => "giving up privileges",
            Self::Landlock => "restricting files with Landlock",
            Self::Seccomp => "filtering system calls",
            Self::Newborn => "handing over to a new process",
            Self::Program => "running the program",
        })
    }
}

/// Names the step in which an error came up.
pub(crate) trait During<T> {
    /// `doing` says what was tried, such as "mounting `/proc`".
    fn during(self, step: Step, doing: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> During<T> for Result<T, E> {
    fn during(self, step: Step, doing: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(step, format!("{doing}: {error}"), ""))
    }
}
