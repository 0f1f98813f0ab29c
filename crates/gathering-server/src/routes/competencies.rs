//! `/competencies`: the skills that agents can hold, and how to get there.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use gathering_core::{Caller, CompetencyDefinition, CompetencyId, CompetencyLevel};
use gathering_host::{Index, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::json as value;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, json};
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{BadQuery, Refused, UnknownCompetency};
use crate::request::{Name, Parameters};
use crate::schemas;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(learning_path))
        .routes(routes!(instructions))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of this category, such as `programming`.
    category: Option<String>,
    /// Only those of this level: `novice`, `intermediate`, `advanced`, `expert` or another that a plugin uses.
    level: Option<String>,
    /// Only those that this plugin brought.
    plugin: Option<String>,
}

/// Lists the competencies in the order of registration.
#[utoipa::path(
    get, path = "/competencies", operation_id = "list_competencies", tag = "competencies", params(Filter),
    responses((status = 200, description = "The competencies", body = schemas::Competencies), BadQuery, Refused),
)]
async fn list(State(app): State<App>, Parameters(filter): Parameters<Filter>) -> Answer {
    let snapshot = app.host().snapshot();
    let table = snapshot.competencies();
    let level = filter.level.as_deref().map(CompetencyLevel::from);
    let listed = match (&filter.category, &filter.plugin) {
        (Some(category), _) => table.list_by(Index::Category, category),
        (None, Some(plugin)) => table.list_by(Index::Plugin, plugin),
        (None, None) => table.list(),
    };
    let wanted = |competency: &&Arc<CompetencyDefinition>| {
        level.as_ref().is_none_or(|level| competency.level == *level)
            && filter
                .plugin
                .as_ref()
                .is_none_or(|plugin| competency.plugin_id.as_ref().is_some_and(|id| id.as_str() == plugin))
    };
    let listed: Vec<_> = listed.iter().filter(wanted).collect();
    json(&value!({"competencies": listed, "total": listed.len()}))
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    definition: &'a CompetencyDefinition,
    all_prerequisites: Vec<CompetencyId>,
    dependents: Vec<CompetencyId>,
}

/// Shows a competency, what it builds on and what builds on it.
#[utoipa::path(
    get, path = "/competencies/{id}", operation_id = "show_competency", tag = "competencies",
    params(("id" = String, Path, description = "The competency.")),
    responses(
        (status = 200, description = "The competency", body = schemas::CompetencyDetails),
        UnknownCompetency,
        Refused,
    ),
)]
async fn show(State(app): State<App>, Name(id): Name) -> Answer {
    let snapshot = app.host().snapshot();
    let definition = find(&snapshot, &id)?;
    json(&Shown {
        definition,
        all_prerequisites: snapshot.all_prerequisites(&id),
        dependents: snapshot.dependents(&id),
    })
}

/// Tells what to learn to hold a competency: prerequisites first, the competency last.
#[utoipa::path(
    get, path = "/competencies/{id}/learning-path", operation_id = "learning_path", tag = "competencies",
    params(("id" = String, Path, description = "The competency.")),
    responses(
        (status = 200, description = "The path", body = schemas::LearningPath),
        UnknownCompetency,
        Refused,
    ),
)]
async fn learning_path(State(app): State<App>, Name(id): Name) -> Answer {
    let snapshot = app.host().snapshot();
    let goal = find(&snapshot, &id)?;
    json(&value!({"competency_id": goal.id, "learning_path": snapshot.learning_path(&id)}))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Another file of the competency's folder, such as `references/forms.md`. Default: the instructions.
    file: Option<String>,
}

/// Tells the instructions of a competency, or the text of a file beside them. An agent has to hold it.
#[utoipa::path(
    get, path = "/competencies/{id}/instructions", operation_id = "competency_instructions", tag = "competencies",
    params(("id" = String, Path, description = "The competency."), Wanted),
    responses(
        (status = 200, description = "The instructions", body = schemas::Instructions),
        BadQuery,
        UnknownCompetency,
        Refused,
    ),
)]
async fn instructions(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Parameters(wanted): Parameters<Wanted>,
) -> Answer {
    let host = app.host().clone();
    let read = tokio::task::spawn_blocking(move || host.instructions(&caller, &id, wanted.file.as_deref()));
    let read = read.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    json(&read?)
}

fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Result<&'a Arc<CompetencyDefinition>, Problem> {
    snapshot.competencies().get(id).ok_or_else(|| {
        let shown: String = id.chars().take(64).flat_map(char::escape_debug).collect();
        let detail = format!("there is no competency called `{shown}`; `GET /competencies` lists them");
        Problem::new(StatusCode::NOT_FOUND, "unknown_competency", detail)
    })
}
