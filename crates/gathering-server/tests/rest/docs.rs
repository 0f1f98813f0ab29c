//! The OpenAPI document, the page that shows it, and health.

use axum::body::Body;
use axum::http::{Method, Request};
use gathering_core::Content;
use gathering_host::{Discovered, DiscoveryError};
use gathering_server::Options;
use gathering_testkit::TestHost;
use serde_json::{Value, json};

use crate::support::{Server, check, document};

/// The documents' fourteen endpoints and those beside them.
const ROUTES: &[(&str, &str)] = &[
    ("GET", "/plugins"),
    ("GET", "/plugins/available"),
    ("GET", "/plugins/stats"),
    ("GET", "/plugins/{id}"),
    ("GET", "/plugins/{id}/health"),
    ("GET", "/plugins/{id}/tools"),
    ("POST", "/plugins/load"),
    ("POST", "/plugins/{id}/unload"),
    ("POST", "/plugins/{id}/enable"),
    ("POST", "/plugins/{id}/disable"),
    ("POST", "/plugins/discover"),
    ("POST", "/plugins/dynamic"),
    ("PUT", "/plugins/{id}/dynamic"),
    ("POST", "/plugins/{id}/rollback"),
    ("GET", "/plugins/{id}/versions"),
    ("DELETE", "/plugins/{id}"),
    ("POST", "/plugins/{id}/save"),
    ("POST", "/plugins/{id}/promote"),
    ("GET", "/plugins/health/all"),
    ("POST", "/plugins/{id}/reload"),
    ("GET", "/plugins/{id}/log"),
    ("GET", "/plugins/{id}/permissions"),
    ("POST", "/plugins/{id}/grant"),
    ("POST", "/plugins/{id}/revoke"),
    ("GET", "/tools"),
    ("GET", "/tools/{name}"),
    ("POST", "/tools/{name}/execute"),
    ("POST", "/agents"),
    ("GET", "/agents"),
    ("GET", "/agents/{id}"),
    ("PATCH", "/agents/{id}"),
    ("DELETE", "/agents/{id}"),
    ("POST", "/agents/{id}/competencies"),
    ("DELETE", "/agents/{id}/competencies/{competency}"),
    ("POST", "/agents/{id}/token"),
    ("GET", "/agents/{id}/tools"),
    ("GET", "/agents/{id}/learning-path"),
    ("POST", "/agents/{id}/chat"),
    ("GET", "/agents/{id}/conversations"),
    ("GET", "/agents/{id}/conversations/{conversation}"),
    ("DELETE", "/agents/{id}/conversations/{conversation}"),
    ("GET", "/models"),
    ("GET", "/competencies"),
    ("GET", "/competencies/{id}"),
    ("GET", "/competencies/{id}/learning-path"),
    ("GET", "/competencies/{id}/instructions"),
    ("GET", "/file-handlers"),
    ("POST", "/files/read"),
    ("POST", "/files/info"),
    ("POST", "/files/preview"),
    ("POST", "/files/convert"),
    ("GET", "/events"),
    ("GET", "/calls"),
    ("GET", "/calls/{id}"),
    ("GET", "/health"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/"),
    ("GET", "/docs/{file}"),
    ("GET", "/"),
];

fn operations() -> Vec<(String, &'static String, &'static Value)> {
    let paths = document()["paths"].as_object().expect("paths");
    let methods = |item: &'static Value| item.as_object().expect("methods").iter();
    paths
        .iter()
        .flat_map(|(path, item)| methods(item).map(move |(method, said)| (method.to_uppercase(), path, said)))
        .collect()
}

#[test]
fn the_document_names_every_route_and_no_other() {
    let mut documented: Vec<_> =
        operations().into_iter().map(|(method, path, _)| (method, path.clone())).collect();
    let mut expected: Vec<_> =
        ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    documented.sort();
    expected.sort();

    assert_eq!(documented, expected);
}

#[tokio::test]
async fn every_documented_route_is_there() {
    let server = Server::new();

    for (method, path, _) in operations() {
        let path = path.replace("{id}", "nobody").replace("{name}", "nobody").replace("{file}", "nothing");
        let request =
            Request::builder().method(Method::try_from(method.as_str()).expect("a method")).uri(&path);
        let response =
            server.stream(request.header("host", "localhost").body(Body::empty()).expect("a request")).await;

        let answered = response.status();
        assert_ne!(answered, 405, "{method} {path}");
        if answered == 404 && !path.starts_with("/docs/") {
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("a body");
            let problem: Value = serde_json::from_slice(&body).expect("a problem");
            assert_ne!(problem["code"], "not_found", "{method} {path}");
        }
    }
}

#[test]
fn every_route_says_what_it_answers_and_how_it_fails() {
    for (method, path, said) in operations() {
        assert!(
            said["summary"].as_str().is_some_and(|text| text.ends_with('.')),
            "{method} {path}: no summary"
        );
        assert!(said["operationId"].is_string() && said["tags"].is_array(), "{method} {path}");
        let responses = said["responses"].as_object().expect("responses");
        for (status, response) in responses {
            let described = response["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described, "{method} {path} {status}: OpenAPI 3.1 wants a description");
        }
        for status in ["401", "403", "500"] {
            let schema = &responses[status]["content"]["application/problem+json"]["schema"];
            assert_eq!(*schema, json!({"$ref": "#/components/schemas/Problem"}), "{method} {path} {status}");
        }
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(document(), &mut found);

    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference inside the document");
        assert!(document().pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn operation_ids_are_unique() {
    let mut ids: Vec<_> =
        operations().iter().map(|(_, _, said)| said["operationId"].as_str().expect("an id")).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();

    assert_eq!(ids.len(), count, "{ids:?}");
}

#[test]
fn what_no_fake_answers_has_the_documented_shape_too() {
    let discovery = json!({
        "discovered": [Discovered {
            plugin_id: "p".parse().expect("a good id"),
            path: "/plugins/p.py".into(),
            name: "P".into(),
            version: "1.0.0".into(),
            new: true,
        }],
        "errors": [DiscoveryError {
            path: "/plugins/q.py".into(),
            message: "no `Plugin` class in it".into(),
            traceback: String::new(),
        }],
        "total": 1,
    });
    let (data, media_type) = (String::from("AAAA"), String::from("image/png"));
    let parts = json!([
        Content::Text { text: "t".into() },
        Content::Image { data: data.clone(), media_type: media_type.clone() },
        Content::Audio { data, media_type },
        Content::ResourceLink { uri: "file:///x".into(), name: "x".into(), media_type: None },
        Content::Json { value: json!([1]) },
    ]);

    check(&json!({"$ref": "#/components/schemas/Discovery"}), &discovery, "what was found");
    check(&json!({"items": {"$ref": "#/components/schemas/Content"}}), &parts, "the parts of a result");
}

#[tokio::test]
async fn the_page_shows_the_document_without_any_outside_address() {
    let server = Server::new();

    let page = server.get("/docs/").await;

    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").contains("default-src 'none'; script-src 'self'"));
    for addresses in ["http://", "https://", "src=\"//", "href=\"//"] {
        assert!(!page.text().contains(addresses), "{}", page.text());
    }
    assert!(!page.text().contains("<script>"), "the policy would not run it");
    let parts: Vec<_> =
        page.text().split(['"', '\'']).filter(|part| part.starts_with("./")).map(str::to_owned).collect();
    assert!(parts.len() >= 4, "{parts:?}");
    for part in parts {
        let file = server.get(&format!("/docs/{}", part.trim_start_matches("./"))).await;
        assert_eq!(file.status, 200, "{part}");
    }
    let start = server.get("/docs/swagger-initializer.js").await.text();
    assert!(start.contains("\"/openapi.json\"") && start.contains("\"validatorUrl\": \"none\""), "{start}");
    server.get("/docs/nothing.js").await.problem(404, "not_found");
}

#[tokio::test]
async fn the_root_leads_to_the_page() {
    let server = Server::new();

    for path in ["/", "/docs"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "/docs/"));
    }
}

#[tokio::test]
async fn health_tells_what_is_served_and_what_else_it_was_given() {
    let details = || serde_json::Map::from_iter([("runtimes".to_owned(), json!({"python": "3.12.1"}))]);
    let options = Options { health_details: Some(std::sync::Arc::new(details)), ..Options::default() };
    let server = Server::with(TestHost::default(), options);
    let before = server.get("/health").await.ok();

    server.host.enable_fake(crate::support::math()).await;
    let health = server.get("/health").await.ok();

    assert_eq!((&health["status"], &health["version"]), (&json!("ok"), &json!(gathering_core::VERSION)));
    assert_eq!(health["plugins"]["enabled_plugins"], 1);
    assert_eq!(health["runtimes"], json!({"python": "3.12.1"}));
    assert!(health["uptime_seconds"].as_f64() > before["uptime_seconds"].as_f64());
    assert!(health["generation"].as_u64() > before["generation"].as_u64());
}
