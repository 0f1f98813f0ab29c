//! Trying the examples of a plugin's tools before anybody can call them.

use std::time::{Duration, Instant};

use gathering_core::{Caller, ToolError};
use gathering_host::{AuthoringError, FailedExample, Trial};
use serde_json::{Value, json};

use super::Inner;
use super::make::Draft;

/// How long an example may take.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(10);
/// The most of an example, or of what it gave, that is shown, in characters.
const MAX_SHOWN: usize = 300;

impl Inner {
    /// Tries the examples that are calls, and tells whether there were any. When one fails, the trial is ended.
    pub(super) async fn try_examples(
        &self,
        caller: &Caller,
        draft: &Draft,
        trial: Trial,
        deadline: Instant,
    ) -> Result<(bool, Trial), AuthoringError> {
        let mut tried = false;
        for (tool, found) in draft.plugin.tools.iter().zip(&draft.examined.tools) {
            for call in &found.calls {
                tried = true;
                let limit = EXAMPLE_LIMIT.min(deadline.saturating_duration_since(Instant::now()));
                let (name, arguments) = (tool.name.as_str(), call.arguments.clone());
                let outcome = trial.call(caller.clone(), name, arguments, limit).await;
                let expected = match &call.result {
                    Some(expected) => shown(&expected.to_string()),
                    None => "a result".to_owned(),
                };
                let (got, traceback) = match outcome {
                    Ok(output)
                        if call.result.as_ref().is_none_or(|expected| same(expected, &output.value)) =>
                    {
                        continue;
                    }
                    Ok(output) => (output.value.to_string(), String::new()),
                    Err(ToolError::Failed { message, traceback, .. }) => (message, traceback),
                    Err(error) => (error.to_string(), String::new()),
                };
                let example = match tool.examples.get(call.place) {
                    Some(Value::String(text)) => shown(text),
                    Some(example) => shown(&example.to_string()),
                    None => shown(&json!(call.arguments).to_string()),
                };
                trial.end().await;
                let (tool, got) = (tool.name.to_string(), shown(&got));
                let failed = FailedExample { tool, example, expected, got, traceback };
                return Err(AuthoringError::ExampleFailed(Box::new(failed)));
            }
        }
        Ok((tried, trial))
    }
}

/// Whether the values are the same, as Python's `==` would say of numbers.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
