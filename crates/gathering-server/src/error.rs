//! Problem documents (RFC 9457): the one place that knows which HTTP status an error has.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gathering_agents::{AgentError, ChatError};
use gathering_core::{
    ArgumentError, CallId, InstructionsError, LoadErrorKind, PluginId, StateError, ToolError,
};
use gathering_host::{AuthoringError, InvalidCode, PluginError};
use gathering_models::ModelError;
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not answered as hoped, and how to say so. Boxed: it is the rare case.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    document: ProblemDocument,
    header: Option<(HeaderName, HeaderValue)>,
}

/// Why a request was not answered as hoped (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// The kind of problem as a URI: `urn:gathering:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What happened and what to do.
    detail: String,
    /// The kind of problem for programs; stable.
    #[schema(example = "unknown_tool")]
    code: Cow<'static, str>,
    /// Each thing that does not fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// The call that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    call_id: Option<String>,
    /// The plugins that need the one in question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, value_type = Vec<String>)]
    dependents: Vec<PluginId>,
    /// Where in the plugin's own code it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    traceback: String,
}

/// Something that does not fit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole.
    #[schema(example = "/x")]
    pointer: String,
    /// What is wrong, naming the field.
    message: String,
}

impl Problem {
    /// A problem with a code of its own.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let document = ProblemDocument {
            kind: format!("urn:gathering:problem:{code}"),
            title: title(code),
            status: status.as_u16(),
            detail: detail.into(),
            code: Cow::Borrowed(code),
            errors: Vec::new(),
            call_id: None,
            dependents: Vec::new(),
            traceback: String::new(),
        };
        Self(Box::new(Inner { status, document, header: None }))
    }

    /// The request makes no sense.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// One field of the body makes no sense.
    pub(crate) fn bad_field(pointer: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::bad_request(message.clone());
        problem.0.document.errors.push(FieldError { pointer: pointer.to_owned(), message });
        problem
    }

    /// Nobody known makes the request.
    pub(crate) fn unauthenticated(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gathering\""))
    }

    /// Somebody sends one wrong token after the other.
    pub(crate) fn too_many_guesses() -> Self {
        let detail = "too many wrong tokens came: wait a second, and send the right one";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_guesses", detail)
            .header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The caller may not do this.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// The request may come from a foreign web page.
    pub(crate) fn host_refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "host_refused", detail)
    }

    /// The body has a type that is not read.
    pub(crate) fn unsupported_media_type() -> Self {
        let detail = "a body must be JSON and say so: send `Content-Type: application/json`";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// The body is larger than is taken.
    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// The path takes other methods.
    pub(crate) fn method_not_allowed(method: &str, path: &str) -> Self {
        let detail = format!("`{path}` does not take {method}; the header `Allow` names what it takes");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// Something that only a bug explains.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Nobody talks with agents on this server.
    pub(crate) fn no_chats() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "not_implemented",
            "this server lets no model answer as an agent",
        )
    }

    /// A call that gave no result.
    pub(crate) fn call(call_id: CallId, error: ToolError) -> Self {
        let mut problem = Self::from(error);
        problem.0.document.call_id = Some(call_id.to_string());
        problem
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    fn errors(mut self, errors: Vec<ArgumentError>) -> Self {
        let errors = errors.into_iter().map(|e| FieldError { pointer: e.pointer, message: e.message });
        self.0.document.errors = errors.collect();
        self
    }
}

