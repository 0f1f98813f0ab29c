//! `/tools`: listing, showing and calling tools.

mod provider;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use gathering_core::{CallId, Caller, Content, PluginStatus, Tier, ToolDefinition, ToolError, ToolOutput};
use gathering_host::{CallOptions, CallReport, Found, Host, Takes, Tool};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, json};
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{BadBody, BadQuery, CallFailed, Refused, UnknownTool};
use crate::request::{Json, Name, Parameters};
use crate::schemas;
use provider::Format;

/// How many tools are listed if the request does not say.
const DEFAULT_LIMIT: usize = 1_000;
/// How many tools are found if the request does not say.
const DEFAULT_FOUND: usize = 20;
/// How many tools are listed at most.
const MAX_LIMIT: usize = 10_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(execute))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only tools of this category, such as `filesystem`.
    category: Option<String>,
    /// Only tools that require this competency.
    competency: Option<String>,
    /// Only tools of this plugin.
    plugin: Option<String>,
    /// Only tools that these words are about, such as `resize a picture`, the best first.
    q: Option<String>,
    /// The list as a model provider takes it, with enabled tools only.
    #[param(inline)]
    format: Option<Format>,
    /// How many matching tools to leave out at the beginning. Default: 0.
    offset: Option<usize>,
    /// How many tools to list. Default: 1,000, and 20 with `q`; at most 10,000.
    #[param(maximum = 10_000)]
    limit: Option<usize>,
}

impl Filter {
    fn takes(&self, tool: &Tool) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        is(&self.category, tool.category.as_str())
            && is(&self.plugin, tool.plugin().as_str())
            && self.competency.as_ref().is_none_or(|wanted| {
                tool.required_competencies.iter().any(|required| required.id.as_str() == wanted)
            })
            && (self.format.is_none() || tool.status() == PluginStatus::Enabled)
    }

    /// Whether it takes whatever `caller` sees: an agent sees enabled tools only.
    fn takes_all(&self, caller: &Caller) -> bool {
        let is_for_all = self.category.is_none() && self.plugin.is_none() && self.competency.is_none();
        is_for_all && (self.format.is_none() || matches!(caller, Caller::Agent(_)))
    }
}

#[derive(Serialize)]
struct Listed<T> {
    tools: Vec<T>,
    total: usize,
    offset: usize,
    limit: usize,
}

/// A tool and where its plugin stands.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    definition: &'a ToolDefinition,
    status: PluginStatus,
    tier: Option<Tier>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(tool: &'a Tool) -> Self {
        Self { definition: tool.definition(), status: tool.status(), tier: tool.tier() }
    }
}

/// Lists the tools that the caller may call, in the order of registration; with `q`, those that it is about, best first.
#[utoipa::path(
    get, path = "/tools", operation_id = "list_tools", tag = "tools", params(Filter),
    responses((status = 200, description = "The tools", body = schemas::Tools), BadQuery, Refused),
)]
async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Parameters(filter): Parameters<Filter>,
) -> Answer {
    listed(&app, caller, filter).await
}

/// The tools that `caller` may call and `filter` takes, as it wants them.
pub(super) async fn listed(app: &App, caller: Caller, filter: Filter) -> Answer {
    let (offset, format) = (filter.offset.unwrap_or(0), filter.format);
    let default = if filter.q.is_some() { DEFAULT_FOUND } else { DEFAULT_LIMIT };
    let limit = filter.limit.unwrap_or(default).min(MAX_LIMIT);
    let host = app.host().clone();
    let (tools, total) = match filter.q {
        Some(_) => {
            // The first search of many tools takes a while.
            let found = tokio::task::spawn_blocking(move || find(&host, &caller, &filter, offset, limit));
            found.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        }
        None => {
            let all = host.tools_for(&caller);
            let page = |tools: &mut dyn Iterator<Item = &Arc<Tool>>| {
                tools.skip(offset).take(limit).cloned().collect()
            };
            if filter.takes_all(&caller) {
                (page(&mut all.iter()), all.len())
            } else {
                let matching: Vec<_> = all.iter().filter(|tool| filter.takes(tool)).collect();
                (page(&mut matching.iter().copied()), matching.len())
            }
        }
    };
    let tools: Vec<Arc<Tool>> = tools;
    match format {
        None => {
            json(&Listed { tools: tools.iter().map(|tool| Shown::new(tool)).collect(), total, offset, limit })
        }
        Some(format) => json(&Listed {
            tools: tools.iter().map(|tool| format.write(tool)).collect(),
            total,
            offset,
            limit,
        }),
    }
}

/// The page of the tools that the filter's `q` is about, and how many there are.
fn find(
    host: &Host,
    caller: &Caller,
    filter: &Filter,
    offset: usize,
    limit: usize,
) -> (Vec<Arc<Tool>>, usize) {
    let takes = |tool: &Tool| filter.takes(tool);
    let takes: Option<Takes<'_>> = if filter.takes_all(caller) { None } else { Some(&takes) };
    let query = filter.q.as_deref().unwrap_or_default();
    let Found { mut tools, total } = host.search(caller, query, offset.saturating_add(limit), takes);
    (tools.split_off(offset.min(tools.len())), total)
}

