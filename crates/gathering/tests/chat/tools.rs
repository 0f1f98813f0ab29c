//! Which tools a model is shown where there are many, and the tool that asks a model itself.

use gathering::{CallOptions, Caller};
use serde_json::{Value, json};

use crate::mock::Mock;
use crate::support::House;

fn names(request: &Value) -> Vec<String> {
    let tools = request["tools"].as_array().into_iter().flatten();
    let name = |tool: &Value| tool["function"]["name"].as_str().or(tool["name"].as_str()).map(str::to_owned);
    tools.map(|tool| name(tool).expect("a name")).collect()
}

#[tokio::test]
async fn a_model_that_may_call_many_tools_finds_the_one_that_it_needs() {
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "percent", "hasToolResult": false},
         "response": {"toolCalls": [{"name": "search_tools", "arguments": {"query": "compute a percentage", "limit": 1}}]}},
        {"match": {"userMessage": "percent", "toolName": "calculate", "toolResultContains": "calculate"},
         "response": {"toolCalls": [{"name": "calculate", "arguments": {"expression": "15% of 200"}}]}},
        {"match": {"userMessage": "percent", "toolResultContains": "30"}, "response": {"content": "It is 30."}},
    ])) else {
        return;
    };
    let house = House::with(&mock, |config| config.chat.tools = 3).await;
    for model in ["openai", "anthropic"] {
        let held = ["mathematics", "file_management", "git", "shell", "python"];
        let agent = house.agent(json!({"name": model, "competencies": held, "model": model})).await;
        let before = mock.requests().await.len();

        let told = house.say(&agent, "What is 15 percent of 200?").await;

        assert_eq!(told.end()["text"], "It is 30.", "{told:?}");
        let requests = mock.requests().await.split_off(before);
        let offered: Vec<_> = requests.iter().map(names).collect();
        assert_eq!(offered[0], ["search_tools", "get_tool"]);
        assert_eq!(offered[1], ["search_tools", "get_tool", "calculate"]);
        assert!(
            requests[0].to_string().contains("`search_tools` finds them by what they do"),
            "{}",
            requests[0]
        );
    }
}

#[tokio::test]
async fn a_model_is_told_of_its_agents_skills_and_reads_them_when_it_needs_them() {
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "tax form", "hasToolResult": false},
         "response": {"toolCalls": [{"name": "read_skill", "arguments": {"name": "tax-forms"}}]}},
        {"match": {"userMessage": "tax form", "toolResultContains": "Form 1040 comes first"},
         "response": {"content": "1040 first."}},
    ])) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let skill = folder.path().join("tax-forms");
    std::fs::create_dir(&skill).expect("it can be made");
    let text = "---\nname: tax-forms\ndescription: Fills in tax forms.\n---\nForm 1040 comes first.\n";
    std::fs::write(skill.join("SKILL.md"), text).expect("it can be written");
    for tools in [40, 2] {
        let house = House::with(&mock, |config| {
            config.skills.directories = vec![folder.path().to_owned()];
            config.chat.tools = tools;
        })
        .await;
        let skilled = house.agent(json!({"name": "skilled", "competencies": ["tax-forms"]})).await;
        let other = house.agent(json!({"name": "other"})).await;
        let before = mock.requests().await.len();

        let told = house.say(&skilled, "Which tax form comes first?").await;
        let _ = house.say(&other, "good morning").await;

        assert_eq!(told.end()["text"], "1040 first.", "{told:?}");
        let requests = mock.requests().await.split_off(before);
        let first = requests[0].to_string();
        assert!(first.contains("`tax-forms`: Fills in tax forms."), "{first}");
        assert!(!first.contains("Form 1040"), "the body is read when it is needed: {first}");
        assert!(names(&requests[0]).contains(&"read_skill".to_owned()), "{first}");
        let of_other = requests.last().expect("it asked").to_string();
        assert!(!of_other.contains("tax-forms"), "{of_other}");
    }
}

#[tokio::test]
async fn a_tool_asks_a_model_within_the_limits_of_its_caller() {
    let usage = json!({"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100});
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "good morning"}, "response": {"content": "bonjour", "usage": usage}},
    ])) else {
        return;
    };
    let house = House::new(&mock).await;
    let limits = json!({"tokens_per_day": 150});
    let agent =
        house.agent(json!({"name": "A", "competencies": ["language_models"], "limits": limits})).await;
    let call = async |caller: Caller, arguments: Value| {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let report =
            house.gathering.host().execute(caller, "llm_chat", arguments, CallOptions::default()).await;
        report.outcome.map(|output| output.value).map_err(|error| error.to_string())
    };
    let as_agent = || Caller::Agent(house.gathering.agents().rights(&agent).expect("it is there"));
    let asked = json!({"message": "good morning", "system": "Translate to French.", "model": "anthropic"});

    let answer = call(Caller::Operator, asked.clone()).await.expect("it answers");
    let [first, second, third] = [
        call(as_agent(), json!({"message": "good morning"})).await,
        call(as_agent(), asked).await,
        call(as_agent(), json!({"message": "good morning"})).await,
    ];
    let unknown =
        call(Caller::Operator, json!({"message": "x", "model": "nobody"})).await.expect_err("there is none");

    assert_eq!(
        (&answer["text"], &answer["model"], &answer["complete"]),
        (&json!("bonjour"), &json!("anthropic"), &json!(true))
    );
    let first = first.expect("it may");
    assert_eq!(
        (&first["model"], &first["input_tokens"], &first["output_tokens"]),
        (&json!("openai"), &json!(90), &json!(10))
    );
    assert_eq!(first["cost"], 0.00019);
    assert!(second.is_ok(), "what was begun within the limit is counted whole: {second:?}");
    assert!(third.as_ref().is_err_and(|refused| refused.contains("[rate_limited]")), "{third:?}");
    assert!(unknown.contains("what is configured is `anthropic`, `openai` [unknown_model]"), "{unknown}");
    let system = mock.requests().await[0].to_string();
    assert!(system.contains("Translate to French."), "{system}");
}

#[tokio::test]
async fn an_agent_that_has_used_up_its_tokens_is_told_when_there_are_more() {
    let usage = json!({"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100});
    let Some(mock) = Mock::start(json!([{"match": {}, "response": {"content": "hello", "usage": usage}}]))
    else {
        return;
    };
    let house = House::new(&mock).await;
    let agent = house.agent(json!({"name": "A", "limits": {"tokens_per_day": 100}})).await;

    let first = house.say(&agent, "hello").await;
    let second = house.try_say(&agent, json!({"message": "hello"})).await.expect_err("nothing is left");

    assert_eq!(first.end()["event"], "done");
    assert_eq!(second.code(), "rate_limited");
    assert!(second.to_string().contains("try again in"), "{second}");
}
