//! What a plugin's code asks of the host while it serves a call: other tools, and which tools there are.

use std::collections::{HashMap, HashSet};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use gathering_core::{BoxFuture, CallContext, ToolError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::{Failure, Outgoing, Reply, ReturningCall};

/// The most that one call may ask at once.
const MOST: usize = 1024;

/// The nested requests of one root call, and the calls that came back because of them.
#[derive(Default)]
pub(super) struct Nested {
    /// Asked and not answered.
    open: HashSet<u64>,
    answers: FuturesUnordered<BoxFuture<'static, (u64, Vec<u8>)>>,
    /// The calls that came back, by the host's number for the request.
    returned: HashMap<u64, (CallContext, oneshot::Sender<Reply>)>,
}

#[derive(Deserialize)]
struct Params {
    /// The host's number for the call whose code asks; 0 if the worker cannot tell.
    call: u64,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

impl Nested {
    /// Begins to answer the worker's request `asked`, made while it serves the root request `root`.
    ///
    /// It is made in the name of the root call's caller. What the worker says about which of its calls it comes from
    /// is believed only as far as these are calls within that root call.
    pub(super) fn ask(
        &mut self,
        asked: u64,
        method: &str,
        params: &str,
        root: u64,
        cx: Option<&CallContext>,
        outgoing: &mut Outgoing,
    ) -> Result<(), Failure> {
        let params: Params = serde_json::from_str(params)
            .map_err(|error| Failure::Protocol(format!("a request has malformed parameters ({error})")))?;
        if self.open.len() >= MOST {
            return Err(Failure::Protocol(format!("more than {MOST} requests are open at once")));
        }
        let within = if params.call == root || params.call == 0 {
            cx
        } else {
            self.returned.get(&params.call).map(|(cx, _)| cx)
        };
        let Some(within) = within else {
            let message = "tools can be called only while a tool is called, by that call's code";
            outgoing.answer(&refused(asked, message, json!({"code": "wrong_state"})));
            return Ok(());
        };
        if !self.open.insert(asked) {
            return Err(Failure::Protocol(format!("the request {asked} was made twice")));
        }
        let cx = within.on_branch(asked);
        match method {
            "execute" => self.answers.push(Box::pin(async move {
                let outcome = cx.services().call_tool(&cx, &params.tool, params.arguments).await;
                (
                    asked,
                    match outcome {
                        Ok(output) => result(asked, &output.value),
                        Err(error) => failed(asked, &error),
                    },
                )
            })),
            "find_tool" => {
                let found = cx.services().find_tool(&cx, &params.tool);
                self.open.remove(&asked);
                outgoing.answer(&result(asked, &found));
            }
            "list_tools" => {
                self.open.remove(&asked);
                outgoing.answer(&result(asked, &cx.services().list_tools(&cx)));
            }
            other => {
                let shown: String = other.chars().take(64).flat_map(char::escape_debug).collect();
                return Err(Failure::Protocol(format!("there is no method called `{shown}`")));
            }
        }
        Ok(())
    }

    /// Waits until one of the nested requests can be answered; for ever if there are none.
    pub(super) async fn next_answer(&mut self, outgoing: &mut Outgoing) {
        if self.answers.is_empty() {
            std::future::pending::<()>().await;
        }
        if let Some((asked, frame)) = self.answers.next().await {
            self.open.remove(&asked);
            outgoing.answer(&frame);
        }
    }

    /// A call came back and was sent to the worker as its request `id`.
    pub(super) fn returned(&mut self, id: u64, call: ReturningCall) {
        self.returned.insert(id, (call.cx, call.reply));
    }

    /// The worker answered a call that had come back.
    pub(super) fn answered(&mut self, id: u64, reply: Reply) {
        if let Some((_, waiting)) = self.returned.remove(&id) {
            // Whoever made it may have gone; then nobody wants the answer.
            let _ = waiting.send(reply);
        }
    }

    /// Tells the worker that no more answers will come.
    pub(super) fn abandon(self, outgoing: &mut Outgoing) {
        let message = "the call that asked for it has ended";
        for asked in self.open {
            outgoing.answer(&refused(asked, message, json!({"code": "wrong_state"})));
        }
    }
}

fn result(id: u64, value: &impl serde::Serialize) -> Vec<u8> {
    let mut frame = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#).into_bytes();
    serde_json::to_writer(&mut frame, value).expect("values and definitions have a form in JSON");
    frame.extend_from_slice(b"}\n");
    frame
}

fn failed(id: u64, error: &ToolError) -> Vec<u8> {
    let errors = match error {
        ToolError::InvalidArguments { errors, .. } | ToolError::InvalidResult { errors, .. } => {
            errors.as_slice()
        }
        _ => &[],
    };
    refused(id, &error.to_string(), json!({"code": error.code(), "errors": errors}))
}

fn refused(id: u64, message: &str, data: Value) -> Vec<u8> {
    let mut frame =
        json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32000, "message": message, "data": data}})
            .to_string()
            .into_bytes();
    frame.push(b'\n');
    frame
}
