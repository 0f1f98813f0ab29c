//! The life of a Python plugin: configuration, hooks, health, context, workers, reloading, nested calls.

mod support;

use std::sync::Arc;
use std::time::Duration;

use gathering_core::{Caller, HealthStatus, PluginSource};
use gathering_host::{Dependencies, Host};
use gathering_testkit::MemoryStore;
use serde_json::json;
use support::{PythonHost, is_running, plugin};

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_in_the_order_of_the_documents() {
    let host = PythonHost::new();
    let body = "\
def __init__(self, config=None):
    super().__init__(config)
    print('init', self.config)
def load(self):
    super().load()
    print('load', self.status.value)
def on_enable(self):
    print('on_enable')
def on_disable(self):
    print('on_disable')
def unload(self):
    print('unload')";
    host.know("hooked", body).await;

    host.load("hooked", Some(json!({"size": 3})), Dependencies::MustBeLoaded).await.expect("it loads");
    host.enable("hooked").await.expect("it can be enabled");
    host.disable("hooked", false).await.expect("it can be disabled");
    host.unload("hooked", false).await.expect("it unloads");

    assert_eq!(host.log("hooked"), "init {'size': 3}\nload loaded\non_enable\non_disable\nunload\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_raises_refuses_what_was_asked_for() {
    let host = PythonHost::new();
    host.know("stubborn", "def on_enable(self):\n    raise RuntimeError('not ready')").await;
    host.load("stubborn", None, Dependencies::MustBeLoaded).await.expect("it loads");

    let error = host.enable("stubborn").await.expect_err("it refuses");

    assert_eq!(error.to_string(), "`on_enable` of the plugin `stubborn` failed: RuntimeError: not ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_raises_registers_nothing_and_shows_where() {
    let host = PythonHost::new();
    host.know("broken", "def load(self):\n    raise RuntimeError('no licence')").await;

    let error = host.load("broken", None, Dependencies::MustBeLoaded).await.expect_err("it raises");

    assert!(error.to_string().ends_with("RuntimeError: no licence"), "{error}");
    assert!(error.traceback().contains("broken.py, line "), "{}", error.traceback());
    assert!(host.snapshot().tools().is_empty());
    assert_eq!(host.plugin("broken").expect("it is known").status.as_str(), "error");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_what_the_plugin_says_and_a_busy_one_is_not_ill() {
    let host = PythonHost::new();
    let body = "\
def health_check(self):
    return {'plugin_id': 'checked', 'status': 'degraded', 'details': {'cache': 3}}
def tool_block(self, path):
    with open(path, 'w') as f:
        f.write('blocking')";
    host.enable_plugin("checked", body).await;

    let health = host.health("checked").await.expect("it is loaded");
    assert_eq!((health.status, &health.details["details"]), (HealthStatus::Degraded, &json!({"cache": 3})));

    // A named pipe blocks whoever opens it until somebody reads.
    let pipe = host.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let call = host.call("block", json!({"path": pipe}));
    tokio::pin!(call);
    let busy = loop {
        tokio::select! {
            outcome = &mut call => panic!("nobody reads: {outcome:?}"),
            health = host.health("checked") => {
                let health = health.expect("it is loaded");
                if health.details.contains_key("busy") {
                    break health;
                }
            }
        }
    };
    assert_eq!(busy.status, HealthStatus::Healthy);
    let reader = tokio::task::spawn_blocking(move || std::fs::read_to_string(pipe));
    assert_eq!(call.await, Ok(json!(null)));
    assert_eq!(reader.await.expect("it reads").expect("a text"), "blocking");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_asks_for_the_context_learns_who_calls_and_how_long_it_has() {
    let host = PythonHost::new();
    let body = "\
def tool_who(self, context):
    return [context.caller, context.competencies, context.plugin_id, context.tool, 0 < context.time_left() < 21]
def tool_through(self, context):
    return context.call_tool('who')";
    host.enable_plugin("curious", body).await;
    let agent = gathering_testkit::agent("bot", &["git:advanced"]);

    let operator = host.call("who", json!({})).await;
    let direct = host.call_as(agent.clone(), "who", json!({}), Duration::from_secs(20)).await;
    let nested = host.call_as(agent, "through", json!({}), Duration::from_secs(20)).await;

    assert_eq!(operator, Ok(json!(["operator", {}, "curious", "who", true])));
    assert_eq!(direct, Ok(json!(["bot", {"git": "advanced"}, "curious", "who", true])));
    assert_eq!(nested, direct, "a nested call is its caller's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_with_two_workers_serves_two_calls_at_once() {
    let host = PythonHost::new();
    // Each call of the pair waits for the other one, so that one worker could never answer both.
    let body = "\
workers = 2
def tool_meet(self, mine, other):
    open(mine, 'w').close()
    while not os.path.exists(other):
        os.sched_yield()
    return os.getpid()";
    host.enable_plugin("pair", body).await;
    let (a, b) = (host.folder.path().join("a"), host.folder.path().join("b"));

    let (one, two) = tokio::join!(
        host.call("meet", json!({"mine": a, "other": b})),
        host.call("meet", json!({"mine": b, "other": a})),
    );

    assert_ne!(one.expect("it answers"), two.expect("it answers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn async_tools_and_tools_that_call_tools_work_to_any_depth() {
    let host = PythonHost::new();
    let body = "\
async def tool_fetch(self, n):
    import asyncio
    await asyncio.sleep(0)
    return n
async def tool_gather(self, n):
    import asyncio
    return await asyncio.gather(*(tool_registry.execute_async('fetch', n=i) for i in range(n)))
def tool_down(self, n):
    return [n] + (tool_registry.execute('down', n=n - 1) if n else [])";
    host.enable_plugin("nested", body).await;

    assert_eq!(host.call("gather", json!({"n": 5})).await, Ok(json!([0, 1, 2, 3, 4])));
    assert_eq!(host.call("down", json!({"n": 10})).await, Ok(json!([10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0])));
    let too_deep = host.call("down", json!({"n": 40})).await.expect_err("it is too deep");
    assert!(too_deep.to_string().contains("16 deep"), "{too_deep}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_takes_effect_with_reload_even_within_the_same_second() {
    let host = PythonHost::new();
    host.write("mod/__init__.py", "from .inner import ThePlugin\nplugin_class = ThePlugin\n");
    let inner = host.write("mod/inner.py", &plugin("edited", "def tool_say(self):\n    return 0"));
    host.host.add(PluginSource::Path(host.plugins().join("mod"))).await.expect("it describes itself");
    host.enable_known("edited").await;

    for n in 1..=3 {
        std::fs::write(&inner, plugin("edited", &format!("def tool_say(self):\n    return {n}")))
            .expect("written");
        host.reload("edited", None).await.expect("it reloads");
        assert_eq!(host.call("say", json!({})).await, Ok(json!(n)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unloading_ends_every_process_of_the_plugin() {
    let host = PythonHost::new();
    host.enable_plugin("here", "def tool_pid(self):\n    return os.getpid()").await;
    let pid = host.call("pid", json!({})).await.expect("a number").as_u64().expect("a number");
    assert!(is_running(pid));

    host.unload("here", false).await.expect("it unloads");

    assert!(!is_running(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_first_call_starts_the_plugin() {
    let files = PythonHost::new();
    let path = files.write("kept.py", &plugin("kept", "def tool_kept(self):\n    return 'kept'"));
    let store = Arc::new(MemoryStore::default());
    let start = || Host::builder().runtime(files.runtime.clone()).store(store.clone()).build();
    let before = start();
    before.add(PluginSource::Path(path)).await.expect("it describes itself");
    before.load("kept", None, Dependencies::MustBeLoaded).await.expect("it loads");
    before.enable("kept").await.expect("it can be enabled");
    before.shutdown(Duration::ZERO).await;

    let after = start();
    let restored = after.restore().await.expect("the state can be read");

    assert_eq!(restored.registered.len(), 1);
    assert!(!after.plugin("kept").expect("it is known").started);
    let report = after.execute(Caller::Operator, "kept", serde_json::Map::new(), Default::default()).await;
    assert_eq!(report.outcome.expect("it answers").value, json!("kept"));
    assert!(after.plugin("kept").expect("it is known").started);
    after.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_earlier_documents_style_registers_instead_of_returning() {
    let host = PythonHost::new();
    host.write(
        "design.py",
        r#"
from gathering.plugins.base import Plugin, PluginMetadata
from gathering.core.tool_registry import ToolDefinition, ToolCategory
from gathering.core.competency_registry import CompetencyDefinition
from gathering.core.file_handler_registry import FileHandlerDefinition

class DesignPlugin(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(
            id="design", name="Design Tools", version="1.0.0",
            description="Tools for graphic design", author="GatheRing Community", requires=[],
            gathering_version=">=0.4.0",
        )

    def register_tools(self, tool_registry):
        tool_registry.register(ToolDefinition(
            name="edit_image",
            description="Edit image (resize, crop, filters)",
            category=ToolCategory.IMAGE,
            function=self._edit_image,
            required_competencies=["image_editing"],
            parameters={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
            returns={"type": "string", "description": "Path to edited image"},
            examples=["edit_image(path='image.png')"],
            plugin_id="design",
        ))

    def register_competencies(self, competency_registry):
        competency_registry.register(CompetencyDefinition(
            id="image_editing", name="Image Editing", description="Edit images",
            category="design", related_tools=["edit_image"], skill_level_required="beginner", plugin_id="design",
        ))

    def register_file_handlers(self, handler_registry):
        handler_registry.register(FileHandlerDefinition(
            name="picture", extensions=[".PNG"], tools={"read": "edit_image"}, media_types=["image/png"],
        ))

    def on_load(self):
        self.prefix = "edited_"

    def _edit_image(self, path):
        return self.prefix + path
"#,
    );
    host.discover(Some(&host.plugins())).await.expect("the folder can be read");
    host.enable_known("design").await;

    assert_eq!(host.call("edit_image", json!({"path": "a.png"})).await, Ok(json!("edited_a.png")));
    let snapshot = host.snapshot();
    let competency = snapshot.competencies().get("image_editing").expect("it is registered");
    assert_eq!((competency.category.as_str(), competency.level.as_str()), ("design", "novice"));
    assert_eq!(snapshot.file_handlers().list_by(gathering_host::Index::Extension, "png").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_an_agents_plugin_rests_when_no_call_comes_and_the_next_call_starts_another() {
    let host = PythonHost::with(|config| {
        config.agents = Some(config.data_dir.join("agents"));
        config.rest = Some(Duration::from_millis(20));
    });
    let body = "\
def tool_count(self):
    self.count = getattr(self, 'count', 0) + 1
    return self.count";
    let agents = host.folder.path().join("data/agents");
    std::fs::create_dir_all(&agents).expect("a folder");
    std::fs::write(agents.join("counter.py"), plugin("counter", body)).expect("it can be written");
    host.add(PluginSource::Path(agents.join("counter.py"))).await.expect("it describes itself");
    host.enable_known("counter").await;

    let rests = async {
        while host.health("counter").await.expect("it is loaded").details.get("rests").is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), rests).await.expect("it comes to rest");

    assert_eq!(host.call("count", json!({})).await, Ok(json!(1)), "another worker answers");
}
