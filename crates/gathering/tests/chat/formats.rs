//! A whole loop in both wire formats: streamed, with calls at once, with failures that the model mends.

use gathering::{Builtin, Config, Content, NativePlugin, ToolOutput};
use serde_json::{Value, json};

use crate::mock::Mock;
use crate::support::House;

const BOTH: [&str; 2] = ["openai", "anthropic"];

fn calls(expressions: &[&str]) -> Value {
    let call = |expression: &&str| json!({"name": "calculate", "arguments": {"expression": expression}});
    expressions.iter().map(call).collect()
}

#[tokio::test]
async fn a_model_calls_tools_at_once_and_answers_with_what_came_of_them() {
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110});
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "sums", "hasToolResult": false},
         "response": {"content": "Let me compute both of them.", "toolCalls": calls(&["6 * 7", "2 ** 10"]), "usage": usage}},
        {"match": {"userMessage": "sums", "toolResultContains": "1024"},
         "response": {"content": "They are 42 and 1024.", "usage": usage}},
    ])) else {
        return;
    };
    let house = House::new(&mock).await;
    for model in BOTH {
        let agent = json!({"name": model, "competencies": ["mathematics"], "model": model, "instructions": "Be exact."});
        let agent = house.agent(agent).await;

        let told = house.say(&agent, "Do the sums.").await;

        assert_eq!(
            told.names(),
            ["conversation", "text", "usage", "tool_call", "tool_result", "text", "usage", "done"],
            "{told:?}"
        );
        assert_eq!(told.text(), "Let me compute both of them.They are 42 and 1024.");
        assert!(told.all("text").len() > 2, "it is streamed: {told:?}");
        let mut results: Vec<_> =
            told.all("tool_result").iter().map(|result| result["content"][0]["value"].clone()).collect();
        results.sort_by_key(Value::as_i64);
        assert_eq!(results, [42, 1024]);
        let end = told.end();
        assert_eq!(
            (&end["stop"], &end["steps"], &end["text"]),
            (&json!("end"), &json!(2), &json!("They are 42 and 1024."))
        );
        assert_eq!(end["usage"]["output_tokens"], 20);
        let last = mock.requests().await.pop().expect("it was asked");
        assert!(
            last["messages"].to_string().contains("Be exact.")
                || last["system"].to_string().contains("Be exact."),
            "{last}"
        );
    }
}

#[tokio::test]
async fn what_is_said_next_goes_on_with_what_was_said_before_even_with_another_model() {
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "first", "hasToolResult": false}, "response": {"toolCalls": calls(&["6 * 7"])}},
        {"match": {"userMessage": "first"}, "response": {"content": "It is 42."}},
        {"match": {"userMessage": "second"}, "response": {"content": "As I said, 42."}},
    ])) else {
        return;
    };
    let house = House::new(&mock).await;
    let agent = house.agent(json!({"name": "A", "competencies": ["mathematics"]})).await;
    let first = house.say(&agent, "The first question").await;
    let id = first.end()["conversation_id"].as_str().expect("an id");
    let change = serde_json::from_value(json!({"model": "anthropic"})).expect("a good change");
    house.gathering.agents().update(&agent, change).await.expect("it can be changed");

    let said = json!({"message": "The second question", "conversation_id": id});
    let second = house.try_say(&agent, said).await.expect("it goes on");

    assert_eq!(second.text(), "As I said, 42.");
    assert_eq!(second.end()["conversation_id"], id);
    let kept = house.gathering.chats().get(&agent, id).await.expect("it is kept");
    let kept = serde_json::to_value(kept).expect("plain data");
    let roles: Vec<_> =
        kept["said"].as_array().expect("a list").iter().map(|said| said["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user", "assistant"]);
    assert_eq!((&kept["title"], &kept["model"]), (&json!("The first question"), &json!("anthropic")));
    let listed = house.gathering.chats().list(&agent).await.expect("they are listed");
    assert_eq!(listed.len(), 1);
    house.gathering.chats().remove(&agent, id).await.expect("it is there");
    let gone =
        house.try_say(&agent, json!({"message": "x", "conversation_id": id})).await.expect_err("it is gone");
    assert_eq!(gone.code(), "unknown_conversation");
}

