//! `/agents/{id}/chat` and `/models`: talking with agents, what was said, and the models that answer.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::StreamExt;
use gathering_agents::{ChatEvent, Chats, NewMessage};
use gathering_core::Caller;
use serde::Serialize;
use serde_json::json as value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::agents::may_look_at;
use super::plugins::Nothing;
use crate::answer::{Answer, json};
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{BadBody, ChatFailed, Refused, UnknownConversation};
use crate::request::{Json, Name};
use crate::schemas;

/// How often a comment is sent while nothing happens, so that either side notices when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(say))
        .routes(routes!(conversations))
        .routes(routes!(conversation))
        .routes(routes!(remove))
        .routes(routes!(models))
}

/// Says something to an agent. Its model answers, and calls tools with the agent's rights.
///
/// The answer is a stream of events: `conversation`, then `text`, `tool_call`, `tool_result`, `usage`, `retry` and `context` as
/// they happen, and `done` or `error` at the end. What can be refused at once is a problem document. If the client goes away,
/// the model and the tools that run are stopped; what was said until then is kept, and the conversation can go on.
#[utoipa::path(
    post, path = "/agents/{id}/chat", operation_id = "chat_with_agent", tag = "agents",
    params(("id" = String, Path, description = "The agent.")), request_body = schemas::NewMessage,
    responses(
        (status = 200, description = "The stream", body = schemas::ChatEvent, content_type = "text/event-stream"),
        BadBody, ChatFailed, Refused,
    ),
)]
async fn say(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    body: Json,
) -> Result<Response, Problem> {
    may_look_at(&caller, &id)?;
    let said: NewMessage = body.into("{\"message\": \"What is 6 times 7?\"}")?;
    let events = chats(&app)?.say(&id, said).await?;
    let messages =
        events.take_until(Box::pin(app.stopped())).map(|event| Ok::<_, Infallible>(message(&event)));
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// Lists the conversations of an agent; the one in which something was said last comes first.
#[utoipa::path(
    get, path = "/agents/{id}/conversations", operation_id = "list_conversations", tag = "agents",
    params(("id" = String, Path, description = "The agent.")),
    responses((status = 200, description = "The conversations", body = schemas::ConversationList), UnknownConversation, Refused),
)]
async fn conversations(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Answer {
    may_look_at(&caller, &id)?;
    let conversations = chats(&app)?.list(&id).await?;
    json(&value!({"total": conversations.len(), "conversations": conversations}))
}

/// Shows a conversation with all that was said in it.
#[utoipa::path(
    get, path = "/agents/{id}/conversations/{conversation}", operation_id = "show_conversation", tag = "agents",
    params(
        ("id" = String, Path, description = "The agent."),
        ("conversation" = String, Path, description = "The conversation."),
    ),
    responses((status = 200, description = "The conversation", body = schemas::FullConversation), UnknownConversation, Refused),
)]
async fn conversation(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((id, conversation)): Path<(String, String)>,
) -> Answer {
    may_look_at(&caller, &id)?;
    json(&chats(&app)?.get(&id, &conversation).await?)
}

/// What was done.
#[derive(Serialize, ToSchema)]
struct Removed {
    /// True: a failure is a problem document.
    success: bool,
    /// What was done, in words.
    message: String,
}

/// Forgets a conversation.
#[utoipa::path(
    delete, path = "/agents/{id}/conversations/{conversation}", operation_id = "delete_conversation", tag = "agents",
    params(
        ("id" = String, Path, description = "The agent."),
        ("conversation" = String, Path, description = "The conversation."),
    ),
    responses((status = 200, description = "It is done", body = Removed), BadBody, ChatFailed, Refused),
)]
async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((id, conversation)): Path<(String, String)>,
    body: Json,
) -> Answer {
    let Nothing {} = body.into("no body")?;
    may_look_at(&caller, &id)?;
    chats(&app)?.remove(&id, &conversation).await?;
    json(&Removed { success: true, message: format!("deleted the conversation '{conversation}'") })
}

/// Lists the models that agents can be answered by. Of keys it is only told by what name each is kept, and whether it is there.
#[utoipa::path(
    get, path = "/models", operation_id = "list_models", tag = "agents",
    responses((status = 200, description = "The models", body = schemas::ModelList), Refused),
)]
async fn models(State(app): State<App>) -> Answer {
    let models = chats(&app)?.models().clone();
    let listed = tokio::task::spawn_blocking(move || models.list()).await;
    let models = listed.map_err(|panic| Problem::internal(panic.to_string()))?;
    json(&value!({"total": models.len(), "models": models}))
}

fn chats(app: &App) -> Result<&Chats, Problem> {
    app.options().chats.as_ref().ok_or_else(Problem::no_chats)
}

fn message(event: &ChatEvent) -> Message {
    let data = serde_json::to_string(event).expect("an event has only texts and numbers");
    Message::default().event(event.name()).data(data)
}
