//! `/plugins`: finding, loading, trying and unloading plugins.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use axum::extract::State;
use axum::http::StatusCode;
use gathering_core::{PluginId, PluginStatus};
use gathering_host::{Dependencies, Index};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::tools::Shown;
use crate::answer::{Answer, json};
use crate::app::App;
use crate::error::{Problem, ProblemDocument};
use crate::openapi::{BadBody, BadDirectory, BadQuery, ManageFailed, Refused, UnknownPlugin};
use crate::request::{Json, Name, Parameters};
use crate::schemas;

/// How much of a log is shown if the request does not say, in bytes.
const DEFAULT_LOG: u64 = 64 * 1024;
/// How much of a log is shown at most, in bytes.
const MAX_LOG: u64 = 1024 * 1024;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(available))
        .routes(routes!(stats))
        .routes(routes!(health_all))
        .routes(routes!(show))
        .routes(routes!(health))
        .routes(routes!(tools))
        .routes(routes!(log))
        .routes(routes!(discover))
        .routes(routes!(load))
        .routes(routes!(enable))
        .routes(routes!(disable))
        .routes(routes!(unload))
        .routes(routes!(reload))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only plugins in this state.
    #[param(value_type = Option<schemas::PluginStatus>)]
    status: Option<PluginStatus>,
}

/// Lists every known plugin, loaded or not, in the order in which they became known.
#[utoipa::path(
    get, path = "/plugins", operation_id = "list_plugins", tag = "plugins", params(Filter),
    responses((status = 200, description = "The plugins", body = schemas::Plugins), BadQuery, Refused),
)]
async fn list(State(app): State<App>, Parameters(filter): Parameters<Filter>) -> Answer {
    let mut plugins = app.host().plugins();
    plugins.retain(|plugin| filter.status.is_none_or(|status| plugin.status == status));
    json(&value!({"total": plugins.len(), "plugins": plugins}))
}

/// Lists the ids of every known plugin, loaded or not.
#[utoipa::path(
    get, path = "/plugins/available", operation_id = "list_plugin_ids", tag = "plugins",
    responses((status = 200, description = "The ids", body = schemas::PluginIds), Refused),
)]
async fn available(State(app): State<App>) -> Answer {
    let ids: Vec<_> = app.host().plugins().into_iter().map(|plugin| plugin.metadata.id).collect();
    json(&value!({"total": ids.len(), "plugins": ids}))
}

/// Counts plugins and what they contribute.
#[utoipa::path(
    get, path = "/plugins/stats", operation_id = "plugin_stats", tag = "plugins",
    responses((status = 200, description = "The counts", body = schemas::PluginStats), Refused),
)]
async fn stats(State(app): State<App>) -> Answer {
    json(&app.host().stats())
}

/// Asks every loaded plugin how it feels. One that does not answer spoils no other's answer.
#[utoipa::path(
    get, path = "/plugins/health/all", operation_id = "all_plugins_health", tag = "plugins",
    responses((status = 200, description = "How each feels", body = schemas::PluginsHealth), Refused),
)]
async fn health_all(State(app): State<App>) -> Answer {
    let all = app.host().health_all().await;
    let total = all.len();
    let plugins: BTreeMap<_, _> = all.into_iter().map(|health| (health.plugin_id.clone(), health)).collect();
    json(&value!({"plugins": plugins, "total": total}))
}

/// Shows a plugin.
#[utoipa::path(
    get, path = "/plugins/{id}", operation_id = "show_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")),
    responses((status = 200, description = "The plugin", body = schemas::Plugin), UnknownPlugin, Refused),
)]
async fn show(State(app): State<App>, Name(id): Name) -> Answer {
    json(&app.host().plugin(&id)?)
}

/// Asks a loaded plugin how it feels.
#[utoipa::path(
    get, path = "/plugins/{id}/health", operation_id = "plugin_health", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")),
    responses((status = 200, description = "How it feels", body = schemas::PluginHealth), ManageFailed, Refused),
)]
async fn health(State(app): State<App>, Name(id): Name) -> Answer {
    json(&app.host().health(&id).await?)
}

