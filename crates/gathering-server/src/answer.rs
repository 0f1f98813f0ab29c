//! Writing answers as JSON, straight into bytes.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde::Serialize;

use crate::error::Problem;

/// What a handler gives back.
pub(crate) type Answer = Result<Response, Problem>;

/// Answers 200 with `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Answer {
    let mut text = Vec::with_capacity(256);
    serde_json::to_writer(&mut text, value)
        .map_err(|error| Problem::internal(format!("the answer could not be written: {error}")))?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
