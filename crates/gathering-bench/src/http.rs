//! What a call over HTTP costs the server, beside FastAPI; and how soon a server answers after its start.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::server::{Server, free_port, read_answer, serve};
use crate::table::{Row, median};
use crate::{Failure, call, check};

const ADDER: &str = include_str!("../python/adder.py");
/// How many clients call at once, each on a connection of its own.
const CLIENTS: usize = 4;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(3);

/// Requests a CPU second of the server, against FastAPI with uvicorn and pydantic in the same run.
pub(crate) fn throughput(python: &Path, gathering: &Path) -> Result<Vec<Row>, Failure> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/fastapi_add.py");
    let mut fastapi = Vec::new();
    let mut native = Vec::new();
    let mut plugin = Vec::new();
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("plugins"))?;
    fs::write(folder.path().join("plugins/adder.py"), ADDER)?;
    // In turn, so that a change of the machine's speed meets all of them.
    for _ in 0..3 {
        fastapi.push(measure(|port| {
            let mut command = Command::new(python);
            command.arg(script).arg(port.to_string());
            command
        })?);
        native.push(measure(|port| {
            let mut command = Command::new(std::env::current_exe().unwrap_or_default());
            command.args(["serve", &port.to_string()]);
            command
        })?);
        plugin.push(measure(|port| {
            let mut command = serve(gathering, &folder.path().join("data"), port);
            command.arg("--plugin-dir").arg(folder.path().join("plugins")).args(["--enable", "adder"]);
            command
        })?);
    }
    let (fastapi, native, plugin) = (median(fastapi), median(native), median(plugin));
    Ok(vec![
        Row::at_least(
            "POST /tools/add/execute, native: requests a CPU second against FastAPI",
            5.0,
            native / fastapi,
            "x",
        ),
        Row::beside(
            "  the same with a Python plugin in a process of its own, which is counted",
            plugin / fastapi,
            "x",
        ),
        Row::beside("  requests a CPU second, native", native, "/s"),
        Row::beside("  requests a CPU second, Python plugin", plugin, "/s"),
        Row::beside("  requests a CPU second, FastAPI + uvicorn + pydantic", fastapi, "/s"),
    ])
}

/// How soon the server answers after its start: with nothing, and with 20 Python plugins that it knows.
pub(crate) fn start(gathering: &Path) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty");
    let full = folder.path().join("full");
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins)?;
    for n in 0..20 {
        let text =
            ADDER.replace("\"adder\"", &format!("\"adder{n}\"")).replace("\"add\"", &format!("\"add{n}\""));
        fs::write(plugins.join(format!("adder{n}.py")), text)?;
    }
    let first = || -> Result<(), Failure> {
        let port = free_port()?;
        let mut command = serve(gathering, &full, port);
        command.arg("--plugin-dir").arg(&plugins);
        for n in 0..20 {
            command.args(["--enable", &format!("adder{n}")]);
        }
        let server = Server::start(&mut command, port)?;
        drop(server);
        Ok(())
    };
    first()?;
    let time = |data: &Path, plugins: Option<&PathBuf>| -> Result<f64, Failure> {
        let mut times = Vec::new();
        for _ in 0..11 {
            let port = free_port()?;
            let mut command = serve(gathering, data, port);
            if let Some(plugins) = plugins {
                command.arg("--plugin-dir").arg(plugins);
            }
            let started = Instant::now();
            let server = Server::start(&mut command, port)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            drop(server);
        }
        Ok(median(times))
    };
    Ok(vec![
        Row::at_most("server start to first answer, empty", 50.0, time(&empty, None)?, "ms"),
        Row::at_most(
            "  with 20 Python plugins known but not started",
            150.0,
            time(&full, Some(&plugins))?,
            "ms",
        ),
    ])
}

/// Serves `add` as a native tool until it is killed: the other side of [`throughput`].
pub(crate) async fn serve_native(port: u16) -> Result<(), Failure> {
    let host = call::native_host().await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let app = gathering_server::App::new(host, gathering_server::Options::default());
    gathering_server::serve(listener, app, std::future::pending()).await?;
    Ok(())
}

fn measure(command: impl FnOnce(u16) -> Command) -> Result<f64, Failure> {
    let port = free_port()?;
    let server = Server::start(&mut command(port), port)?;
    let (phase, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| load(port, &phase, &done, &count))).collect();
        std::thread::sleep(WARM_UP);
        let before = server.cpu_seconds()?;
        phase.store(true, Ordering::Release);
        std::thread::sleep(MEASURED);
        phase.store(false, Ordering::Release);
        let spent = server.cpu_seconds()? - before;
        done.store(true, Ordering::Release);
        for client in clients {
            client.join().map_err(|_| "a client panicked")??;
        }
        Ok(count.load(Ordering::Acquire) as f64 / spent)
    })
}

fn load(port: u16, counted: &AtomicBool, done: &AtomicBool, count: &AtomicU64) -> Result<(), Failure> {
    let body = r#"{"arguments":{"x":3,"y":4}}"#;
    let request = format!(
        "POST /tools/add/execute HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 << 10];
    while !done.load(Ordering::Acquire) {
        stream.write_all(request.as_bytes())?;
        let answer = read_answer(&mut stream, &mut buffer)?;
        check(answer.starts_with(b"HTTP/1.1 200") && contains(answer, b":7"), "the server adds 3 and 4")?;
        if counted.load(Ordering::Acquire) {
            count.fetch_add(1, Ordering::AcqRel);
        }
    }
    Ok(())
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
