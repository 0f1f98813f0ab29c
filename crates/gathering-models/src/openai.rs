//! The wire format of OpenAI's chat completions, which Mistral, DeepSeek, vLLM, Ollama and many others speak too.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create>

use gathering_core::ToolDefinition;
use serde_json::{Value, json};

use crate::building::Building;
use crate::{Message, Request, Stop, ToolResult};

/// How a request is to be written, which differs between the servers that speak this format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// OpenAI's own servers, whose newer models take `max_completion_tokens` only; others know `max_tokens`.
    pub(crate) is_openais_own: bool,
    /// Whether usage is asked for. Mistral refuses the question and tells it unasked.
    pub(crate) asks_for_usage: bool,
}

/// A tool as this format takes it in a request.
pub fn tool(tool: &ToolDefinition) -> Value {
    json!({
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters.to_object_schema(),
        },
    })
}

/// The body of a request.
pub(crate) fn body(request: &Request<'_>, model: &str, most_tokens: u32, dialect: Dialect) -> Value {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(json!({"role": "system", "content": request.system}));
    }
    request.messages.iter().for_each(|message| add_message(message, &mut messages));
    let most = if dialect.is_openais_own { "max_completion_tokens" } else { "max_tokens" };
    let mut body = json!({"model": model, "messages": messages, "stream": true, most: most_tokens});
    if dialect.asks_for_usage {
        body["stream_options"] = json!({"include_usage": true});
    }
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(|definition| tool(definition)).collect();
    }
    body
}

fn add_message(message: &Message, messages: &mut Vec<Value>) {
    match message {
        Message::User { text } => messages.push(json!({"role": "user", "content": text})),
        Message::Assistant { text, calls } if calls.is_empty() => {
            messages.push(json!({"role": "assistant", "content": text}));
        }
        Message::Assistant { text, calls } => {
            let calls: Vec<_> = calls
                .iter()
                .map(|call| {
                    let arguments = Value::Object(call.arguments.clone()).to_string();
                    let function = json!({"name": call.name, "arguments": arguments});
                    json!({"id": call.id, "type": "function", "function": function})
                })
                .collect();
            let text = if text.is_empty() { Value::Null } else { text.as_str().into() };
            messages.push(json!({"role": "assistant", "content": text, "tool_calls": calls}));
        }
        Message::Tool { results } => {
            messages.extend(
                results.iter().map(
                    |result| json!({"role": "tool", "tool_call_id": result.id, "content": spoken(result)}),
                ),
            );
            // A result is text in this format, so pictures follow as if somebody showed them.
            for result in results.iter().filter(|result| result.pictures().next().is_some()) {
                let mut parts =
                    vec![json!({"type": "text", "text": format!("What `{}` shows:", result.name)})];
                parts.extend(result.pictures().map(|(data, media_type)| {
                    let url = format!("data:{media_type};base64,{data}");
                    json!({"type": "image_url", "image_url": {"url": url}})
                }));
                messages.push(json!({"role": "user", "content": parts}));
            }
        }
    }
}

/// The text of a result. This format has no mark for a failure, so the text begins with one.
fn spoken(result: &ToolResult) -> String {
    let text = result.text();
    if result.is_error { format!("Error: {text}") } else { text }
}

/// Takes one event of the stream.
pub(crate) fn read(event: &Value, building: &mut Building) -> Result<(), String> {
    if let Some(usage) = event.get("usage").filter(|usage| !usage.is_null()) {
        let count = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
        building.usage.input_tokens = count("prompt_tokens");
        building.usage.output_tokens = count("completion_tokens");
    }
    // The event that tells the usage has no choices.
    let Some(choice) = event.pointer("/choices/0") else { return Ok(()) };
    if let Some(text) = choice.pointer("/delta/content").and_then(Value::as_str) {
        building.add_text(text);
    }
    let calls = choice.pointer("/delta/tool_calls").and_then(Value::as_array);
    for (at, call) in calls.into_iter().flatten().enumerate() {
        let text = |pointer: &str| call.pointer(pointer).and_then(Value::as_str);
        let number = call.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
        let arguments = match call.pointer("/function/arguments") {
            Some(Value::String(text)) => text.clone(),
            // Ollama has sent the object itself.
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => String::new(),
        };
        building.add_call(number, text("/id"), text("/function/name"), &arguments)?;
    }
    if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
        building.stop = Some(match reason {
            "tool_calls" | "function_call" => Stop::Calls,
            "length" | "model_length" => Stop::Length,
            "content_filter" => Stop::Refusal,
            _ => Stop::End,
        });
        building.is_complete = true;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gathering_core::Content;
    use serde_json::Map;

    use super::*;
    use crate::ToolUse;

    const PLAIN: Dialect = Dialect { is_openais_own: false, asks_for_usage: true };

    #[test]
    fn a_conversation_is_written_with_calls_failures_and_pictures() {
        let call = |id: &str, arguments: Value| ToolUse {
            id: id.into(),
            name: "draw".into(),
            arguments: arguments.as_object().cloned().unwrap_or_default(),
            malformed: None,
        };
        let result = |id: &str, content, is_error| ToolResult {
            id: id.into(),
            name: "draw".into(),
            content,
            is_error,
        };
        let picture = Content::Image { data: "AAAA".into(), media_type: "image/png".into() };
        let messages = [
            Message::User { text: "Draw it.".into() },
            Message::Assistant {
                text: String::new(),
                calls: vec![call("a", json!({"x": 1})), call("b", json!({}))],
            },
            Message::Tool {
                results: vec![
                    result("a", vec![picture], false),
                    result("b", vec![Content::Text { text: "no `x`".into() }], true),
                ],
            },
        ];

        let body = body(&Request { system: "Be brief.", messages: &messages, tools: &[] }, "m", 9, PLAIN);

        let function = |arguments: &str| json!({"name": "draw", "arguments": arguments});
        assert_eq!(
            body,
            json!({
                "model": "m", "stream": true, "max_tokens": 9, "stream_options": {"include_usage": true},
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Draw it."},
                    {"role": "assistant", "content": null, "tool_calls": [
                        {"id": "a", "type": "function", "function": function("{\"x\":1}")},
                        {"id": "b", "type": "function", "function": function("{}")},
                    ]},
                    {"role": "tool", "tool_call_id": "a", "content": "[a picture, image/png]"},
                    {"role": "tool", "tool_call_id": "b", "content": "Error: no `x`"},
                    {"role": "user", "content": [
                        {"type": "text", "text": "What `draw` shows:"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    ]},
                ],
            })
        );
    }

    #[test]
    fn openais_own_servers_are_told_the_limit_under_its_newer_name_and_mistral_is_not_asked_for_usage() {
        let request = Request { system: "", messages: &[], tools: &[] };

        let body = body(&request, "m", 9, Dialect { is_openais_own: true, asks_for_usage: false });

        assert_eq!(body, json!({"model": "m", "stream": true, "max_completion_tokens": 9, "messages": []}));
    }

    #[test]
    fn an_object_in_place_of_a_text_of_arguments_is_taken_too() {
        let mut building = Building::default();
        let delta = json!({"tool_calls": [{"function": {"name": "add", "arguments": {"x": 1}}}]});

        read(&json!({"choices": [{"delta": delta, "finish_reason": "stop"}]}), &mut building)
            .expect("an event");
        let answer = building.finish();

        assert_eq!(
            (answer.stop, &answer.calls[0].arguments),
            (Stop::Calls, &Map::from_iter([("x".into(), json!(1))]))
        );
    }
}
