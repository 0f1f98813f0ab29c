//! The path of a call: the only way to a plugin's code.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gathering_core::{
    AgentRights, Asked, Asking, AskingRefused, Authoring, AuthoringRefused, BoxFuture, CallContext, CallId,
    Caller, Evaluated, Evaluation, EvaluationError, FileOperation, HostServices, Instructions,
    InstructionsError, LoadErrorKind, PluginStatus, Tier, ToolCall, ToolDefinition, ToolError, ToolName,
    ToolOutput, TraceId, json,
};
use serde_json::{Map, Value};
use tracing::Instrument;

use crate::admit::Origin;
use crate::event::EventKind;
use crate::gate;
use crate::host::{Host, Inner};
use crate::instance::Instance;
use crate::journal::{self, Arguments};
use crate::table::nearest;
use crate::tool::Tool;

/// What a caller may say about a call.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallOptions {
    /// How long it may take; the host's default if absent, never more than the host's maximum.
    pub timeout: Option<Duration>,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// The call.
    pub call_id: CallId,
    /// What it belongs to.
    pub trace_id: TraceId,
    /// From the first step to the last.
    pub duration: Duration,
    /// How what ran it is confined; `None` if nothing ran.
    pub tier: Option<Tier>,
    /// The result, or why there is none.
    pub outcome: Result<ToolOutput, ToolError>,
}

impl Host {
    /// Calls a tool: looks it up, passes the gate, checks the arguments, waits for a permit, runs it under a deadline,
    /// checks the result, and reports. Dropping the future stops the work.
    pub async fn execute(
        &self,
        caller: Caller,
        tool: &str,
        arguments: Map<String, Value>,
        options: CallOptions,
    ) -> CallReport {
        let origin = Origin::root(&self.inner, caller, options);
        Inner::execute(&self.inner, origin, tool, arguments).await
    }
}

