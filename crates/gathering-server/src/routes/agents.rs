//! `/agents`: who calls beside the operator, what each holds, and what it may call because of it.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use gathering_agents::{AgentChange, AgentInfo, CompetencyGrant, NewAgent, NewToken};
use gathering_core::{AgentId, Caller, ToolName};
use serde::{Deserialize, Serialize};
use serde_json::json as value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::plugins::{Cascade, Nothing};
use super::tools::{self, Filter};
use crate::answer::{Answer, json};
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{AgentFailed, BadBody, BadQuery, Refused, UnknownAgent};
use crate::request::{Json, Name, Parameters};
use crate::schemas;

/// What the body of a new agent looks like.
const NEW: &str = "{\"name\": \"Analyst\", \"competencies\": [\"python\", \"git:advanced\"]}";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(update))
        .routes(routes!(delete))
        .routes(routes!(grant))
        .routes(routes!(revoke))
        .routes(routes!(renew_token))
        .routes(routes!(agent_tools))
        .routes(routes!(learning_path))
}

/// An agent and what it may call.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    agent: AgentInfo,
    tools: Vec<ToolName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

fn shown(app: &App, agent: AgentInfo, token: Option<String>) -> Answer {
    let tools = app.agents().tools(agent.id.as_str())?;
    json(&Shown { tools: tools.iter().map(|tool| tool.name.clone()).collect(), agent, token })
}

/// Makes an agent. Its token is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/agents", operation_id = "create_agent", tag = "agents", request_body = schemas::NewAgent,
    responses(
        (status = 201, description = "The agent and its token", body = schemas::AgentDetails,
         headers(("location" = String, description = "Where it is shown"))),
        BadBody, AgentFailed, Refused,
    ),
)]
async fn create(State(app): State<App>, body: Json) -> Answer {
    let wanted: NewAgent = body.into(NEW)?;
    let NewToken { agent, token } = app.agents().create(wanted).await?;
    let place = HeaderValue::from_str(&format!("/agents/{}", agent.id));
    let mut answer = shown(&app, agent, Some(token))?;
    *answer.status_mut() = StatusCode::CREATED;
    if let Ok(place) = place {
        answer.headers_mut().insert(LOCATION, place);
    }
    Ok(answer)
}

/// Lists the agents in the order of their making.
#[utoipa::path(
    get, path = "/agents", operation_id = "list_agents", tag = "agents",
    responses((status = 200, description = "The agents", body = schemas::AgentList), Refused),
)]
async fn list(State(app): State<App>) -> Answer {
    let agents = app.agents().list();
    json(&value!({"total": agents.len(), "agents": agents}))
}

/// Shows an agent and the names of the tools that it may call. An agent is shown itself only.
#[utoipa::path(
    get, path = "/agents/{id}", operation_id = "show_agent", tag = "agents",
    params(("id" = String, Path, description = "The agent.")),
    responses((status = 200, description = "The agent", body = schemas::AgentDetails), UnknownAgent, Refused),
)]
async fn show(State(app): State<App>, Extension(caller): Extension<Caller>, Name(id): Name) -> Answer {
    may_look_at(&caller, &id)?;
    let agent = app.agents().get(&id)?;
    shown(&app, agent, None)
}

/// Changes what is said of an agent; what the body does not name stays. Competencies have endpoints of their own.
#[utoipa::path(
    patch, path = "/agents/{id}", operation_id = "update_agent", tag = "agents",
    params(("id" = String, Path, description = "The agent.")), request_body = schemas::AgentChange,
    responses((status = 200, description = "The agent as it is now", body = schemas::AgentDetails), BadBody, AgentFailed, Refused),
)]
async fn update(State(app): State<App>, Name(id): Name, body: Json) -> Answer {
    let change: AgentChange =
        body.into("{\"instructions\": \"Be brief.\", \"denied_tools\": [\"write_file\"]}")?;
    let agent = app.agents().update(&id, change).await?;
    shown(&app, agent, None)
}

/// What was done.
#[derive(Serialize, ToSchema)]
struct Deleted {
    /// True: a failure is a problem document.
    success: bool,
    /// What was done, in words.
    message: String,
    /// Every agent that was deleted, in that order.
    #[schema(value_type = Vec<String>)]
    affected: Vec<AgentId>,
}

