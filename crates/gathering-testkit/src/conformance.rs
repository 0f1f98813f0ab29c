//! The runtime conformance suite: what every runtime promises, seen through a host.
//!
//! A runtime brings the same plugin in its own language, with the id `conformance` and version 1.0.0, and these tools:
//!
//! | tool | what it does |
//! |---|---|
//! | `echo(value)` | returns `value` as it came |
//! | `fail(message)` | fails with an error whose text holds `message` |
//! | `count()` | returns how often it was called since the plugin was started |
//! | `hold(port)` | connects to `127.0.0.1:port`, sends one byte, and keeps the connection until it is stopped |
//! | `relay(tool, arguments)` | calls another tool and returns its result |
//! | `typed(n: integer, label: string = "x")` | returns `[n, label]`; its schema is the documents' bare map |
//!
//! and a competency `conforming`. The editor given to the suite changes the plugin's version to 2.0.0, or breaks it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use gathering_core::{Caller, Runtime, ToolError};
use gathering_host::{CallOptions, Dependencies, Host};
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// How long something may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A runtime, its conformance plugin, and how to edit that.
pub trait Subject {
    /// A fresh host that has the runtime and knows the plugin `conformance`, not yet loaded.
    fn host(&self) -> Pin<Box<dyn Future<Output = Host> + '_>>;
    /// The runtime.
    fn runtime(&self) -> &dyn Runtime;
    /// Edits the plugin's code to say that it is version 2.0.0.
    fn edit(&self);
    /// Edits the plugin's code so that it can no longer be loaded.
    fn break_it(&self);
    /// Undoes both.
    fn restore(&self);
}

/// Runs the whole suite and panics at the first promise that is not kept. Returns the names of what was checked.
pub async fn check(subject: &dyn Subject) -> Vec<&'static str> {
    let mut checked = Vec::new();
    macro_rules! run {
        ($($case:ident),* $(,)?) => { $(
            subject.restore();
            eprintln!("conformance of {}: {}", subject.runtime().kind(), stringify!($case));
            $case(subject).await;
            checked.push(stringify!($case));
        )* };
    }
    run!(
        dropping_a_call_stops_the_work,
        a_call_is_stopped_at_its_deadline_and_the_next_one_works,
        values_arrive_and_return_unchanged,
        an_error_of_the_tool_is_its_own,
        state_is_kept_between_calls,
        arguments_are_checked_and_defaults_filled_in,
        a_tool_calls_another_and_itself,
        many_calls_at_once_all_answer,
        the_manifest_is_complete_after_loading,
        a_reload_runs_the_new_code_and_loses_no_call,
        a_broken_edit_leaves_the_old_generation_running,
        unloading_leaves_nothing_and_loading_again_works,
    );
    checked
}

async fn enabled(subject: &dyn Subject) -> Host {
    let host = subject.host().await;
    host.load("conformance", None, Dependencies::MustBeLoaded).await.expect("the plugin loads");
    host.enable("conformance").await.expect("the plugin can be enabled");
    host
}

