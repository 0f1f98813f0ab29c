//! `/openapi.json` and `/docs/`: the OpenAPI document, and a page that shows it without any outside address.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Redirect, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::Config;

use crate::answer::Answer;
use crate::app::App;
use crate::error::Problem;
use crate::openapi::{Refused, document};

/// Scripts and styles come from this server alone, and no other page may frame it. Swagger UI writes styles inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(openapi))
        .routes(routes!(index))
        .routes(routes!(docs))
        .routes(routes!(page))
        .routes(routes!(file))
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi_document", tag = "server",
    responses((status = 200, body = Object, description = "OpenAPI 3.1"), Refused),
)]
async fn openapi() -> Response {
    let mut response = Response::new(Body::from(document()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Leads to the page that shows this document.
#[utoipa::path(get, path = "/", operation_id = "root", tag = "server", responses((status = 307, description = "See `/docs/`"), Refused))]
async fn index() -> Redirect {
    Redirect::temporary("/docs/")
}

/// Leads to the page that shows this document.
#[utoipa::path(get, path = "/docs", operation_id = "docs_without_slash", tag = "server", responses((status = 307, description = "See `/docs/`"), Refused))]
async fn docs() -> Redirect {
    Redirect::temporary("/docs/")
}

/// Shows this document.
#[utoipa::path(
    get, path = "/docs/", operation_id = "docs_page", tag = "server",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"), Refused),
)]
async fn page() -> Answer {
    serve("index.html")
}

/// The parts of the page that shows this document.
#[utoipa::path(
    get, path = "/docs/{file}", operation_id = "docs_file", tag = "server",
    params(("file" = String, Path, description = "A script, style or picture.")),
    responses(
        (status = 200, description = "The part", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = crate::error::ProblemDocument, content_type = "application/problem+json",
         description = "`not_found`"),
        Refused,
    ),
)]
async fn file(Path(file): Path<String>) -> Answer {
    serve(&file)
}

fn serve(name: &str) -> Answer {
    // With "none" the page does not ask validator.swagger.io what it thinks of the document.
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::new(["/openapi.json"]).validator_url("none")));
    let file = utoipa_swagger_ui::serve(name, CONFIG.clone())
        .map_err(|error| Problem::internal(format!("the page could not be made: {error}")))?
        .ok_or_else(|| {
            Problem::new(StatusCode::NOT_FOUND, "not_found", "the page that shows the API has no such part")
        })?;
    let mut response = Response::new(Body::from(file.bytes.into_owned()));
    let headers = response.headers_mut();
    let kind = HeaderValue::try_from(file.content_type)
        .map_err(|error| Problem::internal(format!("`{name}` has no usable type: {error}")))?;
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
