//! The core plugin in a host: what it contributes, and whom it serves.

mod support;

use gathering_core::{Caller, ToolError};
use gathering_host::CallOptions;
use gathering_testkit::TestHost;
use serde_json::{Value, json};
use support::Core;

async fn call_as(core: &Core, caller: Caller, tool: &str, arguments: Value) -> Result<Value, ToolError> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let report = core.host().execute(caller, tool, arguments, CallOptions::default()).await;
    report.outcome.map(|output| output.value)
}

#[tokio::test]
async fn the_quick_start_of_the_documents_works() {
    let core = Core::at(".", json!({})).await;

    assert_eq!(core.call("calculate", json!({"expression": "2 + 2"})).await, Ok(json!(4)));
}

#[tokio::test]
async fn it_contributes_the_tools_and_competencies_of_the_documents() {
    let core = Core::new().await;
    let snapshot = core.host().snapshot();

    let tools: Vec<_> = snapshot
        .tools()
        .list()
        .iter()
        .map(|tool| (tool.name.to_string(), tool.category.to_string()))
        .collect();
    let competencies: Vec<_> =
        snapshot.competencies().list().iter().map(|competency| competency.id.to_string()).collect();

    let expected = [
        ("calculate", "utility"),
        ("read_file", "filesystem"),
        ("write_file", "filesystem"),
        ("list_directory", "filesystem"),
        ("git_status", "version_control"),
        ("git_diff", "version_control"),
        ("git_log", "version_control"),
        ("git_commit", "version_control"),
        ("run_command", "code_execution"),
        ("run_tests", "testing"),
        ("python_eval", "code_execution"),
        ("javascript_eval", "code_execution"),
        ("llm_chat", "llm"),
        ("create_plugin", "code_execution"),
        ("update_plugin", "code_execution"),
        ("remove_plugin", "code_execution"),
        ("search_tools", "utility"),
        ("get_tool", "utility"),
        ("read_skill", "utility"),
    ];
    assert_eq!(tools, expected.map(|(name, category)| (name.to_owned(), category.to_owned())));
    assert_eq!(
        competencies,
        [
            "file_management",
            "git",
            "shell",
            "python",
            "javascript",
            "mathematics",
            "language_models",
            "testing",
            "plugin_authoring",
        ]
    );
    for competency in snapshot.competencies().list().iter() {
        for tool in &competency.tools_enabled {
            assert!(snapshot.tools().get(tool.as_str()).is_some(), "`{}` names `{tool}`", competency.id);
        }
    }
}

#[tokio::test]
async fn an_agent_may_use_what_it_holds_the_competency_for() {
    let core = Core::new().await;
    let agent = TestHost::agent(&["mathematics:novice", "git"]);

    let sum = call_as(&core, agent.clone(), "calculate", json!({"expression": "15% of 200"})).await;
    let file = call_as(&core, agent, "read_file", json!({"path": "x"})).await;

    assert_eq!(sum, Ok(json!(30)));
    assert_eq!(file.map_err(|error| error.code()), Err("missing_competency"));
}

#[tokio::test]
async fn an_agent_finds_the_tools_that_it_may_call_and_reads_how_they_are_called() {
    let core = Core::new().await;
    let agent = || TestHost::agent(&["mathematics:novice"]);
    let names = |found: Value| -> Vec<String> {
        let tools = found["tools"].as_array().expect("tools").iter();
        tools.map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    };

    let search = json!({"query": "work out the root of 2, or write a file", "limit": 20});
    let found = call_as(&core, agent(), "search_tools", search.clone()).await.expect("it searches");
    let all = core.call("search_tools", search).await.expect("it searches");
    let told =
        call_as(&core, agent(), "get_tool", json!({"name": "calculate"})).await.expect("it may call it");
    let hidden =
        call_as(&core, agent(), "get_tool", json!({"name": "write_file"})).await.expect_err("it may not");

    assert_eq!(names(found)[0], "calculate");
    assert!(names(all).contains(&"write_file".to_owned()));
    assert_eq!(told["parameters"]["required"], json!(["expression"]));
    assert_eq!(
        hidden.to_string(),
        "there is no tool called `write_file` that you may call: `search_tools` finds those that there are"
    );
}

#[tokio::test]
async fn a_result_fits_what_the_tool_promises() {
    let core = Core::new().await;

    for expression in ["1", "1.5", "1 < 2", "2**200"] {
        core.call("calculate", json!({"expression": expression})).await.expect(expression);
    }
    let error = call_as(&core, Caller::Operator, "calculate", json!({"expression": "1/0"})).await;
    let error = error.expect_err("nothing can be divided by zero");
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("tool_error", "division by zero (at character 2: `/0`)")
    );
}

#[tokio::test]
async fn a_host_that_makes_no_plugins_of_code_says_so_and_what_does_not_fit_is_told_before() {
    let core = Core::new().await;
    let plugin = json!({"plugin_id": "p", "tools": [{"name": "t", "code": "def t(): pass"}]});
    let agent = TestHost::agent(&["python"]);

    let unavailable = core.call("create_plugin", plugin.clone()).await.expect_err("nobody makes them");
    let misspelt =
        core.call("update_plugin", json!({"plugin_id": "p", "tool": []})).await.expect_err("no such field");
    let refused = call_as(&core, agent, "create_plugin", plugin).await.expect_err("it lacks the competency");

    assert_eq!(unavailable.to_string(), "this GatheRing makes no plugins of code");
    assert!(misspelt.to_string().contains("there is no field `tool`, did you mean `tools`?"), "{misspelt}");
    assert_eq!(refused.code(), "missing_competency");
}

#[tokio::test]
async fn a_setting_that_makes_no_sense_is_refused() {
    let error = Core::try_at(".", json!({"max_read_bytes": 0})).await.err().unwrap_or_default();

    assert!(error.contains("max_read_bytes"), "{error}");
}
