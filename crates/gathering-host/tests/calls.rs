//! The path of a call: what is refused, what is stopped, what is reported.

use std::future::Future;
use std::time::Duration;

use gathering_core::{Caller, ToolError};
use gathering_host::{By, CallOptions, EventKind, Limits};
use gathering_testkit::{FakePlugin, TestHost};
use serde_json::{Map, json};

fn add() -> FakePlugin {
    FakePlugin::new("math").tool_with(json!({
        "name": "add", "description": "adds", "category": "utility",
        "parameters": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 1}},
        "returns": {"type": "integer", "maximum": 100},
    }))
}

#[tokio::test]
async fn a_call_is_checked_gets_its_defaults_and_answers() {
    let host = TestHost::default();
    host.enable_fake(add()).await;

    assert_eq!(host.call("add", json!({"x": 5, "y": 3})).await, Ok(json!(8)));
    assert_eq!(host.call("add", json!({"x": 5})).await, Ok(json!(6)));
    assert_eq!(
        host.call("add", json!({"x": "5", "z": 1})).await.unwrap_err().to_string(),
        "invalid arguments for `add`: `x` must be an integer, not the string \"5\" (at /x); \
         `z` is not expected here; what is: `x`, `y` (at /z)"
    );
}

#[tokio::test]
async fn an_unknown_tool_is_refused_with_the_names_that_look_like_it() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").tool("calculate").tool("echo")).await;

    let error = host.call("calculte", json!({})).await.unwrap_err();

    assert_eq!(error.to_string(), "there is no tool called `calculte`; did you mean `calculate`?");
    assert_eq!(
        host.call("Echo", json!({})).await.unwrap_err().to_string(),
        "there is no tool called `Echo`; did you mean `echo`?"
    );
}

#[tokio::test]
async fn a_result_that_breaks_the_promise_of_returns_is_refused() {
    let host = TestHost::default();
    host.enable_fake(add()).await;

    let error = host.call("add", json!({"x": 100, "y": 1})).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the result of `add` does not hold what the tool promises: the value must be at most 100, not 101 (at (root))"
    );
    assert_eq!(error.code(), "invalid_result");
}

#[tokio::test]
async fn a_slow_tool_is_stopped_at_its_deadline() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").tool("wait")).await;
    let options = CallOptions { timeout: Some(Duration::from_millis(20)) };

    let report = host.execute(Caller::Operator, "wait", Map::new(), options).await;

    assert_eq!(report.outcome.unwrap_err().to_string(), "`wait` did not answer within 20ms");
}

#[tokio::test]
async fn no_caller_gets_more_time_than_the_host_allows() {
    let limits = Limits { max_timeout: Duration::from_millis(20), ..Limits::default() };
    let host = TestHost::new(limits);
    host.enable_fake(FakePlugin::new("p").tool("wait")).await;
    let options = CallOptions { timeout: Some(Duration::from_secs(3600)) };

    let report = host.execute(Caller::Operator, "wait", Map::new(), options).await;

    assert!(matches!(report.outcome, Err(ToolError::TimedOut { .. })));
}

#[tokio::test]
async fn calls_beyond_the_queue_are_refused_at_once_and_those_in_it_are_served_in_turn() {
    let host = TestHost::new(Limits { queue: 2, ..Limits::default() });
    host.enable_fake(FakePlugin::new("p").concurrency(1).tool("wait").tool("echo")).await;
    let blocked = {
        let host = host.host.clone();
        tokio::spawn(async move {
            host.execute(Caller::Operator, "wait", Map::new(), CallOptions::default()).await
        })
    };
    let mut queued = tokio::task::JoinSet::new();
    let mut refused = 0;
    // Until the queue is full, each of these waits; then they are refused at once.
    while refused == 0 {
        let host = host.host.clone();
        queued.spawn(async move {
            host.execute(Caller::Operator, "echo", Map::new(), CallOptions::default()).await
        });
        tokio::task::yield_now().await;
        while let Some(done) = queued.try_join_next() {
            let error = done.expect("no panic").outcome.expect_err("only a refusal ends at once");
            assert_eq!(
                error.to_string(),
                "the plugin `p` is busy: 2 calls are waiting already; try again later"
            );
            refused += 1;
        }
    }

    blocked.abort();

    let served = queued.join_all().await;
    assert_eq!(served.len(), 2);
    assert!(served.iter().all(|report| report.outcome.is_ok()));
}

#[tokio::test]
async fn a_dropped_call_gives_its_permit_back() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").concurrency(1).tool("wait").tool("echo")).await;
    {
        let mut call = std::pin::pin!(host.call("wait", json!({})));
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut nobody).is_pending());
    }

    assert_eq!(host.call("echo", json!({"n": 1})).await, Ok(json!({"n": 1})));
}

