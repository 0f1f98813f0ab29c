//! What a call over HTTP costs the server, beside FastAPI; and how soon a server answers after its start.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::table::{Row, median};
use crate::{Failure, call, check};

const ADDER: &str = include_str!("../python/adder.py");
/// How many clients call at once, each on a connection of its own.
const CLIENTS: usize = 4;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(3);
/// How long a server may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(60);

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

fn serve(gathering: &Path, data: &Path, port: u16) -> Command {
    let mut command = Command::new(gathering);
    command.args(["serve", "--port", &port.to_string(), "--data-dir"]).arg(data);
    command
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

fn read_answer<'a>(stream: &mut TcpStream, buffer: &'a mut [u8]) -> Result<&'a [u8], Failure> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..])?;
        check(read > 0, "the server answers before it hangs up")?;
        length += read;
        let Some(head) = buffer[..length].windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let headers = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        let body: usize = headers
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .ok_or("the answer has no length")?
            .trim()
            .parse()?;
        if length >= head + 4 + body {
            return Ok(&buffer[..length]);
        }
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A server that runs; ended when this is dropped.
struct Server(Child);

impl Server {
    /// Starts it and returns when it has given its first answer.
    fn start(command: &mut Command, port: u16) -> Result<Self, Failure> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self(child);
        let deadline = Instant::now() + PATIENCE;
        let request = format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.write_all(request.as_bytes())?;
                let answer = read_answer(&mut stream, &mut buffer)?;
                check(answer.starts_with(b"HTTP/1.1 200"), "the server is healthy")?;
                return Ok(server);
            }
            if let Some(status) = server.0.try_wait()? {
                return Err(format!("{:?} ended with {status}", command.get_program()).into());
            }
            check(Instant::now() < deadline, "the server answers in time")?;
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// What it and all that came from it have spent so far: a worker's parent is the launcher that confines it.
    fn cpu_seconds(&self) -> Result<f64, Failure> {
        let mut processes = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            // A process may end while it is looked at; then it was none of the server's.
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
            let ticks = number(11).unwrap_or_default() + number(12).unwrap_or_default();
            processes.push((u64::from(pid), number(1).unwrap_or_default(), ticks));
        }
        let (mut tree, mut at) = (vec![u64::from(self.0.id())], 0);
        while let Some(parent) = tree.get(at).copied() {
            tree.extend(processes.iter().filter(|(_, of, _)| *of == parent).map(|(pid, ..)| *pid));
            at += 1;
        }
        let ticks: u64 =
            processes.iter().filter(|(pid, ..)| tree.contains(pid)).map(|(.., ticks)| ticks).sum();
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An interrupt first, so that it ends its own workers; it is this process's child, so the number is its own.
        let asked = rustix::process::Pid::from_raw(self.0.id().cast_signed())
            .map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let ended = asked.is_some_and(|asked| asked.is_ok()) && self.0.wait().is_ok();
        if !ended {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
