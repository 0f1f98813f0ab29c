//! One request of a worker: passed on to its server, turned into a tunnel, or refused.

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;

use super::gate::{Gate, Refusal};
use super::{Beside, MAX_HEAD};

/// An answer: a server's, as it comes, or the proxy's own.
pub(super) type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Headers that are about one connection, and so not passed on (RFC 9110, section 7.6.1); also those by which one side
/// speaks to a proxy, and `Expect`, which is answered here.
const OF_ONE_CONNECTION: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];

/// Answers one request. `beside` is given the work that goes on after its answer began.
pub(super) async fn answer(
    gate: &Gate,
    request: Request<Incoming>,
    beside: &Beside,
) -> Result<Answer, Refusal> {
    if request.method() == Method::CONNECT {
        tunnel(gate, request, beside).await
    } else {
        forward(gate, request, beside).await
    }
}

/// Connects the worker to what it named, whatever the two speak.
async fn tunnel(gate: &Gate, request: Request<Incoming>, beside: &Beside) -> Result<Answer, Refusal> {
    let expected = || Refusal::BadRequest("expected `CONNECT host:port`");
    let (host, port) = host_and_port(request.uri().authority().ok_or_else(expected)?)?;
    let port = port.ok_or_else(expected)?;
    let mut server = gate.connect(host, port).await?;
    beside.start(async move {
        // Whichever end breaks it off, the other one notices.
        if let Ok(worker) = hyper::upgrade::on(request).await {
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(worker), &mut server).await;
        }
    });
    Ok(Response::new(Either::Right(Full::default())))
}

/// Passes the request on to the server that it names, and the answer back. Both are taken apart and written anew, so that
/// a request cannot hide another one from one of the two.
async fn forward(gate: &Gate, mut request: Request<Incoming>, beside: &Beside) -> Result<Answer, Refusal> {
    let expected = "this is a proxy: expected an address such as `http://host/path`, or `CONNECT host:port`";
    let (Some("http"), Some(authority)) = (request.uri().scheme_str(), request.uri().authority()) else {
        return Err(Refusal::BadRequest(expected));
    };
    let (host, port) = host_and_port(authority)?;
    let (host, port) = (host.to_owned(), port.unwrap_or(80));
    let named = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadRequest(expected))?;
    let server = gate.connect(&host, port).await?;
    let failed = |reason: String| Refusal::Unreachable { host: host.clone(), port, reason };
    let mut client = http1::Builder::new();
    client.max_header_size(MAX_HEAD).max_buf_size(2 * MAX_HEAD);
    let handshake = client.handshake(TokioIo::new(server)).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(error.to_string()))?;
    // What goes wrong on it is told to `sender`, or to the body of the answer.
    beside.start(async move { drop(connection.await) });
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = Version::HTTP_11;
    strip(request.headers_mut());
    request.headers_mut().insert(header::HOST, named);
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    let mut answer = sender.send_request(request).await.map_err(|error| failed(error.to_string()))?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(failed("it changed the protocol without being asked to".to_owned()));
    }
    strip(answer.headers_mut());
    *answer.version_mut() = Version::HTTP_11;
    Ok(answer.map(Either::Left))
}

/// Says no, in the body and in the line of the status too: of what answers `CONNECT`, most programs show no more.
pub(super) fn refuse(refusal: &Refusal) -> Answer {
    let text = refusal.to_string();
    let reason = ReasonPhrase::try_from(text.as_bytes());
    let mut answer = Response::new(Either::Right(Full::from(format!("{text}\n"))));
    *answer.status_mut() = refusal.status();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Ok(reason) = reason {
        answer.extensions_mut().insert(reason);
    }
    answer
}

/// Host and port; what else an authority can have, a user and what is no port, is refused.
fn host_and_port(authority: &Authority) -> Result<(&str, Option<u16>), Refusal> {
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host) {
        Some("") => Some(None),
        Some(rest) => {
            rest.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port != 0).map(Some)
        }
        None => None,
    };
    let port = port.ok_or(Refusal::BadRequest("expected a host, and after `:` a port from 1 to 65535"))?;
    Ok((host, port))
}

/// Takes out what is about one connection.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<_> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in OF_ONE_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}
