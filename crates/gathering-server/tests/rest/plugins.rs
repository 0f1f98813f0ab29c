//! Managing plugins: the documents' endpoints.

use std::io;
use std::sync::Arc;

use gathering_core::Health;
use gathering_server::Options;
use gathering_testkit::{FakePlugin, TestHost};
use serde_json::{Value, json};

use crate::support::{Server, math};

#[tokio::test]
async fn a_plugin_is_loaded_enabled_disabled_and_unloaded() {
    let server = Server::new();
    server.host.know(math()).await;
    let status = async || server.get("/plugins/math").await.ok()["status"].clone();

    assert_eq!(
        server.post("/plugins/load", json!({"plugin_id": "math"})).await.ok(),
        json!({"success": true, "message": "Plugin 'math' loaded", "plugin_id": "math", "affected": ["math"]})
    );
    assert_eq!(status().await, "loaded");
    assert_eq!(server.post_nothing("/plugins/math/enable").await.ok()["message"], "Plugin 'math' enabled");
    assert_eq!(status().await, "enabled");
    assert_eq!(server.post_nothing("/plugins/math/reload").await.ok()["message"], "Plugin 'math' reloaded");
    assert_eq!(server.post_nothing("/plugins/math/disable").await.ok()["message"], "Plugin 'math' disabled");
    assert_eq!(status().await, "disabled");
    assert_eq!(
        server.post("/plugins/math/unload", json!({})).await.ok()["message"],
        "Plugin 'math' unloaded"
    );
    assert_eq!(status().await, "unloaded");
}

#[tokio::test]
async fn plugins_are_listed_whole_by_state_and_by_id() {
    let server = Server::with_tools().await;
    server.host.know(FakePlugin::new("other").competency("git", &[])).await;

    let all = server.get("/plugins").await.ok();

    assert_eq!((&all["total"], &all["plugins"][1]["id"]), (&json!(2), &json!("other")));
    let math = &all["plugins"][0];
    let counts =
        ["tools_count", "competencies_count", "file_handlers_count", "generation"].map(|key| &math[key]);
    assert_eq!(counts, [5, 0, 0, 1]);
    assert_eq!(
        (&math["license"], &math["error"], &math["tier"]),
        (&json!("MIT"), &Value::Null, &json!("native"))
    );
    assert_eq!(server.get("/plugins?status=unloaded").await.ok()["plugins"][0]["id"], "other");
    server.get("/plugins?status=asleep").await.problem(400, "bad_request");
    assert_eq!(
        server.get("/plugins/available").await.ok(),
        json!({"plugins": ["math", "other"], "total": 2})
    );
}

#[tokio::test]
async fn plugins_and_what_they_contribute_are_counted() {
    let server = Server::with_tools().await;
    server.host.know(FakePlugin::new("other")).await;

    assert_eq!(
        server.get("/plugins/stats").await.ok(),
        json!({
            "available_plugins": 2, "loaded_plugins": 1, "enabled_plugins": 1,
            "plugins_by_status": {"unloaded": 1, "loaded": 0, "enabled": 1, "disabled": 0, "error": 0},
            "total_tools_from_plugins": 5, "total_competencies_from_plugins": 0,
        })
    );
}

#[tokio::test]
async fn the_tools_of_one_plugin_are_listed() {
    let server = Server::with_tools().await;

    let listed = server.get("/plugins/math/tools").await.ok();

    assert_eq!((&listed["total"], &listed["tools"][0]["name"]), (&json!(5), &json!("add")));
    server.get("/plugins/nobody/tools").await.problem(404, "unknown_plugin");
}

#[tokio::test]
async fn one_plugin_that_feels_bad_spoils_no_others_answer() {
    let server = Server::with_tools().await;
    server.host.enable_fake(FakePlugin::new("sick").health(Health::unhealthy("no disk"))).await;

    let all = server.get("/plugins/health/all").await.ok();

    assert_eq!(all["total"], 2);
    assert_eq!((&all["plugins"]["math"]["status"]), &json!("healthy"));
    assert_eq!(
        all["plugins"]["sick"],
        json!({
            "plugin_id": "sick", "status": "unhealthy", "plugin_status": "enabled", "error": "no disk",
            "details": {"error": "no disk"},
        })
    );
    assert_eq!(server.get("/plugins/sick/health").await.ok(), all["plugins"]["sick"]);
    server.get("/plugins/nobody/health").await.problem(404, "unknown_plugin");
}

#[tokio::test]
async fn a_plugin_that_others_need_is_unloaded_with_them_only_on_request() {
    let server = Server::new();
    server.host.enable_fake(FakePlugin::new("base")).await;
    let dependent =
        || FakePlugin::new("top").metadata(|metadata| metadata.dependencies = vec!["base".into()]);
    server.host.enable_fake(dependent()).await;

    let refused = server.post_nothing("/plugins/base/unload").await;

    assert_eq!(
        refused.problem(409, "has_dependents"),
        "`base` is needed by `top`: unload them first, or use cascade"
    );
    assert_eq!(refused.json()["dependents"], json!(["top"]));
    assert_eq!(
        server.post_nothing("/plugins/base/disable?cascade=true").await.ok(),
        json!({
            "success": true, "message": "Plugin 'base' disabled, and so were 'top'", "plugin_id": "base",
            "affected": ["top", "base"],
        })
    );
    let unloaded = server.post("/plugins/base/unload", json!({"cascade": true})).await.ok();
    assert_eq!(unloaded["affected"], json!(["top", "base"]));
    let loaded = server.post("/plugins/load", json!({"plugin_id": "top", "dependencies": true})).await.ok();
    assert_eq!(loaded["affected"], json!(["base", "top"]));
}

