//! HTTP for plugins that ask services: bounded in time and size, and never led to another host.

use std::fmt;
use std::sync::Once;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a service may send on within its host.
const MAX_REDIRECTS: usize = 5;
/// How much of what a service says of its own error is shown, in characters.
const MAX_SAID: usize = 400;
/// How much of an answer that is an error is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Asks services over HTTP. A clone shares its connections.
///
/// A redirect is followed within one origin (scheme, host and port) only, so that a key never goes elsewhere. Proxies are
/// taken from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
}

/// What a service answered, with a status of success.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Such as `image/png`, without parameters and in lower case; empty if it was not said.
    pub(crate) media_type: String,
    pub(crate) body: Vec<u8>,
    /// Who answered, as errors name it.
    origin: String,
}

/// Why a service gave no usable answer. No text holds a path, a query or a header, where keys may stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpError {
    /// The address is none.
    #[error("`{address}` is no address of a service: expected one such as `https://api.example.com/v1`")]
    Address {
        /// What was given, shortened.
        address: String,
    },
    /// Something cannot stand in a header.
    #[error("the value of the header `{name}` holds characters that no header can hold: set it anew")]
    Header {
        /// The header.
        name: String,
    },
    /// The service was not reached, or the connection broke.
    #[error("{origin} was not reached: {reason}")]
    Unreachable {
        /// Whom the request went to.
        origin: String,
        /// What went wrong.
        reason: String,
    },
    /// The service took too long.
    #[error("{origin} did not answer in time")]
    TimedOut {
        /// Whom the request went to.
        origin: String,
    },
    /// The service sent the request on to another host.
    #[error(
        "{origin} redirects to another host, which is not followed: configure the address that it leads to"
    )]
    Redirected {
        /// Whom the request went to.
        origin: String,
    },
    /// The service said no.
    #[error("{origin} answered {status}{}{}", said_suffix(said), retry_suffix(*retry_after))]
    Status {
        /// Whom the request went to.
        origin: String,
        /// The HTTP status.
        status: u16,
        /// What the service said about it, shortened; may be empty.
        said: String,
        /// After how many seconds it wants to be asked again, if it said so.
        retry_after: Option<u64>,
    },
    /// The answer is larger than what is taken.
    #[error("the answer of {origin} has more than the {most} bytes that are taken")]
    TooLarge {
        /// Whom the request went to.
        origin: String,
        /// The most bytes that are taken.
        most: usize,
    },
    /// The answer is not what the service's documentation promises.
    #[error("{origin} answered something unexpected: {reason}")]
    Unexpected {
        /// Whom the request went to.
        origin: String,
        /// What was expected and what came.
        reason: String,
    },
}

fn said_suffix(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

fn retry_suffix(retry_after: Option<u64>) -> String {
    retry_after.map_or_else(String::new, |seconds| format!(" (try again in {seconds} s)"))
}

impl Http {
    /// A client whose requests may take `timeout` each, from the connection to the last byte.
    pub(crate) fn new(timeout: Duration) -> Result<Self, String> {
        install_tls();
        let within_the_origin = Policy::custom(|attempt| {
            let is_elsewhere =
                attempt.previous().first().is_some_and(|first| first.origin() != attempt.url().origin());
            match attempt.previous().len() {
                _ if is_elsewhere => attempt.error(Elsewhere),
                count if count > MAX_REDIRECTS => attempt.error(TooManyRedirects),
                _ => attempt.follow(),
            }
        });
        let client = Client::builder()
            .user_agent(concat!("gathering/", env!("CARGO_PKG_VERSION")))
            .redirect(within_the_origin)
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .build()
            .map_err(|error| format!("HTTP is not to be had: {}", reason(&error)))?;
        Ok(Self { client })
    }

    /// A request that reads.
    pub(crate) fn get(&self, address: Url) -> RequestBuilder {
        self.client.get(address)
    }

    /// A request that makes something.
    pub(crate) fn post(&self, address: Url) -> RequestBuilder {
        self.client.post(address)
    }

    /// Sends a request and reads the whole answer, of which at most `most_bytes` are taken.
    pub(crate) async fn send(&self, request: RequestBuilder, most_bytes: usize) -> Result<Answer, HttpError> {
        let request = request.build().map_err(|error| HttpError::Address { address: reason(&error) })?;
        let origin = origin(request.url());
        let failed = |error: reqwest::Error| failure(&origin, &error);
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let status = response.status();
        if !status.is_success() {
            let retry_after = seconds(response.headers().get(RETRY_AFTER));
            let mut body = Vec::new();
            while let Ok(Some(piece)) = response.chunk().await {
                body.extend_from_slice(&piece);
                if body.len() >= MAX_ERROR_BYTES {
                    break;
                }
            }
            return Err(HttpError::Status {
                origin,
                status: status.as_u16(),
                said: said(status, &body),
                retry_after,
            });
        }
        let too_large = || HttpError::TooLarge { origin: origin.clone(), most: most_bytes };
        if response.content_length().is_some_and(|length| length > most_bytes as u64) {
            return Err(too_large());
        }
        let media_type = media_type(response.headers().get(CONTENT_TYPE));
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > most_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { media_type, body, origin })
    }
}

