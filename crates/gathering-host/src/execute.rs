//! The path of a call: the only way to a plugin's code.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gathering_core::{
    Authoring, AuthoringRefused, BoxFuture, CallContext, CallId, Caller, Evaluated, Evaluation,
    EvaluationError, HostServices, LoadErrorKind, PluginStatus, Tier, ToolCall, ToolDefinition, ToolError,
    ToolName, ToolOutput, TraceId, json,
};
use serde_json::{Map, Value};
use tokio::sync::SemaphorePermit;
use tracing::Instrument;

use crate::event::EventKind;
use crate::gate;
use crate::host::{Host, Inner};
use crate::instance::{Instance, NoPermit};
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
        let limits = &self.inner.limits;
        let longest = gate::longest_call(&caller).unwrap_or(limits.max_timeout).min(limits.max_timeout);
        let limit = options.timeout.unwrap_or(limits.call_timeout).min(longest);
        let deadline = Instant::now() + limit;
        let origin = Origin { caller, deadline, limit, parent: None };
        Inner::execute(&self.inner, origin, tool, arguments).await
    }
}

/// Who calls, until when, and from within which call.
struct Origin {
    caller: Caller,
    deadline: Instant,
    limit: Duration,
    parent: Option<CallContext>,
}

impl Inner {
    async fn execute(
        this: &Arc<Self>,
        origin: Origin,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> CallReport {
        let started = Instant::now();
        let call_id = CallId(this.ids.next());
        let trace_id = match &origin.parent {
            Some(parent) => parent.trace_id(),
            None => TraceId(call_id.0),
        };
        let span = tracing::debug_span!(
            "execute_tool",
            otel.name = "execute_tool",
            gen_ai.tool.name = tool,
            gen_ai.tool.call.id = %call_id
        );
        let mut called = None;
        let outcome =
            Self::run(this, origin, call_id, trace_id, tool, arguments, &mut called).instrument(span).await;
        let duration = started.elapsed();
        let tier = called.as_ref().and_then(|(tool, _)| tool.tier());
        if let Some((tool, caller)) = called {
            this.report(call_id, &tool, &caller, duration, outcome.as_ref().err());
        }
        CallReport { call_id, trace_id, duration, tier, outcome }
    }

    async fn run(
        this: &Arc<Self>,
        origin: Origin,
        call_id: CallId,
        trace_id: TraceId,
        tool: &str,
        mut arguments: Map<String, Value>,
        called: &mut Option<(Arc<Tool>, Caller)>,
    ) -> Result<ToolOutput, ToolError> {
        gate::count_call(&origin.caller)?;
        loop {
            let found = this.admit(&origin, tool, &mut arguments)?;
            called.get_or_insert_with(|| (found.clone(), origin.caller.clone())).0.clone_from(&found);
            let instance = &found.instance;
            let _in_flight = instance.enter();
            let _permit = match this.permit(&origin, &found).await {
                Ok(permit) => permit,
                // A new generation has taken over, or nobody has; looking again tells which.
                Err(NoPermit::Stopped) if this.is_replaced(&found) => continue,
                Err(no_permit) => return Err(refusal(no_permit, &origin, &found)),
            };
            let cx = CallContext::new(
                call_id,
                trace_id,
                origin.caller,
                instance.id.clone(),
                instance.number,
                origin.deadline,
                origin.parent,
                this.clone(),
            );
            let mut outcome = this.call(&found, arguments, &cx, origin.limit).await;
            found.instance.secrets().redact_outcome(&mut outcome);
            return outcome;
        }
    }

    /// Steps 1 to 3: looks the tool up, passes the gate, checks the arguments and fills in their defaults.
    fn admit(
        &self,
        origin: &Origin,
        tool: &str,
        arguments: &mut Map<String, Value>,
    ) -> Result<Arc<Tool>, ToolError> {
        if self.is_shutting_down() {
            return Err(ToolError::ShuttingDown);
        }
        let snapshot = self.snapshot.load();
        let found = self.registered_tool(&snapshot, &origin.caller, tool)?;
        gate::may_call(self, &snapshot, &origin.caller, found)?;
        if let Some(parent) = &origin.parent
            && parent.chain().nth(self.limits.max_depth - 1).is_some()
        {
            let reason =
                format!("tools may call each other {} deep, and this call is deeper", self.limits.max_depth);
            return Err(ToolError::Forbidden { reason });
        }
        let limit = self.limits.max_arguments;
        if arguments_size(arguments, limit) > limit {
            return Err(ToolError::TooLarge { what: format!("the arguments of `{}`", found.name), limit });
        }
        found
            .parameters
            .arguments(arguments)
            .map_err(|errors| ToolError::InvalidArguments { tool: found.name.clone(), errors })?;
        Ok(found.clone())
    }

    /// Step 4. A call from within a call of the same generation runs under that one's permit.
    async fn permit<'a>(
        &self,
        origin: &Origin,
        tool: &'a Tool,
    ) -> Result<Option<SemaphorePermit<'a>>, NoPermit> {
        let instance = &tool.instance;
        let held = origin.parent.as_ref().is_some_and(|parent| {
            parent.chain().any(|cx| cx.instance() == instance.number && *cx.plugin() == instance.id)
        });
        if held { Ok(None) } else { instance.permit(self.limits.queue, origin.deadline).await.map(Some) }
    }

    fn is_replaced(&self, tool: &Tool) -> bool {
        let snapshot = self.snapshot.load();
        snapshot.tools.get(tool.name.as_str()).is_some_and(|now| now.instance.number != tool.instance.number)
    }

    /// Steps 5 and 6: runs the call under its deadline, then checks the result and its size.
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
        let output = tokio::select! {
            biased;
            answer = tokio::time::timeout_at(deadline.into(), call) => answer.map_err(|_| timed_out())??,
            () = tool.instance.stopped() => {
                if self.is_shutting_down() {
                    return Err(ToolError::ShuttingDown);
                }
                let reason = "it was unloaded while the call ran, and the call was stopped".to_owned();
                let status = PluginStatus::Unloaded;
                return Err(ToolError::WrongState { plugin: tool.plugin().clone(), status, reason });
            }
        };
        let most = self.limits.max_output;
        let parts: usize = output.parts.iter().map(part_size).sum();
        if json::size_up_to(&output.value, most).saturating_add(parts) > most {
            return Err(ToolError::OutputLimit { tool: tool.name.clone(), limit: most });
        }
        tool.returns
            .value(&output.value)
            .map_err(|errors| ToolError::InvalidResult { tool: tool.name.clone(), errors })?;
        Ok(output)
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
    fn report(
        &self,
        call_id: CallId,
        tool: &Tool,
        caller: &Caller,
        duration: Duration,
        error: Option<&ToolError>,
    ) {
        let code = error.map(ToolError::code);
        tracing::debug!(%call_id, tool = %tool.name, ?duration, code, "called");
        if self.events.is_watched() {
            let caller = caller.name().into();
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

    /// The tool of this name, whoever may call it.
    fn registered_tool<'a>(
        &self,
        snapshot: &'a crate::Snapshot,
        caller: &Caller,
        tool: &str,
    ) -> Result<&'a Arc<Tool>, ToolError> {
        snapshot.tools.get(tool).ok_or_else(|| {
            let visible = self.visible_tools(snapshot, caller);
            unknown(tool, visible.iter().map(|tool| &tool.name))
        })
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
        let all = snapshot.tools.list();
        match caller {
            Caller::Operator => all,
            agent => all
                .iter()
                .filter(|tool| gate::may_call(self, snapshot, agent, tool).is_ok())
                .cloned()
                .collect(),
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
            let origin = Origin {
                caller: self.caller_within(cx),
                deadline: cx.deadline(),
                limit: cx.deadline().saturating_duration_since(Instant::now()),
                parent: Some(cx.clone()),
            };
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

    fn list_tools(&self, cx: &CallContext) -> Vec<Arc<ToolDefinition>> {
        let snapshot = self.snapshot.load();
        self.visible_tools(&snapshot, &self.caller_within(cx))
            .iter()
            .map(|tool| tool.definition().clone())
            .collect()
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
        match &self.evaluator {
            Some(evaluator) => evaluator.evaluate(evaluation),
            None => Box::pin(async {
                Err(EvaluationError::Unavailable("this GatheRing has no Python".to_owned()))
            }),
        }
    }
}

fn refusal(no_permit: NoPermit, origin: &Origin, tool: &Tool) -> ToolError {
    match no_permit {
        NoPermit::Busy(waiting) => ToolError::Busy { plugin: tool.plugin().clone(), waiting },
        NoPermit::TimedOut => ToolError::TimedOut { tool: tool.name.clone(), limit: origin.limit },
        NoPermit::Stopped => {
            let reason = "it was unloaded before the call began".to_owned();
            ToolError::WrongState { plugin: tool.plugin().clone(), status: PluginStatus::Unloaded, reason }
        }
    }
}

fn unknown<'a>(tool: &str, names: impl Iterator<Item = &'a ToolName>) -> ToolError {
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

    fn next(&self) -> u128 {
        u128::from(self.upper) << 64 | u128::from(self.next.fetch_add(1, Ordering::Relaxed))
    }
}