#[tokio::test]
async fn what_cannot_be_done_to_a_plugin_is_a_problem() {
    let server = Server::with_tools().await;
    server.host.know(FakePlugin::new("broken").fails_to_load("no `Plugin` class in it")).await;
    let load = async |body: Value| server.post("/plugins/load", body).await;

    assert_eq!(
        load(json!({"plugin_id": "mathh"})).await.problem(404, "unknown_plugin"),
        "there is no plugin called `mathh`, did you mean `math`?; `discover` finds new ones in the plugin folders"
    );
    load(json!({"plugin_id": "math"})).await.problem(409, "wrong_state");
    assert_eq!(
        load(json!({"plugin_id": "broken"})).await.problem(422, "invalid_plugin"),
        "the plugin `broken` could not be loaded: no `Plugin` class in it"
    );
    load(json!({"plugin_id": "broken", "config": [1]})).await.problem(422, "invalid_config");
    assert_eq!(
        load(json!({"id": "math"})).await.problem(400, "bad_request"),
        "the body does not fit: unknown field `id`, expected one of `plugin_id`, `config`, `dependencies`; \
         expected {\"plugin_id\": \"ID\", \"config\": {..}}"
    );
    server.post_nothing("/plugins/load").await.problem(400, "bad_request");
    server.post("/plugins/math/enable", json!({"cascade": true})).await.problem(400, "bad_request");
    server.post_nothing("/plugins/nobody/enable").await.problem(404, "unknown_plugin");
}

#[tokio::test]
async fn a_change_that_cannot_be_saved_is_not_made() {
    let server = Server::with_tools().await;
    server.host.store.set_full(true);

    server.post_nothing("/plugins/math/disable").await.problem(507, "storage_full");

    assert_eq!(server.get("/plugins/math").await.ok()["status"], "enabled");
}

#[tokio::test]
async fn folders_are_looked_through_one_or_all() {
    let server = Server::new();
    let missing = json!({"directory": "/nowhere/at/all"});

    let nothing = json!({"discovered": [], "errors": [], "total": 0});
    assert_eq!(server.post_nothing("/plugins/discover").await.ok(), nothing);
    let here = env!("CARGO_MANIFEST_DIR");
    assert_eq!(server.post("/plugins/discover", json!({"directory": here})).await.ok()["total"], 0);
    assert_eq!(server.post("/plugins/discover", json!({"path": here})).await.ok()["total"], 0);
    assert_eq!(
        server.post("/plugins/discover", missing).await.problem(400, "invalid_directory"),
        "Plugin directory does not exist: /nowhere/at/all"
    );
}

#[tokio::test]
async fn the_log_of_a_plugin_is_shown_from_its_end() {
    let plugin_log = Arc::new(|id: &gathering_core::PluginId, bytes: u64| match id.as_str() {
        "math" => Ok(format!("the last {bytes} bytes")),
        "quiet" => Err(io::ErrorKind::NotFound.into()),
        _ => Err(io::Error::other("the disk is gone")),
    });
    let options = Options { plugin_log: Some(plugin_log), ..Options::default() };
    let server = Server::with(TestHost::default(), options);
    for id in ["math", "quiet", "lost"] {
        server.host.know(FakePlugin::new(id)).await;
    }
    let log = async |path: &str| server.get(path).await;

    assert_eq!(
        log("/plugins/math/log").await.ok(),
        json!({"plugin_id": "math", "log": "the last 65536 bytes"})
    );
    assert_eq!(log("/plugins/math/log?bytes=10").await.ok()["log"], "the last 10 bytes");
    assert_eq!(log("/plugins/math/log?bytes=99999999").await.ok()["log"], "the last 1048576 bytes");
    assert_eq!(log("/plugins/quiet/log").await.ok()["log"], "");
    assert_eq!(
        log("/plugins/lost/log").await.problem(500, "internal"),
        "the log of `lost` could not be read: the disk is gone"
    );
    log("/plugins/nobody/log").await.problem(404, "unknown_plugin");
    Server::with_tools().await.get("/plugins/math/log").await.problem(501, "not_implemented");
}

#[tokio::test]
async fn a_server_that_makes_no_plugins_of_code_says_so() {
    let server = Server::with_tools().await;
    let plugin = json!({"plugin_id": "greeter", "tools": [{"name": "greet", "code": "def greet(): pass"}]});

    server.post("/plugins/dynamic", plugin).await.problem(501, "not_implemented");
    server.post_nothing("/plugins/math/save").await.problem(501, "not_implemented");
    let misspelt = server.post("/plugins/dynamic", json!({"plugin_id": "greeter", "tool": []})).await;
    assert_eq!(
        misspelt.problem(400, "bad_request"),
        "the plugin cannot be made as asked: there is no field `tool`, did you mean `tools`? (at /tool)"
    );
    assert_eq!(misspelt.json()["errors"][0]["pointer"], "/tool");
}
