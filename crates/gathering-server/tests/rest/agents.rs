//! Agents over REST: whose a token is, what it opens, and that everything else is the operator's alone.

use axum::body::Body;
use axum::http::{Method, Request};
use gathering_server::{Access, Options, Token};
use gathering_testkit::{FakePlugin, TestHost};
use serde_json::{Value, json};

use crate::support::{Answer, Server, document};

const OPERATOR: &str = "the operator's token";

/// A server with the competency `git`, a tool that requires it, one that requires nothing, and one that calls another.
async fn server() -> Server {
    let access = Access::Open { operator_token: Some(Token::new(OPERATOR)) };
    let server = Server::with(TestHost::default(), Options { access, ..Options::default() });
    let tool = |name: &str, required: &[&str]| json!({"name": name, "description": name, "category": "custom", "required_competencies": required});
    let plugin = FakePlugin::new("p")
        .competency("git", &[])
        .tool_with(tool("echo_git", &["git"]))
        .tool_with(tool("echo", &[]))
        .tool_with(tool("call", &[]));
    server.host.enable_fake(plugin).await;
    let only_loaded = FakePlugin::new("later").tool("echo_later");
    server.host.load_fake(only_loaded).await.expect("it loads");
    server
}

async fn ask(server: &Server, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = match body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    server.send_whole(request.body(body).expect("a good request")).await
}

