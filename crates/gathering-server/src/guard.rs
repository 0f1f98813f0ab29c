//! What every request passes before it is handled: no other web page may drive this server, and somebody calls.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::{CatchUnwind, Either, Map};
use gathering_core::Caller;
use tower::{Layer, Service};

use crate::access::Access;
use crate::app::App;
use crate::error::Problem;

/// Puts a [`Guard`] before each route. Hand-written: it costs no allocation a request.
#[derive(Clone)]
pub(crate) struct GuardLayer(pub(crate) App);

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;
    fn layer(&self, inner: S) -> Guard<S> {
        Guard { app: self.0.clone(), inner }
    }
}

/// Refuses requests that a foreign web page could have caused or whose caller is unknown, and turns a panic of a
/// handler into a problem.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    app: App,
    inner: S,
}

type Outcome = Result<Response, Infallible>;
type Handled = Result<Outcome, Box<dyn Any + Send>>;

impl<S> Service<Request> for Guard<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future =
        Either<Ready<Outcome>, Map<CatchUnwind<AssertUnwindSafe<S::Future>>, fn(Handled) -> Outcome>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match admit(&self.app, &request) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                // Nothing is shared with a handler that panicked but the app, whose locks no handler holds.
                let handled = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
                Either::Right(handled.map(finish as fn(Handled) -> Outcome))
            }
            Err(problem) => Either::Left(ready(finish(Ok(Ok(problem.into_response()))))),
        }
    }
}

fn finish(handled: Handled) -> Outcome {
    let Ok(mut response) = handled.unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        tracing::error!("a handler panicked: {message}");
        Ok(Problem::internal("this is a bug of GatheRing; its log says more").into_response())
    });
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn admit(app: &App, request: &Request) -> Result<Caller, Problem> {
    let options = app.options();
    if !matches!(options.access, Access::Embedded) {
        let host = host(request)?;
        check_host(host, &options.allowed_hosts)?;
        check_origin(request.method(), request.headers(), host)?;
    }
    let caller = options.access.caller(request.headers(), app.agents()).map_err(|problem| {
        // The right token is never kept waiting, so nobody can lock its owner out.
        let is_guess = request.headers().contains_key(AUTHORIZATION);
        let is_one_too_many = is_guess && app.wrong_tokens().is_one_too_many(Instant::now());
        if is_one_too_many { Problem::too_many_guesses() } else { problem }
    })?;
    if let (Caller::Agent(_), Some(path)) = (&caller, request.extensions().get::<MatchedPath>()) {
        check_agent(request.method(), path.as_str())?;
    }
    Ok(caller)
}

/// What agents may ask for; the handler or the host says how much of it. Everything else is the operator's alone.
const FOR_AGENTS: &[(Method, &[&str])] = &[
    (
        Method::GET,
        &[
            "/tools",
            "/tools/{name}",
            "/competencies",
            "/competencies/{id}",
            "/competencies/{id}/learning-path",
            "/competencies/{id}/instructions",
            "/agents/{id}",
            "/agents/{id}/tools",
            "/agents/{id}/learning-path",
            "/agents/{id}/conversations",
            "/agents/{id}/conversations/{conversation}",
            "/calls",
            "/calls/{id}",
            "/health",
            "/openapi.json",
        ],
    ),
    (
        Method::POST,
        &["/tools/{name}/execute", "/plugins/dynamic", "/plugins/{id}/rollback", "/agents/{id}/chat"],
    ),
    (Method::PUT, &["/plugins/{id}/dynamic"]),
    (Method::DELETE, &["/plugins/{id}", "/agents/{id}/conversations/{conversation}"]),
];

/// Refuses an agent what is not for agents.
fn check_agent(method: &Method, path: &str) -> Result<(), Problem> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let is_for_agents =
        FOR_AGENTS.iter().any(|(for_agents, paths)| for_agents == method && paths.contains(&path));
    if is_for_agents {
        return Ok(());
    }
    Err(Problem::forbidden(format!(
        "{method} `{path}` is the operator's alone: an agent may list, show and call the tools that its competencies open \
         to it, look at itself and its calls, talk with itself, and make plugins of code if it may call `create_plugin`"
    )))
}

/// The one host that the request names.
fn host(request: &Request) -> Result<&str, Problem> {
    let mut given = request.headers().get_all(HOST).iter();
    let host = match (given.next().map(|value| value.to_str()), given.next()) {
        (Some(Ok(host)), None) => host,
        _ => return Err(Problem::host_refused("a request must have exactly one `Host` header")),
    };
    // `GET http://other/ HTTP/1.1` names another host in its first line (RFC 9112, section 3.2.2).
    match request.uri().authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => {
            Err(Problem::host_refused("the address of the request and its `Host` header differ"))
        }
        _ => Ok(host),
    }
}

/// A page of a stranger can let its own name point to 127.0.0.1 (DNS rebinding); the browser still sends that name.
fn check_host(host: &str, allowed: &[String]) -> Result<(), Problem> {
    let name = without_port(host);
    let is_loopback =
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|known| name.eq_ignore_ascii_case(known));
    let is_allowed =
        || allowed.iter().any(|known| known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(name));
    if is_loopback || is_allowed() {
        return Ok(());
    }
    let shown: String = name.chars().take(100).flat_map(char::escape_debug).collect();
    Err(Problem::host_refused(format!(
        "this server does not answer to the name `{shown}`; the operator can add it to `server.allowed_hosts`"
    )))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A browser says which page a request comes from; whatever is no browser says nothing.
fn check_origin(method: &Method, headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let refused = || {
        Problem::host_refused(
            "a page of another site may not use this server: call it from a page of its own",
        )
    };
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !from.is_some_and(|from| from.eq_ignore_ascii_case(host)) {
            return Err(refused());
        }
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let followed_a_link = *method == Method::GET
        && headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
        && headers.get("sec-fetch-dest").is_none_or(|dest| dest == "document");
    match site {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) if followed_a_link => Ok(()),
        Some(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_and_those_allowed_are_answered_to() {
        let allowed = ["box.example".to_owned(), "other.example:9000".to_owned()];
        for good in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8000",
            "[::1]",
            "[::1]:8000",
            "box.example:80",
            "other.example:9000",
        ] {
            assert!(check_host(good, &allowed).is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8000",
            "localhost:x",
            "localhost@evil.example",
            "::1",
            "other.example:9001",
            "127.0.0.2",
        ] {
            assert!(check_host(bad, &allowed).is_err(), "{bad} was taken");
        }
    }
}
