//! The functions behind tools: where each kind runs, and how it is stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use gathering_core::{ArgumentError, BoxFuture, CallContext, ToolCall, ToolError, ToolName, ToolOutput};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use super::Failure;

type Arguments = Map<String, Value>;
type Outcome = Result<ToolOutput, ToolError>;

type Direct = dyn Fn(ToolName, Arguments, &CallContext) -> Outcome + Send + Sync;
type Blocking = dyn Fn(ToolName, Arguments, &CallContext, &Cancel) -> Outcome + Send + Sync;
type Async = dyn Fn(ToolName, Arguments, CallContext) -> BoxFuture<'static, Outcome> + Send + Sync;

/// The function behind a tool, with its types erased.
pub(super) enum Function {
    /// Runs where the call is made.
    Direct(Box<Direct>),
    /// Runs on a thread for work that blocks.
    Blocking(Arc<Blocking>),
    /// Waits where the call is made.
    Async(Box<Async>),
}

/// Tells a function that runs on a thread of its own that nobody waits for its result any more.
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Whether the call was dropped: its deadline passed, its caller went away, or its plugin is being unloaded.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Ends the function when the call was dropped: `cancel.check()?` in every loop that may take long.
    pub fn check(&self) -> Result<(), Failure> {
        if self.is_cancelled() { Err(Failure::new("the call was cancelled")) } else { Ok(()) }
    }
}

/// Cancels when it is dropped.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// The arguments as the function takes them. They fit the tool's schema; where that lets through what the function
/// cannot take, the call is refused with the reason.
pub(super) fn typed<A: DeserializeOwned>(tool: &ToolName, arguments: Arguments) -> Result<A, ToolError> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| ToolError::InvalidArguments {
        tool: tool.clone(),
        errors: vec![ArgumentError { pointer: String::new(), message: error.to_string() }],
    })
}

/// A panic ends the call it happens in and nothing else.
fn caught(tool: &ToolName, run: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| Err(Failure::panic(&*payload).of(tool)))
}

impl Function {
    /// Runs the function. `permit` is given back when it no longer runs, which for a blocking one that was cancelled is
    /// later than the end of the call.
    pub(super) async fn run(
        &self,
        call: ToolCall,
        cx: &CallContext,
        permit: impl Future<Output = OwnedSemaphorePermit>,
    ) -> Outcome {
        let ToolCall { tool, arguments } = call;
        match self {
            Self::Direct(function) => {
                let name = tool.clone();
                caught(&tool, || function(name, arguments, cx))
            }
            Self::Async(function) => {
                let running = AssertUnwindSafe(function(tool.clone(), arguments, cx.clone())).catch_unwind();
                running.await.unwrap_or_else(|payload| Err(Failure::panic(&*payload).of(&tool)))
            }
            Self::Blocking(function) => {
                let permit = permit.await;
                let (function, cx, cancel) = (function.clone(), cx.clone(), Cancel::default());
                let _cancelled = CancelOnDrop(cancel.clone());
                let name = tool.clone();
                let running = tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    let tool = name.clone();
                    caught(&tool, || function(name, arguments, &cx, &cancel))
                });
                running.await.unwrap_or_else(|error| {
                    Err(Failure::new(format!("the tool was stopped: {error}")).of(&tool))
                })
            }
        }
    }
}
