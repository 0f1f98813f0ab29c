//! What a plugin may touch: asked for, allowed, changed while calls go on, and secrets that never leave.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gathering_core::{
    BoxFuture, CallContext, Change, LoadError, LoadErrorKind, LoadRequest, Permissions, Plugin,
    PluginManifest, PluginSource, PluginStatus, Runtime, SecretError, Secrets, StateStore, ToolCall,
    ToolError, ToolOutput,
};
use gathering_host::{Dependencies, EventKind, Host, Limits, PluginError};
use gathering_testkit::{FakePlugin, FakeRuntime, MemoryStore, TestHost, id};
use serde_json::{Value, json};

fn words(words: &[&str]) -> Permissions {
    Permissions::from_words(words).unwrap()
}

/// The secret `KEY`, and no other.
struct OneSecret;

impl Secrets for OneSecret {
    fn get(&self, name: &str) -> Result<Option<String>, SecretError> {
        Ok((name == "KEY").then(|| "sk-0123456789".to_owned()))
    }
}

fn with_secret() -> TestHost {
    let (runtime, store) = (Arc::<FakeRuntime>::default(), Arc::<MemoryStore>::default());
    let host =
        Host::builder().runtime(runtime.clone()).store(store.clone()).secrets(Arc::new(OneSecret)).build();
    TestHost { host, runtime, store }
}

fn asking() -> FakePlugin {
    FakePlugin::new("p")
        .asks(json!({"network": "*.example.com", "env": ["HOME", "LANG"], "read": "/"}))
        .tool("grants")
        .tool("hold")
}

#[tokio::test]
async fn a_plugin_gets_what_it_asks_for_as_soon_as_that_is_granted() {
    let host = TestHost::default();
    host.enable_fake(asking()).await;
    assert_eq!(host.call("grants", json!({})).await.unwrap()["network"], json!([]));

    let change =
        host.grant("p", words(&["network=api.example.com", "env=HOME", "secret=KEY"])).await.unwrap();

    assert!(change.reloaded);
    assert_eq!(change.permissions.effective.environment, ["HOME"]);
    let granted = host.call("grants", json!({})).await.unwrap();
    assert_eq!(granted["network"], json!(["api.example.com"]));
    assert_eq!((&granted["environment"], &granted["secrets"]), (&json!(["HOME"]), &json!([])));
    assert_eq!(host.plugin("p").unwrap().status, PluginStatus::Enabled);
}

#[tokio::test]
async fn what_is_missing_comes_with_the_command_that_allows_it() {
    let host = TestHost::default();
    host.know(asking()).await;
    host.grant("p", words(&["network=*", "env=HOME"])).await.unwrap();

    let permissions = host.permissions("p").await.unwrap();

    assert_eq!(permissions.missing, words(&["read=/", "env=LANG"]));
    assert_eq!(permissions.grant_command.as_deref(), Some("gathering plugins grant p read=/ env=LANG"));
    assert_eq!(permissions.allowed.granted, words(&["network=*", "env=HOME"]));
    host.grant("p", permissions.missing).await.unwrap();
    assert_eq!(host.permissions("p").await.unwrap().grant_command, None);
}

#[tokio::test]
async fn a_grant_that_changes_nothing_reloads_nothing() {
    let host = TestHost::default();
    host.load_fake(asking()).await.unwrap();

    let change = host.grant("p", words(&["command=git"])).await.unwrap();

    assert!(!change.reloaded);
    assert_eq!(host.runtime.loads(), 1);
}

