//! Frames that a worker sends: one JSON-RPC 2.0 message a line, from a process that is not trusted.

use std::borrow::Cow;
use std::path::PathBuf;

use gathering_core::ArgumentError;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The most of a worker's message that is kept, in characters.
const MAX_MESSAGE: usize = 8 << 10;
/// The most of a worker's traceback that is kept, in characters.
const MAX_TRACEBACK: usize = 16 << 10;
/// The most errors of one answer that are kept.
const MAX_ERRORS: usize = 20;

/// One message of a worker.
#[derive(Debug, PartialEq)]
pub enum Frame<'a> {
    /// The answer to the host's request `id`.
    Result {
        /// The request.
        id: u64,
        /// What was said to be the JSON text of the result; not checked yet.
        text: &'a [u8],
    },
    /// The host's request `id` was refused or failed.
    Error {
        /// The request.
        id: u64,
        /// Why.
        refusal: Refusal,
    },
    /// Something is asked of the host.
    Request {
        /// The worker's number for it.
        id: u64,
        /// What is asked for.
        method: Cow<'a, str>,
        /// The JSON text of an object.
        params: &'a str,
    },
}

/// Why a worker refused a request, or what a plugin raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A word of the protocol, such as `tool_error` or `invalid_arguments`.
    pub code: String,
    /// For people.
    pub message: String,
    /// Where in the plugin's own code.
    pub traceback: String,
    /// What does not fit, for `invalid_arguments` and `invalid_result`.
    pub errors: Vec<ArgumentError>,
    /// What the system denied the plugin's code, if it failed because of that.
    pub denied: Option<Denied>,
}

/// What a worker says that the system denied it. It may say anything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Denied {
    /// A file or folder.
    File {
        /// Where it would be.
        path: PathBuf,
        /// Whether it was to be written; else nobody knows.
        write: bool,
    },
    /// A connection.
    Host {
        /// A name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A connection to nobody knows what.
    AnyHost {
        /// Says that it was one.
        network: bool,
    },
}

/// Parses one line, without its newline. The error says what is wrong with it.
pub fn parse(line: &[u8]) -> Result<Frame<'_>, String> {
    if let Some(frame) = parse_plain_result(line) {
        return Ok(frame);
    }
    let envelope: Envelope<'_> =
        serde_json::from_slice(line).map_err(|error| format!("a line is no message ({error})"))?;
    if envelope.jsonrpc != "2.0" {
        return Err("a message is not JSON-RPC 2.0".into());
    }
    match envelope {
        Envelope { method: Some(method), params: Some(params), result: None, error: None, id, .. } => {
            Ok(Frame::Request { id, method, params: params.get() })
        }
        Envelope { method: None, result: Some(result), error: None, id, .. } => {
            Ok(Frame::Result { id, text: result.get().as_bytes() })
        }
        Envelope { method: None, result: None, error: Some(error), id, .. } => {
            Ok(Frame::Error { id, refusal: error.into_refusal() })
        }
        _ => Err("a message is neither a request nor an answer".into()),
    }
}

/// Takes the form in which the worker writes a result, without reading the result itself.
fn parse_plain_result(line: &[u8]) -> Option<Frame<'_>> {
    let rest = line.strip_prefix(br#"{"jsonrpc":"2.0","id":"#)?;
    let digits = rest.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
    let id = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let text = rest[digits..].strip_prefix(br#","result":"#)?.strip_suffix(b"}")?;
    Some(Frame::Result { id, text })
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    id: u64,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default)]
    message: String,
    data: Option<WireErrorData>,
}

#[derive(Deserialize)]
struct WireErrorData {
    #[serde(default)]
    code: String,
    #[serde(default)]
    traceback: String,
    #[serde(default)]
    errors: Vec<WireArgumentError>,
    denied: Option<Denied>,
}

#[derive(Deserialize)]
struct WireArgumentError {
    pointer: String,
    message: String,
}

impl WireError {
    fn into_refusal(self) -> Refusal {
        let data = self.data.unwrap_or(WireErrorData {
            code: String::new(),
            traceback: String::new(),
            errors: Vec::new(),
            denied: None,
        });
        let errors = data.errors.into_iter().take(MAX_ERRORS).map(|error| ArgumentError {
            pointer: shortened(error.pointer, MAX_MESSAGE),
            message: shortened(error.message, MAX_MESSAGE),
        });
        Refusal {
            code: shortened(data.code, 64),
            message: shortened(self.message, MAX_MESSAGE),
            traceback: shortened(data.traceback, MAX_TRACEBACK),
            errors: errors.collect(),
            denied: data.denied,
        }
    }
}

fn shortened(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_result_is_told_from_an_error_and_from_a_request() {
        let result = br#"{"jsonrpc":"2.0","id":7,"result":{"a":[1,2]}}"#;
        let spaced = br#"{"jsonrpc": "2.0", "id": 7, "result": null}"#;
        let error = br#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"no","data":{"code":"tool_error"}}}"#;
        let request = br#"{"jsonrpc":"2.0","id":1,"method":"execute","params":{"tool":"add"}}"#;

        assert_eq!(parse(result), Ok(Frame::Result { id: 7, text: br#"{"a":[1,2]}"# }));
        assert_eq!(parse(spaced), Err("a message is neither a request nor an answer".into()));
        let Ok(Frame::Error { id: 7, refusal }) = parse(error) else { panic!("an error") };
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("tool_error", "no"));
        let Ok(Frame::Request { id: 1, method, params }) = parse(request) else { panic!("a request") };
        assert_eq!((&*method, params), ("execute", r#"{"tool":"add"}"#));
    }

    #[test]
    fn what_is_no_frame_is_refused_with_the_reason() {
        for (line, reason) in [
            (&b"hello"[..], "a line is no message (expected value at line 1 column 1)"),
            (br#"{"jsonrpc":"1.0","id":1,"method":"x","params":{}}"#, "a message is not JSON-RPC 2.0"),
            (br#"{"jsonrpc":"2.0","id":1}"#, "a message is neither a request nor an answer"),
        ] {
            assert_eq!(parse(line), Err(reason.to_owned()));
        }
        assert!(parse(br#"{"jsonrpc":"2.0","id":-1,"result":1 }"#).is_err());
        assert!(parse(b"\xff\xfe").is_err());
        assert!(parse(b"").is_err());
    }

    #[test]
    fn a_message_nested_a_million_deep_costs_no_stack() {
        let deep = "[".repeat(1_000_000);

        assert!(
            parse(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{deep}}}"#).as_bytes()).is_err()
        );
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line);
        }

        #[test]
        fn no_line_that_looks_like_a_frame_does_either(
            id in "[0-9-]{0,22}",
            rest in r#"(,"(result|error|method|params)":[\[\]{}"a-z0-9:,]{0,40}){0,3}"#,
        ) {
            let _ = parse(format!(r#"{{"jsonrpc":"2.0","id":{id}{rest}}}"#).as_bytes());
        }

        #[test]
        fn what_the_worker_writes_is_read_back(id in 0..u64::MAX / 2, text in "[ -~]{0,40}") {
            let result = serde_json::to_string(&text).expect("text");
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
            prop_assert_eq!(parse(line.as_bytes()), Ok(Frame::Result { id, text: result.as_bytes() }));
        }
    }
}
