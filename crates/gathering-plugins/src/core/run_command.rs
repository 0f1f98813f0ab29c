//! `run_command`: runs a command in a shell, confined to the working folder.

mod attend;
mod program;
mod report;
mod workspace;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use gathering_core::{ArgumentError, CallContext, ReachedLimit, Tier, ToolError, ToolName};
use gathering_sandbox::Holds;
use serde::Deserialize;
use serde_json::{Value, json};

use self::attend::{Ending, attend};
use self::program::Program;
pub(super) use self::report::at_limit;
use super::Core;
use super::base::shown;
use super::time::Time;
use crate::worker::tier;
use crate::{Cancel, Failure};

const NAME: &str = "run_command";
/// The most variables that a command may be given, and the most bytes of them.
const MAX_VARIABLES: usize = 64;
const MAX_ENVIRONMENT: usize = 32 << 10;
/// The longest command, in bytes: what one argument of a program may have on Linux, and some less.
const MAX_COMMAND: usize = 120_000;

pub(super) fn definition() -> Value {
    json!({
        "name": NAME,
        "description": "Runs a command in a shell (`/bin/bash`, else `/bin/sh`) and returns what it printed and its exit \
            code. It starts in the working folder, sees only that and the system's programs, has a private /tmp that is \
            gone afterwards, no network and no input. Whatever it leaves running is stopped when the shell ends. Files that other \
            programs run (such as .git/hooks and .git/config) are read-only. A non-zero exit code is a result, not an error.",
        "category": "code_execution",
        "required_competencies": ["shell"],
        "parameters": {
            "type": "object",
            "properties": {
                "command": {"type": "string", "minLength": 1, "description": "The command, as one types it in a shell"},
                "timeout": {
                    "type": "number", "default": 30, "exclusiveMinimum": 0,
                    "description": "Seconds after which it is stopped",
                },
                "cwd": {
                    "type": "string", "default": ".",
                    "description": "The folder in which it starts, relative to the working folder",
                },
                "env": {
                    "type": "object", "default": {}, "additionalProperties": {"type": "string"},
                    "description": "Variables that it finds beside PATH, HOME, LANG and TMPDIR",
                },
            },
            "required": ["command"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "stdout": {"type": "string", "description": "What it printed"},
                "stderr": {"type": "string", "description": "What it printed as errors"},
                "return_code": {
                    "type": "integer",
                    "description": "Its exit code; 128 and the signal's number if a signal ended it",
                },
                "duration_ms": {"type": "integer", "description": "How long it ran"},
                "truncated": {"type": "boolean", "description": "Whether it printed more than is kept"},
                "total_bytes": {
                    "type": "object",
                    "description": "If so, how much it printed in all: `stdout` and `stderr`, in bytes",
                },
                "tier": {"type": "string", "description": "How it was confined"},
                "notes": {
                    "type": "array", "items": {"type": "string"},
                    "description": "What was out of the ordinary, such as a working folder that can only be read",
                },
            },
            "required": ["stdout", "stderr", "return_code", "duration_ms", "truncated", "tier"],
        },
        "examples": ["run_command(command='grep -rn TODO src | head', timeout=10)"],
        "annotations": {"read_only": false, "destructive": true, "idempotent": false, "open_world": true},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    pub(super) command: String,
    pub(super) timeout: f64,
    pub(super) cwd: String,
    pub(super) env: BTreeMap<String, String>,
}

/// Refuses where the operator wants nothing run.
pub(super) fn refuse_unless_allowed(core: &Core, tool: &str) -> Result<(), Failure> {
    if core.config.allow_shell {
        return Ok(());
    }
    let reason =
        format!("`{tool}` is switched off: its operator set `allow_shell` of the plugin `core` to false");
    Err(ToolError::Forbidden { reason }.into())
}

pub(super) fn run_command(
    core: &Core,
    arguments: &Arguments,
    cx: &CallContext,
    cancel: &Cancel,
) -> Result<Value, Failure> {
    run(core, NAME, arguments, core.config.max_output_bytes, cx, cancel)
}

/// Runs a command for `tool` and keeps at most `most` bytes of each of its streams.
pub(super) fn run(
    core: &Core,
    tool: &str,
    arguments: &Arguments,
    most: usize,
    cx: &CallContext,
    cancel: &Cancel,
) -> Result<Value, Failure> {
    refuse_unless_allowed(core, tool)?;
    check(tool, arguments)?;
    let _permit = core.permit()?;
    let holds = core.prober.holds();
    let tier = match (holds, tier(holds)) {
        (Holds::Nothing(report), _) => {
            let reason = report.refusal();
            return Err(ToolError::SandboxSetupFailed { reason }.into());
        }
        (_, tier) => tier.unwrap_or(Tier::Unconfined),
    };
    let workspace = core.workspace(matches!(holds, Holds::Sandbox { .. }))?;
    let policy = workspace.policy(core, folder(core, &arguments.cwd)?, &arguments.env);
    cancel.check()?;
    let started = Instant::now();
    let time = Time::of(core.config.max_timeout_seconds, arguments.timeout, cx, started);
    let mut program = Program::start(holds, policy, shell(), &arguments.command)?;
    let attended = attend(&mut program, time.until, most, cancel);
    // Whatever went wrong, nothing of it is left when this is gone.
    let mut notes = program.notes();
    drop(program);
    notes.extend(workspace.tidy_up(core));
    let (ending, printed) = attended.map_err(|error| format!("the command was lost: {error}"))?;
    let took = started.elapsed();
    match ending {
        Ending::Cancelled => Err(Failure::new("the call was cancelled")),
        Ending::TimedOut => {
            let what = time.is_over("the command", core.config.max_timeout_seconds);
            Err(report::stopped(tool, ReachedLimit::Time, &what, &printed))
        }
        Ending::Ended(exit) => report::ended(tool, &exit, &printed, took, tier, notes, &core.config.limits),
    }
}

fn shell() -> PathBuf {
    let bash = PathBuf::from("/bin/bash");
    if bash.exists() { bash } else { PathBuf::from("/bin/sh") }
}

/// The folder in which a command starts: absolute, without symbolic links.
fn folder(core: &Core, cwd: &str) -> Result<PathBuf, Failure> {
    let path = core.base.relative(cwd)?;
    core.base.open_folder(cwd)?;
    let inside = core.base.dir.canonicalize(path).map_err(|error| super::base::io_failure(cwd, &error))?;
    Ok(core.base.path.join(inside).components().collect())
}

fn check(tool: &str, arguments: &Arguments) -> Result<(), Failure> {
    let refuse = |pointer: &str, message: String| -> Result<(), Failure> {
        let tool = ToolName::new(tool).expect("it is a good name");
        let errors = vec![ArgumentError { pointer: pointer.to_owned(), message }];
        Err(ToolError::InvalidArguments { tool, errors }.into())
    };
    let Arguments { command, env, .. } = arguments;
    if command.contains('\0') {
        return refuse("/command", "the command holds a NUL character".to_owned());
    }
    if command.len() > MAX_COMMAND {
        let length = command.len();
        return refuse(
            "/command",
            format!(
                "the command has {length} bytes, more than {MAX_COMMAND}: write a script with `write_file` and run that"
            ),
        );
    }
    if env.len() > MAX_VARIABLES {
        return refuse("/env", format!("{} variables are given, more than {MAX_VARIABLES}", env.len()));
    }
    if env.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>() > MAX_ENVIRONMENT {
        return refuse("/env", format!("the variables have more than {MAX_ENVIRONMENT} bytes"));
    }
    for (name, value) in env {
        let mut bytes = name.bytes();
        let starts = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
        if !starts || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let name = shown(name);
            return refuse(
                "/env",
                format!("`{name}` is not a variable's name: a letter or `_`, then letters, digits and `_`"),
            );
        }
        if value.contains('\0') {
            return refuse("/env", format!("the value of `{name}` holds a NUL character"));
        }
    }
    Ok(())
}
