//! Calls that a model asks for: made at once, with the agent's rights, and told in a form that helps it to mend them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use gathering_core::{CallId, Caller, Content, ToolError, ToolOutput};
use gathering_host::{CallOptions, Host};
use gathering_models::{ToolResult, ToolUse};
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::event::ChatEvent;

/// How much of a tool's schema, and of a traceback, a model is shown with a failure, in bytes.
const SHOWN: usize = 4 << 10;
/// The largest picture that a model is shown, in base64, in bytes. Anthropic takes 5 MiB.
const LARGEST_PICTURE: usize = 5 << 20;
/// From which time on a model is told that the same call gave the same result again.
const TOLD: u32 = 3;
/// How often the same call may give the same result.
const MOST_REPEATS: u32 = 5;

/// Makes calls for one agent.
pub(super) struct Calling<'a> {
    pub(super) host: &'a Host,
    pub(super) caller: Caller,
    /// How much of one result a model is shown, in bytes.
    pub(super) most: usize,
    pub(super) events: &'a Sender<ChatEvent>,
    pub(super) deadline: Instant,
}

/// What came of a call.
struct Outcome {
    result: ToolResult,
    code: Option<&'static str>,
    call_id: Option<CallId>,
    duration: Duration,
}

impl Calling<'_> {
    /// Makes all calls at once. The results are in the order of the calls.
    pub(super) async fn all(&self, calls: &[ToolUse]) -> Vec<ToolResult> {
        for call in calls {
            let arguments = call.arguments.clone();
            self.tell(ChatEvent::ToolCall { id: call.id.clone(), tool: call.name.clone(), arguments }).await;
        }
        let mut running: FuturesUnordered<_> =
            calls.iter().enumerate().map(|(at, call)| async move { (at, self.one(call).await) }).collect();
        let mut results: Vec<Option<ToolResult>> = calls.iter().map(|_| None).collect();
        while let Some((at, outcome)) = running.next().await {
            let Outcome { result, code, call_id, duration } = outcome;
            self.tell(ChatEvent::ToolResult {
                id: result.id.clone(),
                tool: result.name.clone(),
                is_error: result.is_error,
                code,
                content: result.content.clone(),
                call_id,
                duration_ms: (duration.as_secs_f64() * 1e6).round() / 1e3,
            })
            .await;
            results[at] = Some(result);
        }
        results.into_iter().flatten().collect()
    }

    /// That nobody listens any more is no failure: whoever listened drops the calls, too.
    async fn tell(&self, event: ChatEvent) {
        let _ = self.events.send(event).await;
    }

    async fn one(&self, call: &ToolUse) -> Outcome {
        let finished = |content, is_error| {
            let content = capped(content, self.most);
            ToolResult { id: call.id.clone(), name: call.name.clone(), content, is_error }
        };
        if let Some(malformed) = &call.malformed {
            let text = format!(
                "the arguments of this call are no JSON object ({malformed}): call `{}` again with one that fits its schema",
                call.name
            );
            let result = finished(vec![Content::Text { text }], true);
            return Outcome {
                result,
                code: Some("invalid_arguments"),
                call_id: None,
                duration: Duration::ZERO,
            };
        }
        let timeout = self.deadline.saturating_duration_since(Instant::now());
        let timeout = Some(timeout.min(self.host.limits().call_timeout));
        let options = CallOptions { timeout };
        let report =
            self.host.execute(self.caller.clone(), &call.name, call.arguments.clone(), options).await;
        let (result, code) = match report.outcome {
            Ok(output) => (finished(shown(output), false), None),
            Err(error) => {
                let text = self.explained(&error);
                (finished(vec![Content::Text { text }], true), Some(error.code()))
            }
        };
        Outcome { result, code, call_id: Some(report.call_id), duration: report.duration }
    }

    /// What a failure says, and what helps to mend the call.
    fn explained(&self, error: &ToolError) -> String {
        let hint = match error {
            ToolError::InvalidArguments { tool, .. } => {
                let tool = self.host.tool_for(&self.caller, tool.as_str()).ok();
                tool.map(|tool| format!("It takes: {}", cut(tool.parameters.as_str(), SHOWN)))
            }
            ToolError::Failed { traceback, .. } if !traceback.is_empty() => Some(last(traceback, SHOWN)),
            _ => None,
        };
        let text = format!("{error} [{}]", error.code());
        hint.into_iter().fold(text, |text, hint| format!("{text}\n{hint}"))
    }
}

