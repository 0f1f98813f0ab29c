//! `/health`: that the server runs, and what it serves.

use axum::extract::State;
use gathering_host::PluginStats;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, json};
use crate::app::App;
use crate::openapi::Refused;
use crate::schemas;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health))
}

/// That the server runs, and what it serves. More members may follow, such as versions of runtimes.
#[derive(Serialize, ToSchema)]
#[schema(as = ServerHealth)]
struct ServerHealth {
    /// `ok`: the server answers. How its plugins feel is told by `/plugins/health/all`.
    status: &'static str,
    /// The version of GatheRing.
    version: &'static str,
    /// Since when it runs.
    uptime_seconds: f64,
    /// The generation of the registries: it counts up with each change.
    generation: u64,
    /// How many plugins, tools and competencies there are.
    #[schema(value_type = schemas::PluginStats)]
    plugins: PluginStats,
    #[serde(flatten)]
    #[schema(ignore)]
    details: Map<String, Value>,
}

/// Tells that the server runs.
#[utoipa::path(get, path = "/health", operation_id = "server_health", tag = "server", responses((status = 200, description = "The server runs", body = ServerHealth), Refused))]
async fn health(State(app): State<App>) -> Answer {
    let host = app.host();
    json(&ServerHealth {
        status: "ok",
        version: gathering_core::VERSION,
        uptime_seconds: app.started().elapsed().as_secs_f64(),
        generation: host.snapshot().generation(),
        plugins: host.stats(),
        details: app.options().health_details.as_ref().map(|details| details()).unwrap_or_default(),
    })
}
