//! Measures what GatheRing promises of its speed and size, and prints what was reached beside it.
//!
//! `gathering-bench GATHERING PYTHON [PART ...]` measures all, or those parts: `GATHERING` is the command line built for
//! release, `PYTHON` an interpreter that has fastapi, uvicorn, pydantic, jsonschema, langchain-core, fastmcp, pandas and this
//! package. A row that misses says `falls short`; the program fails only when something could not be measured.

mod agents;
mod call;
mod dynamic;
mod files;
mod http;
mod journal;
mod many;
mod package;
mod registry;
mod server;
mod table;

use std::path::Path;
use std::process::{Command, ExitCode};

use table::Row;

/// What can be measured by itself.
const PARTS: [&str; 11] = [
    "call", "worker", "dynamic", "command", "http", "registry", "memory", "agents", "start", "package",
    "files",
];

/// Something could not be measured.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["memory"] => runtime.block_on(registry::print_memory()),
        ["serve", port] => match port.parse() {
            Ok(port) => runtime.block_on(http::serve_native(port)),
            Err(_) => Err(format!("{port} is no port").into()),
        },
        [gathering, python, parts @ ..] => {
            let parts = if parts.is_empty() { &PARTS } else { parts };
            measure(&runtime, Path::new(gathering), Path::new(python), parts)
        }
        _ => Err(format!("usage: gathering-bench GATHERING PYTHON [{}]", PARTS.join("|")).into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    gathering: &Path,
    python: &Path,
    parts: &[&str],
) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for part in parts {
        match *part {
            "call" => {
                rows.extend(as_a_task(runtime, call::native())?);
                let what = "  a Python registry that checks with jsonschema, a call";
                rows.push(Row::beside(what, python_registry(python)?, "us"));
            }
            "journal" => rows.extend(as_a_task(runtime, journal::rows())?),
            "worker" => rows.extend(as_a_task(runtime, call::worker())?),
            "dynamic" => {
                rows.extend(dynamic::tools(gathering)?);
                rows.extend(as_a_task(runtime, dynamic::confined_call(gathering.to_owned()))?);
            }
            "command" => rows.extend(dynamic::commands(gathering)?),
            "http" => rows.extend(http::throughput(python, gathering)?),
            "registry" => rows.extend(runtime.block_on(registry::rows())?),
            "agents" => rows.extend(as_a_task(runtime, agents::rows())?),
            "memory" => rows.push(registry::memory()?),
            "package" => rows.extend(package::rows(python)?),
            "start" => rows.extend(http::start(gathering)?),
            "files" => rows.extend(files::statistics(gathering, python)?),
            other => return Err(format!("there is no part `{other}`: {}", PARTS.join(", ")).into()),
        }
    }
    say(&table::render(&rows));
    Ok(())
}

/// Runs a measurement where the calls of a server run: in a task, beside which nothing has to be woken.
fn as_a_task(
    runtime: &tokio::runtime::Runtime,
    measurement: impl Future<Output = Result<Vec<Row>, Failure>> + Send + 'static,
) -> Result<Vec<Row>, Failure> {
    runtime.block_on(async { tokio::spawn(measurement).await? })
}

fn python_registry(python: &Path) -> Result<f64, Failure> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/registry.py");
    let output = Command::new(python).arg(script).output()?;
    check(output.status.success(), "the registry in Python runs")?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn check(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(format!("not so: {what}").into()) }
}

#[expect(clippy::print_stdout, reason = "what was measured is what this program is for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "this is where a program says why it failed")]
fn fail(error: &Failure) -> ExitCode {
    eprintln!("gathering-bench: {error}");
    ExitCode::FAILURE
}
