//! Plugins that the program around a host runs itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gathering_core::{
    BoxFuture, CallContext, Plugin, PluginManifest, PluginStatus, ToolCall, ToolDefinition, ToolError,
    ToolOutput,
};
use gathering_host::{Additions, Handle, Host, InProcess, PluginError};
use gathering_testkit::{FakePlugin, TestHost};
use serde_json::{Value, json};

/// A plugin of this test. Its tools return the plugin's id.
struct Mine(PluginManifest);

impl Plugin for Mine {
    fn manifest(&self) -> &PluginManifest {
        &self.0
    }

    fn call<'a>(
        &'a self,
        _call: ToolCall,
        _cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async { Ok(Value::from(self.0.metadata.id.as_str()).into()) })
    }
}

fn mine(id: &str, tools: &[&str], more: Value) -> Box<dyn Plugin> {
    let mut metadata = json!({"id": id, "name": id, "version": "1.0.0", "description": "of the test"});
    metadata.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let metadata = serde_json::from_value(metadata).expect("good metadata");
    let mut manifest = PluginManifest::new(metadata);
    manifest.tools = tools.iter().map(|name| definition(name)).collect();
    Box::new(Mine(manifest))
}

fn definition(name: &str) -> Arc<ToolDefinition> {
    let tool = json!({"name": name, "description": name, "category": "custom"});
    Arc::new(serde_json::from_value(tool).expect("a good tool"))
}

fn attach(host: &Host, plugin: Box<dyn Plugin>) -> Result<InProcess, PluginError> {
    let handles =
        plugin.manifest().tools.iter().map(|tool| Box::new(tool.name.to_string()) as Handle).collect();
    host.attach(plugin, handles)
}

#[test]
fn a_plugin_of_the_program_goes_through_its_states_without_an_async_runtime() {
    let host = Host::builder().build();

    let attached = attach(&host, mine("mine", &["one", "two"], json!({}))).expect("it is attached");
    assert_eq!(
        host.plugin("mine").map(|plugin| (plugin.status, plugin.runtime)),
        Ok((PluginStatus::Loaded, "in-process".into()))
    );
    attached.enabled().expect("it is noted");
    assert_eq!(host.plugin("mine").expect("known").status, PluginStatus::Enabled);
    attached.disabled().expect("it is noted");
    assert_eq!(host.snapshot().tools().get("one").expect("registered").status(), PluginStatus::Disabled);
    attached.detach().expect("nobody needs it");

    assert_eq!((host.snapshot().tools().len(), host.plugins().len()), (0, 0));
    let told: Vec<_> = host.events_after(0).iter().map(|event| event.kind.name()).collect();
    assert_eq!(told, ["plugin_loaded", "plugin_enabled", "plugin_disabled", "plugin_unloaded"]);
}

#[test]
fn all_of_it_is_registered_or_nothing() {
    let host = Host::builder().build();
    attach(&host, mine("first", &["one"], json!({}))).expect("it is attached");

    let refused = attach(&host, mine("second", &["two", "one"], json!({}))).map(|_| ()).unwrap_err();

    assert_eq!(
        refused.to_string(),
        "the tool `one` of the plugin `second` is already registered by the plugin `first`; nothing of `second` was registered"
    );
    assert_eq!((host.snapshot().tools().len(), host.plugins().len()), (1, 1));
    let again = attach(&host, mine("First", &[], json!({}))).map(|_| ()).unwrap_err();
    assert!(matches!(again, PluginError::AlreadyRegistered { kind: "plugin", .. }), "{again}");
}

#[tokio::test]
async fn it_and_plugins_of_other_runtimes_need_and_call_each_other() {
    let host = TestHost::default();
    let attached = {
        let host = host.host.clone();
        tokio::task::spawn_blocking(move || {
            attach(&host, mine("base", &["one"], json!({"version": "1.4.0"})))
        })
    };
    let attached = attached.await.expect("no panic").expect("it is attached");
    host.load_fake(FakePlugin::new("user").needs(&["base>=1.2"]).tool("call"))
        .await
        .expect("what it needs is there");

    let answer = host.call("call", json!({"tool": "one", "arguments": {}})).await;
    let refused =
        tokio::task::spawn_blocking(move || attached.detach()).await.expect("no panic").unwrap_err();

    assert_eq!(answer, Ok(json!("base")));
    assert_eq!(refused.to_string(), "`base` is needed by `user`: unload them first, or use cascade");
}

#[test]
fn what_is_registered_by_hand_belongs_to_no_plugin_and_what_is_kept_with_it_comes_back() {
    let host = Host::builder().build();
    let own = host.in_process(mine("own", &[], json!({})));
    let tools = vec![(definition("one"), Box::new(7_u32) as Handle)];

    own.register(Additions { tools, ..Additions::default() }).expect("the name is free");

    let tool = host.snapshot().tools().get("one").cloned().expect("registered");
    assert_eq!(tool.handle().and_then(|handle| handle.downcast_ref()), Some(&7_u32));
    assert_eq!((tool.status(), host.plugins().len()), (PluginStatus::Enabled, 0));
    let offered = host.tools_for(&TestHost::agent(&[]));
    assert_eq!(offered.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["one"], "to agents, too");
    let tools = vec![(definition("ONE"), Box::new(8_u32) as Handle)];
    let taken = own.register(Additions { tools, ..Additions::default() }).unwrap_err();
    assert!(matches!(taken, PluginError::AlreadyRegistered { kind: "tool", .. }), "{taken}");
    assert_eq!(
        (host.unregister_tool("One"), host.unregister_tool("one"), host.unregister_tool("one")),
        (false, true, false)
    );
}

#[test]
fn what_is_dropped_may_come_back_to_the_host() {
    struct LastWords(Host, Arc<AtomicBool>);
    impl Drop for LastWords {
        fn drop(&mut self) {
            self.0.unregister_tool("another");
            self.1.store(true, Ordering::SeqCst);
        }
    }
    let (host, spoken) = (Host::builder().build(), Arc::new(AtomicBool::new(false)));
    let own = host.in_process(mine("own", &[], json!({})));
    let handle = Box::new(LastWords(host.clone(), spoken.clone()));
    own.register(Additions { tools: vec![(definition("one"), handle)], ..Additions::default() })
        .expect("free");

    host.unregister_tool("one");

    assert!(spoken.load(Ordering::SeqCst), "and the host is not locked then");
}