#[tokio::test]
async fn tools_call_each_other_under_one_permit_and_only_so_deep() {
    let host = TestHost::new(Limits { max_depth: 3, ..Limits::default() });
    host.enable_fake(FakePlugin::new("p").concurrency(1).tool("call").tool("echo")).await;
    let nest = |inner| json!({"tool": "call", "arguments": inner});
    let echo = json!({"tool": "echo", "arguments": {"n": 1}});

    assert_eq!(host.call("call", nest(echo.clone())).await, Ok(json!({"n": 1})));
    let error = host.call("call", nest(nest(nest(echo)))).await.unwrap_err();

    assert_eq!(error.to_string(), "tools may call each other 3 deep, and this call is deeper");
}

#[tokio::test]
async fn two_plugins_that_call_each_other_do_not_deadlock() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("a").concurrency(1).tool("call_a")).await;
    host.enable_fake(FakePlugin::new("b").concurrency(1).tool("call_b").tool("echo")).await;
    let back_and_forth = json!({"tool": "call_b", "arguments": {"tool": "call_a", "arguments": {"tool": "echo", "arguments": {}}}});

    assert_eq!(host.call("call_a", back_and_forth).await, Ok(json!({})));
}

#[tokio::test]
async fn arguments_and_results_have_a_size() {
    let host = TestHost::new(Limits { max_arguments: 1000, max_output: 100, ..Limits::default() });
    host.enable_fake(FakePlugin::new("p").tool("echo")).await;

    let too_large = host.call("echo", json!({"text": "x".repeat(2000)})).await.unwrap_err();
    let too_long = host.call("echo", json!({"text": "x".repeat(200)})).await.unwrap_err();

    assert_eq!(too_large.to_string(), "the arguments of `echo` is larger than 1000 bytes");
    assert_eq!(too_long.to_string(), "the result of `echo` is larger than the output limit of 100 bytes");
}

#[tokio::test]
async fn an_agent_calls_what_is_enabled_and_what_its_competencies_allow() {
    let host = TestHost::default();
    let tool = json!({"name": "echo", "description": "e", "category": "custom", "required_competencies": ["git:advanced"]});
    let plugin = FakePlugin::new("p")
        .competency("git", &[])
        .competency("git_flow", &["git"])
        .tool_with(tool)
        .tool("count");
    let id = host.load_fake(plugin).await.expect("it loads");

    let early = host.call_as(TestHost::agent(&["git:expert"]), "echo", json!({})).await.unwrap_err();
    assert_eq!(
        early.to_string(),
        "the plugin `p` is in the state `loaded`: it has to be enabled before agents are offered its tools"
    );
    assert!(host.tools_for(&TestHost::agent(&["git:expert"])).is_empty());
    host.enable(id.as_str()).await.expect("it can be enabled");

    for (held, allowed) in [
        (&["git:expert"][..], true),
        (&["git:intermediate"], false),
        (&["git_flow:advanced"], true),
        (&["git_flow"], false),
        (&[], false),
    ] {
        let agent = TestHost::agent(held);
        let listed = host.tools_for(&agent).iter().any(|tool| tool.name == "echo");
        let called = host.call_as(agent, "echo", json!({})).await;
        assert_eq!((listed, called.is_ok()), (allowed, allowed), "{held:?}");
    }
    let refused = host.call_as(TestHost::agent(&[]), "echo", json!({})).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`echo` requires `git:advanced`, which the agent `agent` does not hold; \
         the operator grants it with `gathering agents grant agent git:advanced`"
    );
    assert_eq!(host.call_as(TestHost::agent(&[]), "count", json!({})).await, Ok(json!(3)));
}

#[tokio::test]
async fn a_plugin_calls_with_the_rights_of_whoever_called_it() {
    let host = TestHost::default();
    let guarded =
        json!({"name": "echo", "description": "e", "category": "custom", "required_competencies": ["git"]});
    host.enable_fake(FakePlugin::new("p").competency("git", &[]).tool_with(guarded).tool("call")).await;
    let through = json!({"tool": "echo", "arguments": {}});

    let refused = host.call_as(TestHost::agent(&[]), "call", through.clone()).await.unwrap_err();

    assert_eq!(refused.code(), "missing_competency");
    assert_eq!(host.call_as(TestHost::agent(&["git"]), "call", through).await, Ok(json!({})));
}

