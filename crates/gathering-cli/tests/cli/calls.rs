//! The journal of a real server: over REST, by command, and after `kill -9`.

use std::io::Read;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

#[test]
fn calls_are_listed_shown_and_exported_with_and_without_a_server() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    sandbox.ok(&["execute", "calculate", "expression=6 * 7"]);
    assert_ne!(sandbox.run(&["execute", "no_such_tool"]).code, 0);

    let page = sandbox.json(&["calls", "list"]);
    let lines = sandbox.ok(&["calls", "list", "--code", "unknown_tool", "--since", "1h"]);
    let id = page["calls"][1]["call_id"].as_str().expect("there are two").to_owned();
    let shown = sandbox.ok(&["calls", "show", &id]);

    assert_eq!(page["calls"].as_array().map(Vec::len), Some(2), "{page}");
    assert_eq!(page["calls"][1]["arguments"], json!({"expression": "6 * 7"}));
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("no_such_tool") && lines.contains("unknown_tool"), "{lines}");
    assert!(shown.contains("decision") && shown.contains("allowed"), "{shown}");
    let answer = server.get("/calls?format=jsonl&decision=allowed");
    assert!(answer.contains("application/jsonl") && answer.contains(&id), "{answer}");
    assert!(server.get("/calls?wait=100").contains("`wait` must be"));
    assert!(server.get("/calls/0123").contains("unknown_call"));
    assert!(server.get("/health").contains("\"journal\":{\"status\":\"ok\"}"));
    drop(server);
    let exported = sandbox.ok(&["calls", "export"]);
    let rows: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).expect("a row a line")).collect();
    assert_eq!(rows.len(), 2, "{exported}");
    assert_eq!(rows[0]["call_id"], json!(id), "the oldest first");
}

#[test]
fn calls_are_followed_as_they_are_answered() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    sandbox.ok(&["execute", "calculate", "expression=1"]);
    let mut tail = sandbox
        .command(&["calls", "tail", "--tool", "calculate", "--count", "2", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    // It follows once it asks for what comes after the newest row; each such request is a call of nobody's tool, so
    // calls are made until it has seen its two.
    let mut number = 0;
    while tail.try_wait().expect("it can be asked").is_none() {
        number += 1;
        sandbox.ok(&["execute", "calculate", &format!("expression={number} + 1")]);
    }

    let mut out = String::new();
    tail.stdout.take().expect("it is piped").read_to_string(&mut out).expect("it is text");
    let rows: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("a row a line")).collect();
    assert_eq!(rows.len(), 2, "{out}");
    assert!(rows.iter().all(|row| row["tool"] == "calculate"), "{out}");
    drop(server);
    let refused = sandbox.run(&["calls", "tail"]);
    assert!(refused.err.contains("no server is running"), "{refused:?}");
}

#[test]
fn an_agent_sees_its_own_calls_only() {
    let sandbox = Sandbox::new();
    let _server = sandbox.serve(&[]);
    sandbox.ok(&["execute", "calculate", "expression=1"]);
    let made = sandbox.json(&["agents", "create", "Ann", "--competency", "mathematics"]);
    let token = made["token"].as_str().expect("it has one").to_owned();
    let by_ann = |arguments: &[&str]| {
        let output = sandbox.command(arguments).env("GATHERING_TOKEN", &token).output();
        String::from_utf8_lossy(&output.expect("it can be started").stdout).into_owned()
    };
    by_ann(&["execute", "calculate", "expression=2"]);

    let rows: Value =
        serde_json::from_str(&by_ann(&["calls", "list", "--caller", "operator", "--json"])).expect("JSON");
    let all = sandbox.json(&["calls", "list"]);

    let callers: Vec<_> = rows["calls"].as_array().expect("rows").iter().map(|row| &row["caller"]).collect();
    assert_eq!(callers, ["ann"]);
    let of_operator = all["calls"].as_array().expect("rows").iter().find(|row| row["caller"] == "operator");
    let id = of_operator.expect("it called")["call_id"].as_str().expect("a text").to_owned();
    assert_eq!(by_ann(&["calls", "show", &id]), "");
}

#[test]
fn no_answered_call_is_lost_when_the_server_is_killed() {
    let sandbox = Sandbox::new();
    let mut answered = Vec::new();
    for _ in 0..3 {
        let mut server = sandbox.serve(&[]);
        let (seen, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        if let Some(id) = call(&server.url) {
                            seen.lock().expect("nobody panics").push(id);
                        }
                    }
                });
            }
            while seen.lock().expect("nobody panics").len() < 200 {
                std::thread::yield_now();
            }
            // SIGKILL, in the midst of calls.
            server.signal("KILL");
            stop.store(true, Ordering::Relaxed);
        });
        server.child.wait().expect("it ends");
        answered.extend(seen.into_inner().expect("nobody panics"));
    }

    let exported = sandbox.ok(&["calls", "export"]);
    let mut kept: Vec<String> = exported
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a row a line"))
        .map(|row| row["call_id"].as_str().expect("a text").to_owned())
        .collect();
    let rows = kept.len();
    kept.sort_unstable();
    kept.dedup();
    assert_eq!(kept.len(), rows, "each once");
    let lost: Vec<_> = answered.iter().filter(|id| kept.binary_search(id).is_err()).collect();
    assert!(answered.len() >= 600 && lost.is_empty(), "of {} calls {lost:?} are lost", answered.len());
}

/// Calls a tool; the id of the call, if it was answered.
fn call(url: &str) -> Option<String> {
    use std::io::Write;
    let address = url.strip_prefix("http://").expect("it is http");
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    let body = r#"{"arguments": {"expression": "1 + 1"}}"#;
    write!(
        stream,
        "POST /tools/calculate/execute HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let answer: Value = serde_json::from_str(body).ok()?;
    Some(answer["call_id"].as_str()?.to_owned())
}
