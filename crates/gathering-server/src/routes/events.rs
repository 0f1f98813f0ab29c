//! `/events`: what happens, as server-sent events, from where a watcher left off.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use gathering_host::{Event, Host};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::Problem;
use crate::openapi::{BadQuery, Refused};
use crate::request::Parameters;
use crate::schemas;

/// How often a comment is sent while nothing happens, so that either side notices when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(events))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Since {
    /// Begin after the event of this number instead of now; `Last-Event-ID` goes before it. The last 1,024 are kept.
    since: Option<u64>,
}

/// Streams what happens: `id` is the event's number, `event` its name, `data` the event as JSON.
///
/// A watcher that was too slow or away too long gets an event `lagged` whose data says how many it missed.
#[utoipa::path(
    get, path = "/events", operation_id = "watch_events", tag = "server",
    params(Since, ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event that was seen.")),
    responses((status = 200, description = "The stream", body = schemas::Event, content_type = "text/event-stream"), BadQuery, Refused),
)]
async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    Parameters(query): Parameters<Since>,
) -> Result<Response, Problem> {
    let since = last_event_id(&headers)?.or(query.since);
    let stream = watch(app.host(), since).take_until(Box::pin(app.stopped()));
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Problem::bad_request("`Last-Event-ID` must be the number of an event"))
}

/// Where a watcher stands.
struct Watcher {
    host: Host,
    receiver: Receiver<Arc<Event>>,
    /// What is to be sent next.
    waiting: VecDeque<Arc<Event>>,
    /// The number of the last event that was sent.
    last: u64,
}

fn watch(host: &Host, since: Option<u64>) -> impl Stream<Item = Result<Message, Infallible>> + Send + use<> {
    // Subscribed before the kept events are read, so that none falls between the two.
    let receiver = host.subscribe();
    let kept = host.events_after(0);
    let newest = kept.last().map_or(0, |event| event.sequence);
    let last = match since {
        None => newest,
        // A number from before a restart: everything since then is new to the watcher.
        Some(since) if since > newest => 0,
        Some(since) => since,
    };
    let waiting = kept.into_iter().filter(|event| event.sequence > last).collect();
    let watcher = Watcher { host: host.clone(), receiver, waiting, last };
    stream::unfold(watcher, |mut watcher| async move {
        let message = watcher.next().await?;
        Some((Ok(message), watcher))
    })
}

impl Watcher {
    /// The next message; `None` when the host is gone.
    async fn next(&mut self) -> Option<Message> {
        loop {
            while let Some(event) = self.waiting.pop_front() {
                if event.sequence <= self.last {
                    continue;
                }
                let missed = event.sequence - self.last - 1;
                if missed > 0 {
                    self.last = event.sequence - 1;
                    self.waiting.push_front(event);
                    return Some(lagged(missed));
                }
                self.last = event.sequence;
                return Some(message(&event));
            }
            match self.receiver.recv().await {
                Ok(event) => self.waiting.push_back(event),
                // What was pushed out of the channel may still be kept.
                Err(RecvError::Lagged(_)) => self.waiting = self.host.events_after(self.last).into(),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn message(event: &Event) -> Message {
    let message = Message::default().id(event.sequence.to_string()).event(event.kind.name());
    let data = serde_json::to_string(event).expect("an event has only texts and numbers");
    message.data(data)
}

fn lagged(missed: u64) -> Message {
    let data = json!({"event": "lagged", "missed": missed}).to_string();
    Message::default().event("lagged").data(data)
}
