//! The journal: what is kept of every call, and the contract of who keeps it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{BoxFuture, CallId, PluginId, Tier, TraceId};

/// Keeps a row of every call. Rows are kept before the answer is given, so this is on the path of a call: whoever
/// implements it takes microseconds and waits for nobody.
pub trait Journal: Send + Sync {
    /// How many bytes of a call's arguments, as JSON, a row keeps.
    fn max_arguments(&self) -> usize;

    /// Refuses if no row could be kept at this moment. Asked before a call runs.
    fn ready(&self) -> Result<(), JournalError>;

    /// Keeps a row. Once this returns, it outlives this process, however that ends.
    fn keep(&self, row: &CallRow<'_>) -> Result<(), JournalError>;

    /// Rows that fit `filter`, a page at a time. Those that were kept before this is called are all seen. May block.
    fn calls(&self, filter: &CallFilter) -> Result<CallPage, JournalError>;

    /// The row of one call, as JSON. May block.
    fn call(&self, call_id: &str) -> Result<Option<String>, JournalError>;

    /// Waits for the next row that is kept after this is called.
    fn next_kept(&self) -> BoxFuture<'_, ()>;

    /// Why rows cannot be kept or read at this moment, if so.
    fn trouble(&self) -> Option<String>;
}

/// Why no row can be kept: what failed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JournalError(pub String);

/// What is kept of one call. As JSON, members that are not known are left out.
#[derive(Debug, Serialize)]
pub struct CallRow<'a> {
    /// Names the call.
    pub call_id: CallId,
    /// Names everything that one request caused.
    pub trace_id: TraceId,
    /// The call from within which this one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_call_id: Option<CallId>,
    /// When it was made: milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// `operator`, or the agent's id.
    pub caller: &'a str,
    /// The tool; where there is none of the name, what was asked for, shortened.
    pub tool: &'a str,
    /// The tool's plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_id: Option<&'a PluginId>,
    /// The plugin's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_version: Option<&'a str>,
    /// The arguments without secrets, as far as they are small enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<&'a RawValue>,
    /// The beginning of the arguments' JSON, where the whole was too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments_begin: Option<&'a str>,
    /// How many bytes of JSON the arguments had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments_bytes: Option<usize>,
    /// Whether it was let through to its plugin.
    pub decision: Decision,
    /// Why there is no result: the code of a [`ToolError`](crate::ToolError), or `cancelled` if its caller gave it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'a str>,
    /// The same in words, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// From its first step to its last.
    pub duration_ms: f64,
    /// How what ran it was confined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// What was answered.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultDigest>,
}

/// What the path of a call decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It was handed to its plugin.
    Allowed,
    /// It was not, and nothing ran.
    Refused,
}

/// Tells one result from another without keeping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ResultDigest {
    /// SHA-256 (FIPS 180-4) of the result's value as compact JSON, followed by its own content parts as such, if it has any.
    #[serde(rename = "result_sha256", serialize_with = "hexadecimal")]
    pub sha256: [u8; 32],
    /// How many bytes that was made of.
    #[serde(rename = "result_bytes")]
    pub bytes: u64,
}

/// Which rows are asked for. What is not said is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// `operator`, or an agent's id.
    pub caller: Option<String>,
    /// The tool.
    pub tool: Option<String>,
    /// The tool's plugin.
    pub plugin: Option<String>,
    /// `allowed` or `refused`.
    pub decision: Option<String>,
    /// `ok` for calls that gave a result, or the code of an error.
    pub code: Option<String>,
    /// What the calls belong to.
    pub trace_id: Option<String>,
    /// Not before this: milliseconds since 1970-01-01 UTC.
    pub since_ms: Option<i64>,
    /// Before this.
    pub until_ms: Option<i64>,
    /// Only rows before the one of this number, newest first; without `before` and `after` from the newest on.
    pub before: Option<i64>,
    /// Only rows after the one of this number, oldest first.
    pub after: Option<i64>,
    /// How many rows at most; 10,000 are the most.
    pub limit: usize,
}

/// Some rows of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallPage {
    /// Each row as JSON, in the order that was asked for.
    pub rows: Vec<String>,
    /// The number of the first of them.
    pub first: Option<i64>,
    /// The number of the last of them.
    pub last: Option<i64>,
    /// Whether there are more behind it.
    pub more: bool,
}

fn hexadecimal<S: serde::Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    to.serialize_str(std::str::from_utf8(&text).expect("they are digits"))
}