#[tokio::test]
async fn a_change_of_permissions_loses_no_call() {
    let host = TestHost::default();
    host.enable_fake(asking()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let held = tokio::spawn({
        let host = host.host.clone();
        async move {
            let arguments = json!({"port": port}).as_object().cloned().unwrap();
            host.execute(gathering_core::Caller::Operator, "hold", arguments, Default::default()).await
        }
    });
    let (call_in_flight, _) = listener.accept().await.unwrap();

    let change = host.grant("p", words(&["env=HOME"])).await.unwrap();

    assert!(change.reloaded && !held.is_finished());
    assert_eq!(host.call("grants", json!({})).await.unwrap()["environment"], json!(["HOME"]));
    held.abort();
    drop(call_in_flight);
}

#[tokio::test]
async fn what_is_revoked_is_gone_and_only_what_was_granted_can_be() {
    let host = TestHost::default();
    host.enable_fake(asking()).await;
    host.grant("p", words(&["network=*", "env=HOME", "env=LANG"])).await.unwrap();

    let change = host.revoke("p", Some(words(&["env=LANG"]))).await.unwrap();
    assert!(change.reloaded);
    assert_eq!(host.call("grants", json!({})).await.unwrap()["environment"], json!(["HOME"]));

    let error = host.revoke("p", Some(words(&["env=LANG", "env=HOME"]))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`env=LANG` cannot be revoked, because it was not granted to `p`: granted are: network=* env=HOME"
    );

    host.revoke("p", None).await.unwrap();
    let permissions = host.permissions("p").await.unwrap();
    assert!(permissions.allowed.granted.is_empty());
    assert!(permissions.effective.network.is_empty() && permissions.effective.environment.is_empty());
}

#[tokio::test]
async fn a_plugin_that_cannot_go_on_without_is_unloaded_when_it_is_revoked() {
    let host = with_secret();
    host.know(FakePlugin::new("p").asks(json!({"secrets": "KEY"})).needs_secret("no KEY").tool("secrets"))
        .await;
    host.grant("p", words(&["secret=KEY"])).await.unwrap();
    host.load("p", None, Dependencies::MustBeLoaded).await.unwrap();

    let error = host.revoke("p", None).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the permission was revoked, and `p` was unloaded, because it cannot go on without: \
         the plugin `p` could not be loaded: no KEY"
    );
    assert_eq!(host.runtime.running(), 0);
    assert_eq!(host.plugin("p").unwrap().status, PluginStatus::Error);
    assert!(host.permissions("p").await.unwrap().allowed.granted.is_empty());
}

#[tokio::test]
async fn permissions_are_kept_over_a_restart_and_join_those_of_the_configuration() {
    let host = TestHost::default();
    host.enable_fake(asking()).await;
    host.grant("p", words(&["env=HOME"])).await.unwrap();
    host.shutdown(Duration::ZERO).await;

    let builder = Host::builder().runtime(host.runtime.clone()).store(host.store.clone());
    let again = TestHost {
        host: builder.allow(&id("P"), words(&["env=LANG"])).build(),
        runtime: host.runtime.clone(),
        store: host.store.clone(),
    };
    again.restore().await.unwrap();

    assert_eq!(again.call("grants", json!({})).await.unwrap()["environment"], json!(["HOME", "LANG"]));
    let permissions = again.permissions("p").await.unwrap();
    assert_eq!(permissions.allowed.granted, words(&["env=HOME"]));
    assert_eq!(permissions.allowed.configured, words(&["env=LANG"]));
    let error = again.revoke("p", Some(words(&["env=LANG"]))).await.unwrap_err();
    assert!(
        error.to_string().ends_with("; take what `plugins.permissions` allows out of the configuration"),
        "{error}"
    );
    let kept = again.store.plugins().unwrap();
    assert_eq!(kept[0].allowed, words(&["env=HOME"]), "the configuration's are not kept");
}

#[tokio::test]
async fn a_change_that_cannot_be_saved_is_not_made() {
    let host = TestHost::default();
    host.enable_fake(asking()).await;
    host.store.set_full(true);

    let error = host.grant("p", words(&["env=HOME"])).await.unwrap_err();

    assert!(matches!(error, PluginError::State(_)), "{error}");
    assert_eq!(host.call("grants", json!({})).await.unwrap()["environment"], json!([]));
}

#[tokio::test]
async fn changes_are_told_as_events_before_the_reload_that_follows() {
    let host = TestHost::default();
    host.load_fake(asking()).await.unwrap();
    let mut events = host.subscribe();

    host.grant("p", words(&["env=HOME"])).await.unwrap();
    host.revoke("p", None).await.unwrap();

    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event.kind.clone());
    }
    let (plugin_id, permissions) = (id("p"), words(&["env=HOME"]));
    assert_eq!(
        told,
        [
            EventKind::PermissionsGranted { plugin_id: plugin_id.clone(), permissions: permissions.clone() },
            EventKind::PluginReloaded { plugin_id: plugin_id.clone() },
            EventKind::PermissionsRevoked { plugin_id: plugin_id.clone(), permissions },
            EventKind::PluginReloaded { plugin_id },
        ]
    );
}

