//! `python_eval`: runs a piece of Python in a confined interpreter of its own.

use std::time::Instant;

use gathering_core::{CallContext, Evaluation, EvaluationError, ReachedLimit, ToolError, ToolName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Core;
use super::run_command::{at_limit, refuse_unless_allowed};
use super::time::Time;
use crate::Failure;

const NAME: &str = "python_eval";
/// The most code that is taken, in bytes.
const MAX_CODE: usize = 256 << 10;

pub(super) fn definition() -> Value {
    json!({
        "name": NAME,
        "description": "Runs Python code as a session would, and returns the value of the last expression and what was \
            printed. Every call has a fresh interpreter with the standard library: nothing is kept from one call to the \
            next. It has a folder of its own for files, gone afterwards, and sees neither the working folder nor a network. An \
            exception is a result, in `error`.",
        "category": "code_execution",
        "required_competencies": ["python"],
        "parameters": {
            "type": "object",
            "properties": {
                "code": {
                    "type": "string", "minLength": 1,
                    "description": "Statements, definitions and imports; the value of a last expression is the result. \
                        `await` works at the top level",
                },
                "timeout": {
                    "type": "number", "default": 30, "exclusiveMinimum": 0,
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
                    "description": "The value of the last expression: as JSON where it has a form there, else its repr()",
                },
                "output": {"type": "string", "description": "What was printed"},
                "truncated": {"type": "boolean", "description": "Whether more was printed than is kept"},
                "error": {
                    "type": ["string", "null"],
                    "description": "The exception that ended it, such as `ZeroDivisionError: division by zero`",
                },
                "traceback": {"type": "string", "description": "Where in the code, line by line"},
            },
            "required": ["result", "output", "truncated", "error", "traceback"],
        },
        "examples": ["python_eval(code='import statistics\\nstatistics.mean([1, 2, 6])')"],
        "annotations": {"read_only": true, "destructive": false, "idempotent": false, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    code: String,
    timeout: f64,
}

pub(super) async fn python_eval(
    core: &Core,
    arguments: Arguments,
    cx: &CallContext,
) -> Result<Value, Failure> {
    refuse_unless_allowed(core, NAME)?;
    let Arguments { code, timeout } = arguments;
    if code.len() > MAX_CODE {
        return Err(ToolError::TooLarge { what: "the code".to_owned(), limit: MAX_CODE }.into());
    }
    let _permit = core.permit()?;
    let time = Time::of(core.config.max_timeout_seconds, timeout, cx, Instant::now());
    let most = core.config.max_output_bytes;
    let limits = core.config.limits;
    let evaluation =
        Evaluation { code, deadline: time.until, output_limit: most, result_limit: most, limits };
    match cx.services().evaluate(cx, evaluation).await {
        Ok(evaluated) => serde_json::to_value(evaluated).map_err(|error| Failure::new(error.to_string())),
        Err(error) => Err(failure(error, &time, core)),
    }
}

fn failure(error: EvaluationError, time: &Time, core: &Core) -> Failure {
    let (limit, message) = match error {
        EvaluationError::SandboxSetupFailed(reason) => {
            return ToolError::SandboxSetupFailed { reason }.into();
        }
        EvaluationError::Unavailable(reason) => {
            return format!("Python code cannot be run here: {reason}").into();
        }
        EvaluationError::Exited(reason) => {
            return format!(
                "the interpreter ended in the middle of the code ({reason}), and what it had printed is lost: let the code \
                 come to its end, without `os._exit`, `os.abort` or faults of C code"
            )
            .into();
        }
        EvaluationError::LimitReached(limit @ ReachedLimit::Time) => {
            (limit, time.is_over("the code", core.config.max_timeout_seconds))
        }
        EvaluationError::LimitReached(limit) => (limit, at_limit("the code", limit, &core.config.limits)),
    };
    let tool = ToolName::new(NAME).expect("it is a good name");
    ToolError::LimitReached { tool, limit, message }.into()
}
