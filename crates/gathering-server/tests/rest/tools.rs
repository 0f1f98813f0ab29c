//! Listing and showing tools.

use gathering_testkit::FakePlugin;
use serde_json::{Value, json};

use crate::support::{Server, math};

async fn server() -> Server {
    let server = Server::new();
    server.host.enable_fake(math()).await;
    server
        .host
        .load_fake(FakePlugin::new("git").competency("git", &[]).tool_with(json!({
            "name": "echo_status", "description": "Tells the STATUS of a repository", "category": "version_control",
            "required_competencies": ["git"],
        })))
        .await
        .expect("it loads");
    server
}

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["tools"].as_array().expect("tools");
    tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn tools_are_listed_by_category_competency_plugin_and_words() {
    let server = server().await;
    let list = async |query: &str| server.get(&format!("/tools{query}")).await.ok();

    assert_eq!(names(&list("").await), ["add", "echo", "fail", "wait", "hold", "echo_status"]);
    assert_eq!(names(&list("?category=utility").await), ["add"]);
    assert_eq!(names(&list("?competency=git").await), ["echo_status"]);
    assert_eq!(names(&list("?plugin=math&category=custom").await), ["echo", "fail", "wait", "hold"]);
    assert_eq!(names(&list("?q=Status").await), ["echo_status"]);
    assert_eq!(names(&list("?q=telling&plugin=git").await), ["echo_status"]);
    assert_eq!(names(&list("?q=fail&category=utility").await), Vec::<&str>::new());
    assert_eq!(list("?q=status&limit=0").await["total"], 1);
    assert_eq!(list("?q=status").await["limit"], 20);
    assert_eq!(names(&list("?q=status&offset=1").await), Vec::<&str>::new());
    assert_eq!(names(&list("?q=nothing%20like%20it").await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_page_of_tools_says_how_many_there_are() {
    let server = server().await;

    let page = server.get("/tools?offset=1&limit=2").await.ok();

    assert_eq!(names(&page), ["echo", "fail"]);
    assert_eq!((&page["total"], &page["offset"], &page["limit"]), (&json!(6), &json!(1), &json!(2)));
    assert_eq!(server.get("/tools?limit=1000000").await.ok()["limit"], 10_000);
    assert_eq!(names(&server.get("/tools?offset=9").await.ok()), Vec::<&str>::new());
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_refused_instead_of_ignored() {
    let server = server().await;

    assert_eq!(
        server.get("/tools?categroy=utility").await.problem(400, "bad_request"),
        "the query does not fit: categroy: unknown field `categroy`, expected one of `category`, `competency`, `plugin`, `q`, \
         `format`, `offset`, `limit`"
    );
    server.get("/tools?limit=many").await.problem(400, "bad_request");
    server.get("/tools?limit=-1").await.problem(400, "bad_request");
    server.get("/tools?format=cobol").await.problem(400, "bad_request");
}

#[tokio::test]
async fn a_providers_list_has_its_shape_and_enabled_tools_only() {
    let server = server().await;

    let openai = server.get("/tools?format=openai").await.ok();
    let anthropic = server.get("/tools?format=anthropic&plugin=math").await.ok();
    let mcp = server.get("/tools?format=mcp").await.ok();

    assert_eq!(openai["total"], 5, "the plugin `git` is not enabled");
    assert_eq!(openai["tools"][0]["function"]["parameters"]["required"], json!(["x"]));
    assert_eq!(anthropic["tools"][0]["input_schema"]["type"], "object");
    assert_eq!(names(&mcp), ["add", "echo", "fail", "wait", "hold"]);
    assert_eq!(mcp["tools"][0]["outputSchema"], json!({"type": "integer", "maximum": 100}));
}

#[tokio::test]
async fn a_tool_is_shown_with_its_schemas_and_its_plugins_state() {
    let server = server().await;

    let add = server.get("/tools/add").await.ok();

    assert_eq!(
        (&add["status"], &add["plugin_id"], &add["tier"]),
        (&json!("enabled"), &json!("math"), &json!("native"))
    );
    assert_eq!(add["parameters"]["properties"]["y"], json!({"type": "integer", "default": 1}));
    assert_eq!(server.get("/tools/echo_status").await.ok()["status"], "loaded");
    assert_eq!(
        server.get("/tools/addd").await.problem(404, "unknown_tool"),
        "there is no tool called `addd`; did you mean `add`?"
    );
}