impl Inner {
    async fn execute(
        this: &Arc<Self>,
        origin: Origin,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> CallReport {
        let started = origin.started;
        let call_id = this.next_call();
        let trace_id = origin.trace_id(call_id);
        let span = tracing::debug_span!(
            "execute_tool",
            otel.name = "execute_tool",
            gen_ai.tool.name = tool,
            gen_ai.tool.call.id = %call_id
        );
        let mut tier = None;
        let outcome = Self::run(this, origin, call_id, tool, arguments, &mut tier).instrument(span).await;
        CallReport { call_id, trace_id, duration: started.elapsed(), tier, outcome }
    }

    async fn run(
        this: &Arc<Self>,
        origin: Origin,
        call_id: CallId,
        tool: &str,
        mut arguments: Map<String, Value>,
        tier: &mut Option<Tier>,
    ) -> Result<ToolOutput, ToolError> {
        let row = this.journal.as_ref().map(|journal| Arguments::of(&arguments, journal.max_arguments()));
        let admitted =
            Self::admit(this, origin, call_id, tool, row, |tool| this.check_arguments(tool, &mut arguments))
                .await?;
        let tool = admitted.tool().clone();
        let outcome = this.call(&tool, arguments, &admitted.context(), admitted.limit()).await;
        *tier = tool.tier();
        admitted.conclude(outcome, |tool, output| {
            this.check_output(tool, output)?;
            tool.instance.secrets().redact_output(output);
            Ok(this.journal.as_ref().map(|_| journal::digest(output)))
        })
    }

    /// Step 3: checks the arguments and fills in their defaults.
    fn check_arguments(&self, tool: &Tool, arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
        let limit = self.limits.max_arguments;
        if arguments_size(arguments, limit) > limit {
            return Err(ToolError::TooLarge { what: format!("the arguments of `{}`", tool.name), limit });
        }
        tool.parameters
            .arguments(arguments)
            .map_err(|errors| ToolError::InvalidArguments { tool: tool.name.clone(), errors })
    }

    /// Step 5: runs the call under its deadline.
    pub(crate) async fn call(
        &self,
        tool: &Tool,
        arguments: Map<String, Value>,
        cx: &CallContext,
        limit: Duration,
    ) -> Result<ToolOutput, ToolError> {
        let deadline = cx.deadline();
        let timed_out = || ToolError::TimedOut { tool: tool.name.clone(), limit };
        let plugin = match tool.instance.started() {
            Some(plugin) => plugin,
            None => {
                let start = tool.instance.start(self.limits.load_timeout, self.progress(tool.plugin()));
                let started =
                    tokio::time::timeout_at(deadline.into(), start).await.map_err(|_| timed_out())?;
                started.map_err(|error| {
                    let plugin_id = tool.plugin().clone();
                    self.publish_event(EventKind::PluginFailed { plugin_id, error: error.to_string() });
                    if error.kind == LoadErrorKind::SandboxSetupFailed {
                        return ToolError::SandboxSetupFailed { reason: error.message };
                    }
                    let reason = format!("it could not be started: {error}");
                    let status = PluginStatus::Error;
                    ToolError::WrongState { plugin: tool.plugin().clone(), status, reason }
                })?
            }
        };
        let call = plugin.call(ToolCall { tool: tool.name.clone(), arguments }, cx);
        tokio::select! {
            biased;
            answer = tokio::time::timeout_at(deadline.into(), call) => answer.map_err(|_| timed_out())?,
            () = tool.instance.stopped() => {
                if self.is_shutting_down() {
                    return Err(ToolError::ShuttingDown);
                }
                let reason = "it was unloaded while the call ran, and the call was stopped".to_owned();
                let status = PluginStatus::Unloaded;
                Err(ToolError::WrongState { plugin: tool.plugin().clone(), status, reason })
            }
        }
    }

    /// Step 6: checks the result and its size.
    pub(crate) fn check_output(&self, tool: &Tool, output: &ToolOutput) -> Result<(), ToolError> {
        let most = self.limits.max_output;
        let parts: usize = output.parts.iter().map(part_size).sum();
        if json::size_up_to(&output.value, most).saturating_add(parts) > most {
            return Err(ToolError::OutputLimit { tool: tool.name.clone(), limit: most });
        }
        tool.returns
            .value(&output.value)
            .map_err(|errors| ToolError::InvalidResult { tool: tool.name.clone(), errors })
    }

    /// The context of a call that no other one makes.
    pub(crate) fn root_context(
        self: &Arc<Self>,
        instance: &Instance,
        caller: Caller,
        deadline: Instant,
    ) -> CallContext {
        let id = self.ids.next();
        let (call, trace) = (CallId(id), TraceId(id));
        CallContext::new(
            call,
            trace,
            caller,
            instance.id.clone(),
            instance.number,
            deadline,
            None,
            self.clone(),
        )
    }

    /// Step 7.
    pub(crate) fn report(&self, call_id: CallId, tool: &Tool, origin: &Origin, error: Option<&ToolError>) {
        if !self.events.is_watched() && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let (code, duration) = (error.map(ToolError::code), origin.started.elapsed());
        tracing::debug!(%call_id, tool = %tool.name, ?duration, code, "called");
        if self.events.is_watched() {
            let caller = origin.caller.name().into();
            let (tool, plugin_id) = (tool.name.clone(), tool.plugin().clone());
            self.publish_event(EventKind::ToolCalled {
                call_id,
                tool,
                plugin_id,
                caller,
                duration_ms: duration.as_secs_f64() * 1000.0,
                code,
            });
        }
    }

    /// The tool of this name, if `caller` may call it; to the operator, any that is registered.
    pub(crate) fn visible_tool(
        &self,
        snapshot: &crate::Snapshot,
        caller: &Caller,
        tool: &str,
    ) -> Result<Arc<Tool>, ToolError> {
        let found = self.registered_tool(snapshot, caller, tool)?;
        match caller {
            Caller::Operator => {}
            agent => gate::may_call(self, snapshot, agent, found)?,
        }
        Ok(found.clone())
    }

    /// The tools that `caller` may call; to the operator, all that are registered.
    pub(crate) fn visible_tools(&self, snapshot: &crate::Snapshot, caller: &Caller) -> Arc<[Arc<Tool>]> {
        match caller {
            Caller::Operator => snapshot.tools.list(),
            Caller::Agent(rights) if rights.lineage().any(AgentRights::is_withdrawn) => Arc::default(),
            Caller::Agent(rights) => self.views.of(snapshot, rights).tools(self, snapshot),
        }
    }
}

impl HostServices for Inner {
    fn call_tool<'a>(
        &'a self,
        cx: &'a CallContext,
        tool: &'a str,
        arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let Some(this) = self.this.upgrade() else { return Err(ToolError::ShuttingDown) };
            let origin = Origin::within(self, cx);
            Self::execute(&this, origin, tool, arguments).await.outcome
        })
    }

    fn find_tool(&self, cx: &CallContext, tool: &str) -> Option<Arc<ToolDefinition>> {
        let snapshot = self.snapshot.load();
        let found = snapshot.tools.get(tool)?;
        gate::may_call(self, &snapshot, &self.caller_within(cx), found)
            .ok()
            .map(|()| found.definition().clone())
    }

    fn file_tool(&self, path: &str, operation: FileOperation) -> Option<ToolName> {
        self.snapshot.load().file_handler_for(path)?.tools.get(&operation).cloned()
    }

    fn list_tools(&self, cx: &CallContext) -> Vec<Arc<ToolDefinition>> {
        let snapshot = self.snapshot.load();
        self.visible_tools(&snapshot, &self.caller_within(cx))
            .iter()
            .map(|tool| tool.definition().clone())
            .collect()
    }

    fn search_tools(&self, cx: &CallContext, query: &str, limit: usize) -> Vec<Arc<ToolDefinition>> {
        let found = self.search_for(&self.caller_within(cx), query, limit, None);
        found.tools.iter().map(|tool| tool.definition().clone()).collect()
    }

    fn instructions(
        &self,
        cx: &CallContext,
        competency: &str,
        file: Option<&str>,
    ) -> Result<Instructions, InstructionsError> {
        Inner::instructions(self, &self.caller_within(cx), competency, file)
    }

    fn author<'a>(
        &'a self,
        cx: &'a CallContext,
        wanted: Authoring,
    ) -> BoxFuture<'a, Result<Value, AuthoringRefused>> {
        Box::pin(self.author_for(cx, wanted))
    }

    fn evaluate<'a>(
        &'a self,
        _cx: &'a CallContext,
        evaluation: Evaluation,
    ) -> BoxFuture<'a, Result<Evaluated, EvaluationError>> {
        match self.evaluator.get() {
            Some(evaluator) => evaluator.evaluate(evaluation),
            None => Box::pin(async {
                Err(EvaluationError::Unavailable("this GatheRing has no Python".to_owned()))
            }),
        }
    }

    fn ask_model<'a>(
        &'a self,
        cx: &'a CallContext,
        asking: Asking,
    ) -> BoxFuture<'a, Result<Asked, AskingRefused>> {
        Box::pin(async move {
            let Some(models) = &self.models else {
                let message = "this GatheRing has no language models".to_owned();
                return Err(AskingRefused { code: "no_model", message });
            };
            models.ask(&self.caller_within(cx), asking).await
        })
    }
}

