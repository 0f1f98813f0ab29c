//! Calling tools.

use axum::body::Body;
use axum::http::Request;
use gathering_host::Limits;
use gathering_server::Options;
use gathering_testkit::{FakePlugin, TestHost};
use serde_json::{Value, json};

use crate::support::{Server, math};

#[tokio::test]
async fn a_call_is_answered_with_its_result_in_both_forms() {
    let server = Server::with_tools().await;

    let mut answer = server.post("/tools/add/execute", json!({"arguments": {"x": 5, "y": 3}})).await.ok();

    let duration = answer["duration_ms"].take();
    assert!(duration.as_f64().is_some_and(|ms| ms > 0.0), "{duration}");
    assert_eq!(answer["call_id"].take().as_str().map(str::len), Some(32));
    assert_eq!(
        answer,
        json!({
            "result": 8,
            "content": [{"type": "json", "value": 8}],
            "is_error": false,
            "call_id": null,
            "duration_ms": null,
            "tier": "native",
        })
    );
}

#[tokio::test]
async fn a_call_without_a_body_has_no_arguments() {
    let server = Server::with_tools().await;

    assert_eq!(server.post_nothing("/tools/echo/execute").await.ok()["result"], json!({}));
    assert_eq!(server.post("/tools/echo/execute", json!({})).await.ok()["result"], json!({}));
    let nothing = json!({"arguments": null, "timeout": null});
    assert_eq!(server.post("/tools/echo/execute", nothing).await.ok()["result"], json!({}));
}

