//! Speaks REST to a server, or to the same routes in this process, so that every verb is written once.

mod connect;
mod stream;

use gathering::GatheRing;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) use stream::EventStream;

use crate::error::CliError;

/// The most bytes that are taken of an answer.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// An answer's body, wherever it comes from.
type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// What verbs work on.
pub(crate) struct Client {
    reach: Reach,
}

enum Reach {
    /// A server.
    Remote(Box<Remote>),
    /// The host in this process.
    Embedded { gathering: GatheRing, call: Box<Call> },
}

/// Calls the routes of the host in this process.
type Call = dyn Fn(Request<Full<Bytes>>) -> Answering + Send + Sync;
type Answering = std::pin::Pin<Box<dyn Future<Output = Response<Answer>> + Send>>;

/// A server, and how it is reached.
struct Remote {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    /// Without a slash at its end.
    url: String,
    token: Option<String>,
    /// What to say and do when it does not answer.
    unreachable: String,
}

impl Client {
    /// A client of the host in this process, which is shut down by [`Client::close`].
    fn embedded(gathering: GatheRing) -> Self {
        let of_log = gathering.clone();
        let options = gathering_server::Options {
            access: gathering_server::Access::Embedded,
            agents: Some(gathering.agents().clone()),
            chats: Some(gathering.chats().clone()),
            plugin_log: Some(std::sync::Arc::new(move |id, bytes| of_log.plugin_log(id, bytes))),
            ..Default::default()
        };
        let router = gathering_server::router(gathering_server::App::new(gathering.host().clone(), options));
        let call = move |request: Request<Full<Bytes>>| -> Answering {
            let answering = router.clone().oneshot(request);
            Box::pin(async move {
                let Ok(response) = answering.await;
                response.map(boxed)
            })
        };
        Self { reach: Reach::Embedded { gathering, call: Box::new(call) } }
    }

    /// The host, if it is in this process.
    pub(crate) fn gathering(&self) -> Option<&GatheRing> {
        match &self.reach {
            Reach::Remote(_) => None,
            Reach::Embedded { gathering, .. } => Some(gathering),
        }
    }

    /// The server's address, if there is a server.
    pub(crate) fn url(&self) -> Option<&str> {
        match &self.reach {
            Reach::Remote(remote) => Some(&remote.url),
            Reach::Embedded { .. } => None,
        }
    }

    /// What is at `path`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.request(Method::GET, path, None).await
    }

    /// What comes of sending `body` to `path`.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.request(Method::POST, path, Some(body)).await
    }

    /// What comes of putting `body` at `path`.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.request(Method::PUT, path, Some(body)).await
    }

    /// What comes of changing what is at `path` as `body` says.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.request(Method::PATCH, path, Some(body)).await
    }

    /// What comes of deleting what is at `path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, CliError> {
        self.request(Method::DELETE, path, None).await
    }

    /// The events that come of sending `body` to `path`, as they happen.
    pub(crate) async fn stream(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<EventStream, CliError> {
        let answer = self.send(method, path, body).await?;
        if answer.status().is_success() {
            Ok(EventStream::new(answer.into_body()))
        } else {
            let status = answer.status();
            Err(problem(status, &read(answer.into_body()).await?))
        }
    }

    /// Ends the host in this process, if it is one.
    pub(crate) async fn close(self) {
        if let Reach::Embedded { gathering, .. } = self.reach {
            gathering.shutdown().await;
        }
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CliError> {
        let answer = self.send(method, path, body).await?;
        let status = answer.status();
        let bytes = read(answer.into_body()).await?;
        if !status.is_success() {
            return Err(problem(status, &bytes));
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            CliError::unreachable(format!("what answered is not GatheRing: it sent no JSON ({error})"))
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Answer>, CliError> {
        let (url, token) = match &self.reach {
            Reach::Remote(remote) => (remote.url.as_str(), remote.token.as_deref()),
            Reach::Embedded { .. } => ("", None),
        };
        let mut request = Request::builder().method(method).uri(format!("{url}{path}"));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let request = request
            .body(Full::new(bytes))
            .map_err(|error| CliError::usage(format!("`{url}{path}` cannot be asked for: {error}")))?;
        match &self.reach {
            Reach::Embedded { call, .. } => Ok(call(request).await),
            Reach::Remote(remote) => match remote.http.request(request).await {
                Ok(answer) => Ok(answer.map(boxed)),
                Err(error) => {
                    let reason = innermost(&error);
                    Err(CliError::unreachable(format!("{}: {reason}", remote.unreachable)))
                }
            },
        }
    }
}

/// A name as a part of a path.
pub(crate) fn segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            segment.push(char::from(byte));
        } else {
            // Dots too: `..` would be another path.
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}

/// A query of the parameters that are there, with its question mark.
pub(crate) fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment((*value)?))));
    let query = given.collect::<Vec<_>>().join("&");
    if query.is_empty() { query } else { format!("?{query}") }
}

fn boxed<B>(body: B) -> Answer
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

async fn read(body: Answer) -> Result<Bytes, CliError> {
    let read = Limited::new(body, MAX_ANSWER).collect().await;
    let read = read.map_err(|error| {
        CliError::unreachable(format!("the answer broke off: {}", innermost(&*error)))
            .remedy("whether the work was done is not known; look before you do it again")
    })?;
    Ok(read.to_bytes())
}

fn problem(status: StatusCode, bytes: &[u8]) -> CliError {
    let document = serde_json::from_slice(bytes).unwrap_or_else(|_| json!({}));
    CliError::from_problem(status.as_u16(), document)
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_a_path() {
        assert_eq!(segment("my-tool_1"), "my-tool_1");
        assert_eq!(segment("../a b?"), "%2E%2E%2Fa%20b%3F");
        assert_eq!(query(&[("a", None), ("b", Some("x&y")), ("c", Some("1"))]), "?b=x%26y&c=1");
        assert_eq!(query(&[("a", None)]), "");
    }
}
