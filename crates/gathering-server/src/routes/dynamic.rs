//! `/plugins/dynamic` and what belongs to it: plugins that are made of code.

use std::path::PathBuf;
use std::time::Instant;

use axum::Extension;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use gathering_core::{Caller, DynamicPlugin, PluginId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json as value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::plugins::{Action, Cascade, Nothing, done};
use crate::answer::{Answer, json};
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{
    AuthoringFailed, BadBody, BadDynamic, BadPath, ManageFailed, NotDynamic, Refused, UnknownVersion,
};
use crate::request::{Json, Name, Parameters};
use crate::schemas;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(update))
        .routes(routes!(rollback))
        .routes(routes!(versions))
        .routes(routes!(remove))
        .routes(routes!(save))
        .routes(routes!(promote))
}

/// Makes a plugin out of code: examines it, infers what was not said, tries its examples, loads and enables it. If
/// anything fails, nothing is left of it.
#[utoipa::path(
    post, path = "/plugins/dynamic", operation_id = "create_dynamic_plugin", tag = "plugins",
    request_body = schemas::DynamicPlugin,
    responses(
        (status = 201, description = "The plugin, enabled", body = schemas::Plugin,
         headers(("location" = String, description = "Where it is shown"))),
        BadBody, BadDynamic, ManageFailed, AuthoringFailed, Refused,
    ),
)]
async fn create(State(app): State<App>, Extension(caller): Extension<Caller>, body: Json) -> Answer {
    authorize(&app, &caller, "create_plugin")?;
    let plugin = plugin(body, None)?;
    let made = app.host().author()?.create(caller, plugin, deadline(&app)).await?;
    let mut answer = json(&made)?;
    *answer.status_mut() = StatusCode::CREATED;
    if let Ok(place) = HeaderValue::from_str(&format!("/plugins/{}", made.metadata.id)) {
        answer.headers_mut().insert(LOCATION, place);
    }
    Ok(answer)
}

/// Puts another version of a dynamic plugin in its place. Until it passed all that a new one has to pass, the old one goes
/// on; no call is lost.
#[utoipa::path(
    put, path = "/plugins/{id}/dynamic", operation_id = "update_dynamic_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")), request_body = schemas::DynamicPlugin,
    responses(
        (status = 200, description = "The plugin as it is now", body = schemas::Plugin),
        BadBody, BadDynamic, ManageFailed, AuthoringFailed, NotDynamic, Refused,
    ),
)]
async fn update(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    body: Json,
) -> Answer {
    authorize(&app, &caller, "update_plugin")?;
    let plugin = plugin(body, Some(&id))?;
    json(&app.host().author()?.update(caller, plugin, deadline(&app)).await?)
}

/// Which version to go back to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RollbackRequest {
    /// The version's number. Default: the version before the current one.
    #[schema(value_type = u64, required = false, minimum = 1)]
    version: Option<u64>,
}

/// Makes a version of before the newest one of a dynamic plugin; no call is lost.
#[utoipa::path(
    post, path = "/plugins/{id}/rollback", operation_id = "rollback_dynamic_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")), request_body = Option<RollbackRequest>,
    responses(
        (status = 200, description = "The plugin as it is now", body = schemas::Plugin),
        BadBody, ManageFailed, AuthoringFailed, UnknownVersion, NotDynamic, Refused,
    ),
)]
async fn rollback(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    body: Json,
) -> Answer {
    authorize(&app, &caller, "update_plugin")?;
    let request: RollbackRequest = body.into("{\"version\": 1}")?;
    json(&app.host().author()?.rollback(caller, id, request.version).await?)
}

/// Lists the versions of a dynamic plugin that are kept, oldest first.
#[utoipa::path(
    get, path = "/plugins/{id}/versions", operation_id = "dynamic_plugin_versions", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")),
    responses(
        (status = 200, description = "The versions", body = schemas::PluginVersions),
        ManageFailed, NotDynamic, AuthoringFailed, Refused,
    ),
)]
async fn versions(State(app): State<App>, Name(id): Name) -> Answer {
    let versions = app.host().author()?.versions(id.clone()).await?;
    json(&value!({"plugin_id": id, "total": versions.len(), "versions": versions}))
}

