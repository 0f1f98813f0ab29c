//! One model: asks its provider, takes the answer as it streams, and asks again where that helps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use futures_util::{StreamExt, TryStreamExt};
use gathering_core::{PluginSecrets, Secrets, json};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout_at;

use crate::building::Building;
use crate::error::said;
use crate::openai::Dialect;
use crate::stream::{Broken, events};
use crate::{Answer, Delta, ModelError, ModelSettings, Provider, Request, anthropic, openai, retry};

/// How long a provider may take to take the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a provider may be silent in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(180);
/// The most of an error that is read, in bytes.
const MAX_ERROR: usize = 64 << 10;

/// A model that can be asked.
pub struct Model {
    name: String,
    settings: ModelSettings,
    endpoint: Url,
    /// Also hides the key in what the provider says.
    secrets: Arc<PluginSecrets>,
    http: OnceLock<Client>,
    /// Whether its provider has refused to be asked for usage.
    refuses_usage: AtomicBool,
}

impl Model {
    /// The model that is configured so. Nothing is asked yet.
    pub(crate) fn new(name: String, settings: ModelSettings, secrets: Option<Arc<dyn Secrets>>) -> Self {
        let names = settings.secret.iter().cloned().collect();
        Self {
            name,
            endpoint: settings.endpoint(),
            settings,
            secrets: Arc::new(PluginSecrets::new(secrets, names)),
            http: OnceLock::new(),
            refuses_usage: AtomicBool::new(false),
        }
    }

    /// The same, but another model of its provider.
    pub(crate) fn with(&self, model: &str) -> Self {
        let settings = ModelSettings { model: model.to_owned(), ..self.settings.clone() };
        Self {
            name: self.name.clone(),
            settings,
            endpoint: self.endpoint.clone(),
            secrets: self.secrets.clone(),
            http: self.http.clone(),
            refuses_usage: AtomicBool::new(self.refuses_usage.load(Ordering::Relaxed)),
        }
    }

    /// What the operator calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is configured.
    pub fn settings(&self) -> &ModelSettings {
        &self.settings
    }

    /// How many tokens it takes at once, the answer among them.
    pub fn context_window(&self) -> u32 {
        self.settings.context_window()
    }

    /// How many tokens an answer may have.
    pub fn max_output_tokens(&self) -> u32 {
        self.settings.max_output_tokens()
    }

    /// Whether its key is there, if it needs one. May block.
    pub fn has_key(&self) -> Result<bool, ModelError> {
        match &self.settings.secret {
            Some(secret) => Ok(self.secrets.get(secret)?.is_some()),
            None => Ok(true),
        }
    }

    /// Asks the model, and gives what comes to `deltas` as it comes. What passes by itself is tried again until `deadline`,
    /// with longer and longer waits, and never before the provider wants. Dropping the future ends the request.
    pub async fn answer<E: From<Delta>>(
        &self,
        request: &Request<'_>,
        deadline: Instant,
        deltas: Option<&Sender<E>>,
    ) -> Result<Answer, ModelError> {
        let mut repeated = 0;
        loop {
            let error = match self.attempt(request, deadline, deltas).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(after) = retry::wait(&error, repeated, deadline, retry::jitter()) else {
                return Err(error);
            };
            repeated += 1;
            send(deltas, Delta::Retry { reason: error.to_string(), after }).await;
            tokio::time::sleep(after).await;
        }
    }