#[tokio::test]
async fn a_failure_of_the_tool_itself_is_an_answer() {
    let server = Server::with_tools().await;

    let answer =
        server.post("/tools/fail/execute", json!({"arguments": {"message": "no such city"}})).await.ok();

    assert_eq!(
        (&answer["result"], &answer["content"], &answer["is_error"], &answer["error"]),
        (
            &Value::Null,
            &json!([{"type": "text", "text": "no such city"}]),
            &json!(true),
            &json!({"code": "tool_error", "message": "no such city"})
        )
    );
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_named_with_pointers() {
    let server = Server::with_tools().await;

    let answer = server.post("/tools/add/execute", json!({"arguments": {"x": "5", "z": 1}})).await;

    answer.problem(422, "invalid_arguments");
    assert_eq!(
        answer.json()["errors"],
        json!([
            {"pointer": "/x", "message": "`x` must be an integer, not the string \"5\""},
            {"pointer": "/z", "message": "`z` is not expected here; what is: `x`, `y`"},
        ])
    );
    assert_eq!(answer.json()["call_id"].as_str().map(str::len), Some(32));
}

#[tokio::test]
async fn what_the_host_refuses_has_its_own_status() {
    let limits = Limits { max_output: 100, ..Limits::default() };
    let server = Server::with(TestHost::new(limits), Options::default());
    server.host.enable_fake(math()).await;
    server.host.enable_fake(FakePlugin::new("off").tool("echo_off")).await;
    server.host.disable("off", false).await.expect("it can be disabled");
    let call = async |tool: &str, body: Value| server.post(&format!("/tools/{tool}/execute"), body).await;

    assert_eq!(
        call("ad", json!({})).await.problem(404, "unknown_tool"),
        "there is no tool called `ad`; did you mean `add`?"
    );
    call("echo_off", json!({})).await.problem(409, "plugin_disabled");
    call("add", json!({"arguments": {"x": 100}})).await.problem(502, "invalid_result");
    call("echo", json!({"arguments": {"text": "x".repeat(200)}})).await.problem(502, "output_limit");
    assert_eq!(
        call("wait", json!({"timeout": 0.02})).await.problem(504, "timed_out"),
        "`wait` did not answer within 20ms"
    );
    server.host.shutdown(std::time::Duration::ZERO).await;
    call("add", json!({"arguments": {"x": 1}})).await.problem(503, "shutting_down");
}

#[tokio::test]
async fn a_busy_plugin_says_when_to_try_again() {
    let server = Server::with(TestHost::new(Limits { queue: 0, ..Limits::default() }), Options::default());
    server.host.enable_fake(FakePlugin::new("slow").concurrency(1).tool("wait").tool("echo")).await;
    let mut first = Box::pin(server.post_nothing("/tools/wait/execute"));
    let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(first.as_mut().poll(&mut nobody).is_pending());

    let second = server.post_nothing("/tools/echo/execute").await;

    second.problem(429, "busy");
    assert_eq!(second.header("retry-after"), "1");
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_refused_with_what_was_expected() {
    let server = Server::with_tools().await;
    let call = async |body: Value| server.post("/tools/add/execute", body).await.problem(400, "bad_request");

    assert_eq!(call(json!([])).await, "the body must be an object such as {\"arguments\": {}}");
    assert_eq!(call(json!({"arguments": [1]})).await, "`arguments` must be an object");
    assert_eq!(
        call(json!({"args": {}})).await,
        "`args` is not expected here; what is: `arguments`, `timeout`"
    );
    for timeout in [json!(0), json!(-1), json!("1"), json!(1e300)] {
        assert_eq!(
            call(json!({"timeout": timeout})).await,
            "`timeout` must be a number of seconds greater than 0"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let server = Server::with_tools().await;
    let post = async |kind: &str, body: String| {
        let request =
            Request::post("/tools/add/execute").header("host", "localhost").header("content-type", kind);
        server.send_whole(request.body(Body::from(body)).expect("a good request")).await
    };
    let good = || r#"{"arguments": {"x": 1}}"#.to_owned();

    post("application/json; charset=utf-8", good()).await.ok();
    post("application/vnd.api+json", good()).await.ok();
    assert_eq!(
        post("text/plain", good()).await.problem(415, "unsupported_media_type"),
        "a body must be JSON and say so: send `Content-Type: application/json`"
    );
    post("application/x-www-form-urlencoded", good()).await.problem(415, "unsupported_media_type");
    post("text/json", String::new()).await.problem(415, "unsupported_media_type");
    post("application/json", "{".into()).await.problem(400, "bad_request");
    post("application/json", "[".repeat(100_000)).await.problem(400, "bad_request");
    assert_eq!(
        post("application/json", r#"{"arguments": {"x": 99999999999999999999}}"#.into())
            .await
            .problem(400, "bad_request"),
        "the integer 99999999999999999999 does not fit in 64 bits and would be rounded: send it as a string"
    );
}

#[tokio::test]
async fn a_body_without_a_type_is_refused() {
    let server = Server::with_tools().await;
    let request = Request::post("/tools/add/execute").header("host", "localhost").body(Body::from("{}"));

    server.send_whole(request.expect("a good request")).await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_it_says_so_or_not() {
    let server = Server::with_tools().await;
    let large = vec![b' '; 8 * 1024 * 1024 + 1];
    let request = || {
        Request::post("/tools/add/execute")
            .header("host", "localhost")
            .header("content-type", "application/json")
    };
    let declared = request().header("content-length", large.len()).body(Body::empty());
    let streamed = request().body(Body::new(http_body_util::Full::new(large.into())));

    for request in [declared, streamed] {
        let answer = server.send_whole(request.expect("a good request")).await;
        assert_eq!(answer.problem(413, "too_large"), "the body is larger than 8388608 bytes");
    }
}

#[tokio::test]
async fn a_name_is_decoded_once_and_never_leads_elsewhere() {
    let server = Server::with_tools().await;

    assert_eq!(
        server.post_nothing("/tools/..%252f..%252fplugins/execute").await.problem(404, "unknown_tool"),
        "there is no tool called `..%2f..%2fplugins`"
    );
    server.post_nothing("/tools/..%2Fplugins/execute").await.problem(404, "unknown_tool");
    server.post_nothing("/tools/%FF/execute").await.problem(400, "bad_request");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let server = Server::with_tools().await;

    assert_eq!(
        server.get("/nowhere").await.problem(404, "not_found"),
        "there is nothing at `/nowhere`; `/docs/` shows what there is"
    );
    let answer = server.send(Request::delete("/plugins")).await;
    assert_eq!(
        answer.problem(405, "method_not_allowed"),
        "`/plugins` does not take DELETE; the header `Allow` names what it takes"
    );
    assert_eq!(answer.header("allow"), "GET,HEAD");
    assert_eq!(server.get("/tools/add/execute").await.header("allow"), "POST");
}

#[tokio::test]
async fn a_panic_costs_only_its_own_request() {
    let server = Server::new();
    server.host.enable_fake(FakePlugin::new("bad").tool("echo").tool("panic")).await;

    assert_eq!(
        server.post_nothing("/tools/panic/execute").await.problem(500, "internal"),
        "this is a bug of GatheRing; its log says more"
    );
    server.post_nothing("/tools/echo/execute").await.ok();
}