/// Deletes an agent: its token is worth nothing from now on, and nobody gets its id. What it made stays.
#[utoipa::path(
    delete, path = "/agents/{id}", operation_id = "delete_agent", tag = "agents",
    params(("id" = String, Path, description = "The agent."), Cascade),
    responses((status = 200, description = "It is done", body = Deleted), BadBody, AgentFailed, Refused),
)]
async fn delete(
    State(app): State<App>,
    Name(id): Name,
    Parameters(query): Parameters<Cascade>,
    body: Json,
) -> Answer {
    let Nothing {} = body.into("no body")?;
    let affected = app.agents().delete(&id, query.cascade).await?;
    let names: Vec<_> = affected.iter().map(|id| format!("'{id}'")).collect();
    json(&Deleted { success: true, message: format!("deleted {}", names.join(", ")), affected })
}

/// What to grant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GrantCompetencies {
    /// Such as `git`, `git:advanced` or `{"id": "git", "level": "advanced"}`.
    #[schema(value_type = Vec<schemas::CompetencyGrant>, example = json!(["git:advanced"]))]
    competencies: Vec<CompetencyGrant>,
}

/// Lets an agent hold competencies. One that it holds already has the new level then.
#[utoipa::path(
    post, path = "/agents/{id}/competencies", operation_id = "grant_competencies", tag = "agents",
    params(("id" = String, Path, description = "The agent.")), request_body = GrantCompetencies,
    responses((status = 200, description = "The agent as it is now", body = schemas::AgentDetails), BadBody, AgentFailed, Refused),
)]
async fn grant(State(app): State<App>, Name(id): Name, body: Json) -> Answer {
    let request: GrantCompetencies = body.into("{\"competencies\": [\"git\", \"python:advanced\"]}")?;
    let agent = app.agents().grant(&id, &request.competencies).await?;
    shown(&app, agent, None)
}

/// Takes a competency from an agent; what its calls in flight go on to call is refused.
#[utoipa::path(
    delete, path = "/agents/{id}/competencies/{competency}", operation_id = "revoke_competency", tag = "agents",
    params(
        ("id" = String, Path, description = "The agent."),
        ("competency" = String, Path, description = "The competency."),
    ),
    responses((status = 200, description = "The agent as it is now", body = schemas::AgentDetails), BadBody, AgentFailed, Refused),
)]
async fn revoke(
    State(app): State<App>,
    Path((id, competency)): Path<(String, String)>,
    body: Json,
) -> Answer {
    let Nothing {} = body.into("no body")?;
    let agent = app.agents().revoke(&id, &competency).await?;
    shown(&app, agent, None)
}

/// Gives an agent another token. The one of before is worth nothing from now on.
#[utoipa::path(
    post, path = "/agents/{id}/token", operation_id = "renew_agent_token", tag = "agents",
    params(("id" = String, Path, description = "The agent.")),
    responses((status = 200, description = "The agent and its token", body = schemas::AgentDetails), BadBody, AgentFailed, Refused),
)]
async fn renew_token(State(app): State<App>, Name(id): Name, body: Json) -> Answer {
    let Nothing {} = body.into("no body")?;
    let NewToken { agent, token } = app.agents().renew_token(&id).await?;
    shown(&app, agent, Some(token))
}

/// Lists the tools that an agent may call, in the order of registration. An agent is shown its own only.
#[utoipa::path(
    get, path = "/agents/{id}/tools", operation_id = "list_agent_tools", tag = "agents",
    params(("id" = String, Path, description = "The agent."), Filter),
    responses((status = 200, description = "The tools", body = schemas::Tools), BadQuery, UnknownAgent, Refused),
)]
async fn agent_tools(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Parameters(filter): Parameters<Filter>,
) -> Answer {
    may_look_at(&caller, &id)?;
    let agent = Caller::Agent(app.agents().rights(&id)?);
    tools::listed(&app, agent, filter).await
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Goal {
    /// The competency, such as `git` or `git:advanced`.
    to: String,
}

/// Tells what an agent has to be granted to hold a competency, and which tools each step opens to it.
#[utoipa::path(
    get, path = "/agents/{id}/learning-path", operation_id = "agent_learning_path", tag = "agents",
    params(("id" = String, Path, description = "The agent."), Goal),
    responses((status = 200, description = "The path", body = schemas::AgentLearningPath), BadQuery, UnknownAgent, Refused),
)]
async fn learning_path(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Parameters(goal): Parameters<Goal>,
) -> Answer {
    may_look_at(&caller, &id)?;
    json(&app.agents().learning_path(&id, &goal.to)?)
}

/// Lets the operator look at every agent, and an agent at itself.
pub(super) fn may_look_at(caller: &Caller, id: &str) -> Result<(), Problem> {
    match caller {
        Caller::Agent(rights) if !rights.id.as_str().eq_ignore_ascii_case(id) => Err(Problem::forbidden(
            format!("an agent may look at itself only, which is `/agents/{}`", rights.id),
        )),
        _ => Ok(()),
    }
}