    async fn attempt<E: From<Delta>>(
        &self,
        request: &Request<'_>,
        deadline: Instant,
        deltas: Option<&Sender<E>>,
    ) -> Result<Answer, ModelError> {
        let mut response = self.post(request, deadline).await?;
        if self.refuses_usage(&mut response, deadline).await? {
            response = self.post(request, deadline).await?;
        }
        if !response.status().is_success() {
            return Err(self.failure(response, deadline).await);
        }
        let is_stream = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !is_stream.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream")) {
            return Err(
                self.bad(format!("it is `{}`, not a stream of events", said(is_stream.unwrap_or("nothing"))))
            );
        }
        let mut events = std::pin::pin!(events(response.bytes_stream().map_err(|error| innermost(&error))));
        let mut building = Building::default();
        loop {
            let event = timeout_at(deadline.into(), events.next()).await.map_err(|_| self.timed_out())?;
            let data = match event {
                Some(Ok(data)) => data,
                Some(Err(Broken::Bad(reason))) => return Err(self.bad(reason)),
                Some(Err(Broken::Lost(reason))) => return Err(self.broke_off(&reason)),
                None => break,
            };
            if data.trim() == "[DONE]" {
                break;
            }
            let event = json::parse(data.as_bytes()).map_err(|error| self.bad(error.to_string()))?;
            self.refuse_error(&event)?;
            let before = building.text_len();
            let read = match self.settings.provider {
                Provider::OpenAi => openai::read(&event, &mut building),
                Provider::Anthropic => anthropic::read(&event, &mut building),
            };
            read.map_err(|reason| self.bad(reason))?;
            let text = building.text_since(before);
            if !text.is_empty() {
                send(deltas, Delta::Text(text.to_owned())).await;
            }
            // OpenAI's format tells the usage after the end, and marks what is really the last event.
            if building.is_complete && self.settings.provider == Provider::Anthropic {
                break;
            }
        }
        if !building.is_complete {
            return Err(self.broke_off("the stream ended before the answer did"));
        }
        let mut answer = building.finish();
        answer.usage.cost = self.cost(answer.usage.input_tokens, answer.usage.output_tokens);
        Ok(answer)
    }

    async fn post(&self, request: &Request<'_>, deadline: Instant) -> Result<Response, ModelError> {
        let (model, most) = (&self.settings.model, self.max_output_tokens());
        let body = match self.settings.provider {
            Provider::Anthropic => anthropic::body(request, model, most),
            Provider::OpenAi => {
                let dialect = Dialect {
                    is_openais_own: self.endpoint.host_str() == Some("api.openai.com"),
                    asks_for_usage: !self.refuses_usage.load(Ordering::Relaxed),
                };
                openai::body(request, model, most, dialect)
            }
        };
        let mut post = self.http()?.post(self.endpoint.clone()).json(&body);
        if let Some(key) = self.key().await? {
            post = match self.settings.provider {
                Provider::OpenAi => post.header("authorization", self.header(&format!("Bearer {key}"))?),
                Provider::Anthropic => post.header("x-api-key", self.header(&key)?),
            };
        }
        if self.settings.provider == Provider::Anthropic {
            post = post.header("anthropic-version", anthropic::VERSION);
        }
        let sent = timeout_at(deadline.into(), post.send()).await.map_err(|_| self.timed_out())?;
        sent.map_err(|error| ModelError::Unreachable {
            model: self.name.clone(),
            url: self.endpoint.to_string(),
            reason: innermost(&error),
        })
    }

    /// The key, read at each request: it can be exchanged while this runs.
    async fn key(&self) -> Result<Option<String>, ModelError> {
        let Some(secret) = self.settings.secret.clone() else { return Ok(None) };
        let (secrets, name) = (self.secrets.clone(), secret.clone());
        let read = tokio::task::spawn_blocking(move || secrets.get(&name)).await;
        let key = read.map_err(|error| self.bad(error.to_string()))??;
        match key {
            Some(key) => Ok(Some(key)),
            None => Err(ModelError::MissingSecret { model: self.name.clone(), secret }),
        }
    }

    fn header(&self, value: &str) -> Result<HeaderValue, ModelError> {
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| ModelError::Unauthenticated {
            model: self.name.clone(),
            secret: self.settings.secret.clone(),
            said: "it holds characters that no header takes".to_owned(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn http(&self) -> Result<Client, ModelError> {
        if let Some(client) = self.http.get() {
            return Ok(client.clone());
        }
        let client = client(&self.endpoint).map_err(|error| ModelError::Unreachable {
            model: self.name.clone(),
            url: self.endpoint.to_string(),
            reason: innermost(&error),
        })?;
        Ok(self.http.get_or_init(|| client).clone())
    }

    /// Whether the provider refuses the request because it was asked for usage; from then on it is not asked.
    async fn refuses_usage(&self, response: &mut Response, deadline: Instant) -> Result<bool, ModelError> {
        let may_be = matches!(response.status(), StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
        if !may_be || self.settings.provider != Provider::OpenAi || self.refuses_usage.load(Ordering::Relaxed)
        {
            return Ok(false);
        }
        let status = response.status();
        let text = read_up_to(response, MAX_ERROR, deadline).await;
        if text.contains("stream_options") {
            self.refuses_usage.store(true, Ordering::Relaxed);
            return Ok(true);
        }
        Err(self.refusal(status, None, &text))
    }

    async fn failure(&self, mut response: Response, deadline: Instant) -> ModelError {
        let retry_after = retry::retry_after(response.headers(), SystemTime::now());
        let (status, place) = (response.status(), response.headers().get("location").cloned());
        if status.is_redirection() {
            let place = place.as_ref().and_then(|place| place.to_str().ok()).unwrap_or("elsewhere");
            return self.bad(format!("it sends to {}, where no key is taken to", said(place)));
        }
        let text = read_up_to(&mut response, MAX_ERROR, deadline).await;
        self.refusal(status, retry_after, &text)
    }

    /// What an answer that is none means.
    fn refusal(&self, status: StatusCode, retry_after: Option<Duration>, text: &str) -> ModelError {
        let document = json::parse(text.as_bytes()).unwrap_or_default();
        let of = |pointers: &[&str]| {
            let found = pointers.iter().find_map(|pointer| document.pointer(pointer).and_then(Value::as_str));
            found.unwrap_or_default().to_owned()
        };
        let message = of(&["/error/message", "/message", "/error", "/detail"]);
        let code = of(&["/error/code", "/error/type", "/code", "/type"]);
        let message = if message.is_empty() { text } else { &message };
        let said = match said(&self.secrets.redact_text(message)) {
            empty if empty.is_empty() => status.to_string(),
            message => format!("{}: {message}", status.as_u16()),
        };
        let model = self.name.clone();
        let is_too_long = status == StatusCode::PAYLOAD_TOO_LARGE
            || code == "context_length_exceeded"
            || ["prompt is too long", "maximum context length", "context window", "context length"]
                .iter()
                .any(|words| message.to_ascii_lowercase().contains(words));
        match status.as_u16() {
            401 | 403 => ModelError::Unauthenticated { model, secret: self.settings.secret.clone(), said },
            402 => ModelError::UsedUp { model, said },
            429 if code == "insufficient_quota" => ModelError::UsedUp { model, said },
            429 => ModelError::RateLimited { model, said, retry_after },
            408 | 409 | 425 | 500.. => ModelError::Overloaded { model, said, retry_after },
            _ if is_too_long => ModelError::ContextTooLong { model, said },
            _ => ModelError::Refused { model, said },
        }
    }

    /// Both formats can tell of a failure in the middle of the stream.
    fn refuse_error(&self, event: &Value) -> Result<(), ModelError> {
        let Some(error) = event.get("error").filter(|error| !error.is_null()) else { return Ok(()) };
        let status = match error.get("type").and_then(Value::as_str) {
            Some("rate_limit_error") => StatusCode::TOO_MANY_REQUESTS,
            Some("invalid_request_error") => StatusCode::BAD_REQUEST,
            Some("authentication_error" | "permission_error") => StatusCode::UNAUTHORIZED,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Err(self.refusal(status, None, &event.to_string()))
    }

    fn cost(&self, input: u64, output: u64) -> f64 {
        let price = |price: Option<f64>, tokens: u64| price.unwrap_or_default() * tokens as f64 / 1e6;
        price(self.settings.input_price, input) + price(self.settings.output_price, output)
    }

    fn timed_out(&self) -> ModelError {
        ModelError::TimedOut { model: self.name.clone() }
    }

    fn broke_off(&self, reason: &str) -> ModelError {
        ModelError::BrokeOff { model: self.name.clone(), reason: said(reason) }
    }

    fn bad(&self, reason: String) -> ModelError {
        let reason = said(&self.secrets.redact_text(&reason));
        ModelError::BadAnswer { model: self.name.clone(), provider: self.settings.provider.as_str(), reason }
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// That nobody listens any more is no failure: whoever listened drops the request, too.
async fn send<E: From<Delta>>(deltas: Option<&Sender<E>>, delta: Delta) {
    if let Some(deltas) = deltas {
        let _ = deltas.send(delta.into()).await;
    }
}

/// What speaks to the provider. A redirection is not followed: the key would go with it.
fn client(endpoint: &Url) -> reqwest::Result<Client> {
    // An error means that somebody has chosen a provider of cryptography for this process already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("gathering/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE);
    if endpoint.scheme() == "http" {
        // The certificates of this machine are not needed, and need not be there.
        builder = builder.tls_certs_only([]);
    }
    let is_here = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    if endpoint.host_str().is_some_and(is_here) {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// The beginning of a body as text; what cannot be read is left out.
async fn read_up_to(response: &mut Response, most: usize, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        match timeout_at(deadline.into(), response.chunk()).await {
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    bytes.truncate(most);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