/// Lists the registered tools of a plugin.
#[utoipa::path(
    get, path = "/plugins/{id}/tools", operation_id = "list_plugin_tools", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")),
    responses((status = 200, description = "The tools", body = schemas::PluginTools), UnknownPlugin, Refused),
)]
async fn tools(State(app): State<App>, Name(id): Name) -> Answer {
    #[derive(Serialize)]
    struct Listed<'a> {
        plugin_id: &'a PluginId,
        tools: Vec<Shown<'a>>,
        total: usize,
    }
    let plugin = app.host().plugin(&id)?;
    let tools = app.host().snapshot().tools().list_by(Index::Plugin, plugin.metadata.id.as_str());
    let tools: Vec<_> = tools.iter().map(|tool| Shown::new(tool)).collect();
    json(&Listed { plugin_id: &plugin.metadata.id, total: tools.len(), tools })
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogSize {
    /// How much of its end to show, in bytes. Default: 65,536; at most 1,048,576.
    #[param(maximum = 1_048_576)]
    bytes: Option<u64>,
}

/// Shows the end of what a plugin printed.
#[utoipa::path(
    get, path = "/plugins/{id}/log", operation_id = "plugin_log", tag = "plugins",
    params(("id" = String, Path, description = "The plugin."), LogSize),
    responses(
        (status = 200, description = "The end of the log", body = schemas::PluginLog),
        (status = 501, body = ProblemDocument, content_type = "application/problem+json",
         description = "`not_implemented`: this server keeps no logs of plugins"),
        BadQuery, UnknownPlugin, Refused,
    ),
)]
async fn log(State(app): State<App>, Name(id): Name, Parameters(size): Parameters<LogSize>) -> Answer {
    let id = app.host().plugin(&id)?.metadata.id;
    let Some(read) = app.options().plugin_log.clone() else {
        let detail = "this server keeps no logs of plugins";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", detail));
    };
    let bytes = size.bytes.unwrap_or(DEFAULT_LOG).min(MAX_LOG);
    let of = id.clone();
    let read = tokio::task::spawn_blocking(move || read(&of, bytes)).await;
    let log = match read {
        Ok(Ok(log)) => log,
        // It has printed nothing so far.
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Ok(Err(error)) => {
            return Err(Problem::internal(format!("the log of `{id}` could not be read: {error}")));
        }
        Err(panic) => return Err(Problem::internal(format!("the log of `{id}` could not be read: {panic}"))),
    };
    json(&value!({"plugin_id": id, "log": log}))
}

/// Where to look for plugins.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DiscoverRequest {
    /// The folder to look in. Default: all the folders of plugins that the server knows.
    #[serde(alias = "path")]
    #[schema(value_type = String, required = false, nullable = false, example = "./plugins")]
    directory: Option<PathBuf>,
}

/// Looks for plugins in folders and makes them known; loads nothing.
#[utoipa::path(
    post, path = "/plugins/discover", operation_id = "discover_plugins", tag = "plugins", request_body = Option<DiscoverRequest>,
    responses((status = 200, description = "What was found", body = schemas::Discovery), BadBody, BadDirectory, ManageFailed, Refused),
)]
async fn discover(State(app): State<App>, body: Json) -> Answer {
    let request: DiscoverRequest = body.into("{\"directory\": \"FOLDER\"}")?;
    let found = app.host().discover(request.directory.as_deref()).await?;
    json(&value!({"total": found.discovered.len(), "discovered": found.discovered, "errors": found.errors}))
}

/// What to load.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoadRequest {
    /// The plugin.
    plugin_id: String,
    /// Its configuration. Default: the one it had last, or its defaults.
    #[schema(value_type = Object, required = false)]
    config: Option<Value>,
    /// Whether the plugins that it needs are loaded before it. Default: false, then they have to be loaded already.
    #[serde(default)]
    dependencies: bool,
}

