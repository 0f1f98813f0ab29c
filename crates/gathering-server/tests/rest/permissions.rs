//! Permissions over HTTP: shown, granted, revoked, and refused with the reason.

use gathering_testkit::FakePlugin;
use serde_json::json;

use crate::support::Server;

async fn asking() -> Server {
    let server = Server::new();
    let asked = json!({"network": "*.example.com", "env": ["HOME"], "limits": {"memory": "2GiB"}});
    server.host.enable_fake(FakePlugin::new("weather").asks(asked).tool("grants")).await;
    server
}

#[tokio::test]
async fn permissions_are_shown_granted_and_revoked() {
    let server = asking().await;

    let before = server.get("/plugins/weather/permissions").await.ok();
    assert_eq!(before["asked"]["network"], json!(["*.example.com"]));
    assert_eq!(before["allowed"], json!({"granted": {}, "configured": {}}));
    assert_eq!(
        before["grant_command"],
        "gathering plugins grant weather 'network=*.example.com' env=HOME memory=2GiB"
    );

    let body =
        json!({"permissions": {"network": ["api.example.com"], "environment": "HOME", "commands": "git"}});
    let granted = server.post("/plugins/weather/grant", body).await.ok();
    assert_eq!(
        granted["message"],
        "Plugin 'weather': granted network=api.example.com env=HOME command=git; it was reloaded, and no call was lost; \
         it does not ask for command=git, which changes nothing"
    );
    assert_eq!((&granted["reloaded"], &granted["success"]), (&json!(true), &json!(true)));
    assert_eq!(granted["permissions"]["effective"]["network"], json!(["api.example.com"]));

    let revoked =
        server.post("/plugins/weather/revoke", json!({"permissions": {"environment": "HOME"}})).await.ok();
    assert_eq!(revoked["permissions"]["effective"]["environment"], json!([]));
    let all = server.post("/plugins/weather/revoke", json!({"all": true})).await.ok();
    assert_eq!(
        all["message"],
        "Plugin 'weather': revoked network=api.example.com command=git; it was reloaded, and no call was lost"
    );
    assert_eq!(server.get("/plugins/weather/permissions").await.ok(), before);
}

#[tokio::test]
async fn what_cannot_be_granted_or_revoked_is_refused_with_the_reason() {
    let server = asking().await;

    let bad = json!({"permissions": {"network": "http://x"}});
    let detail = server.post("/plugins/weather/grant", bad).await.problem(400, "bad_request");
    assert!(detail.contains("the host `http://x` cannot be taken"), "{detail}");
    server.post("/plugins/weather/grant", json!({"permissions": {}})).await.problem(400, "bad_request");
    server.post("/plugins/weather/grant", json!({"network": ["x.org"]})).await.problem(400, "bad_request");
    for body in [json!({}), json!({"all": true, "permissions": {"read": "/"}}), json!({"permissions": {}})] {
        server.post("/plugins/weather/revoke", body).await.problem(400, "bad_request");
    }
    let unknown = json!({"permissions": {"read": "/data"}});
    server.post("/plugins/weather/revoke", unknown.clone()).await.problem(409, "not_granted");
    server.post("/plugins/nobody/grant", unknown).await.problem(404, "unknown_plugin");
    server.get("/plugins/nobody/permissions").await.problem(404, "unknown_plugin");
}

#[tokio::test]
async fn a_plugin_that_cannot_go_on_without_is_stopped_and_the_answer_says_so() {
    let server = asking().await;
    let body = json!({"permissions": {"environment": "HOME"}});
    server.post("/plugins/weather/grant", body).await.ok();
    server.host.runtime.put(FakePlugin::new("weather").asks(json!({"env": "LANG"})).fails_to_load("no HOME"));

    let detail =
        server.post("/plugins/weather/revoke", json!({"all": true})).await.problem(502, "stopped_by_revoke");

    assert!(detail.starts_with("the permission was revoked, and `weather` was unloaded"), "{detail}");
    assert_eq!(server.get("/plugins/weather").await.ok()["status"], "error");
}
