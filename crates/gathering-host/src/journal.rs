//! The rows that calls leave in the journal, however they end.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gathering_core::{
    CallContext, CallId, CallRow, Caller, Decision, PluginSecrets, ResultDigest, ToolError, ToolOutput,
    TraceId,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::admit::Origin;
use crate::host::Inner;
use crate::tool::Tool;

/// How many bytes of a tool's name, and of an error, a row keeps.
const MAX_NAME: usize = 64;
const MAX_ERROR: usize = 1024;

/// The arguments of a call as JSON, as far as a row keeps them.
pub(crate) struct Arguments {
    /// All of it, or its beginning.
    text: Vec<u8>,
    bytes: usize,
}

impl Arguments {
    pub(crate) fn of(arguments: &Map<String, Value>, most: usize) -> Self {
        let mut kept = Kept { text: Vec::with_capacity(128), most, bytes: 0 };
        serde_json::to_writer(&mut kept, arguments).expect("a map has a form in JSON, and memory takes it");
        Self { text: kept.text, bytes: kept.bytes }
    }

    /// The whole, if all of it was kept.
    fn whole(&self) -> Option<&str> {
        (self.text.len() == self.bytes).then(|| std::str::from_utf8(&self.text).unwrap_or_default())
    }

    /// As much as is text: the last character may have been cut.
    fn begin(&self) -> &str {
        match std::str::from_utf8(&self.text) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&self.text[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
}

/// Keeps the beginning of what is written, and counts the rest.
struct Kept {
    text: Vec<u8>,
    most: usize,
    bytes: usize,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        let room = self.most.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells one result from another.
pub(crate) fn digest(output: &ToolOutput) -> ResultDigest {
    struct Hashed(Sha256, u64);
    impl Write for Hashed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            self.1 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hashed = Hashed(Sha256::new(), 0);
    let mut written = serde_json::to_writer(&mut hashed, &output.value);
    if !output.parts.is_empty() {
        written = written.and_then(|()| serde_json::to_writer(&mut hashed, &output.parts));
    }
    written.expect("a result has a form in JSON, and the hash takes it");
    ResultDigest { sha256: hashed.0.finalize().into(), bytes: hashed.1 }
}

/// The row of a call that is under way. If its caller gives it up, the row says so.
pub(crate) struct Row {
    host: Arc<Inner>,
    call_id: CallId,
    trace_id: TraceId,
    parent: Option<CallId>,
    caller: Caller,
    asked: String,
    arguments: Option<Arguments>,
    at: SystemTime,
    started: Instant,
    /// The tool, once the call was let through to it.
    admitted: Option<Arc<Tool>>,
    is_kept: bool,
}

impl Row {
    /// Begins the row of a call; `None` if the host has no journal. Refuses if it could not be kept.
    pub(crate) fn begin(
        host: &Arc<Inner>,
        origin: &Origin,
        call_id: CallId,
        tool: &str,
        arguments: Option<Arguments>,
    ) -> Result<Option<Self>, ToolError> {
        let Some(journal) = &host.journal else { return Ok(None) };
        journal.ready().map_err(|error| ToolError::JournalFailed { ran: false, reason: error.0 })?;
        Ok(Some(Self {
            host: host.clone(),
            call_id,
            trace_id: origin.trace_id(call_id),
            parent: origin.parent.as_ref().map(CallContext::call_id),
            caller: origin.caller.clone(),
            asked: shortened(tool, MAX_NAME).to_owned(),
            arguments,
            at: SystemTime::now(),
            started: origin.started,
            admitted: None,
            is_kept: false,
        }))
    }

    /// The call was let through to its tool.
    pub(crate) fn admit(&mut self, tool: &Arc<Tool>) {
        self.admitted = Some(tool.clone());
    }

    /// Keeps the row of a call that was refused, and gives the reason back.
    pub(crate) fn refuse(mut self, error: ToolError) -> ToolError {
        match self.end(Some((error.code(), &error.to_string())), None) {
            Ok(()) => error,
            Err(failed) => failed,
        }
    }

    /// Keeps the row of a call that has ended, from which on its result may be given.
    pub(crate) fn finish<T>(
        mut self,
        outcome: Result<(T, Option<ResultDigest>), ToolError>,
    ) -> Result<T, ToolError> {
        match outcome {
            Ok((made, digest)) => self.end(None, digest).map(|()| made),
            Err(error) => Err(self.refuse(error)),
        }
    }

    fn end(&mut self, error: Option<(&str, &str)>, result: Option<ResultDigest>) -> Result<(), ToolError> {
        self.is_kept = true;
        // A tool that refused the call is told as well, where there is one of the name.
        let tool =
            self.admitted.clone().or_else(|| self.host.snapshot.load().tools.get(&self.asked).cloned());
        let secrets = tool.as_ref().map(|tool| tool.instance.secrets());
        let arguments = self.arguments.take().map(|arguments| masked(arguments, secrets));
        let (whole, begin) = match &arguments {
            Some(arguments) => match arguments.whole().map(serde_json::from_str::<&RawValue>) {
                Some(Ok(whole)) => (Some(whole), None),
                _ => (None, Some(arguments.begin())),
            },
            None => (None, None),
        };
        let tier = || tool.as_ref().and_then(|tool| tool.tier());
        let row = CallRow {
            call_id: self.call_id,
            trace_id: self.trace_id,
            parent_call_id: self.parent,
            at_ms: self.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
            caller: self.caller.name(),
            tool: tool.as_ref().map_or(&self.asked, |tool| tool.name.as_str()),
            plugin_id: tool.as_ref().map(|tool| tool.plugin()),
            plugin_version: tool.as_ref().map(|tool| tool.instance.manifest.metadata.version.as_str()),
            arguments: whole,
            arguments_begin: begin,
            arguments_bytes: arguments.as_ref().map(|arguments| arguments.bytes),
            decision: if self.admitted.is_some() { Decision::Allowed } else { Decision::Refused },
            code: error.map(|(code, _)| code),
            error: error.map(|(_, text)| shortened(text, MAX_ERROR)),
            duration_ms: self.started.elapsed().as_secs_f64() * 1000.0,
            tier: self.admitted.is_some().then(tier).flatten(),
            result,
        };
        let kept = self.host.journal.as_ref().map_or(Ok(()), |journal| journal.keep(&row));
        kept.map_err(|error| ToolError::JournalFailed { ran: self.admitted.is_some(), reason: error.0 })
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let given_up = ("cancelled", "its caller gave it up before it was answered");
        if let Err(error) = self.end(Some(given_up), None) {
            tracing::warn!(call_id = %self.call_id, %error, "a call that was given up left no row in the journal");
        }
    }
}

/// The arguments without the secrets that the plugin was handed.
fn masked(arguments: Arguments, secrets: Option<&PluginSecrets>) -> Arguments {
    let Some(secrets) = secrets.filter(|secrets| !secrets.names().is_empty()) else { return arguments };
    let bytes = arguments.bytes;
    if let Some(text) = arguments.whole()
        && let Ok(mut map) = serde_json::from_str::<Map<String, Value>>(text)
    {
        secrets.redact_map(&mut map);
        return Arguments::of(&map, usize::MAX);
    }
    let text = secrets.redact_text(arguments.begin()).into_owned().into_bytes();
    // One byte more than it has, so that it counts as a beginning whatever became of it.
    let bytes = bytes.max(text.len() + 1);
    Arguments { text, bytes }
}

fn shortened(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