/// Loads a plugin: starts it and registers all that it contributes, or nothing.
#[utoipa::path(
    post, path = "/plugins/load", operation_id = "load_plugin", tag = "plugins", request_body = LoadRequest,
    responses((status = 200, description = "It is done", body = Action), BadBody, ManageFailed, Refused),
)]
async fn load(State(app): State<App>, body: Json) -> Answer {
    let request: LoadRequest = body.into("{\"plugin_id\": \"ID\", \"config\": {..}}")?;
    let dependencies = if request.dependencies { Dependencies::LoadToo } else { Dependencies::MustBeLoaded };
    let loaded = app.host().load(&request.plugin_id, request.config, dependencies).await?;
    done(&request.plugin_id, "loaded", &loaded)
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Action<'a> {
    /// True: a failure is a problem document.
    success: bool,
    /// What was done, in words.
    message: String,
    /// The plugin.
    plugin_id: &'a str,
    /// Every plugin it was done to, in that order.
    #[schema(value_type = Vec<String>)]
    affected: &'a [PluginId],
}

pub(super) fn done(plugin_id: &str, what: &str, affected: &[PluginId]) -> Answer {
    let others: Vec<_> =
        affected.iter().filter(|id| **id != *plugin_id).map(|id| format!("'{id}'")).collect();
    let message = match others.as_slice() {
        [] => format!("Plugin '{plugin_id}' {what}"),
        others => format!("Plugin '{plugin_id}' {what}, and so were {}", others.join(", ")),
    };
    json(&Action { success: true, message, plugin_id, affected })
}

/// Offers a loaded plugin's tools to agents.
#[utoipa::path(
    post, path = "/plugins/{id}/enable", operation_id = "enable_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")),
    responses((status = 200, description = "It is done", body = Action), BadBody, ManageFailed, Refused),
)]
async fn enable(State(app): State<App>, Name(id): Name, body: Json) -> Answer {
    let Nothing {} = body.into("no body")?;
    let enabled = app.host().enable(&id).await?;
    done(&id, "enabled", &enabled)
}

/// A body that says nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Whether plugins that need this one are dealt with before it, in the query or in the body. Default: false, then the
/// request is refused with their names.
#[derive(Default, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Cascade {
    /// Whether plugins that need this one are dealt with before it. Default: false.
    #[schema(required = false)]
    #[param(required = false)]
    pub(super) cascade: bool,
}

/// Refuses every call of a plugin's tools from now on.
#[utoipa::path(
    post, path = "/plugins/{id}/disable", operation_id = "disable_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin."), Cascade), request_body = Option<Cascade>,
    responses((status = 200, description = "It is done", body = Action), BadBody, ManageFailed, Refused),
)]
async fn disable(
    State(app): State<App>,
    Name(id): Name,
    Parameters(query): Parameters<Cascade>,
    body: Json,
) -> Answer {
    let body: Cascade = body.into("{\"cascade\": true}")?;
    let disabled = app.host().disable(&id, query.cascade || body.cascade).await?;
    done(&id, "disabled", &disabled)
}

/// Removes all that a plugin contributed, lets its calls end, and stops it.
#[utoipa::path(
    post, path = "/plugins/{id}/unload", operation_id = "unload_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin."), Cascade), request_body = Option<Cascade>,
    responses((status = 200, description = "It is done", body = Action), BadBody, ManageFailed, Refused),
)]
async fn unload(
    State(app): State<App>,
    Name(id): Name,
    Parameters(query): Parameters<Cascade>,
    body: Json,
) -> Answer {
    let body: Cascade = body.into("{\"cascade\": true}")?;
    let unloaded = app.host().unload(&id, query.cascade || body.cascade).await?;
    done(&id, "unloaded", &unloaded)
}

/// What to reload with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReloadRequest {
    /// A new configuration. Default: the one it has.
    #[schema(value_type = Object, required = false)]
    config: Option<Value>,
}

/// Runs a plugin's code as it is now. If that fails, the old one goes on; no call is lost either way.
#[utoipa::path(
    post, path = "/plugins/{id}/reload", operation_id = "reload_plugin", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")), request_body = Option<ReloadRequest>,
    responses((status = 200, description = "It is done", body = Action), BadBody, ManageFailed, Refused),
)]
async fn reload(State(app): State<App>, Name(id): Name, body: Json) -> Answer {
    let request: ReloadRequest = body.into("{\"config\": {..}}")?;
    app.host().reload(&id, request.config).await?;
    let id = app.host().plugin(&id)?.metadata.id;
    done(id.as_str(), "reloaded", std::slice::from_ref(&id))
}
