//! What a checked call costs over the function that it reaches, in Rust and through a Python worker.

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use gathering_core::{Caller, PluginSource};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_runtime_python::{PythonConfig, PythonRuntime};
use serde_json::{Map, Value, json};

use crate::many::{ManyRuntime, add};
use crate::table::{Row, median};
use crate::{Failure, check};

const ADDER: &str = include_str!("../python/adder.py");
/// What a pipe costs by itself: a process that writes back what it reads.
const ECHO: &str =
    "import os\nwhile True:\n    data = os.read(0, 65536)\n    if not data: break\n    os.write(1, data)\n";

/// A host in which `add` of the plugin `one` is enabled.
pub(crate) async fn native_host() -> Result<Host, Failure> {
    let host = Host::builder().runtime(Arc::new(ManyRuntime)).build();
    host.add(PluginSource::Builtin("one".parse()?)).await?;
    host.load("one", None, Dependencies::MustBeLoaded).await?;
    host.enable("one").await?;
    Ok(host)
}

/// `Host::execute` of a native tool, and what of it is not the function itself.
pub(crate) async fn native() -> Result<Vec<Row>, Failure> {
    const BATCHES: usize = 300;
    const CALLS: usize = 1000;
    let host = native_host().await?;
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let prepared: Vec<_> = (0..CALLS).map(arguments).collect();
        let started = Instant::now();
        for arguments in &prepared {
            black_box(add(black_box(arguments)));
        }
        bare.push(each(started, CALLS));
        let started = Instant::now();
        for arguments in prepared {
            let report = host.execute(Caller::Operator, "add", arguments, CallOptions::default()).await;
            check(report.outcome.is_ok(), "`add` answers")?;
        }
        whole.push(each(started, CALLS));
    }
    let (bare, whole) = (median(bare), median(whole));
    Ok(vec![
        Row::at_most(
            "Host::execute of a native tool, schema-checked, all seven steps, median",
            3.0,
            whole,
            "us",
        ),
        Row::at_most("  the same over the bare function", 1.5, whole - bare, "us"),
    ])
}

/// A call of a Python plugin's tool through its worker, and a bare pipe beside it in turn.
pub(crate) async fn worker() -> Result<Vec<Row>, Failure> {
    const BATCHES: usize = 60;
    const CALLS: usize = 100;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("adder.py");
    fs::write(&path, ADDER)?;
    let config = PythonConfig { data_dir: folder.path().join("data"), ..PythonConfig::default() };
    let runtime = Arc::new(PythonRuntime::new(config));
    let python = runtime.interpreter().await?.program;
    let host = Host::builder().runtime(runtime).build();
    host.add(PluginSource::Path(path)).await?;
    host.load("adder", None, Dependencies::MustBeLoaded).await?;
    host.enable("adder").await?;
    let mut echo = Command::new(python)
        .args(["-I", "-S", "-c", ECHO])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut to = echo.stdin.take().ok_or("the echo has no input")?;
    let mut from = echo.stdout.take().ok_or("the echo has no output")?;
    let line =
        br#"{"jsonrpc":"2.0","id":1234,"method":"call","params":{"tool":"add","arguments":{"x":1,"y":2}}}"#;
    let mut buffer = [0; 256];
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for batch in 0..BATCHES {
        let started = Instant::now();
        for _ in 0..CALLS {
            to.write_all(line)?;
            let read = from.read(&mut buffer)?;
            check(read == line.len(), "the echo answers whole")?;
        }
        let by_pipe = each(started, CALLS);
        let prepared: Vec<_> = (0..CALLS).map(arguments).collect();
        let started = Instant::now();
        for arguments in prepared {
            let report = host.execute(Caller::Operator, "add", arguments, CallOptions::default()).await;
            check(report.outcome.is_ok(), "`add` of the worker answers")?;
        }
        if batch >= BATCHES / 10 {
            bare.push(by_pipe);
            whole.push(each(started, CALLS));
        }
    }
    drop(to);
    echo.wait()?;
    host.shutdown(std::time::Duration::ZERO).await;
    let (bare, whole) = (median(bare), median(whole));
    Ok(vec![
        Row::at_most(
            "a Python plugin's tool through its worker, over a bare pipe round trip",
            40.0,
            whole - bare,
            "us",
        ),
        Row::beside("  the whole call", whole, "us"),
        Row::beside("  the bare pipe round trip", bare, "us"),
    ])
}

pub(crate) fn arguments(n: usize) -> Map<String, Value> {
    match json!({"x": n, "y": 2}) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Microseconds for each of `count`.
pub(crate) fn each(started: Instant, count: usize) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / count as f64
}