/// Unloads a dynamic plugin and removes it and its versions. A file that it was saved to stays.
#[utoipa::path(
    delete, path = "/plugins/{id}", operation_id = "remove_dynamic_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin."), Cascade),
    responses(
        (status = 200, description = "It is done", body = Action),
        BadBody, ManageFailed, NotDynamic, AuthoringFailed, Refused,
    ),
)]
async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Parameters(query): Parameters<Cascade>,
    body: Json,
) -> Answer {
    authorize(&app, &caller, "remove_plugin")?;
    let Nothing {} = body.into("no body")?;
    let removed: Vec<PluginId> = app.host().author()?.remove(caller, id.clone(), query.cascade).await?;
    done(&id, "removed", &removed)
}

/// Where to save a plugin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SaveRequest {
    /// The file, directly in a plugin folder; a mere name is one in the server's own plugin folder. Default: the plugin's id
    /// and `.py`, there.
    #[schema(value_type = String, required = false, example = "greeter.py")]
    output_path: Option<PathBuf>,
    /// Whether a file that is there is replaced. Default: false.
    #[serde(default)]
    #[schema(required = false)]
    overwrite: bool,
}

/// Where a plugin was saved.
#[derive(Serialize, ToSchema)]
struct Saved {
    /// True: a failure is a problem document.
    success: bool,
    /// What was done, in words.
    message: String,
    /// The plugin.
    plugin_id: String,
    /// The file.
    path: String,
}

/// Writes a dynamic plugin into a plugin folder, as a plugin file that behaves the same.
#[utoipa::path(
    post, path = "/plugins/{id}/save", operation_id = "save_dynamic_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")), request_body = Option<SaveRequest>,
    responses(
        (status = 200, description = "It is done", body = Saved),
        BadBody, BadPath, ManageFailed, NotDynamic, AuthoringFailed, Refused,
    ),
)]
async fn save(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    body: Json,
) -> Answer {
    let request: SaveRequest = body.into("{\"output_path\": \"NAME.py\", \"overwrite\": false}")?;
    let path = app.host().author()?.save(caller, id.clone(), request.output_path, request.overwrite).await?;
    let path = path.display().to_string();
    json(&Saved { success: true, message: format!("Plugin '{id}' saved to {path}"), plugin_id: id, path })
}

/// Makes a dynamic plugin that an agent made the operator's.
///
/// Its tools are for every agent that holds what they require from then on, its code calls others with the rights of whoever
/// calls it, and its maker may neither change nor remove it. What it may touch stays as it was.
#[utoipa::path(
    post, path = "/plugins/{id}/promote", operation_id = "promote_dynamic_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")),
    responses(
        (status = 200, description = "The plugin", body = schemas::Plugin),
        BadBody, ManageFailed, NotDynamic, AuthoringFailed, Refused,
    ),
)]
async fn promote(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    body: Json,
) -> Answer {
    let Nothing {} = body.into("no body")?;
    json(&app.host().author()?.promote(caller, id).await?)
}

/// Lets an agent do over REST what it may do by the tool `tool`, and counts it as a call of it.
fn authorize(app: &App, caller: &Caller, tool: &str) -> Result<(), Problem> {
    match caller {
        Caller::Operator => Ok(()),
        agent => Ok(app.host().authorize(agent, tool)?),
    }
}

/// The plugin in a body; with an `id`, it must be of that plugin and need not say so.
fn plugin(body: Json, id: Option<&str>) -> Result<DynamicPlugin, Problem> {
    let mut value = body.0.unwrap_or_else(|| Value::Object(Map::new()));
    if let (Some(id), Value::Object(fields)) = (id, &mut value) {
        let said = fields.entry("plugin_id").or_insert_with(|| id.into());
        if said != id {
            return Err(Problem::bad_field(
                "/plugin_id",
                format!("the path is of the plugin `{id}`, and `plugin_id` is {said}"),
            ));
        }
    }
    Ok(DynamicPlugin::parse(value).map_err(gathering_host::AuthoringError::InvalidRequest)?)
}

fn deadline(app: &App) -> Instant {
    Instant::now() + app.host().limits().load_timeout
}