#[tokio::test]
async fn each_call_is_told_to_whoever_watches() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").tool("echo").tool("fail")).await;
    let mut events = host.subscribe();

    host.call("echo", json!({})).await.expect("it answers");
    host.call("fail", json!({})).await.expect_err("it fails");

    for (expected, code_expected) in [("echo", None), ("fail", Some("tool_error"))] {
        let event = events.recv().await.expect("an event");
        match &event.kind {
            EventKind::ToolCalled { tool, code, caller, .. } => {
                assert_eq!((tool.as_str(), *code, &**caller), (expected, code_expected, "operator"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_panic_in_one_call_leaves_the_others_alone() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").concurrency(1).tool("nonsense").tool("echo")).await;
    let panicking = {
        let host = host.host.clone();
        tokio::spawn(async move {
            host.execute(Caller::Operator, "nonsense", Map::new(), CallOptions::default()).await
        })
    };

    assert!(panicking.await.is_err());
    assert_eq!(host.call("echo", json!({})).await, Ok(json!({})));
}

#[tokio::test]
async fn a_host_that_stops_takes_no_call_and_ends_those_in_flight() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").tool("wait").tool("echo")).await;
    let call = {
        let host = host.host.clone();
        tokio::spawn(async move {
            host.execute(Caller::Operator, "wait", Map::new(), CallOptions::default()).await
        })
    };
    while host.runtime.running() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;

    host.shutdown(Duration::ZERO).await;

    assert!(call.await.expect("no panic").outcome.is_err());
    assert_eq!(host.call("echo", json!({})).await, Err(ToolError::ShuttingDown));
}

#[tokio::test]
async fn a_tool_is_shown_to_whoever_may_call_it() {
    let host = TestHost::default();
    host.enable_fake(FakePlugin::new("p").competency("git", &[]).tool_with(json!({
        "name": "echo", "description": "echoes", "category": "custom", "required_competencies": ["git"],
    })))
    .await;
    let shown = |caller: Caller, name: &str| host.tool_for(&caller, name).map(|tool| tool.name.to_string());

    assert_eq!(shown(Caller::Operator, "echo"), Ok("echo".into()));
    assert_eq!(shown(TestHost::agent(&["git"]), "echo"), Ok("echo".into()));
    assert_eq!(
        shown(TestHost::agent(&[]), "echo").unwrap_err().to_string(),
        "`echo` requires `git`, which the agent `agent` does not hold; \
         the operator grants it with `gathering agents grant agent git`"
    );
    assert_eq!(
        shown(TestHost::agent(&[]), "ecko").unwrap_err().to_string(),
        "there is no tool called `ecko`",
        "what an agent may not call is not named to it"
    );
}

#[tokio::test]
async fn a_program_that_runs_calls_itself_is_held_to_the_same_path() {
    let host = TestHost::default();
    host.enable_fake(add().concurrency(1)).await;
    let mut events = host.subscribe();
    let admit =
        async || host.admit(By::Caller(Caller::Operator, CallOptions::default()), "add", |_| Ok(())).await;
    let promised = |tool: &gathering_host::Tool, result: &serde_json::Value| {
        let name = tool.name.clone();
        tool.result().value(result).map_err(|errors| ToolError::InvalidResult { tool: name, errors })
    };

    let call = admit().await.expect("it may be called");
    let by = By::Caller(Caller::Operator, CallOptions::default());
    assert_eq!(host.admit_now(by, "add", |_| Ok(())).map(|_| ()).unwrap_err().code(), "busy");
    let options = CallOptions { timeout: Some(Duration::from_millis(10)) };
    let waiting =
        host.execute(Caller::Operator, "add", Map::from_iter([("x".into(), 1.into())]), options).await;
    assert_eq!(waiting.outcome.unwrap_err().code(), "timed_out", "the permit is held");
    assert_eq!(call.finish(Ok(json!(7)), promised), Ok(json!(7)));
    let call = admit().await.expect("the permit was given back");
    assert_eq!(call.finish(Ok(json!(101)), promised).unwrap_err().code(), "invalid_result");
    drop(admit().await.expect("the permit was given back"));
    admit().await.expect("a call that is given up gives its permit back, too");

    let mut codes = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let EventKind::ToolCalled { code, .. } = event.kind {
            codes.push(code);
        }
    }
    assert_eq!(codes, [Some("busy"), Some("timed_out"), None, Some("invalid_result")], "and is not told");
}

#[tokio::test]
async fn a_call_that_may_not_be_made_is_not_admitted() {
    let host = TestHost::default();
    let guarded =
        json!({"name": "echo", "description": "e", "category": "custom", "required_competencies": ["git"]});
    host.enable_fake(FakePlugin::new("p").competency("git", &[]).tool_with(guarded).tool("call")).await;
    let code = async |caller: Caller, tool: &str| {
        host.admit(By::Caller(caller, CallOptions::default()), tool, |_| Ok(()))
            .await
            .map_or_else(|e| e.code(), |_| "admitted")
    };

    assert_eq!(code(Caller::Operator, "echo").await, "admitted");
    assert_eq!(code(TestHost::agent(&["git"]), "echo").await, "admitted");
    assert_eq!(code(TestHost::agent(&[]), "echo").await, "missing_competency");
    assert_eq!(code(Caller::Operator, "nothing").await, "unknown_tool");
    let by = By::Caller(TestHost::agent(&[]), CallOptions::default());
    let outer = host.admit(by, "call", |_| Ok(())).await.expect("it may be called");
    let inner = host.admit(By::Within(&outer.context()), "echo", |_| Ok(())).await;
    assert_eq!(inner.map(|_| ()).unwrap_err().code(), "missing_competency", "as the same caller");
    host.disable("p", false).await.expect("it can be disabled");
    assert_eq!(code(Caller::Operator, "echo").await, "plugin_disabled");
}
