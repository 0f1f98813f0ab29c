//! How a function of a native plugin says that it failed.

use std::any::Any;

use gathering_core::{ToolError, ToolName};

/// Why a tool gave no result: a message of its own, or the error of something it called.
///
/// `?` makes one of a text or a [`ToolError`].
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The tool says what went wrong and what to do: the call ends with [`ToolError::Failed`].
    Message(String),
    /// The call ends with this error.
    Error(ToolError),
}

impl Failure {
    /// A failure with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    pub(super) fn of(self, tool: &ToolName) -> ToolError {
        match self {
            Self::Message(message) => {
                ToolError::Failed { tool: tool.clone(), message, traceback: String::new() }
            }
            Self::Error(error) => error,
        }
    }

    /// The failure of a function that panicked.
    pub(super) fn panic(payload: &(dyn Any + Send)) -> Self {
        let said = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Self::Message(format!("the tool panicked, which is a bug of its plugin: {said}"))
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}
impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}
impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        Self::Error(error)
    }
}
