//! `/calls`: the journal of calls.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream::{self, Stream};
use gathering_core::{CallFilter, CallPage, Caller, Journal, JournalError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, json};
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{BadQuery, Refused, UnknownCall};
use crate::request::{Name, Parameters};
use crate::schemas;

/// How many rows a page has if nobody says so, and how many an export reads at once.
const PAGE: usize = 100;
const EXPORTED: usize = 1_000;
/// How long a watcher may wait for a row, in seconds.
const MAX_WAIT: f64 = 60.0;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// Which calls are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only calls of this caller: `operator`, or the id of an agent. An agent is shown its own only.
    caller: Option<String>,
    /// Only calls of this tool.
    tool: Option<String>,
    /// Only calls of tools of this plugin.
    plugin: Option<String>,
    /// Only calls that were let through to their plugin (`allowed`), or only those that were not (`refused`).
    #[param(inline)]
    decision: Option<Decided>,
    /// Only calls that gave a result (`ok`), or only those with this code of an error, such as `timed_out` or `cancelled`.
    code: Option<String>,
    /// Only what one request caused.
    trace_id: Option<String>,
    /// Not before this, in milliseconds since 1970-01-01 UTC.
    since: Option<i64>,
    /// Before this, in milliseconds since 1970-01-01 UTC.
    until: Option<i64>,
    /// How many rows. Default: 100.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
    /// Go on where a page ended: its `next`.
    cursor: Option<i64>,
    /// Oldest first, after the row of this number, which is `newest` of another answer: for whoever follows the journal.
    after: Option<i64>,
    /// With `after`: how many seconds to wait for a row if there is none yet. Default: 0.
    #[param(minimum = 0, maximum = 60)]
    wait: Option<f64>,
    /// `jsonl`: all rows that are asked for, oldest first, a JSON object a line.
    #[param(inline)]
    format: Option<Format>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Decided {
    Allowed,
    Refused,
}

#[derive(Deserialize, utoipa::ToSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Jsonl,
}

impl Asked {
    fn filter(self, caller: &Caller) -> Result<(CallFilter, Option<Duration>), Problem> {
        if self.cursor.is_some() && self.after.is_some() {
            return Err(Problem::bad_request("`cursor` goes back and `after` goes on: give one of them"));
        }
        let wait = match self.wait {
            Some(wait) if (0.0..=MAX_WAIT).contains(&wait) => Some(Duration::from_secs_f64(wait)),
            Some(_) => return Err(Problem::bad_request("`wait` must be a number of seconds from 0 to 60")),
            None => None,
        };
        let caller = match caller {
            Caller::Operator => self.caller,
            // Whatever it asks for: what others do is not its business.
            Caller::Agent(rights) => Some(rights.id.to_string()),
        };
        let decision = self.decision.map(|decision| match decision {
            Decided::Allowed => "allowed".to_owned(),
            Decided::Refused => "refused".to_owned(),
        });
        let filter = CallFilter {
            caller,
            tool: self.tool,
            plugin: self.plugin,
            decision,
            code: self.code,
            trace_id: self.trace_id,
            since_ms: self.since,
            until_ms: self.until,
            before: self.cursor,
            after: self.after,
            limit: self.limit.unwrap_or(PAGE),
        };
        Ok((filter, wait))
    }
}

/// A page of rows.
#[derive(Serialize)]
struct Page {
    calls: Vec<Box<RawValue>>,
    /// Where the next page begins.
    next: Option<i64>,
    /// The number of the newest row, for `after`.
    newest: Option<i64>,
}

/// Lists calls, the newest first. A row is there as soon as its call was answered.
#[utoipa::path(
    get, path = "/calls", operation_id = "list_calls", tag = "calls", params(Asked),
    responses((status = 200, description = "The rows; with `format=jsonl`, one a line", body = schemas::Calls), UnknownCall, BadQuery, Refused),
)]
async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Parameters(asked): Parameters<Asked>,
) -> Answer {
    let journal = journal(&app)?;
    let is_export = asked.format == Some(Format::Jsonl);
    let (filter, wait) = asked.filter(&caller)?;
    if is_export {
        return Ok(export(journal, filter));
    }
    let is_following = filter.after.is_some();
    let mut page = read(&journal, filter.clone()).await?;
    if let (true, Some(wait)) = (is_following && page.rows.is_empty(), wait) {
        page = follow(&app, &journal, filter, wait).await?;
    }
    let calls = page.rows.into_iter().map(RawValue::from_string).collect::<Result<_, _>>();
    let calls =
        calls.map_err(|error| Problem::internal(format!("a row of the journal is no JSON: {error}")))?;
    json(&Page { calls, next: page.last.filter(|_| page.more), newest: page.first.max(page.last) })
}

