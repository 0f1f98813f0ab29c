//! Reading requests: what is in the path, the query and the body, with a problem where it does not fit.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Problem;

/// How large a body may be, in bytes.
pub(crate) const MAX_BODY: usize = 8 * 1024 * 1024;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// The one name in the path.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name)).map_err(|rejection| Problem::bad_request(rejection.body_text()))
    }
}

/// The query. A parameter that is not known is refused, since leaving a filter out would answer something else.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(parameters)| Self(parameters)).map_err(|rejection| {
            let reason = std::error::Error::source(&rejection).map(ToString::to_string);
            Problem::bad_request(format!(
                "the query does not fit: {}",
                reason.unwrap_or_else(|| rejection.body_text())
            ))
        })
    }
}

/// The body as JSON; `None` if there is none.
///
/// A body needs a JSON content type: with any other, a browser would send it for a foreign page without asking first.
pub(crate) struct Json(pub(crate) Option<Value>);

impl<S: Sync> FromRequest<S> for Json {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let typed = has_json_type(&parts.headers)?;
        if declared_length(&parts.headers).is_some_and(|length| length > MAX_BODY) {
            return Err(Problem::too_large(MAX_BODY));
        }
        let bytes = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect())
            .await
            .map_err(|_| {
                let detail = format!("the body did not arrive within {BODY_TIMEOUT:?}");
                Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
            })?
            .map_err(|error| match error.downcast_ref() {
                Some(http_body_util::LengthLimitError { .. }) => Problem::too_large(MAX_BODY),
                None => Problem::bad_request(format!("the body could not be read: {error}")),
            })?
            .to_bytes();
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !typed {
            return Err(Problem::unsupported_media_type());
        }
        let value =
            gathering_core::json::parse(&bytes).map_err(|error| Problem::bad_request(error.to_string()))?;
        Ok(Self(Some(value)))
    }
}

impl Json {
    /// The body as a `T`; `expected` shows one. No body is the empty object.
    pub(crate) fn into<T: DeserializeOwned>(self, expected: &str) -> Result<T, Problem> {
        let value = self.0.unwrap_or_else(|| Value::Object(Default::default()));
        T::deserialize(value).map_err(|error| {
            Problem::bad_request(format!("the body does not fit: {error}; expected {expected}"))
        })
    }
}

/// Whether the headers name JSON; false if they name no type at all.
fn has_json_type(headers: &HeaderMap) -> Result<bool, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(false) };
    let value = value.to_str().map_err(|_| Problem::unsupported_media_type())?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    let is_json = match essence.split_once('/') {
        Some((kind, subtype)) => {
            let subtype = subtype.to_ascii_lowercase();
            kind.eq_ignore_ascii_case("application") && (subtype == "json" || subtype.ends_with("+json"))
        }
        None => false,
    };
    if is_json { Ok(true) } else { Err(Problem::unsupported_media_type()) }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
