//! `javascript_eval`: runs a piece of JavaScript in an engine of our own program, in a confined worker.

mod engine;

use std::time::Instant;

use gathering_core::{CallContext, ReachedLimit, ToolError, ToolName};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::engine::Script;
use self::engine::Stopped;
use super::Core;
use super::run_command::refuse_unless_allowed;
use super::time::Time;
use crate::Failure;
use crate::worker::Workers;

const NAME: &str = "javascript_eval";
/// The most code that is taken, in bytes.
const MAX_CODE: usize = 256 << 10;
/// The most memory that the code may use, in bytes.
const MAX_MEMORY: usize = 256 << 20;

pub(super) fn definition() -> Value {
    json!({
        "name": NAME,
        "description": "Runs JavaScript (ECMAScript 2023, in QuickJS) and returns the value of the last expression and what \
            was written to the console. Every call has a fresh engine: nothing is kept from one call to the next. It has the \
            language and `console`, nothing else: no files, no network, no timers, no `require`, no Node.js. Strict mode; an \
            exception is a result, in `error`.",
        "category": "code_execution",
        "required_competencies": ["javascript"],
        "parameters": {
            "type": "object",
            "properties": {
                "code": {
                    "type": "string", "minLength": 1,
                    "description": "A script; the value of its last expression is the result. `await` works at the top level. An \
                        object at the start of a statement needs brackets: `({a: 1})`",
                },
                "timeout": {
                    "type": "number", "default": 10, "exclusiveMinimum": 0,
                    "description": "Seconds after which it is stopped",
                },
            },
            "required": ["code"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "result": {
                    "description": "The value of the last expression, as `JSON.stringify` writes it; what has no form in JSON, \
                        such as a function, as `String` does; null for undefined",
                },
                "output": {"type": "string", "description": "What was written to the console"},
                "truncated": {"type": "boolean", "description": "Whether more was written than is kept"},
                "error": {
                    "type": ["string", "null"],
                    "description": "The exception that ended it, such as `TypeError: x is not a function`",
                },
                "traceback": {"type": "string", "description": "Where in the code, line by line"},
            },
            "required": ["result", "output", "truncated", "error", "traceback"],
        },
        "examples": [
            "javascript_eval(code='[3, 1, 2].sort().map(x => x ** 2)')",
            "javascript_eval(code='const answer = await Promise.resolve(42); console.log(answer); ({answer})', timeout=5)",
        ],
        "annotations": {"read_only": true, "destructive": false, "idempotent": false, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    code: String,
    timeout: f64,
}

pub(super) async fn javascript_eval(
    core: &Core,
    workers: &Workers,
    arguments: Arguments,
    cx: &CallContext,
) -> Result<Value, Failure> {
    refuse_unless_allowed(core, NAME)?;
    let Arguments { code, timeout } = arguments;
    if code.len() > MAX_CODE {
        return Err(ToolError::TooLarge { what: "the code".to_owned(), limit: MAX_CODE }.into());
    }
    let now = Instant::now();
    let time = Time::of(core.config.max_timeout_seconds, timeout, cx, now);
    let over = || limit(ReachedLimit::Time, time.is_over("the code", core.config.max_timeout_seconds));
    let script = Script {
        code,
        most_milliseconds: u64::try_from((time.until - now).as_millis()).unwrap_or(u64::MAX),
        most_memory: MAX_MEMORY,
        most_output: core.config.max_output_bytes,
    };
    // The engine looks at the clock between two steps of the code; where a step takes for ever, its worker is ended.
    let running = tokio::time::timeout_at(time.until.into(), workers.run(NAME, cx, script, Vec::new()));
    match running.await.map_err(|_| over())?? {
        Ok(evaluated) => serde_json::to_value(evaluated).map_err(|error| Failure::new(error.to_string())),
        Err(Stopped::Time) => Err(over()),
        Err(Stopped::Memory) => {
            let most = MAX_MEMORY >> 20;
            let message =
                format!("the code used more than the {most} MiB of memory that it has, and was stopped");
            Err(limit(ReachedLimit::Memory, message))
        }
        Err(Stopped::Result) => {
            let limit = core.config.max_output_bytes;
            Err(ToolError::OutputLimit { tool: name(), limit }.into())
        }
        Err(Stopped::Engine(reason)) => Err(format!("the JavaScript engine failed: {reason}").into()),
    }
}

fn limit(limit: ReachedLimit, message: String) -> Failure {
    ToolError::LimitReached { tool: name(), limit, message }.into()
}

fn name() -> ToolName {
    ToolName::new(NAME).expect("it is a good name")
}
