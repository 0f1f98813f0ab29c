//! `/file-handlers`: which tools read and write which formats.

use axum::extract::State;
use gathering_host::Index;
use serde::Deserialize;
use serde_json::json as value;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, json};
use crate::app::App;
use crate::openapi::{BadQuery, Refused};
use crate::request::Parameters;
use crate::schemas;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those for files with this ending, with or without its dot.
    extension: Option<String>,
    /// Only those for this media type, such as `text/csv`.
    media_type: Option<String>,
}

/// Lists the file handlers in the order of registration.
#[utoipa::path(
    get, path = "/file-handlers", operation_id = "list_file_handlers", tag = "file handlers", params(Filter),
    responses((status = 200, description = "The file handlers", body = schemas::FileHandlers), BadQuery, Refused),
)]
async fn list(State(app): State<App>, Parameters(filter): Parameters<Filter>) -> Answer {
    let snapshot = app.host().snapshot();
    let table = snapshot.file_handlers();
    let extension = filter.extension.map(|text| text.trim_start_matches('.').to_ascii_lowercase());
    let media_type = filter.media_type.map(|text| text.to_ascii_lowercase());
    let mut handlers = match (&extension, &media_type) {
        (Some(extension), _) => table.list_by(Index::Extension, extension).to_vec(),
        (None, Some(media_type)) => table.list_by(Index::MediaType, media_type).to_vec(),
        (None, None) => table.list().to_vec(),
    };
    if let Some(media_type) = media_type {
        handlers
            .retain(|handler| handler.media_types.iter().any(|held| held.eq_ignore_ascii_case(&media_type)));
    }
    json(&value!({"file_handlers": handlers, "total": handlers.len()}))
}
