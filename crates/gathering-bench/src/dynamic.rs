//! What it costs to run what a model wrote: making a tool, calling it, a command, an expression, a hundred tools at rest.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gathering_core::{Caller, PluginSource};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_runtime_python::{PythonConfig, PythonRuntime};
use gathering_sandbox::{Confinement, Prober, Tier};
use serde_json::{Value, json};

use crate::server::{Server, free_port, post, serve};
use crate::table::{Row, median};
use crate::{Failure, call, check};

const ADDER: &str = include_str!("../python/adder.py");
/// How many tools are made for their time.
const MADE: usize = 25;
/// How many of them live at once for their memory.
const ALIVE: usize = 100;
const COMMANDS: usize = 60;
/// How long the processor is watched while nothing is asked of anybody.
const REST: Duration = Duration::from_secs(5);

/// The promises about tools that agents make, over REST.
pub(crate) fn tools(gathering: &Path) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let server = Server::start(&mut serve(gathering, &folder.path().join("data"), port), port)?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    // The first waits for the warm parent.
    create_and_greet(&mut stream, 0)?;
    let mut made = Vec::new();
    for n in 1..=MADE {
        let started = Instant::now();
        create_and_greet(&mut stream, n)?;
        made.push(started.elapsed().as_secs_f64() * 1e3);
    }
    for n in MADE + 1..ALIVE {
        create_and_greet(&mut stream, n)?;
    }
    let memory = server.private_memory_of_children()? / ALIVE as f64 / f64::from(1 << 20);
    let before = server.cpu_seconds()?;
    std::thread::sleep(REST);
    let busy = (server.cpu_seconds()? - before) / REST.as_secs_f64() * 100.0;
    Ok(vec![
        Row::at_most(
            "POST /plugins/dynamic of the greeter to its first answer, warm",
            25.0,
            median(made),
            "ms",
        ),
        Row::at_most(
            "100 dynamic plugins alive: private memory of all their processes, each",
            3.0,
            memory,
            "MB",
        ),
        Row::at_most("  processor time of the server and all of them when nothing is asked", 0.5, busy, "%"),
    ])
}

fn create_and_greet(stream: &mut TcpStream, n: usize) -> Result<(), Failure> {
    let plugin = json!({
        "plugin_id": format!("greeter{n}"),
        "name": "Greeter",
        "tools": [{
            "name": format!("greet{n}"),
            "description": "Greets somebody",
            "code": format!("def greet{n}(name):\n    return f'Hello, {{name}}!'"),
            "parameters": {"name": {"type": "string"}},
        }],
    });
    let (status, answer) = post(stream, "/plugins/dynamic", &plugin)?;
    check(status == 201, &format!("the greeter is made: {answer}"))?;
    let path = format!("/tools/greet{n}/execute");
    let (_, answer) = post(stream, &path, &json!({"arguments": {"name": "World"}}))?;
    check(answer["result"] == "Hello, World!", &format!("it greets: {answer}"))
}