/// Shows a tool.
#[utoipa::path(
    get, path = "/tools/{name}", operation_id = "show_tool", tag = "tools",
    params(("name" = String, Path, description = "The tool.")),
    responses(
        (status = 200, description = "The tool", body = schemas::Tool),
        UnknownTool,
        Refused,
    ),
)]
async fn show(State(app): State<App>, Extension(caller): Extension<Caller>, Name(name): Name) -> Answer {
    json(&Shown::new(&*app.host().tool_for(&caller, &name)?))
}

/// What a tool is called with.
#[derive(Default, ToSchema)]
struct ExecuteRequest {
    /// The arguments by name. Default: none.
    #[schema(value_type = Object, required = false)]
    arguments: Map<String, Value>,
    /// How long the call may take, in seconds; never longer than the server allows. Default: the server's.
    #[schema(value_type = f64, required = false, exclusive_minimum = 0, nullable = false)]
    timeout: Option<Duration>,
}

impl ExecuteRequest {
    /// By hand, so that the arguments are moved and not built a second time.
    fn new(body: Option<Value>) -> Result<Self, Problem> {
        let mut request = Self::default();
        let fields = match body {
            None => return Ok(request),
            Some(Value::Object(fields)) => fields,
            Some(_) => {
                return Err(Problem::bad_field("", "the body must be an object such as {\"arguments\": {}}"));
            }
        };
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("arguments", Value::Object(arguments)) => request.arguments = arguments,
                ("arguments" | "timeout", Value::Null) => {}
                ("arguments", _) => {
                    return Err(Problem::bad_field("/arguments", "`arguments` must be an object"));
                }
                ("timeout", value) => request.timeout = Some(seconds(&value)?),
                (other, _) => {
                    let shown: String = other.chars().take(64).flat_map(char::escape_debug).collect();
                    let message = format!("`{shown}` is not expected here; what is: `arguments`, `timeout`");
                    return Err(Problem::bad_field("", message));
                }
            }
        }
        Ok(request)
    }
}

fn seconds(value: &Value) -> Result<Duration, Problem> {
    value
        .as_f64()
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| Problem::bad_field("/timeout", "`timeout` must be a number of seconds greater than 0"))
}

/// What came of a call.
#[derive(Serialize, ToSchema)]
#[schema(as = Execution)]
pub(super) struct Execution<'a> {
    /// What the tool returned; null if it failed.
    result: &'a Value,
    /// The same in parts, for a model or a person.
    #[schema(value_type = Vec<schemas::Content>)]
    content: Parts<'a>,
    /// Whether the tool itself failed.
    is_error: bool,
    /// How the tool failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<ToolFailure<'a>>,
    /// The call.
    #[schema(value_type = String)]
    call_id: CallId,
    /// How long it took, in milliseconds.
    duration_ms: f64,
    /// How what ran the tool is confined.
    #[schema(value_type = Option<schemas::Tier>)]
    tier: Option<Tier>,
}

/// How a tool failed.
#[derive(Serialize, ToSchema)]
struct ToolFailure<'a> {
    /// `tool_error`, or the limit that it came to, such as `time_limit`.
    code: &'static str,
    /// What the tool said.
    message: &'a str,
    /// Where in the plugin's own code.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    traceback: &'a str,
}

/// [`ToolOutput::content`], written without copying the value.
struct Parts<'a>(&'a ToolOutput);

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Derived<'a> {
    Text { text: &'a str },
    Json { value: &'a Value },
}

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0.value {
            _ if !self.0.parts.is_empty() => self.0.parts.serialize(to),
            Value::String(text) => [Derived::Text { text }].serialize(to),
            value => [Derived::Json { value }].serialize(to),
        }
    }
}

/// Calls a tool.
///
/// A failure of the tool itself is an answer too: `is_error` is true and `error` says what it said. If the client goes
/// away, the call is stopped.
#[utoipa::path(
    post, path = "/tools/{name}/execute", operation_id = "execute_tool", tag = "tools",
    params(("name" = String, Path, description = "The tool.")),
    request_body(content = ExecuteRequest, example = json!({"arguments": {"x": 5, "y": 3}})),
    responses((status = 200, description = "The tool was called", body = Execution), Refused, BadBody, CallFailed),
)]
async fn execute(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(tool): Name,
    Json(body): Json,
) -> Answer {
    let ExecuteRequest { arguments, timeout } = ExecuteRequest::new(body)?;
    answered(app.host().execute(caller, &tool, arguments, CallOptions { timeout }).await)
}

/// What came of a call, as an answer.
pub(super) fn answered(report: CallReport) -> Answer {
    let CallReport { call_id, duration, tier, outcome, .. } = report;
    let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
    match outcome {
        Ok(output) => {
            let (result, content) = (&output.value, Parts(&output));
            json(&Execution { result, content, is_error: false, error: None, call_id, duration_ms, tier })
        }
        Err(failed @ (ToolError::Failed { .. } | ToolError::LimitReached { .. })) => {
            let message = failed.to_string();
            let text = Content::Text { text: message.clone() };
            let output = ToolOutput { value: Value::Null, parts: vec![text] };
            let traceback = match &failed {
                ToolError::Failed { traceback, .. } => traceback,
                _ => "",
            };
            let error = ToolFailure { code: failed.code(), message: &message, traceback };
            let (result, content) = (&output.value, Parts(&output));
            json(&Execution {
                result,
                content,
                is_error: true,
                error: Some(error),
                call_id,
                duration_ms,
                tier,
            })
        }
        Err(error) => Err(Problem::call(call_id, error)),
    }
}