/// Makes the agent as the operator; its token.
async fn agent(server: &Server, body: Value) -> String {
    let answer = ask(server, OPERATOR, Method::POST, "/agents", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["token"].as_str().expect("a token").to_owned()
}

fn names(answer: &Value) -> Vec<&str> {
    answer["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn an_agent_is_made_shown_changed_and_deleted() {
    let server = server().await;

    let made = ask(&server, "", Method::POST, "/agents", Some(json!({"name": "Data Analyst"}))).await;

    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/agents/data-analyst"));
    let made = made.json();
    assert_eq!((&made["id"], &made["tools"]), (&json!("data-analyst"), &json!(["echo", "call"])));
    let operator = async |method, path: &str, body| ask(&server, OPERATOR, method, path, body).await;
    let granted = json!({"competencies": ["git:advanced", {"id": "git", "level": "expert"}]});
    let granted = operator(Method::POST, "/agents/data-analyst/competencies", Some(granted)).await.ok();
    assert_eq!(granted["competencies"], json!([{"id": "git", "level": "expert"}]));
    assert_eq!(granted["tools"], json!(["echo_git", "echo", "call"]));
    assert!(granted.get("token").is_none());
    let change = json!({"denied_tools": ["call"], "model": "m", "limits": {"calls_per_minute": 5}});
    let changed = operator(Method::PATCH, "/agents/data-analyst", Some(change)).await.ok();
    assert_eq!(changed["tools"], json!(["echo_git", "echo"]));
    let path = operator(Method::GET, "/agents/data-analyst/learning-path?to=git", None).await.ok();
    assert_eq!((&path["held"], path.get("grant_command")), (&json!(true), None));
    let revoked = operator(Method::DELETE, "/agents/data-analyst/competencies/git", None).await.ok();
    assert_eq!(revoked["tools"], json!(["echo"]));
    assert_eq!(operator(Method::GET, "/agents", None).await.ok()["total"], 1);
    let again = operator(Method::POST, "/agents/data-analyst/token", Some(json!({}))).await.ok();
    assert_ne!(again["token"], made["token"]);
    let deleted = operator(Method::DELETE, "/agents/data-analyst", None).await.ok();
    assert_eq!(
        deleted,
        json!({"success": true, "message": "deleted 'data-analyst'", "affected": ["data-analyst"]})
    );
    operator(Method::GET, "/agents/data-analyst", None).await.problem(404, "unknown_agent");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_says_what_does() {
    let server = server().await;
    let make = async |body| ask(&server, OPERATOR, Method::POST, "/agents", Some(body)).await;

    assert_eq!(
        make(json!({"name": "a", "competencies": ["gitt"]})).await.problem(404, "unknown_competency"),
        "there is no competency called `gitt`; did you mean `git`?"
    );
    make(json!({"name": "a", "denied_tools": ["ecko"]})).await.problem(404, "unknown_tool");
    make(json!({"name": "a", "limits": {"tokens": 5}})).await.problem(400, "bad_request");
    make(json!({"name": "a", "competencies": [7]})).await.problem(400, "bad_request");
    let unnamed = make(json!({"name": ""})).await;
    unnamed.problem(400, "bad_request");
    assert_eq!(unnamed.json()["errors"][0]["pointer"], "/name");
    agent(&server, json!({"name": "boss"})).await;
    make(json!({"name": "sub", "parent": "boss", "competencies": ["git"]}))
        .await
        .problem(409, "exceeds_parent");
}

#[tokio::test]
async fn from_the_first_agent_on_nobody_is_the_operator_without_a_token() {
    let server = server().await;
    let tokenless = async |path: &str| ask(&server, "", Method::GET, path, None).await;
    tokenless("/plugins").await.ok();

    let token = agent(&server, json!({"name": "a"})).await;

    assert_eq!(
        tokenless("/plugins").await.problem(401, "unauthenticated"),
        "this server has agents, so every request needs a token: send `Authorization: Bearer` with the agent's token, \
         or with the text of `operator.token` in its data directory"
    );
    for path in ["/tools", "/health", "/docs/"] {
        tokenless(path).await.problem(401, "unauthenticated");
    }
    ask(&server, OPERATOR, Method::GET, "/plugins", None).await.ok();
    ask(&server, OPERATOR, Method::DELETE, "/agents/a", None).await.ok();
    tokenless("/plugins").await.problem(401, "unauthenticated");
    ask(&server, &token, Method::GET, "/tools", None).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_agent_sees_and_calls_what_the_gate_lets_it_and_nothing_else() {
    let server = server().await;
    let token = agent(&server, json!({"name": "a", "denied_tools": ["call"]})).await;
    let get = async |path: &str| ask(&server, &token, Method::GET, path, None).await;
    let call = async |tool: &str| {
        let path = format!("/tools/{tool}/execute");
        ask(&server, &token, Method::POST, &path, Some(json!({}))).await
    };

    for path in ["/tools", "/tools?format=mcp", "/tools?format=anthropic", "/agents/a/tools"] {
        assert_eq!(names(&get(path).await.ok()), ["echo"], "{path}");
    }
    let openai = get("/tools?format=openai").await.ok();
    assert_eq!((&openai["total"], &openai["tools"][0]["function"]["name"]), (&json!(1), &json!("echo")));
    call("echo").await.ok();
    let missing = "`echo_git` requires `git`, which the agent `a` does not hold; \
                   the operator grants it with `gathering agents grant a git`";
    assert_eq!(call("echo_git").await.problem(403, "missing_competency"), missing);
    assert_eq!(get("/tools/echo_git").await.problem(403, "missing_competency"), missing);
    call("Echo_Git").await.problem(404, "unknown_tool");
    call("call").await.problem(403, "forbidden");
    call("echo_later").await.problem(409, "wrong_state");
    get("/agents/b").await.problem(403, "forbidden");
    get("/agents/A").await.ok();
}

#[tokio::test]
async fn a_limit_is_told_with_the_time_to_wait() {
    let server = server().await;
    let token = agent(&server, json!({"name": "a", "limits": {"calls_per_minute": 1}})).await;
    let call = async || ask(&server, &token, Method::POST, "/tools/echo/execute", Some(json!({}))).await;

    call().await.ok();
    let refused = call().await;

    refused.problem(429, "rate_limited");
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=61).contains(&seconds)));
}

#[tokio::test]
async fn an_agent_makes_plugins_over_rest_only_if_it_may_call_the_tool_that_does() {
    let server = server().await;
    let token = agent(&server, json!({"name": "a"})).await;
    let plugin = json!({"plugin_id": "made", "code": "def f(): ..."});
    let make = async || ask(&server, &token, Method::POST, "/plugins/dynamic", Some(plugin.clone())).await;

    make().await.problem(404, "unknown_tool");
    server
        .host
        .enable_fake(FakePlugin::new("core").competency("plugin_authoring", &[]).tool_with(json!({
            "name": "create_plugin", "description": "x", "category": "custom",
            "required_competencies": ["plugin_authoring"],
        })))
        .await;

    assert!(
        make()
            .await
            .problem(403, "missing_competency")
            .ends_with("`gathering agents grant a plugin_authoring`")
    );
    let granted = json!({"competencies": ["plugin_authoring"]});
    ask(&server, OPERATOR, Method::POST, "/agents/a/competencies", Some(granted)).await.ok();
    make().await.problem(501, "not_implemented");
}

/// Whatever is added to the server is closed to agents until somebody opens it.
#[tokio::test]
async fn all_that_is_not_for_agents_is_refused_to_them() {
    let server = server().await;
    let token = agent(&server, json!({"name": "a"})).await;
    let mut open = Vec::new();

    for (path, item) in document()["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let place = path.replace("{id}", "core").replace("{name}", "echo").replace("{competency}", "git");
            let answer = ask(&server, &token, method.clone(), &place.replace("{file}", "x"), None).await;
            match answer.status.as_u16() {
                403 if answer.json()["detail"]
                    .as_str()
                    .is_some_and(|text| text.contains("operator's alone")) => {}
                _ => open.push(format!("{method} {path}")),
            }
        }
    }

    open.sort();
    assert_eq!(
        open,
        [
            "DELETE /agents/{id}/conversations/{conversation}",
            "DELETE /plugins/{id}",
            "GET /agents/{id}",
            "GET /agents/{id}/conversations",
            "GET /agents/{id}/conversations/{conversation}",
            "GET /agents/{id}/learning-path",
            "GET /agents/{id}/tools",
            "GET /calls",
            "GET /calls/{id}",
            "GET /competencies",
            "GET /competencies/{id}",
            "GET /competencies/{id}/instructions",
            "GET /competencies/{id}/learning-path",
            "GET /health",
            "GET /openapi.json",
            "GET /tools",
            "GET /tools/{name}",
            "POST /agents/{id}/chat",
            "POST /plugins/dynamic",
            "POST /plugins/{id}/rollback",
            "POST /tools/{name}/execute",
            "PUT /plugins/{id}/dynamic",
        ]
    );
}