#[tokio::test]
async fn a_model_is_told_why_a_call_failed_and_mends_it() {
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "mend", "hasToolResult": false},
         "response": {"toolCalls": [{"id": "call_1", "name": "calculate", "arguments": {"formula": "6 * 7"}}]}},
        {"match": {"userMessage": "mend", "toolResultContains": "It takes: "},
         "response": {"toolCalls": [{"id": "call_2", "name": "calculate", "arguments": {"expression": "6 *"}}]}},
        {"match": {"userMessage": "mend", "toolResultContains": "[tool_error]"},
         "response": {"toolCalls": [{"id": "call_3", "name": "calculat", "arguments": {"expression": "6 * 7"}}]}},
        {"match": {"userMessage": "mend", "toolResultContains": "did you mean `calculate`?"},
         "response": {"toolCalls": [{"id": "call_4", "name": "read_file", "arguments": {"path": "x"}}]}},
        {"match": {"userMessage": "mend", "toolResultContains": "gathering agents grant"},
         "response": {"toolCalls": [{"id": "call_5", "name": "calculate", "arguments": {"expression": "6 * 7"}}]}},
        {"match": {"userMessage": "mend", "toolResultContains": "42"}, "response": {"content": "42, at last."}},
    ])) else {
        return;
    };
    let house = House::new(&mock).await;
    for model in BOTH {
        let agent =
            house.agent(json!({"name": model, "competencies": ["mathematics"], "model": model})).await;

        let told = house.say(&agent, "Please mend it").await;

        let codes: Vec<_> = told.all("tool_result").iter().map(|result| result["code"].clone()).collect();
        let expected = [
            json!("invalid_arguments"),
            json!("tool_error"),
            json!("unknown_tool"),
            json!("missing_competency"),
            Value::Null,
        ];
        assert_eq!(codes, expected, "{told:?}");
        assert_eq!(told.end()["text"], "42, at last.");
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_be_asked_for_usage_is_not_asked_again() {
    // As Mistral answers.
    let refusal = "body.stream_options.include_usage: Extra inputs are not permitted";
    let Some(mock) = Mock::start(json!([
        {"match": {"sequenceIndex": 0}, "response": {"error": {"message": refusal, "type": "invalid_request_error"}, "status": 422}},
        {"match": {}, "response": {"content": "hello"}},
    ])) else {
        return;
    };
    let house = House::new(&mock).await;
    let agent = house.agent(json!({"name": "A"})).await;

    let told = [house.say(&agent, "hello").await, house.say(&agent, "hello").await];

    assert!(
        told.iter().all(|told| told.end()["text"] == "hello" && told.all("retry").is_empty()),
        "{told:?}"
    );
    let asked: Vec<_> =
        mock.requests().await.iter().map(|request| request.get("stream_options").is_some()).collect();
    assert_eq!(asked, [true, false, false]);
}

#[tokio::test]
async fn pictures_that_tools_give_are_shown_to_the_model() {
    let png =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "look", "hasToolResult": false}, "response": {"toolCalls": [{"name": "picture", "arguments": {}}]}},
        {"match": {}, "response": {"content": "It is one dot."}},
    ])) else {
        return;
    };
    let manifest = json!({
        "metadata": {"id": "pictures", "name": "Pictures", "version": "1.0.0", "description": "Shows pictures"},
        "tools": [{"name": "picture", "description": "Shows a picture", "category": "image"}],
    });
    let plugin =
        Builtin::new(serde_json::from_value(manifest).expect("a good manifest"), move |manifest, _| {
            let part = Content::Image { data: png.to_owned(), media_type: "image/png".to_owned() };
            let output = ToolOutput { value: Value::Null, parts: vec![part] };
            NativePlugin::new(manifest).tool("picture", move |_: Value, _| Ok(output.clone())).finish()
        });
    let enable = |config: &mut Config| config.plugins.enable.push("pictures".to_owned());
    let house = House::with_plugins(&mock, enable, [plugin]).await;
    let agent = house.agent(json!({"name": "A"})).await;

    let told = house.say(&agent, "look at it").await;

    assert_eq!(told.end()["text"], "It is one dot.", "{told:?}");
    let last = mock.requests().await.pop().expect("it was asked");
    assert!(last.to_string().contains(&format!("data:image/png;base64,{png}")), "{last}");
}

#[tokio::test]
async fn what_a_model_is_offered_is_what_the_gate_lets_through_at_each_step() {
    let Some(mock) = Mock::start(json!([{"match": {}, "response": {"content": "Nothing to do."}}])) else {
        return;
    };
    let house = House::new(&mock).await;
    let agent = house.agent(json!({"name": "A"})).await;

    house.say(&agent, "Before").await;
    let granted = serde_json::from_value(json!(["mathematics"])).expect("a competency");
    let granted: Vec<gathering::CompetencyGrant> = granted;
    house.gathering.agents().grant(&agent, &granted).await.expect("it can be granted");
    house.say(&agent, "After").await;

    let names = |request: &Value| -> Vec<String> {
        let tools = request["tools"].as_array().into_iter().flatten();
        tools.map(|tool| tool["function"]["name"].as_str().expect("a name").to_owned()).collect()
    };
    let offered: Vec<_> = mock.requests().await.iter().map(names).collect();
    assert!(!offered[0].contains(&"calculate".to_owned()), "{offered:?}");
    assert!(
        offered[1].contains(&"calculate".to_owned()) && !offered[1].contains(&"read_file".to_owned()),
        "{offered:?}"
    );
}
