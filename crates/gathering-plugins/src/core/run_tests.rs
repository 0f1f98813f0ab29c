//! `run_tests`: runs a project's tests in the sandbox, and tells which failed, where and why.

mod cargo;
mod junit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gathering_core::CallContext;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Core;
use super::run_command::{self, Arguments as Command};
use crate::base::shown;
use crate::{Cancel, Failure};

const NAME: &str = "run_tests";
/// How much of a report is read, in bytes of each stream.
const MAX_REPORT: usize = 8 << 20;
/// The most failures that are described.
const MAX_FAILURES: usize = 200;
/// How much of a failure's message is kept, in bytes.
const MAX_MESSAGE: usize = 4 << 10;
/// How much of what the runner printed last is returned, in bytes.
const MAX_OUTPUT: usize = 4 << 10;

pub(super) fn definition() -> Value {
    json!({
        "name": NAME,
        "description": "Runs the tests of a project with pytest, `cargo test` or Node's own runner, in the sandbox as `run_command` \
            does (no network, only the working folder), and gives the counts and, for each failure, its name, file, line and \
            message. Failing tests are a result, not an error; so are tests that could not begin, in `error`.",
        "category": "testing",
        "required_competencies": ["testing"],
        "parameters": {
            "type": "object",
            "properties": {
                "path": {
                    "type": "string", "default": ".",
                    "description": "The project's folder, relative to the working folder",
                },
                "runner": {
                    "type": "string", "enum": ["pytest", "cargo", "node"],
                    "description": "By default by what is in the folder: `Cargo.toml`, `package.json`, else Python. A `.venv` in the \
                        folder gives the Python of pytest",
                },
                "filter": {
                    "type": "string", "minLength": 1, "maxLength": 500,
                    "description": "Only tests with such a name: pytest's `-k` expression, cargo's part of a name, Node's name pattern",
                },
                "timeout": {
                    "type": "number", "default": 300, "exclusiveMinimum": 0,
                    "description": "Seconds after which it is stopped",
                },
            },
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "runner": {"type": "string"},
                "success": {"type": "boolean", "description": "Whether tests ran, and none failed"},
                "passed": {"type": "integer"},
                "failed": {"type": "integer", "description": "Failures and errors"},
                "skipped": {"type": "integer"},
                "total": {"type": "integer"},
                "failures": {"type": "array", "items": {"type": "object"}, "description": "Each with name, file, line, message; null \
                    where the runner does not say it"},
                "error": {"type": ["string", "null"], "description": "Why no test ran, such as a module that does not compile"},
                "output": {"type": "string", "description": "The end of what the runner printed"},
                "return_code": {"type": "integer", "description": "The runner's exit code"},
                "duration_ms": {"type": "integer"},
                "tier": {"type": "string", "description": "How it was confined"},
            },
            "required": ["runner", "success", "passed", "failed", "skipped", "total", "failures", "error", "output",
                "return_code", "duration_ms", "tier"],
        },
        "examples": ["run_tests()", "run_tests(path='backend', runner='pytest', filter='login and not slow', timeout=60)"],
        "annotations": {"read_only": false, "destructive": true, "idempotent": false, "open_world": true},
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Runner {
    Pytest,
    Cargo,
    Node,
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    path: String,
    runner: Option<Runner>,
    filter: Option<String>,
    timeout: f64,
}

/// What a runner reported.
#[derive(Debug, Default, PartialEq)]
struct Report {
    passed: usize,
    skipped: usize,
    failures: Vec<TestFailure>,
}

/// A test that failed.
#[derive(Debug, Default, PartialEq, Serialize)]
struct TestFailure {
    name: String,
    file: Option<String>,
    line: Option<u64>,
    message: String,
}

pub(super) fn run_tests(
    core: &Core,
    arguments: &Arguments,
    cx: &CallContext,
    cancel: &Cancel,
) -> Result<Value, Failure> {
    let runner = match arguments.runner {
        Some(runner) => runner,
        None => detect(core, &arguments.path)?,
    };
    let command = Command {
        command: command(core, runner, arguments),
        timeout: arguments.timeout,
        cwd: arguments.path.clone(),
        env: BTreeMap::from(
            [("CARGO_TERM_COLOR", "never"), ("NO_COLOR", "1"), ("PYTHONDONTWRITEBYTECODE", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        ),
    };
    let ended = run_command::run(core, NAME, &command, MAX_REPORT, cx, cancel)?;
    let text = |field: &str| ended[field].as_str().unwrap_or_default();
    let (out, err) = (text("stdout"), text("stderr"));
    let return_code = ended["return_code"].as_i64().unwrap_or(-1);
    let report = match runner {
        Runner::Cargo => cargo::read(out),
        Runner::Pytest | Runner::Node => junit::read(out),
    };
    let report = report.filter(|report| report.passed + report.skipped + report.failures.len() > 0);
    // pytest and Node report on their standard output, and what they print besides is among their errors.
    let printed = if runner == Runner::Cargo { format!("{out}\n{err}") } else { err.to_owned() };
    let error = report.is_none().then(|| nothing_ran(runner, return_code, &printed));
    let mut report = report.unwrap_or_default();
    let failed = report.failures.len();
    report.failures.truncate(MAX_FAILURES);
    let folder: PathBuf = core.base.path.join(core.base.relative(&arguments.path)?).components().collect();
    for failure in &mut report.failures {
        // Node names files by their whole path.
        let inside = failure.file.as_ref().and_then(|file| Path::new(file).strip_prefix(&folder).ok());
        if let Some(inside) = inside.map(|file| file.display().to_string()) {
            failure.file = Some(inside);
        }
        failure.message = beginning(failure.message.trim(), MAX_MESSAGE).to_owned();
    }
    Ok(json!({
        "runner": runner,
        "success": error.is_none() && failed == 0 && return_code == 0,
        "passed": report.passed,
        "failed": failed,
        "skipped": report.skipped,
        "total": report.passed + failed + report.skipped,
        "failures": report.failures,
        "error": error,
        "output": end(printed.trim(), MAX_OUTPUT),
        "return_code": return_code,
        "duration_ms": ended["duration_ms"],
        "tier": ended["tier"],
    }))
}

/// Whether a folder has something of that name.
fn has(core: &Core, folder: &str, name: &str) -> bool {
    core.base
        .relative(folder)
        .is_ok_and(|folder| core.base.dir.metadata(Path::new(&folder).join(name)).is_ok())
}

fn detect(core: &Core, folder: &str) -> Result<Runner, Failure> {
    let python = ["pyproject.toml", "pytest.ini", "setup.py", "setup.cfg", "tox.ini", "tests", "test"];
    if has(core, folder, "Cargo.toml") {
        return Ok(Runner::Cargo);
    }
    if has(core, folder, "package.json") {
        return Ok(Runner::Node);
    }
    let is_test = |entry: cap_std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"))
    };
    let mut entries = core.base.open_folder(folder)?.entries().into_iter().flatten().flatten();
    if python.iter().any(|name| has(core, folder, name)) || entries.any(is_test) {
        return Ok(Runner::Pytest);
    }
    let folder = shown(folder);
    Err(format!("there is no sign in `{folder}` of what runs its tests: name the project's folder as `path`, or a `runner`").into())
}

fn command(core: &Core, runner: Runner, arguments: &Arguments) -> String {
    let filter = |option: &str| {
        arguments.filter.as_ref().map_or_else(String::new, |filter| format!(" {option}{}", quoted(filter)))
    };
    match runner {
        Runner::Pytest => {
            let own = has(core, &arguments.path, ".venv/bin/python");
            let python = if own { ".venv/bin/python" } else { "python3" };
            let options = "-q --tb=short -p no:cacheprovider -o junit_family=xunit1 -o junit_logging=no";
            let filter = filter("-k ");
            format!(
                "report=\"${{TMPDIR:-/tmp}}/gathering-tests-$$.xml\"; {python} -m pytest {options} \
                 --junitxml=\"$report\"{filter} 1>&2; code=$?; cat \"$report\" 2>/dev/null; rm -f \"$report\"; exit $code"
            )
        }
        // All test programs, not only those before the first that fails.
        Runner::Cargo => format!("cargo test --no-fail-fast{}", filter("-- ")),
        Runner::Node => format!(
            "node --test --test-reporter=junit --test-reporter-destination=stdout --test-reporter=spec \
             --test-reporter-destination=stderr{}",
            filter("--test-name-pattern=")
        ),
    }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn nothing_ran(runner: Runner, return_code: i64, printed: &str) -> String {
    let (program, missing) = match runner {
        Runner::Pytest => ("pytest", "No module named pytest"),
        Runner::Cargo => ("cargo", "cargo: "),
        Runner::Node => ("node", "node: "),
    };
    if printed.contains(missing) && (return_code == 127 || runner == Runner::Pytest) {
        return format!(
            "{program} is not there for programs in the sandbox, which sees the system's programs and the working folder only: \
             have it installed there, such as pytest in a `.venv` of the project"
        );
    }
    match (runner, return_code) {
        (Runner::Pytest, 5) | (_, 0) => "no tests were found".to_owned(),
        _ => format!("{program} ended with {return_code} before any test ran: {}", end(printed.trim(), 1000)),
    }
}

/// The beginning of a text, in whole characters.
fn beginning(text: &str, most: usize) -> &str {
    let mut length = text.len().min(most);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    &text[..length]
}

/// The end of a text, in whole characters.
fn end(text: &str, most: usize) -> &str {
    let mut start = text.len().saturating_sub(most);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
