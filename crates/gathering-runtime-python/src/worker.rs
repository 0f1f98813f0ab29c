//! One worker: sends requests, reads what comes back, and serves what the plugin asks of the host meanwhile.

mod nested;

use std::io::{self, Write};
use std::ops::Range;
use std::time::Duration;

use gathering_core::CallContext;
use gathering_core::json::{self, JsonError};
use serde_json::Value;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use crate::frame::{self, Frame, Refusal};
use crate::process::{Ended, Pipes, Process};
use nested::Nested;

/// What a frame may hold beside its result.
const ENVELOPE: usize = 64 << 10;
/// How long a worker that closed its pipe has to end before it is killed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A worker, busy with one root request at a time or idle.
pub(crate) struct Worker {
    pub(crate) process: Process,
    to: pipe::Sender,
    from: pipe::Receiver,
    incoming: Incoming,
    outgoing: Outgoing,
    next_id: u64,
    returns: mpsc::UnboundedReceiver<ReturningCall>,
    returning: mpsc::UnboundedSender<ReturningCall>,
}

/// What a worker answered.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A result.
    Value(Value),
    /// What was said to be a result has no form that is taken.
    NotJson(JsonError),
    /// A refusal or a failure.
    Refused(Refusal),
}

/// Why a worker cannot be used any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Its process ended.
    Exited(Ended),
    /// It sent something that is no frame.
    Protocol(String),
    /// It sent more than it may.
    TooMuch,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(ended) => write!(f, "its process ended ({ended})"),
            Self::Protocol(reason) => write!(f, "its process did not keep to the protocol: {reason}"),
            Self::TooMuch => f.write_str("its process sent more than it may"),
        }
    }
}

/// A call that comes back into a worker while it waits for a nested call.
pub(crate) struct ReturningCall {
    /// The frame's parameters.
    pub(crate) params: Vec<u8>,
    /// Its context.
    pub(crate) cx: CallContext,
    /// Where the answer goes.
    pub(crate) reply: oneshot::Sender<Reply>,
}

impl Worker {
    /// A worker that talks over `pipes`.
    pub(crate) fn new(process: Process, pipes: Pipes) -> Self {
        let (returning, returns) = mpsc::unbounded_channel();
        let Pipes { to, from } = pipes;
        let (incoming, outgoing) = (Incoming::default(), Outgoing::default());
        Self { process, to, from, incoming, outgoing, next_id: 1, returns, returning }
    }

    /// Where calls that come back into this worker are sent while it serves a root call.
    pub(crate) fn returning(&self) -> mpsc::UnboundedSender<ReturningCall> {
        self.returning.clone()
    }