#[tokio::test]
async fn a_secret_is_told_to_its_plugin_and_to_nobody_else() {
    let host = with_secret();
    let plugin =
        FakePlugin::new("p").asks(json!({"secrets": "KEY"})).tool("secrets").tool("fail").tool("echo");
    host.enable_fake(plugin).await;
    assert_eq!(host.call("secrets", json!({})).await, Ok(json!([])));
    let said = json!({"text": "the key is sk-0123456789"});
    assert_eq!(host.call("echo", said.clone()).await, Ok(said.clone()), "it does not hold it");

    host.grant("p", words(&["secret=KEY"])).await.unwrap();

    assert_eq!(host.call("secrets", json!({})).await, Ok(json!(["***"])));
    assert_eq!(host.call("echo", said).await, Ok(json!({"text": "the key is ***"})));
    let error = host.call("fail", json!({"message": "bad key sk-0123456789"})).await.unwrap_err();
    assert_eq!(error.to_string(), "bad key ***");
}

#[tokio::test]
async fn what_a_plugin_says_when_it_fails_to_be_enabled_or_is_ill_holds_no_secret() {
    let host = with_secret();
    let plugin = FakePlugin::new("p")
        .asks(json!({"secrets": "KEY"}))
        .health(gathering_core::Health::unhealthy("sk-0123456789 was refused"))
        .fails_to_enable("sk-0123456789 was refused");
    host.know(plugin).await;
    host.grant("p", words(&["secret=KEY"])).await.unwrap();
    host.load("p", None, Dependencies::MustBeLoaded).await.unwrap();

    let error = host.enable("p").await.unwrap_err();

    assert_eq!(error.to_string(), "`on_enable` of the plugin `p` failed: *** was refused");
    assert_eq!(host.health("p").await.unwrap().error.as_deref(), Some("*** was refused"));
    let shown = format!("{:?}", host.events_after(0));
    assert!(shown.contains("*** was refused") && !shown.contains("sk-0123456789"), "{shown}");
}

/// Takes every file for a plugin that asks for what the file says.
struct FileRuntime;

impl Runtime for FileRuntime {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn recognises(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn fingerprint(&self, source: &PluginSource) -> Result<String, LoadError> {
        let read = source.path().map(std::fs::read_to_string);
        read.and_then(Result::ok).ok_or_else(|| LoadError::new(LoadErrorKind::NotFound, "no file"))
    }

    fn describe<'a>(
        &'a self,
        source: &'a PluginSource,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<PluginManifest, LoadError>> {
        Box::pin(async move {
            let path = source.path().ok_or_else(|| LoadError::new(LoadErrorKind::NotFound, "no file"))?;
            let asked: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let id = path.file_stem().unwrap().to_str().unwrap();
            let metadata =
                json!({"id": id, "name": id, "version": "1", "description": "", "permissions": asked});
            Ok(PluginManifest::new(serde_json::from_value(metadata).unwrap()))
        })
    }

    fn load<'a>(&'a self, request: LoadRequest<'a>) -> BoxFuture<'a, Result<Box<dyn Plugin>, LoadError>> {
        Box::pin(async move {
            Ok(Box::new(Silent(self.describe(request.source, request.deadline).await?)) as Box<dyn Plugin>)
        })
    }
}

/// Runs and does nothing.
struct Silent(PluginManifest);

impl Plugin for Silent {
    fn manifest(&self) -> &PluginManifest {
        &self.0
    }

    fn call<'a>(
        &'a self,
        call: ToolCall,
        _cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move { unreachable!("it has no tool `{}`", call.tool) })
    }
}

#[tokio::test]
async fn a_plugin_reads_the_folder_it_was_installed_in_and_one_that_an_agent_made_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    for name in ["plugins", "agents", "data/in"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(root.join("data"), root.join("link")).unwrap();
    let asked = json!({"read": root.join("link/in"), "write": root.join("data/new/file")}).to_string();
    std::fs::write(root.join("plugins/installed.x"), &asked).unwrap();
    std::fs::write(root.join("agents/made.x"), &asked).unwrap();
    std::os::unix::fs::symlink(root.join("agents/made.x"), root.join("plugins/linked.x")).unwrap();
    let host = Host::builder()
        .runtime(Arc::new(FileRuntime))
        .directory(root.join("plugins"))
        .directory(root.join("agents"))
        .agent_directory(root.join("agents"))
        .build();
    host.discover(None).await.unwrap();
    host.discover(Some(&root.join("agents"))).await.unwrap();

    let installed = host.permissions("installed").await.unwrap();
    let made = host.permissions("made").await.unwrap();
    let linked = host.permissions("linked").await.unwrap();

    assert_eq!(serde_json::to_value(installed.effective.origin).unwrap(), "installed");
    assert_eq!(installed.effective.read, [root.join("plugins")]);
    assert_eq!(serde_json::to_value(made.effective.origin).unwrap(), "agent");
    assert_eq!(serde_json::to_value(linked.effective.origin).unwrap(), "agent", "a link hides nothing");
    assert!(made.effective.read.is_empty() && made.effective.write.is_empty());
    assert!(installed.missing.read.contains(&root.join("link/in")), "it is shown as the plugin wrote it");

    let data = format!("write={}", root.join("link").display());
    let granted = host.grant("made", words(&[&data])).await.unwrap().permissions;
    assert_eq!(granted.effective.read, [root.join("data/in")], "what may be written may be read");
    assert_eq!(granted.effective.write, [root.join("data/new/file")]);
    assert!(granted.missing.is_empty());
}

