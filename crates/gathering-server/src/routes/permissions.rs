//! `/plugins/{id}/permissions`, `/grant`, `/revoke`: what a plugin may touch.

use axum::extract::State;
use gathering_core::Permissions;
use gathering_host::PermissionsChange;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, json};
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{BadBody, ManageFailed, Refused, UnknownPlugin};
use crate::request::{Json, Name};
use crate::schemas;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(permissions)).routes(routes!(grant)).routes(routes!(revoke))
}

/// Shows what a plugin asks to touch, what its operator allows, and what it may touch because of both.
#[utoipa::path(
    get, path = "/plugins/{id}/permissions", operation_id = "plugin_permissions", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")),
    responses((status = 200, description = "Its permissions", body = schemas::PluginPermissions), UnknownPlugin, Refused),
)]
async fn permissions(State(app): State<App>, Name(id): Name) -> Answer {
    json(&app.host().permissions(&id).await?)
}

/// What to allow.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GrantRequest {
    /// What the plugin may touch, as far as it asks for it.
    #[schema(value_type = schemas::Permissions)]
    permissions: Permissions,
}

/// Allows a plugin to touch more. A loaded one is reloaded if that changes anything; no call is lost.
#[utoipa::path(
    post, path = "/plugins/{id}/grant", operation_id = "grant_permissions", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")), request_body = GrantRequest,
    responses((status = 200, description = "It is done", body = schemas::PermissionsChange), BadBody, ManageFailed, Refused),
)]
async fn grant(State(app): State<App>, Name(id): Name, body: Json) -> Answer {
    let GrantRequest { permissions } =
        body.into("{\"permissions\": {\"network\": [\"api.example.com\"]}}")?;
    if permissions.is_empty() {
        return Err(Problem::bad_request("the body allows nothing: name at least one permission"));
    }
    let change = app.host().grant(&id, permissions.clone()).await?;
    let unasked = permissions.not_in(&change.permissions.asked);
    let note = match unasked.is_empty() {
        true => String::new(),
        false => format!("; it does not ask for {}, which changes nothing", unasked.to_words().join(" ")),
    };
    done("granted", &permissions, &note, &change)
}

/// What to take back: either of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokeRequest {
    /// These entries, written as they were granted.
    #[schema(value_type = schemas::Permissions, required = false)]
    permissions: Option<Permissions>,
    /// Everything that was granted.
    #[serde(default)]
    all: bool,
}

/// Takes back what was granted. A loaded plugin is reloaded, and no call is lost; one that cannot go on is unloaded.
#[utoipa::path(
    post, path = "/plugins/{id}/revoke", operation_id = "revoke_permissions", tag = "plugins",
    params(("id" = String, Path, description = "The plugin.")), request_body = RevokeRequest,
    responses((status = 200, description = "It is done", body = schemas::PermissionsChange), BadBody, ManageFailed, Refused),
)]
async fn revoke(State(app): State<App>, Name(id): Name, body: Json) -> Answer {
    let expected = "{\"permissions\": {\"network\": [\"api.example.com\"]}} or {\"all\": true}";
    let RevokeRequest { permissions, all } = body.into(expected)?;
    if permissions.as_ref().is_some_and(Permissions::is_empty) || permissions.is_some() == all {
        return Err(Problem::bad_request(format!(
            "the body does not say what to revoke; expected {expected}"
        )));
    }
    let revoked = match &permissions {
        Some(these) => these.clone(),
        None => app.host().permissions(&id).await?.allowed.granted,
    };
    let change = app.host().revoke(&id, permissions).await?;
    done("revoked", &revoked, "", &change)
}

fn done(verb: &str, permissions: &Permissions, note: &str, change: &PermissionsChange) -> Answer {
    #[derive(Serialize)]
    struct Done<'a> {
        success: bool,
        message: String,
        #[serde(flatten)]
        change: &'a PermissionsChange,
    }
    let id = &change.permissions.plugin_id;
    let what = match permissions.to_words() {
        words if words.is_empty() => "nothing".to_owned(),
        words => words.join(" "),
    };
    let reloaded = if change.reloaded { "; it was reloaded, and no call was lost" } else { "" };
    json(&Done { success: true, message: format!("Plugin '{id}': {verb} {what}{reloaded}{note}"), change })
}
