//! An agent that writes a tool while it talks, uses it, and has it kept.

use serde_json::json;

use crate::mock::Mock;
use crate::support::House;

#[tokio::test]
async fn an_agent_makes_a_tool_while_it_talks_and_uses_it() {
    let code =
        "def halve(number: float) -> float:\n    \"\"\"Halves a number.\"\"\"\n    return number / 2\n";
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "halve", "hasToolResult": false},
         "response": {"content": "I have no tool for that, so I make one.", "toolCalls": [
            {"name": "create_plugin", "arguments": {"plugin_id": "halves", "code": code}}]}},
        {"match": {"userMessage": "halve", "toolName": "halve", "toolResultContains": "halves"},
         "response": {"toolCalls": [{"name": "halve", "arguments": {"number": 21}}]}},
        {"match": {"userMessage": "halve", "toolResultContains": "10.5"}, "response": {"content": "It is 10.5."}},
    ])) else {
        return;
    };
    for (model, most) in [("openai", 40), ("anthropic", 40)] {
        let house = House::with(&mock, |config| config.chat.tools = most).await;
        if let Err(error) = house.gathering.python().interpreter().await {
            return println!("NOT RUN: {error}");
        }
        let agent =
            house.agent(json!({"name": "Maker", "competencies": ["plugin_authoring"], "model": model})).await;

        let told = house.say(&agent, "halve 21").await;

        assert_eq!(told.end()["text"], "It is 10.5.", "{told:?}");
        let plugin = house.gathering.host().plugin("halves").expect("it was made");
        assert_eq!(plugin.metadata.id.as_str(), "halves");
        let other = house.agent(json!({"name": "Other", "competencies": ["plugin_authoring"]})).await;
        let tools = house.gathering.agents().tools(&other).expect("it is there");
        assert!(tools.iter().all(|tool| tool.name.as_str() != "halve"), "what it made is its own");
        house.gathering.shutdown().await;
    }
}