/// The folders `plugins` and `agents` with a plugin each, `installed` and `made`, that asks for `HOME`; both are loaded
/// and were granted it.
async fn one_of_each() -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = Host::builder().runtime(Arc::new(FileRuntime));
    for (name, id) in [("plugins", "installed"), ("agents", "made")] {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(format!("{id}.x")), r#"{"env": "HOME"}"#).unwrap();
        builder = builder.directory(path);
    }
    let builder = builder.agent_directory(folder.path().join("agents"));
    let host = builder.allow(&id("made"), words(&["env=LANG"])).build();
    host.discover(None).await.unwrap();
    for id in ["installed", "made"] {
        host.load(id, None, Dependencies::MustBeLoaded).await.unwrap();
        assert_eq!(granted(&host, id).await, words(&[]));
        assert!(host.grant(id, words(&["env=HOME"])).await.unwrap().reloaded);
    }
    (folder, host)
}

async fn granted(host: &Host, id: &str) -> Permissions {
    host.permissions(id).await.unwrap().allowed.granted
}

#[tokio::test]
async fn what_was_granted_to_code_of_an_agent_is_not_granted_to_what_it_becomes() {
    let (folder, host) = one_of_each().await;
    for path in ["plugins/installed.x", "agents/made.x"] {
        std::fs::write(folder.path().join(path), r#"{"env": ["HOME", "LANG"]}"#).unwrap();
    }
    let mut events = host.subscribe();

    host.reload("installed", None).await.unwrap();
    host.reload("made", None).await.unwrap();

    assert_eq!(granted(&host, "installed").await, words(&["env=HOME"]));
    assert_eq!(granted(&host, "made").await, words(&[]));
    assert!(host.permissions("made").await.unwrap().effective.environment.is_empty());
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event.kind.name());
    }
    assert_eq!(told, ["plugin_reloaded", "permissions_revoked", "plugin_reloaded"]);
}

#[tokio::test]
async fn the_same_holds_while_it_is_unloaded_and_for_another_file_of_its_id() {
    let (folder, host) = one_of_each().await;
    for id in ["installed", "made"] {
        host.unload(id, false).await.unwrap();
    }
    std::fs::write(folder.path().join("agents/made.x"), r#"{"env": ["HOME", "LANG"]}"#).unwrap();
    std::fs::remove_file(folder.path().join("plugins/installed.x")).unwrap();
    std::fs::write(folder.path().join("agents/installed.x"), r#"{"env": "HOME"}"#).unwrap();

    host.discover(Some(&folder.path().join("agents"))).await.unwrap();

    assert_eq!(granted(&host, "made").await, words(&[]));
    assert_eq!(granted(&host, "installed").await, words(&[]));
}

#[tokio::test]
async fn the_configuration_allows_nothing_to_what_an_agent_made() {
    let (_folder, host) = one_of_each().await;

    let permissions = host.permissions("made").await.unwrap();

    assert!(permissions.allowed.configured.is_empty());
    assert_eq!(permissions.effective.environment, ["HOME"], "what was granted by command holds");
}

#[tokio::test]
async fn a_record_without_permissions_loads() {
    let host = TestHost::default();
    host.enable_fake(asking()).await;
    let mut record = serde_json::to_value(&host.store.plugins().unwrap()[0]).unwrap();
    assert!(record.get("allowed").is_none(), "nothing was granted");
    record["status"] = "loaded".into();
    let record = serde_json::from_value(record).unwrap();
    host.store.apply(&[Change::SavePlugin(Box::new(record))]).unwrap();

    let again = TestHost::over(host.runtime.clone(), host.store.clone(), Limits::default());
    again.restore().await.unwrap();

    assert_eq!(again.plugin("p").unwrap().status, PluginStatus::Loaded);
}
