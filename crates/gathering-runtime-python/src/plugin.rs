//! A loaded Python plugin: its calls, hooks and health, over its pool of workers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use gathering_core::{
    BoxFuture, CallContext, Caller, Health, HealthStatus, HookError, LoadError, LoadErrorKind, Plugin,
    PluginManifest, Tier, ToolCall, ToolError, ToolName, ToolOutput,
};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::frame::Refusal;
use crate::pool::{Lease, Pool};
use crate::worker::{Failure, Reply, ReturningCall};

/// The most that a hook or health check may answer, in bytes.
const MAX_HOOK_ANSWER: usize = 1 << 20;

/// A loaded Python plugin.
pub(crate) struct PythonPlugin {
    manifest: PluginManifest,
    pool: Arc<Pool>,
    /// The tools whose functions take a `context`.
    with_context: HashSet<ToolName>,
    max_output: usize,
    tier: Tier,
}

impl PythonPlugin {
    pub(crate) fn new(manifest: PluginManifest, pool: Arc<Pool>, max_output: usize, tier: Tier) -> Self {
        let with_context =
            manifest.tools.iter().filter(|tool| tool.requires_context).map(|tool| tool.name.clone());
        Self { with_context: with_context.collect(), manifest, pool, max_output, tier }
    }

    fn params(&self, call: &ToolCall, cx: &CallContext, parent: Option<u64>) -> Vec<u8> {
        let mut params = Vec::with_capacity(128);
        params.extend_from_slice(br#"{"tool":""#);
        // A tool's name has no character that JSON would escape.
        params.extend_from_slice(call.tool.as_str().as_bytes());
        params.extend_from_slice(br#"","arguments":"#);
        serde_json::to_writer(&mut params, &call.arguments).expect("arguments have a form in JSON");
        if let Some(parent) = parent {
            params.extend_from_slice(format!(r#","parent":{parent}"#).as_bytes());
        }
        if self.with_context.contains(&call.tool) {
            params.extend_from_slice(br#","context":"#);
            params.extend_from_slice(context(cx).to_string().as_bytes());
        }
        params.push(b'}');
        params
    }

    async fn call_root(&self, call: ToolCall, cx: &CallContext) -> Result<ToolOutput, ToolError> {
        let params = self.params(&call, cx, None);
        let mut lease = self.pool.lease().await.map_err(|error| self.not_started(&error))?;
        let worker = lease.worker();
        let _serving = self.pool.serve(cx.call_id(), worker.returning());
        let reply = match worker.request("call", &params, self.max_output, Some(cx)).await {
            Ok(reply) => reply,
            Err(failure) => return Err(self.lost(&call.tool, failure)),
        };
        self.outcome(&call.tool, reply, &mut lease)
    }

    /// A call from within a call of this very worker goes back into it.
    async fn call_back(
        &self,
        call: ToolCall,
        cx: &CallContext,
        returning: tokio::sync::mpsc::UnboundedSender<ReturningCall>,
        parent: u64,
    ) -> Result<ToolOutput, ToolError> {
        let params = self.params(&call, cx, Some(parent));
        let (reply, answer) = oneshot::channel();
        let ended = || ToolError::WorkerExited {
            plugin: self.manifest.metadata.id.clone(),
            reason: "the call that this one was made from has ended".into(),
        };
        returning.send(ReturningCall { params, cx: cx.clone(), reply }).map_err(|_| ended())?;
        match answer.await.map_err(|_| ended())? {
            Reply::Value(value) => Ok(value.into()),
            Reply::Refused(refusal) => Err(self.refused(&call.tool, refusal)),
            Reply::NotJson(error) => Err(self.protocol(error.to_string())),
        }
    }

    fn outcome(&self, tool: &ToolName, reply: Reply, lease: &mut Lease) -> Result<ToolOutput, ToolError> {
        match reply {
            Reply::Value(value) => {
                lease.keep();
                Ok(value.into())
            }
            Reply::Refused(refusal) => {
                let error = self.refused(tool, refusal);
                if !matches!(error, ToolError::ProtocolError { .. }) {
                    lease.keep();
                }
                Err(error)
            }
            Reply::NotJson(error) => Err(self.protocol(error.to_string())),
        }
    }

    fn refused(&self, tool: &ToolName, refusal: Refusal) -> ToolError {
        let tool = tool.clone();
        let Refusal { code, message, traceback, errors, .. } = self.pool.explain(refusal);
        match code.as_str() {
            "tool_error" => ToolError::Failed { tool, message, traceback },
            "invalid_arguments" if !errors.is_empty() => ToolError::InvalidArguments { tool, errors },
            "invalid_result" if !errors.is_empty() => ToolError::InvalidResult { tool, errors },
            "output_limit" => ToolError::OutputLimit { tool, limit: self.max_output },
            code => {
                self.protocol(format!("it refused the call with the unknown code `{}`", code.escape_debug()))
            }
        }
    }

    fn lost(&self, tool: &ToolName, failure: Failure) -> ToolError {
        match failure {
            Failure::Exited(ended) => ToolError::WorkerExited {
                plugin: self.manifest.metadata.id.clone(),
                reason: ended.to_string(),
            },
            Failure::Protocol(reason) => self.protocol(reason),
            Failure::TooMuch => ToolError::OutputLimit { tool: tool.clone(), limit: self.max_output },
        }
    }

    fn protocol(&self, reason: String) -> ToolError {
        ToolError::ProtocolError { plugin: self.manifest.metadata.id.clone(), reason }
    }

    fn not_started(&self, error: &LoadError) -> ToolError {
        if error.kind == LoadErrorKind::SandboxSetupFailed {
            return ToolError::SandboxSetupFailed { reason: error.message.clone() };
        }
        ToolError::WorkerExited {
            plugin: self.manifest.metadata.id.clone(),
            reason: format!("the one before was lost, and another could not be started: {error}"),
        }
    }

    /// Asks a worker for something other than a call. The error is for people.
    async fn ask(&self, lease: &mut Lease, method: &str) -> Result<Value, String> {
        match lease.worker().request(method, b"{}", MAX_HOOK_ANSWER, None).await {
            Ok(Reply::Value(value)) => {
                lease.keep();
                Ok(value)
            }
            Ok(Reply::Refused(refusal)) => {
                lease.keep();
                Err(self.pool.explain(refusal).message)
            }
            Ok(Reply::NotJson(error)) => Err(error.to_string()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Runs a hook in every worker that runs.
    async fn hook(&self, method: &str) -> Result<(), HookError> {
        for lease in &mut self.pool.lease_all().await.leases {
            self.ask(lease, method).await.map_err(|message| HookError { message })?;
        }
        Ok(())
    }
}

impl Plugin for PythonPlugin {
    fn manifest(&self) -> &PluginManifest {
        &self.manifest
    }

    fn call<'a>(
        &'a self,
        call: ToolCall,
        cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            match self.pool.returning(cx) {
                Some((returning, parent)) => self.call_back(call, cx, returning, parent).await,
                None => self.call_root(call, cx).await,
            }
        })
    }

    fn on_enable(&self) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async {
            // One that was lost is started again: if `on_enable` fails, it is to fail now and not at the first call.
            self.pool.lease().await.map_err(|error| HookError { message: error.to_string() })?;
            self.hook("enable").await?;
            self.pool.set_enabled(true);
            Ok(())
        })
    }

    fn on_disable(&self) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async {
            self.pool.set_enabled(false);
            self.hook("disable").await
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async {
            let Some(mut lease) = self.pool.try_lease() else {
                if self.pool.rests() {
                    let note = "no worker runs, because no call came for long: the next one starts one";
                    return Health {
                        status: HealthStatus::Healthy,
                        details: object(json!({"rests": true, "note": note})),
                    };
                }
                // Its own check would have to wait for the calls, and a plugin at work is not ill.
                let note = "every worker has work or is being started, so its own check was not run";
                return Health {
                    status: HealthStatus::Healthy,
                    details: object(json!({"busy": true, "note": note})),
                };
            };
            match self.ask(&mut lease, "health").await {
                Ok(said) => read_health(said),
                Err(message) => Health::unhealthy(message),
            }
        })
    }

    fn unload(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let all = self.pool.lease_all().await;
            self.pool.close();
            for mut lease in all.leases {
                if let Err(message) = self.ask(&mut lease, "unload").await {
                    tracing::warn!(plugin = %self.manifest.metadata.id, "its unload() failed: {message}");
                }
                lease.end().await;
            }
        })
    }