pub(crate) fn unknown<'a>(tool: &str, names: impl Iterator<Item = &'a ToolName>) -> ToolError {
    let shown: String = tool.chars().take(64).flat_map(char::escape_debug).collect();
    ToolError::UnknownTool { nearest: nearest(names, tool), tool: shown }
}

fn arguments_size(arguments: &Map<String, Value>, limit: usize) -> usize {
    let mut size = 2;
    for (name, value) in arguments {
        size += name.len() + 4 + json::size_up_to(value, limit);
        if size > limit {
            break;
        }
    }
    size
}

fn part_size(part: &gathering_core::Content) -> usize {
    use gathering_core::Content;
    match part {
        Content::Text { text } => text.len(),
        Content::Image { data, .. } | Content::Audio { data, .. } => data.len(),
        Content::ResourceLink { uri, name, .. } => uri.len() + name.len(),
        Content::Json { value } => json::size_up_to(value, usize::MAX),
    }
}

/// Call ids: random in the upper half, counted in the lower, so that one costs no system call.
pub(crate) struct Ids {
    upper: u64,
    next: AtomicU64,
}

impl Ids {
    pub(crate) fn new() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        let number = u128::from_le_bytes(bytes);
        Self { upper: (number >> 64) as u64 | 1, next: AtomicU64::new(number as u64 >> 8) }
    }

    pub(crate) fn next(&self) -> u128 {
        u128::from(self.upper) << 64 | u128::from(self.next.fetch_add(1, Ordering::Relaxed))
    }
}