    /// Sends a request and waits for its answer, which may have `limit` bytes. With a context, the plugin's code may
    /// ask things of the host meanwhile.
    ///
    /// After a failure, or when the future is dropped before its end, the worker is of no more use.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        params: &[u8],
        limit: usize,
        cx: Option<&CallContext>,
    ) -> Result<Reply, Failure> {
        let id = self.next_id;
        self.next_id += 1;
        self.outgoing.request(id, method, params);
        let _at_work = self.process.at_work();
        let outcome = self.converse(id, limit.saturating_add(ENVELOPE), cx).await;
        match outcome {
            Err(Failure::Exited(_)) => {
                let ended = match tokio::time::timeout(LAST_WORDS, self.process.wait()).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        self.process.kill().await;
                        Ended::new("it closed its pipe to the host")
                    }
                };
                Err(Failure::Exited(ended))
            }
            outcome => outcome,
        }
    }

    async fn converse(&mut self, id: u64, limit: usize, cx: Option<&CallContext>) -> Result<Reply, Failure> {
        let mut nested = None;
        let outcome = self.serve_until_answered(id, limit, cx, &mut nested).await;
        if let (Ok(_), Some(nested)) = (&outcome, nested) {
            // What was asked by this call's code and is not answered yet is given up with it.
            nested.abandon(&mut self.outgoing);
            self.outgoing.flush(&self.to)?;
        }
        outcome
    }

    async fn serve_until_answered(
        &mut self,
        id: u64,
        limit: usize,
        cx: Option<&CallContext>,
        nested: &mut Option<Box<Nested>>,
    ) -> Result<Reply, Failure> {
        loop {
            while let Some(line) = self.incoming.next_line(limit)? {
                let (answered, reply) =
                    match frame::parse(&self.incoming.bytes[line]).map_err(Failure::Protocol)? {
                        Frame::Result { id: answered, text } => (answered, json::parse(text).into()),
                        Frame::Error { id: answered, refusal } => (answered, Reply::Refused(refusal)),
                        Frame::Request { id: asked, method, params } => {
                            let nested = nested.get_or_insert_default();
                            nested.ask(asked, &method, params, id, cx, &mut self.outgoing)?;
                            continue;
                        }
                    };
                if answered == id {
                    return Ok(reply);
                }
                if answered >= self.next_id {
                    return Err(Failure::Protocol(format!(
                        "it answered the request {answered}, which was never made"
                    )));
                }
                // An answer that nobody waits for belongs to a call that was given up.
                if let Some(nested) = nested {
                    nested.answered(answered, reply);
                }
            }
            self.outgoing.flush(&self.to)?;
            match nested {
                None if self.outgoing.is_empty() => self.from.readable().await.map_err(gone)?,
                None => tokio::select! {
                    ready = self.from.readable() => ready.map_err(gone)?,
                    ready = self.to.writable() => { ready.map_err(gone)?; continue }
                },
                Some(nested) => tokio::select! {
                    ready = self.from.readable() => ready.map_err(gone)?,
                    ready = self.to.writable(), if !self.outgoing.is_empty() => { ready.map_err(gone)?; continue }
                    () = nested.next_answer(&mut self.outgoing) => continue,
                    Some(call) = self.returns.recv() => {
                        let id = self.next_id;
                        self.next_id += 1;
                        self.outgoing.request(id, "call", &call.params);
                        nested.returned(id, call);
                        continue;
                    }
                },
            }
            self.incoming.fill(&self.from)?;
        }
    }
}

impl From<Result<Value, JsonError>> for Reply {
    fn from(parsed: Result<Value, JsonError>) -> Self {
        match parsed {
            Ok(value) => Self::Value(value),
            Err(error) => Self::NotJson(error),
        }
    }
}

/// What a broken pipe means; how the process ended is found out by [`Worker::request`].
fn gone(_: io::Error) -> Failure {
    Failure::Exited(Ended::new(""))
}

/// What was read and not yet taken.
#[derive(Default)]
struct Incoming {
    bytes: Vec<u8>,
    /// Where the first line that was not taken begins.
    start: usize,
    /// Up to where no newline was found.
    searched: usize,
}

impl Incoming {
    const READ: usize = 64 << 10;

    /// The next whole line, without its newline.
    fn next_line(&mut self, limit: usize) -> Result<Option<Range<usize>>, Failure> {
        match self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
            Some(length) => {
                let line = self.start..self.searched + length;
                self.start = line.end + 1;
                self.searched = self.start;
                if line.len() > limit { Err(Failure::TooMuch) } else { Ok(Some(line)) }
            }
            None => {
                self.searched = self.bytes.len();
                if self.bytes.len() - self.start > limit { Err(Failure::TooMuch) } else { Ok(None) }
            }
        }
    }

    /// Reads what is there.
    fn fill(&mut self, from: &pipe::Receiver) -> Result<(), Failure> {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(4 * Self::READ);
        } else {
            self.bytes.drain(..self.start);
        }
        self.searched -= self.start;
        self.start = 0;
        self.bytes.reserve(Self::READ);
        match from.try_read_buf(&mut self.bytes) {
            Ok(0) => Err(gone(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(())
            }
            Err(error) => Err(gone(error)),
        }
    }
}

/// What is to be written.
#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
}

impl Outgoing {
    fn request(&mut self, id: u64, method: &str, params: &[u8]) {
        self.bytes.reserve(64 + params.len());
        write!(self.bytes, r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":"#)
            .expect("memory takes it");
        self.bytes.extend_from_slice(params);
        self.bytes.extend_from_slice(b"}\n");
    }

    fn answer(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes as much as the pipe takes.
    fn flush(&mut self, to: &pipe::Sender) -> Result<(), Failure> {
        while self.written < self.bytes.len() {
            match to.try_write(&self.bytes[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(error)),
            }
        }
        self.bytes.clear();
        self.bytes.shrink_to(256 << 10);
        self.written = 0;
        Ok(())
    }
}