    fn tier(&self) -> Tier {
        self.tier
    }

    fn concurrency(&self) -> usize {
        self.pool.size()
    }
}

impl Drop for PythonPlugin {
    fn drop(&mut self) {
        self.pool.close();
    }
}

/// The call as the plugin's code is shown it.
fn context(cx: &CallContext) -> Value {
    let caller = match cx.caller() {
        Caller::Operator => Value::Null,
        Caller::Agent(rights) => json!({"id": rights.id, "competencies": rights.competencies}),
    };
    json!({
        "call_id": cx.call_id(),
        "trace_id": cx.trace_id(),
        "caller": caller,
        "seconds_left": cx.deadline().saturating_duration_since(Instant::now()).as_secs_f64(),
    })
}

/// What a health check said, in the documents' words: `healthy`, `degraded`, `unhealthy`, or the plugin's own status.
fn read_health(said: Value) -> Health {
    let details = object(said);
    let status = match details.get("status").and_then(Value::as_str) {
        Some("healthy" | "ok" | "loaded" | "enabled" | "disabled") => HealthStatus::Healthy,
        Some("degraded") => HealthStatus::Degraded,
        Some("unhealthy" | "error") => HealthStatus::Unhealthy,
        other => {
            let shown =
                other.map_or_else(|| "no `status`".to_owned(), |word| format!("the status `{word:.64}`"));
            let expected = "expected `healthy`, `degraded` or `unhealthy`";
            return Health::unhealthy(format!("health_check() returned {shown}: {expected}"));
        }
    };
    Health { status, details }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
