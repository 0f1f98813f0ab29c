//! The router: every route, its place in the OpenAPI document, and what stands before and behind them all.

mod agents;
mod calls;
mod chat;
mod competencies;
mod docs;
mod dynamic;
mod events;
mod file_handlers;
mod files;
mod health;
mod permissions;
mod plugins;
mod tools;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::error::Problem;
use crate::guard::GuardLayer;
use crate::openapi::Document;

/// The routes of `app`, for a server or to be called inside this process.
pub fn router(app: App) -> Router {
    let (routes, _) = documented().split_for_parts();
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(GuardLayer(app.clone()))
        .with_state(app)
}

/// Every route with its documentation.
pub(crate) fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(plugins::routes())
        .merge(dynamic::routes())
        .merge(permissions::routes())
        .merge(tools::routes())
        .merge(agents::routes())
        .merge(chat::routes())
        .merge(calls::routes())
        .merge(competencies::routes())
        .merge(file_handlers::routes())
        .merge(files::routes())
        .merge(events::routes())
        .merge(health::routes())
        .merge(docs::routes())
}

async fn unknown_path(request: Request) -> Problem {
    let detail = format!("there is nothing at `{}`; `/docs/` shows what there is", request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

async fn unknown_method(request: Request) -> Problem {
    Problem::method_not_allowed(request.method().as_str(), request.uri().path())
}
