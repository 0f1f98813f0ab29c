//! The wire format of Anthropic's messages.
//!
//! <https://docs.anthropic.com/en/api/messages>

use gathering_core::{Content, ToolDefinition};
use serde_json::{Value, json};

use crate::building::Building;
use crate::{Message, Request, Stop, ToolResult};

/// The version of the format, which every request names.
pub(crate) const VERSION: &str = "2023-06-01";

/// A tool as this format takes it in a request.
pub fn tool(tool: &ToolDefinition) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters.to_object_schema(),
    })
}

/// The body of a request.
pub(crate) fn body(request: &Request<'_>, model: &str, most_tokens: u32) -> Value {
    let mut messages: Vec<(&str, Vec<Value>)> = Vec::with_capacity(request.messages.len());
    for message in request.messages {
        let (role, mut content) = written(message);
        match messages.last_mut() {
            // Roles take turns in this format.
            Some((last, before)) if *last == role => before.append(&mut content),
            // A message without content is refused.
            _ if content.is_empty() => {}
            _ => messages.push((role, content)),
        }
    }
    let messages: Vec<_> =
        messages.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
    let mut body = json!({"model": model, "messages": messages, "stream": true, "max_tokens": most_tokens});
    if !request.system.is_empty() {
        // The provider keeps tools and instructions up to this mark, and the next step of a conversation costs less.
        body["system"] =
            json!([{"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}]);
    }
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(|definition| tool(definition)).collect();
    }
    body
}

fn written(message: &Message) -> (&'static str, Vec<Value>) {
    let text = |text: &String| (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}));
    match message {
        Message::User { text: said } => ("user", text(said).into_iter().collect()),
        Message::Assistant { text: said, calls } => {
            let calls = calls.iter().map(
                |call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}),
            );
            ("assistant", text(said).into_iter().chain(calls).collect())
        }
        Message::Tool { results } => ("user", results.iter().map(result).collect()),
    }
}

fn result(result: &ToolResult) -> Value {
    let mut content: Vec<_> = result
        .pictures()
        .map(|(data, media_type)| {
            json!({"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}})
        })
        .collect();
    let text = if content.is_empty() { result.text() } else { without_pictures(result) };
    if !text.is_empty() {
        content.insert(0, json!({"type": "text", "text": text}));
    }
    json!({"type": "tool_result", "tool_use_id": result.id, "content": content, "is_error": result.is_error})
}

fn without_pictures(result: &ToolResult) -> String {
    let is_no_picture = |part: &&Content| !matches!(part, Content::Image { .. });
    let content = result.content.iter().filter(is_no_picture).cloned().collect();
    ToolResult { content, ..result.clone() }.text()
}

/// Takes one event of the stream.
pub(crate) fn read(event: &Value, building: &mut Building) -> Result<(), String> {
    let number = || event.get("index").and_then(Value::as_u64).unwrap_or_default();
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    match text("/type").unwrap_or_default() {
        "message_start" => {
            // What is written to the provider's cache, and read from it, is input too.
            let counts = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
            let count = |name: &&str| event.pointer("/message/usage")?.get(*name)?.as_u64();
            building.usage.input_tokens = counts.iter().filter_map(count).fold(0, u64::saturating_add);
        }
        "content_block_start" if text("/content_block/type") == Some("tool_use") => {
            building.add_call(number(), text("/content_block/id"), text("/content_block/name"), "")?;
        }
        "content_block_start" => building.add_text(text("/content_block/text").unwrap_or_default()),
        "content_block_delta" => match text("/delta/type") {
            Some("text_delta") => building.add_text(text("/delta/text").unwrap_or_default()),
            Some("input_json_delta") => {
                building.add_call(number(), None, None, text("/delta/partial_json").unwrap_or_default())?;
            }
            _ => {}
        },
        "message_delta" => {
            if let Some(count) = event.pointer("/usage/output_tokens").and_then(Value::as_u64) {
                building.usage.output_tokens = count;
            }
            building.stop = text("/delta/stop_reason").map(|reason| match reason {
                "tool_use" => Stop::Calls,
                "max_tokens" | "model_context_window_exceeded" => Stop::Length,
                "refusal" => Stop::Refusal,
                _ => Stop::End,
            });
        }
        "message_stop" => building.is_complete = true,
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToolUse;

    #[test]
    fn results_come_first_in_the_turn_that_follows_their_calls() {
        let call =
            ToolUse { id: "a".into(), name: "draw".into(), arguments: Default::default(), malformed: None };
        let content = vec![
            Content::Text { text: "done".into() },
            Content::Image { data: "AAAA".into(), media_type: "image/png".into() },
        ];
        let result = ToolResult { id: "a".into(), name: "draw".into(), content, is_error: false };
        let messages = [
            Message::User { text: "Draw it.".into() },
            Message::Assistant { text: " ".into(), calls: vec![call] },
            Message::Tool { results: vec![result] },
            Message::User { text: "And now?".into() },
            Message::Assistant { text: String::new(), calls: Vec::new() },
        ];

        let body = body(&Request { system: "Be brief.", messages: &messages, tools: &[] }, "m", 9);

        assert_eq!(
            body,
            json!({
                "model": "m", "stream": true, "max_tokens": 9,
                "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "Draw it."}]},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "draw", "input": {}}]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "a", "is_error": false, "content": [
                            {"type": "text", "text": "done"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                        ]},
                        {"type": "text", "text": "And now?"},
                    ]},
                ],
            })
        );
    }

    #[test]
    fn what_the_provider_had_in_its_cache_counts_as_input() {
        let mut building = Building::default();
        let usage =
            json!({"input_tokens": 1, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 300});

        read(&json!({"type": "message_start", "message": {"usage": usage}}), &mut building)
            .expect("an event");
        read(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}), &mut building)
            .expect("an event");

        assert_eq!(building.usage.tokens(), 328);
    }
}
