//! The native runtime keeps the promises of every runtime, with a plugin written as any Rust user writes one.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gathering_core::{
    CallContext, LoadError, LoadErrorKind, PluginManifest, PluginSource, Runtime, ToolOutput,
};
use gathering_host::{Host, Limits};
use gathering_plugins::{Builtin, Cancel, Failure, NativePlugin, NativeRuntime};
use gathering_testkit::conformance::{Subject, check};
use gathering_testkit::id;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn manifest(version: &str) -> PluginManifest {
    let tool = |name: &str, parameters: Value| json!({"name": name, "description": name, "category": "testing", "parameters": parameters});
    let manifest = json!({
        "metadata": {"id": "conformance", "name": "Conformance", "version": version, "description": "For the suite."},
        "tools": [
            tool("echo", json!({"value": {}})),
            tool("fail", json!({"message": {"type": "string"}})),
            tool("count", json!({})),
            tool("hold", json!({"port": {"type": "integer"}})),
            tool("relay", json!({"tool": {"type": "string"}, "arguments": {"type": "object"}})),
            tool("typed", json!({"n": {"type": "integer"}, "label": {"type": "string", "default": "x"}})),
        ],
        "competencies": [
            {"id": "conforming", "name": "Conforming", "description": "Keeps promises.", "category": "custom"},
        ],
    });
    serde_json::from_value(manifest).expect("a good manifest")
}

#[derive(Deserialize)]
struct Hold {
    port: u16,
}

#[derive(Deserialize)]
struct Relay {
    tool: String,
    arguments: Map<String, Value>,
}

#[derive(Deserialize)]
struct Typed {
    n: i64,
    label: String,
}

async fn relay(Relay { tool, arguments }: Relay, cx: CallContext) -> Result<ToolOutput, Failure> {
    Ok(cx.services().call_tool(&cx, &tool, arguments).await?)
}

async fn hold(Hold { port }: Hold, _cx: CallContext) -> Result<Value, Failure> {
    let failed = |error: std::io::Error| Failure::new(error.to_string());
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.map_err(failed)?;
    stream.write_all(&[1]).await.map_err(failed)?;
    stream.read_u8().await.map_err(failed)?;
    Ok(Value::Null)
}

fn hold_blocking(Hold { port }: Hold, _cx: &CallContext, cancel: &Cancel) -> Result<Value, Failure> {
    let failed = |error: std::io::Error| Failure::new(error.to_string());
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_millis(5))).map_err(failed)?;
    stream.write_all(&[1]).map_err(failed)?;
    loop {
        cancel.check()?;
        match stream.read(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(failed(error)),
            Ok(_) => return Ok(Value::Null),
        }
    }
}

fn conformance(version: &str, blocking: bool) -> Builtin {
    Builtin::new(manifest(version), move |manifest, _config| {
        let calls = AtomicU64::new(0);
        let plugin = NativePlugin::new(manifest)
            .tool("echo", |mut arguments: Map<String, Value>, _| {
                Ok(arguments.remove("value").unwrap_or_default())
            })
            .tool("fail", |arguments: Map<String, Value>, _| -> Result<Value, _> {
                Err(Failure::new(arguments["message"].as_str().unwrap_or_default()))
            })
            .tool("count", move |_: Map<String, Value>, _| Ok(calls.fetch_add(1, Ordering::SeqCst) + 1))
            .tool("typed", |Typed { n, label }: Typed, _| Ok(json!([n, label])))
            .async_tool("relay", relay);
        let plugin = if blocking {
            plugin.blocking_tool("hold", hold_blocking)
        } else {
            plugin.async_tool("hold", hold)
        };
        plugin.finish()
    })
}

struct Native {
    runtime: Arc<NativeRuntime>,
    blocking: bool,
}

impl Subject for Native {
    fn host(&self) -> Pin<Box<dyn Future<Output = Host> + '_>> {
        Box::pin(async {
            let host = Host::builder().runtime(self.runtime.clone()).limits(Limits::default()).build();
            host.add(PluginSource::Builtin(id("conformance"))).await.expect("it can be described");
            host
        })
    }

    fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    fn edit(&self) {
        self.runtime.put(conformance("2.0.0", self.blocking));
    }

    fn break_it(&self) {
        self.runtime.put(Builtin::new(manifest("1.0.0"), |_, _| {
            Err(LoadError::new(LoadErrorKind::InvalidPlugin, "the test broke it"))
        }));
    }

    fn restore(&self) {
        self.runtime.put(conformance("1.0.0", self.blocking));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_runtime_keeps_the_promises_of_every_runtime() {
    let subject = Native { runtime: Arc::default(), blocking: false };

    assert_eq!(check(&subject).await.len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_does_with_functions_that_block() {
    let subject = Native { runtime: Arc::default(), blocking: true };

    assert_eq!(check(&subject).await.len(), 12);
}