/// Shows one call.
#[utoipa::path(
    get, path = "/calls/{id}", operation_id = "show_call", tag = "calls",
    params(("id" = String, Path, description = "The call: `call_id` of an answer or a row.")),
    responses((status = 200, description = "Its row", body = schemas::Call), UnknownCall, Refused),
)]
async fn show(State(app): State<App>, Extension(caller): Extension<Caller>, Name(id): Name) -> Answer {
    let journal = journal(&app)?;
    let of = id.clone();
    let row = blocking(move || journal.call(&of)).await?;
    let row: Option<Box<RawValue>> = row
        .map(RawValue::from_string)
        .transpose()
        .map_err(|error| Problem::internal(format!("a row of the journal is no JSON: {error}")))?;
    let row = row.filter(|row| match &caller {
        Caller::Operator => true,
        Caller::Agent(rights) => is_of(row, rights.id.as_str()),
    });
    match row {
        Some(row) => json(&row),
        None => {
            let shown: String = id.chars().take(64).flat_map(char::escape_debug).collect();
            let detail =
                format!("the journal has no row of a call `{shown}`: `/calls` lists those that it has");
            Err(Problem::new(StatusCode::NOT_FOUND, "unknown_call", detail))
        }
    }
}

fn is_of(row: &RawValue, agent: &str) -> bool {
    #[derive(Deserialize)]
    struct Of {
        caller: String,
    }
    serde_json::from_str::<Of>(row.get()).is_ok_and(|of| of.caller == agent)
}

fn journal(app: &App) -> Result<Arc<dyn Journal>, Problem> {
    app.host().journal().cloned().ok_or_else(|| {
        let detail = "this server keeps no journal: `journal.enabled` is false in its configuration";
        Problem::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", detail)
    })
}

async fn read(journal: &Arc<dyn Journal>, filter: CallFilter) -> Result<CallPage, Problem> {
    let journal = journal.clone();
    blocking(move || journal.calls(&filter)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "journal_failed", error.to_string()))
}

/// Waits for rows, until there are some, `wait` is over, or the server stops.
async fn follow(
    app: &App,
    journal: &Arc<dyn Journal>,
    filter: CallFilter,
    wait: Duration,
) -> Result<CallPage, Problem> {
    let end = futures_util::future::select(Box::pin(tokio::time::sleep(wait)), Box::pin(app.stopped()));
    let mut end = std::pin::pin!(end);
    loop {
        // Asked for before the look, so that no row falls between the two.
        let next = journal.next_kept();
        let page = read(journal, filter.clone()).await?;
        if !page.rows.is_empty() {
            return Ok(page);
        }
        tokio::select! {
            () = next => {}
            _ = &mut end => return Ok(page),
        }
    }
}

/// Everything that is asked for, a page at a time, as fast as the client reads.
fn export(journal: Arc<dyn Journal>, filter: CallFilter) -> Response {
    let first = CallFilter { after: Some(filter.after.unwrap_or(0)), limit: EXPORTED, ..filter };
    let mut response = Response::new(Body::from_stream(lines(journal, first)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    response
}

fn lines(
    journal: Arc<dyn Journal>,
    first: CallFilter,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    stream::try_unfold(Some(first), move |filter| {
        let journal = journal.clone();
        async move {
            let Some(filter) = filter else { return Ok(None) };
            let page = read(&journal, filter.clone()).await;
            let page = page.map_err(|_| std::io::Error::other("the journal cannot be read"))?;
            let next = page.more.then_some(CallFilter { after: page.last, ..filter });
            let mut text = page.rows.join("\n");
            if !text.is_empty() {
                text.push('\n');
            }
            Ok(Some((Bytes::from(text), next)))
        }
    })
}
