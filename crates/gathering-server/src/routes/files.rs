//! `/files`: reading, describing, showing and converting a file through the handler of its format.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use gathering_core::{Caller, Content, FileOperation};
use gathering_host::{CallOptions, CallReport};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::tools::{Execution, answered};
use crate::answer::Answer;
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{BadBody, CallFailed, Refused};
use crate::request::Json;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .routes(routes!(info))
        .routes(routes!(preview))
        .routes(routes!(convert))
}

/// The file, and what the tool takes beside it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body, which is handed on as it is")]
struct FileRequest {
    /// The file, as the tool of its handler takes it: relative to the folder that this works in.
    path: String,
}

/// Reads a file, with the tool of the handler that its name speaks of.
///
/// The body holds `path` and whatever else the tool takes; `GET /file-handlers` names the tools. It is an ordinary call of that
/// tool: the same rights, limits and answers.
#[utoipa::path(
    post, path = "/files/read", operation_id = "read_file", tag = "file handlers",
    request_body(content = FileRequest, example = json!({"path": "sales.csv"})),
    responses(
        (status = 200, description = "The tool was called", body = Execution),
        (status = 404, description = "`unknown_format`: no file handler does this to such files"),
        Refused, BadBody, CallFailed,
    ),
)]
async fn read(State(app): State<App>, Extension(caller): Extension<Caller>, body: Json) -> Answer {
    answered(operate(&app, caller, FileOperation::Read, body).await?)
}

/// Tells what a file is, with the tool of the handler that its name speaks of.
///
/// The body holds `path` and whatever else the tool takes; `GET /file-handlers` names the tools. It is an ordinary call of that
/// tool: the same rights, limits and answers.
#[utoipa::path(
    post, path = "/files/info", operation_id = "info_file", tag = "file handlers",
    request_body(content = FileRequest, example = json!({"path": "sales.csv"})),
    responses(
        (status = 200, description = "The tool was called", body = Execution),
        (status = 404, description = "`unknown_format`: no file handler does this to such files"),
        Refused, BadBody, CallFailed,
    ),
)]
async fn info(State(app): State<App>, Extension(caller): Extension<Caller>, body: Json) -> Answer {
    answered(operate(&app, caller, FileOperation::Info, body).await?)
}

/// Draws a picture of a file, with the tool of the handler that its name speaks of.
///
/// The body holds `path` and whatever else the tool takes; `GET /file-handlers` names the tools. It is an ordinary call of that
/// tool: the same rights, limits and answers. Whoever accepts
/// `image/png` is answered with the picture itself.
#[utoipa::path(
    post, path = "/files/preview", operation_id = "preview_file", tag = "file handlers",
    request_body(content = FileRequest, example = json!({"path": "sales.csv"})),
    responses(
        (status = 200, description = "The tool was called", body = Execution),
        (status = 404, description = "`unknown_format`: no file handler does this to such files"),
        Refused, BadBody, CallFailed,
    ),
)]
async fn preview(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Json,
) -> Answer {
    let report = operate(&app, caller, FileOperation::Preview, body).await?;
    match picture(&headers, &report) {
        Some(png) => {
            let mut response = Response::new(Body::from(png));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
            Ok(response)
        }
        None => answered(report),
    }
}

/// Converts a file, with the tool of the handler that its name speaks of.
///
/// The body holds `path` and whatever else the tool takes; `GET /file-handlers` names the tools. It is an ordinary call of that
/// tool: the same rights, limits and answers.
#[utoipa::path(
    post, path = "/files/convert", operation_id = "convert_file", tag = "file handlers",
    request_body(content = FileRequest, example = json!({"path": "sales.csv"})),
    responses(
        (status = 200, description = "The tool was called", body = Execution),
        (status = 404, description = "`unknown_format`: no file handler does this to such files"),
        Refused, BadBody, CallFailed,
    ),
)]
async fn convert(State(app): State<App>, Extension(caller): Extension<Caller>, body: Json) -> Answer {
    answered(operate(&app, caller, FileOperation::Convert, body).await?)
}

/// Calls the tool that does this to such files.
async fn operate(
    app: &App,
    caller: Caller,
    operation: FileOperation,
    body: Json,
) -> Result<CallReport, Problem> {
    let Some(Value::Object(arguments)) = body.0 else {
        return Err(Problem::bad_field("", "the body must be an object such as {\"path\": \"notes.txt\"}"));
    };
    let Some(path) = arguments.get("path").and_then(Value::as_str) else {
        return Err(Problem::bad_field("/path", "`path` must be a text: the file"));
    };
    let handler = app.host().snapshot().file_handler_for(path);
    let tool = handler.and_then(|handler| handler.tools.get(&operation).cloned()).ok_or_else(|| {
        let name: String =
            path.rsplit('/').next().unwrap_or(path).chars().take(100).flat_map(char::escape_debug).collect();
        let detail = format!(
            "no file handler does this to files like `{name}`: load a plugin that does, such as `documents`; \
             `GET /file-handlers` lists what there is"
        );
        Problem::new(StatusCode::NOT_FOUND, "unknown_format", detail)
    })?;
    Ok(app.host().execute(caller, tool.as_str(), arguments, CallOptions::default()).await)
}

/// The picture of a preview, if there is one and that is what is wanted.
fn picture(headers: &HeaderMap, report: &CallReport) -> Option<Vec<u8>> {
    let accepted = headers.get(ACCEPT)?.to_str().ok()?;
    if !accepted.contains("image/png") {
        return None;
    }
    let parts = &report.outcome.as_ref().ok()?.parts;
    parts.iter().find_map(|part| match part {
        Content::Image { data, media_type } if media_type == "image/png" => {
            base64::engine::general_purpose::STANDARD.decode(data).ok()
        }
        _ => None,
    })
}
