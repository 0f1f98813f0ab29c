//! What a native plugin may rely on: its manifest and its functions fit, and a panic costs one call.

use std::sync::Arc;
use std::sync::mpsc;

use gathering_core::{Caller, PluginManifest, PluginSource, ToolError};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_plugins::{Builtin, Failure, NativePlugin, NativeRuntime};
use gathering_testkit::id;
use serde_json::{Map, Value, json};

type Arguments = Map<String, Value>;

fn manifest(tools: &[&str]) -> PluginManifest {
    let tools: Vec<_> =
        tools.iter().map(|name| json!({"name": name, "description": name, "category": "testing"})).collect();
    serde_json::from_value(json!({
        "metadata": {"id": "mine", "name": "Mine", "version": "1.0.0", "description": "A plugin."},
        "tools": tools,
    }))
    .expect("a good manifest")
}

async fn loaded(plugin: Builtin) -> Result<Host, String> {
    let host = Host::builder().runtime(Arc::new(NativeRuntime::new([plugin]))).build();
    host.add(PluginSource::Builtin(id("mine"))).await.map_err(|error| error.to_string())?;
    host.load("mine", None, Dependencies::MustBeLoaded).await.map_err(|error| error.to_string())?;
    Ok(host)
}

async fn call(host: &Host, tool: &str) -> Result<Value, ToolError> {
    let report = host.execute(Caller::Operator, tool, Map::new(), CallOptions::default()).await;
    report.outcome.map(|output| output.value)
}

#[tokio::test]
async fn a_tool_without_a_function_and_a_function_without_a_tool_are_refused() {
    let lacking = Builtin::new(manifest(&["one", "two"]), |manifest, _| {
        NativePlugin::new(manifest).tool("one", |_: Arguments, _| Ok(1)).finish()
    });
    let left_over = Builtin::new(manifest(&["one"]), |manifest, _| {
        NativePlugin::new(manifest)
            .tool("one", |_: Arguments, _| Ok(1))
            .tool("two", |_: Arguments, _| Ok(2))
            .finish()
    });

    let errors = [loaded(lacking).await.err(), loaded(left_over).await.err()].map(Option::unwrap_or_default);

    assert!(errors[0].ends_with("the tool `two` of the manifest was given no function"), "{}", errors[0]);
    assert!(
        errors[1].ends_with("the manifest has no tool `two`, which was given a function or a tier"),
        "{}",
        errors[1]
    );
}

#[tokio::test]
async fn a_panic_ends_its_call_and_nothing_else() {
    let plugin = Builtin::new(manifest(&["direct", "thread", "waits", "fine"]), |manifest, _| {
        fn broken() -> Result<Value, Failure> {
            panic!("oh no")
        }
        NativePlugin::new(manifest)
            .tool("direct", |_: Arguments, _| broken())
            .blocking_tool("thread", |_: Arguments, _, _| broken())
            .async_tool("waits", |_: Arguments, _| async { broken() })
            .tool("fine", |_: Arguments, _| Ok("fine"))
            .finish()
    });
    let host = loaded(plugin).await.expect("it loads");

    for tool in ["direct", "thread", "waits"] {
        let error = call(&host, tool).await.expect_err("it panics");
        assert_eq!(error.to_string(), "the tool panicked, which is a bug of its plugin: oh no");
        assert_eq!(error.code(), "tool_error");
    }

    assert_eq!(call(&host, "fine").await, Ok(json!("fine")));
}

#[tokio::test]
async fn arguments_that_the_function_cannot_take_are_refused() {
    let plugin = Builtin::new(manifest(&["number"]), |manifest, _| {
        #[derive(serde::Deserialize)]
        struct Number {
            n: u8,
        }
        NativePlugin::new(manifest).tool("number", |Number { n }: Number, _| Ok(n)).finish()
    });
    let host = loaded(plugin).await.expect("it loads");

    let error = call(&host, "number").await.expect_err("there is no `n`");

    assert_eq!(error.code(), "invalid_arguments");
    assert!(error.to_string().contains("missing field `n`"), "{error}");
}

#[tokio::test]
async fn unloading_waits_for_a_function_that_has_not_seen_that_its_call_is_gone() {
    let (began, begins) = mpsc::channel();
    let (let_go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let has_ended = ended.clone();
    let plugin = Builtin::new(manifest(&["stubborn"]), move |manifest, _| {
        let (began, ended) = (began.clone(), ended.clone());
        let wait =
            std::sync::Mutex::new(std::mem::replace(&mut *wait.lock().expect("no panic"), mpsc::channel().1));
        NativePlugin::new(manifest)
            .blocking_tool("stubborn", move |_: Arguments, _, cancel| {
                began.send(()).map_err(|error| error.to_string())?;
                wait.lock().expect("no panic").recv().map_err(|error| error.to_string())?;
                ended.store(cancel.is_cancelled(), std::sync::atomic::Ordering::SeqCst);
                Ok(Value::Null)
            })
            .finish()
    });
    let host = loaded(plugin).await.expect("it loads");
    let running = tokio::spawn({
        let host = host.clone();
        async move { call(&host, "stubborn").await }
    });
    tokio::task::spawn_blocking(move || begins.recv()).await.expect("no panic").expect("it began");
    running.abort();
    running.await.expect_err("its call was dropped");

    let (unloaded, ()) = tokio::join!(host.unload("mine", false), async {
        let_go.send(()).expect("the function waits");
    });

    unloaded.expect("it unloads");
    assert!(
        has_ended.load(std::sync::atomic::Ordering::SeqCst),
        "it ran on after unloading, or saw no cancel"
    );
}