/// A command and an expression, beside the plain command and bubblewrap around it.
pub(crate) fn commands(gathering: &Path) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let mut command = serve(gathering, &folder.path().join("data"), port);
    // Its working folder is the folder of the tools.
    fs::create_dir(folder.path().join("work"))?;
    let server = Server::start(command.current_dir(folder.path().join("work")), port)?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut run = |tool: &str, arguments: Value, expected: &Value| -> Result<f64, Failure> {
        let started = Instant::now();
        let (_, answer) =
            post(&mut stream, &format!("/tools/{tool}/execute"), &json!({"arguments": arguments}))?;
        let took = started.elapsed().as_secs_f64() * 1e3;
        let given = answer["result"].get("return_code").or(answer["result"].get("result"));
        check(given == Some(expected), &format!("`{tool}` answers: {answer}"))?;
        Ok(took)
    };
    let (mut plain, mut ours, mut theirs, mut evaluated) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let bubblewrap = Command::new("bwrap").arg("--version").stdout(Stdio::null()).status().is_ok();
    for round in 0..COMMANDS {
        let direct = timed(Command::new("/bin/sh").args(["-c", "true"]))?;
        let wrapped = match bubblewrap {
            true => timed(Command::new("bwrap").args([
                "--unshare-all",
                "--ro-bind",
                "/",
                "/",
                "--proc",
                "/proc",
                "--dev",
                "/dev",
                "/bin/sh",
                "-c",
                "true",
            ]))?,
            false => f64::NAN,
        };
        let command = run("run_command", json!({"command": "true"}), &json!(0))?;
        let expression = run("python_eval", json!({"code": "1+1"}), &json!(2))?;
        // What is done for the first time, once, is not measured.
        if round >= COMMANDS / 10 {
            plain.push(direct);
            theirs.push(wrapped);
            ours.push(command);
            evaluated.push(expression);
        }
    }
    drop(server);
    let (plain, ours, evaluated) = (median(plain), median(ours), median(evaluated));
    let mut rows = vec![
        Row::at_most("run_command `true` over REST, over a plain spawn of it", 10.0, ours - plain, "ms"),
        Row::at_most("python_eval `1+1` over REST", 20.0, evaluated, "ms"),
        Row::beside("  the plain spawn", plain, "ms"),
    ];
    if bubblewrap {
        let theirs = median(theirs);
        let what = "run_command `true` against `bwrap --unshare-all` around it";
        rows.push(Row::at_most(what, 1.0, ours / theirs, "x"));
        rows.push(Row::beside("  bubblewrap around it", theirs, "ms"));
    }
    Ok(rows)
}

fn timed(command: &mut Command) -> Result<f64, Failure> {
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    check(status.success(), &format!("{:?} runs", command.get_program()))?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// A call of a tool through a confined worker, and through one that is not, in turn.
pub(crate) async fn confined_call(gathering: std::path::PathBuf) -> Result<Vec<Row>, Failure> {
    const BATCHES: usize = 60;
    const CALLS: usize = 100;
    let confinement =
        Confinement::Sandbox { launcher: gathering, tier: Some(Tier::Isolated), or_unconfined: false };
    let confined = Adder::new(confinement).await?;
    let free = Adder::new(Confinement::Unconfined).await?;
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for batch in 0..BATCHES {
        let (by_confined, by_free) = (confined.calls(CALLS).await?, free.calls(CALLS).await?);
        if batch >= BATCHES / 10 {
            inside.push(by_confined);
            outside.push(by_free);
        }
    }
    confined.host.shutdown(Duration::ZERO).await;
    free.host.shutdown(Duration::ZERO).await;
    let (inside, outside) = (median(inside), median(outside));
    Ok(vec![
        Row::at_most(
            "a call through a confined worker, against an unconfined one",
            1.2,
            inside / outside,
            "x",
        ),
        Row::at_most("  the whole call, confined", 100.0, inside, "us"),
        Row::beside("  the whole call, unconfined", outside, "us"),
    ])
}

/// A host with one Python plugin.
struct Adder {
    host: Host,
    _folder: tempfile::TempDir,
}

impl Adder {
    async fn new(confinement: Confinement) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let plugins = folder.path().join("plugins");
        fs::create_dir(&plugins)?;
        fs::write(plugins.join("adder.py"), ADDER)?;
        let config = PythonConfig {
            data_dir: folder.path().join("data"),
            prober: Arc::new(Prober::new(confinement)),
            ..PythonConfig::default()
        };
        let host = Host::builder().runtime(Arc::new(PythonRuntime::new(config))).build();
        host.add(PluginSource::Path(plugins.join("adder.py"))).await?;
        host.load("adder", None, Dependencies::MustBeLoaded).await?;
        host.enable("adder").await?;
        Ok(Self { host, _folder: folder })
    }

    /// Microseconds for each of `count` calls.
    async fn calls(&self, count: usize) -> Result<f64, Failure> {
        let prepared: Vec<_> = (0..count).map(call::arguments).collect();
        let started = Instant::now();
        for arguments in prepared {
            let report = self.host.execute(Caller::Operator, "add", arguments, CallOptions::default()).await;
            check(report.outcome.is_ok(), "`add` of the worker answers")?;
        }
        Ok(call::each(started, count))
    }
}