/// Counts calls that give what they gave before.
#[derive(Default)]
pub(super) struct Repeats(HashMap<String, u32>);

impl Repeats {
    /// Counts a call and its result, which is told the model from the third time on. Returns how often, if that is too often.
    pub(super) fn count(&mut self, call: &ToolUse, result: &mut ToolResult) -> Option<u32> {
        let key = format!("{} {} {}", call.name, Value::Object(call.arguments.clone()), result.text());
        let times = self.0.entry(key).or_default();
        *times += 1;
        if *times >= TOLD {
            let text = format!(
                "[This is the {times}th time that this call with these arguments gave this result. Do something else.]"
            );
            result.content.push(Content::Text { text });
        }
        (*times >= MOST_REPEATS).then_some(*times)
    }
}

/// What a model is shown of a result.
fn shown(output: ToolOutput) -> Vec<Content> {
    let is_too_large = |part: &Content| match part {
        Content::Image { data, .. } => data.len() > LARGEST_PICTURE,
        Content::Audio { .. } => true,
        _ => false,
    };
    let parts = output.content().into_iter().map(|part| match part {
        part if is_too_large(&part) => {
            let text = "[a part of the result is not shown: it is sound, or a picture of more than 5 MiB]";
            Content::Text { text: text.to_owned() }
        }
        part => part,
    });
    parts.collect()
}

/// The parts, of which the texts have at most `most` bytes together.
fn capped(parts: Vec<Content>, most: usize) -> Vec<Content> {
    let mut left = most;
    let mut cap = |text: String| {
        let whole = text.len();
        let kept = cut(&text, left).len();
        left -= kept;
        if kept == whole {
            return text;
        }
        format!(
            "{}\n[{} more bytes of the result are not shown: ask for a part of it]",
            &text[..kept],
            whole - kept
        )
    };
    let parts = parts.into_iter().map(|part| match part {
        Content::Text { text } => Content::Text { text: cap(text) },
        Content::Json { value } => {
            let text = value.to_string();
            let whole = text.len();
            let text = cap(text);
            if text.len() == whole { Content::Json { value } } else { Content::Text { text } }
        }
        part => part,
    });
    parts.collect()
}

/// The beginning of a text, at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The end of a text, at most `most` bytes.
fn last(text: &str, most: usize) -> String {
    let from = text.ceil_char_boundary(text.len().saturating_sub(most));
    text[from..].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_result_is_cut_and_says_how_much_is_missing() {
        let parts = vec![
            Content::Json { value: json!({"a": 1}) },
            Content::Text { text: "é".repeat(10) },
            Content::Json { value: json!([1, 2]) },
        ];

        let capped = capped(parts, 12);

        assert_eq!(capped[0], Content::Json { value: json!({"a": 1}) });
        let texts: Vec<_> = capped[1..]
            .iter()
            .map(|part| serde_json::to_value(part).expect("data")["text"].clone())
            .collect();
        assert_eq!(texts[0], "éé\n[16 more bytes of the result are not shown: ask for a part of it]");
        assert_eq!(texts[1], "[\n[4 more bytes of the result are not shown: ask for a part of it]");
    }

    #[test]
    fn a_call_that_gives_the_same_again_is_told_so_and_comes_to_an_end() {
        let call =
            ToolUse { id: "a".into(), name: "t".into(), arguments: Default::default(), malformed: None };
        let result = |text: &str| ToolResult {
            id: "a".into(),
            name: "t".into(),
            content: vec![Content::Text { text: text.into() }],
            is_error: false,
        };
        let mut repeats = Repeats::default();

        let counts: Vec<_> = (0..5)
            .map(|_| {
                let mut same = result("x");
                (repeats.count(&call, &mut same), same.content.len())
            })
            .collect();

        assert_eq!(counts, [(None, 1), (None, 1), (None, 2), (None, 2), (Some(5), 2)]);
        assert_eq!(repeats.count(&call, &mut result("y")), None);
    }
}