impl From<ToolError> for Problem {
    fn from(error: ToolError) -> Self {
        let status = match &error {
            ToolError::UnknownTool { .. } => StatusCode::NOT_FOUND,
            ToolError::MissingCompetency { .. } | ToolError::Forbidden { .. } => StatusCode::FORBIDDEN,
            ToolError::PluginDisabled { .. } | ToolError::WrongState { .. } => StatusCode::CONFLICT,
            ToolError::InvalidArguments { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ToolError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ToolError::Busy { .. } | ToolError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            ToolError::WorkerExited { .. }
            | ToolError::ProtocolError { .. }
            | ToolError::OutputLimit { .. }
            | ToolError::InvalidResult { .. }
            | ToolError::Failed { .. }
            | ToolError::LimitReached { .. } => StatusCode::BAD_GATEWAY,
            ToolError::SandboxSetupFailed { .. }
            | ToolError::JournalFailed { .. }
            | ToolError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            ToolError::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let problem = Self::new(status, error.code(), error.to_string());
        match error {
            ToolError::InvalidArguments { errors, .. } | ToolError::InvalidResult { errors, .. } => {
                problem.errors(errors)
            }
            ToolError::Busy { .. } => problem.header(RETRY_AFTER, HeaderValue::from_static("1")),
            ToolError::RateLimited { retry_after, .. } => {
                problem.header(RETRY_AFTER, HeaderValue::from(retry_after.as_secs() + 1))
            }
            _ => problem,
        }
    }
}

impl From<InstructionsError> for Problem {
    fn from(error: InstructionsError) -> Self {
        let status = match error {
            InstructionsError::NotHeld { .. } => StatusCode::FORBIDDEN,
            _ => StatusCode::NOT_FOUND,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<AgentError> for Problem {
    fn from(error: AgentError) -> Self {
        let status = match &error {
            AgentError::Unknown { .. }
            | AgentError::UnknownCompetency { .. }
            | AgentError::UnknownTool { .. } => StatusCode::NOT_FOUND,
            AgentError::Invalid { .. } => StatusCode::BAD_REQUEST,
            AgentError::ExceedsParent { .. }
            | AgentError::NotHeld { .. }
            | AgentError::HasDependents { .. } => StatusCode::CONFLICT,
            AgentError::State(StateError::StorageFull(_)) => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let problem = Self::new(status, error.code(), error.to_string());
        match error {
            AgentError::Invalid { pointer, message } => {
                problem.errors(vec![ArgumentError { pointer: pointer.to_owned(), message }])
            }
            _ => problem,
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        let status = match &error {
            ChatError::Agent(_) => StatusCode::INTERNAL_SERVER_ERROR,
            ChatError::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            ChatError::Invalid { .. } => StatusCode::BAD_REQUEST,
            ChatError::UnknownConversation { .. } => StatusCode::NOT_FOUND,
            ChatError::Busy { .. } | ChatError::Full { .. } => StatusCode::CONFLICT,
            ChatError::Model(
                ModelError::NoModel | ModelError::NoDefault { .. } | ModelError::Unknown { .. },
            ) => StatusCode::CONFLICT,
            ChatError::Model(_) => StatusCode::BAD_GATEWAY,
            ChatError::State(StateError::StorageFull(_)) => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let problem = Self::new(status, error.code(), error.to_string());
        match error {
            ChatError::Agent(error) => error.into(),
            ChatError::Limited(error) => error.into(),
            ChatError::Invalid { pointer, message } => {
                problem.errors(vec![ArgumentError { pointer: pointer.to_owned(), message }])
            }
            _ => problem,
        }
    }
}

impl From<PluginError> for Problem {
    fn from(error: PluginError) -> Self {
        let status = match &error {
            PluginError::Unknown { .. } => StatusCode::NOT_FOUND,
            PluginError::WrongState { .. }
            | PluginError::HasDependents { .. }
            | PluginError::MissingDependency(_)
            | PluginError::DependencyCycle { .. }
            | PluginError::AlreadyRegistered { .. }
            | PluginError::NotGranted { .. } => StatusCode::CONFLICT,
            PluginError::InvalidConfig { .. } | PluginError::InvalidPlugin { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            PluginError::Directory(_) => StatusCode::BAD_REQUEST,
            PluginError::Load { error, .. } => match error.kind {
                LoadErrorKind::NotFound => StatusCode::NOT_FOUND,
                LoadErrorKind::InvalidPlugin | LoadErrorKind::MissingDependency => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                LoadErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            },
            PluginError::Hook { .. }
            | PluginError::Unhealthy { .. }
            | PluginError::StoppedByRevoke { .. } => StatusCode::BAD_GATEWAY,
            PluginError::State(StateError::StorageFull(_)) => StatusCode::INSUFFICIENT_STORAGE,
            PluginError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut problem = Self::new(status, error.code(), error.to_string());
        problem.0.document.traceback = error.traceback().to_owned();
        if let PluginError::HasDependents { dependents, .. } = error {
            problem.0.document.dependents = dependents;
        }
        problem
    }
}

impl From<AuthoringError> for Problem {
    fn from(error: AuthoringError) -> Self {
        let status = match &error {
            AuthoringError::Plugin(_) => StatusCode::INTERNAL_SERVER_ERROR,
            AuthoringError::InvalidRequest(_)
            | AuthoringError::InvalidCode(_)
            | AuthoringError::InvalidPath { .. } => StatusCode::BAD_REQUEST,
            AuthoringError::ExampleFailed(_) => StatusCode::UNPROCESSABLE_ENTITY,
            AuthoringError::NotDynamic { .. } | AuthoringError::FileExists(_) => StatusCode::CONFLICT,
            AuthoringError::UnknownVersion { .. } => StatusCode::NOT_FOUND,
            AuthoringError::Forbidden(_) => StatusCode::FORBIDDEN,
            AuthoringError::Unavailable => StatusCode::NOT_IMPLEMENTED,
            AuthoringError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            AuthoringError::Storage(StateError::StorageFull(_)) => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut problem = Self::new(status, error.code(), error.to_string());
        problem.0.document.traceback = error.traceback().to_owned();
        match error {
            AuthoringError::Plugin(error) => error.into(),
            AuthoringError::InvalidRequest(errors) => problem.errors(errors),
            AuthoringError::InvalidCode(invalid) => {
                let InvalidCode { pointer, line, column, message, .. } = *invalid;
                let place = match (line, column) {
                    (Some(line), Some(column)) => format!("line {line}, column {column}: "),
                    (Some(line), None) => format!("line {line}: "),
                    _ => String::new(),
                };
                problem.errors(vec![ArgumentError { pointer, message: format!("{place}{message}") }])
            }
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Inner { status, document, header } = *self.0;
        let text = serde_json::to_vec(&document).expect("a problem document has only texts and numbers");
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(header);
        response
    }
}

/// The code in words: `unknown_tool` is "Unknown tool".
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}