async fn call(host: &Host, tool: &str, arguments: Value) -> Result<Value, ToolError> {
    let options = CallOptions { timeout: Some(PATIENCE) };
    host.execute(Caller::Operator, tool, object(arguments), options).await.outcome.map(|output| output.value)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

async fn held(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = in_time("the tool connecting", listener.accept()).await.expect("a connection");
    let mut byte = [0];
    in_time("the tool sending a byte", stream.read_exact(&mut byte)).await.expect("a byte");
    stream
}

/// The connection ends when what held it is gone.
async fn ends(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset is as good an end as a close.
    let _ = in_time("the end of the work", stream.read_to_end(&mut rest)).await;
}

async fn dropping_a_call_stops_the_work(subject: &dyn Subject) {
    if !subject.runtime().interruptible() {
        return;
    }
    let host = enabled(subject).await;
    let (listener, port) = listener().await;
    let stream = {
        let call = call(&host, "hold", json!({"port": port}));
        tokio::pin!(call);
        tokio::select! {
            outcome = &mut call => panic!("`hold` ended by itself: {outcome:?}"),
            stream = held(&listener) => stream,
        }
    };

    ends(stream).await;

    assert_eq!(call(&host, "echo", json!({"value": 1})).await, Ok(json!(1)), "the next call works");
    host.shutdown(Duration::ZERO).await;
}

async fn a_call_is_stopped_at_its_deadline_and_the_next_one_works(subject: &dyn Subject) {
    if !subject.runtime().interruptible() {
        return;
    }
    let host = enabled(subject).await;
    let (listener, port) = listener().await;
    let options = CallOptions { timeout: Some(Duration::from_millis(700)) };

    let (report, stream) = tokio::join!(
        host.execute(Caller::Operator, "hold", object(json!({"port": port})), options),
        held(&listener)
    );

    let error = report.outcome.expect_err("it cannot answer");
    assert_eq!(error.to_string(), "`hold` did not answer within 700ms");
    assert!(report.duration < Duration::from_millis(1700), "stopped only after {:?}", report.duration);
    ends(stream).await;
    assert_eq!(call(&host, "echo", json!({"value": 2})).await, Ok(json!(2)), "the next call works");
    host.shutdown(Duration::ZERO).await;
}

async fn values_arrive_and_return_unchanged(subject: &dyn Subject) {
    let host = enabled(subject).await;
    for value in [
        json!(null),
        json!([true, false, -1, 0.5, i64::MIN, u64::MAX, 1e300]),
        json!("quotes \" \\ \n \u{0} \u{1f600} é"),
        json!({"nested": {"list": [[], {}, ""]}, "ключ": "値"}),
        json!("x".repeat(300_000)),
    ] {
        assert_eq!(call(&host, "echo", json!({"value": value})).await.as_ref(), Ok(&value));
    }
    host.shutdown(Duration::ZERO).await;
}

async fn an_error_of_the_tool_is_its_own(subject: &dyn Subject) {
    let host = enabled(subject).await;

    let error = call(&host, "fail", json!({"message": "no such city"})).await.expect_err("it fails");

    assert_eq!(error.code(), "tool_error");
    assert!(error.to_string().contains("no such city"), "{error}");
    assert_eq!(call(&host, "echo", json!({"value": 3})).await, Ok(json!(3)));
    host.shutdown(Duration::ZERO).await;
}

async fn state_is_kept_between_calls(subject: &dyn Subject) {
    let host = enabled(subject).await;
    for expected in 1..=3 {
        assert_eq!(call(&host, "count", json!({})).await, Ok(json!(expected)));
    }
    host.shutdown(Duration::ZERO).await;
}

async fn arguments_are_checked_and_defaults_filled_in(subject: &dyn Subject) {
    let host = enabled(subject).await;

    assert_eq!(call(&host, "typed", json!({"n": 7})).await, Ok(json!([7, "x"])));
    let error = call(&host, "typed", json!({"n": "7", "m": 1})).await.expect_err("it does not fit");

    assert_eq!(error.code(), "invalid_arguments");
    assert!(error.to_string().contains("`n` must be an integer, not the string \"7\" (at /n)"), "{error}");
    host.shutdown(Duration::ZERO).await;
}

async fn a_tool_calls_another_and_itself(subject: &dyn Subject) {
    let host = enabled(subject).await;
    let twice = json!({"tool": "relay", "arguments": {"tool": "echo", "arguments": {"value": "deep"}}});

    assert_eq!(call(&host, "relay", twice).await, Ok(json!("deep")));
    let error =
        call(&host, "relay", json!({"tool": "nowhere", "arguments": {}})).await.expect_err("no such tool");

    // Each language has its own words for it.
    assert!(error.to_string().contains("nowhere"), "{error}");
    host.shutdown(Duration::ZERO).await;
}

async fn many_calls_at_once_all_answer(subject: &dyn Subject) {
    let host = enabled(subject).await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..50 {
        let host = host.clone();
        calls.spawn(async move { (n, call(&host, "echo", json!({"value": n})).await) });
    }
    while let Some(done) = calls.join_next().await {
        let (n, answer) = done.expect("no call panics");
        assert_eq!(answer, Ok(json!(n)));
    }
    host.shutdown(Duration::ZERO).await;
}

async fn the_manifest_is_complete_after_loading(subject: &dyn Subject) {
    let host = enabled(subject).await;
    let snapshot = host.snapshot();

    let info = host.plugin("conformance").expect("it is known");
    let typed = snapshot.tools().get("typed").expect("it is registered");

    assert_eq!((info.metadata.version.as_str(), info.tools_count, info.competencies_count), ("1.0.0", 6, 1));
    assert_eq!(typed.plugin_id.as_ref().map(|id| id.as_str()), Some("conformance"));
    assert_eq!(typed.parameters.to_value()["required"], json!(["n"]));
    assert!(snapshot.competencies().get("conforming").is_some());
    host.shutdown(Duration::ZERO).await;
}

async fn a_reload_runs_the_new_code_and_loses_no_call(subject: &dyn Subject) {
    let host = enabled(subject).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load = {
        let (host, stop) = (host.clone(), stop.clone());
        tokio::spawn(async move {
            let mut answered = 0;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                assert_eq!(call(&host, "echo", json!({"value": answered})).await, Ok(json!(answered)));
                answered += 1;
                tokio::task::yield_now().await;
            }
            answered
        })
    };

    for _ in 0..3 {
        host.reload("conformance", None).await.expect("it reloads");
    }
    subject.edit();
    host.reload("conformance", None).await.expect("it reloads");
    stop.store(true, std::sync::atomic::Ordering::SeqCst);

    assert!(load.await.expect("no call was lost") > 0);
    assert_eq!(host.plugin("conformance").expect("it is known").metadata.version, "2.0.0");
    assert_eq!(
        call(&host, "count", json!({})).await,
        Ok(json!(1)),
        "the new generation has a state of its own"
    );
    host.shutdown(Duration::ZERO).await;
}

async fn a_broken_edit_leaves_the_old_generation_running(subject: &dyn Subject) {
    let host = enabled(subject).await;
    subject.break_it();

    let error = host.reload("conformance", None).await.expect_err("it cannot be loaded");

    assert!(!error.to_string().is_empty());
    let info = host.plugin("conformance").expect("it is known");
    assert_eq!(info.error.as_deref(), Some(error.to_string().as_str()));
    assert_eq!(call(&host, "echo", json!({"value": "old"})).await, Ok(json!("old")));
    host.shutdown(Duration::ZERO).await;
}

async fn unloading_leaves_nothing_and_loading_again_works(subject: &dyn Subject) {
    let host = enabled(subject).await;

    host.unload("conformance", false).await.expect("it unloads");

    assert!(host.snapshot().tools().is_empty() && host.snapshot().competencies().is_empty());
    assert_eq!(call(&host, "echo", json!({})).await.expect_err("it is gone").code(), "unknown_tool");
    host.load("conformance", None, Dependencies::MustBeLoaded).await.expect("it loads again");
    assert_eq!(call(&host, "count", json!({})).await, Ok(json!(1)), "its state is new");
    host.shutdown(Duration::ZERO).await;
}