impl Answer {
    /// The body as JSON of the expected form.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| self.unexpected(format!("expected the JSON of its documentation: {error}")))
    }

    /// An error that says that the answer is not what was expected.
    pub(crate) fn unexpected(&self, reason: impl Into<String>) -> HttpError {
        HttpError::Unexpected { origin: self.origin.clone(), reason: reason.into() }
    }
}

/// The address of a service from its configuration: `http` or `https`, with a host, and without a key in it.
pub(crate) fn service_address(text: &str) -> Result<Url, HttpError> {
    let no_address = || HttpError::Address { address: text.chars().take(200).collect() };
    let address = Url::parse(text).map_err(|_| no_address())?;
    let is_good = matches!(address.scheme(), "http" | "https")
        && address.has_host()
        && address.username().is_empty()
        && address.password().is_none();
    if is_good { Ok(address) } else { Err(no_address()) }
}

/// The address below that of a service, such as `images/generations` below `https://api.example.com/v1`. Each of
/// `segments` is one part of the path, whatever characters it holds.
pub(crate) fn below(service: &Url, segments: &[&str]) -> Url {
    let mut address = service.clone();
    if let Ok(mut path) = address.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    address
}

/// A header whose value is a secret: it is kept out of logs, and compressed connections do not remember it.
pub(crate) fn secret_header(
    request: RequestBuilder,
    name: HeaderName,
    value: &str,
) -> Result<RequestBuilder, HttpError> {
    let mut header =
        HeaderValue::from_str(value).map_err(|_| HttpError::Header { name: name.to_string() })?;
    header.set_sensitive(true);
    Ok(request.header(name, header))
}

/// `Authorization: Bearer` with a key (RFC 6750, section 2.1).
pub(crate) fn bearer(request: RequestBuilder, key: &str) -> Result<RequestBuilder, HttpError> {
    secret_header(request, AUTHORIZATION, &format!("Bearer {key}"))
}

/// The kind of cryptography for TLS, once for the process. Whoever chose one before is left alone.
fn install_tls() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A redirect that leads out of the origin.
#[derive(Debug)]
struct Elsewhere;

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a redirect to another host")
    }
}
impl std::error::Error for Elsewhere {}

/// A redirect too many.
#[derive(Debug)]
struct TooManyRedirects;

impl fmt::Display for TooManyRedirects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it redirects more than {MAX_REDIRECTS} times")
    }
}
impl std::error::Error for TooManyRedirects {}

fn origin(address: &Url) -> String {
    address.origin().ascii_serialization()
}

fn failure(origin: &str, error: &reqwest::Error) -> HttpError {
    let origin = origin.to_owned();
    if causes(error).any(|cause| cause.is::<Elsewhere>()) {
        HttpError::Redirected { origin }
    } else if error.is_timeout() {
        HttpError::TimedOut { origin }
    } else {
        HttpError::Unreachable { origin, reason: reason(error) }
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source())
}

/// What lies at the bottom of an error: what lies above says only that something went wrong, with the address.
fn reason(error: &reqwest::Error) -> String {
    match causes(error).skip(1).last() {
        Some(cause) => cause.to_string(),
        None if error.is_builder() => "the request could not be made".to_owned(),
        None => "the connection failed".to_owned(),
    }
}

/// Seconds until a retry; a date is left out.
fn seconds(header: Option<&HeaderValue>) -> Option<u64> {
    header?.to_str().ok()?.trim().parse().ok()
}

fn media_type(header: Option<&HeaderValue>) -> String {
    let text = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The sentence in an answer that is an error. Services put it in different places; a page of HTML says nothing more
/// than the status.
fn said(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let sentence = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(json) => [
            "/error/message",
            "/message",
            "/err",
            "/errors/0",
            "/detail",
            "/error",
            "/chart/error/description",
        ]
        .iter()
        .find_map(|pointer| json.pointer(pointer)?.as_str().map(str::to_owned))
        .unwrap_or_else(|| json.to_string()),
        Err(_) if text.trim_start().starts_with('<') => {
            status.canonical_reason().unwrap_or_default().to_owned()
        }
        Err(_) => text.trim().to_owned(),
    };
    let mut shown: String =
        sentence.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SAID).collect();
    if sentence.chars().nth(MAX_SAID).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests;
