//! Files through the handlers of their formats: an ordinary call of the tool that a handler names.

use axum::body::Body;
use axum::http::Request;
use gathering_testkit::FakePlugin;
use serde_json::json;

use crate::support::Server;

async fn server() -> Server {
    let server = Server::new();
    let tables = FakePlugin::new("tables").tool("echo_csv").file_handler_with(json!({
        "name": "csv", "extensions": ["csv"], "tools": {"read": "echo_csv", "preview": "echo_csv"},
    }));
    server.host.enable_fake(tables).await;
    server
}

#[tokio::test]
async fn a_file_is_read_by_the_tool_of_its_handler_with_all_that_it_is_given() {
    let server = server().await;

    let answer = server.post("/files/read", json!({"path": "a/Sales.CSV", "limit": 3})).await.ok();

    assert_eq!(answer["result"], json!({"path": "a/Sales.CSV", "limit": 3}));
    assert_eq!(answer["is_error"], false);
}

#[tokio::test]
async fn what_no_handler_does_is_said_to_be_unknown() {
    let server = server().await;

    let unknown = server.post("/files/read", json!({"path": "a.xyz"})).await.problem(404, "unknown_format");
    assert!(unknown.contains("no file handler does this to files like `a.xyz`"), "{unknown}");
    server.post("/files/convert", json!({"path": "a.csv"})).await.problem(404, "unknown_format");
    server.post("/files/read", json!({"file": "a.csv"})).await.problem(400, "bad_request");
}

#[tokio::test]
async fn a_preview_without_a_picture_is_answered_as_it_is() {
    let server = server().await;

    let request = Request::post("/files/preview")
        .header("host", "localhost")
        .header("accept", "image/png")
        .header("content-type", "application/json");
    let request = request.body(Body::from(r#"{"path": "a.csv"}"#)).expect("a request");

    assert_eq!(server.send_whole(request).await.ok()["result"], json!({"path": "a.csv"}));
}
