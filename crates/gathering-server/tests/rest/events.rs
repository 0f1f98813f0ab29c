//! The stream of events.

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use gathering_testkit::FakePlugin;
use serde_json::{Value, json};

use crate::support::{Server, check};

/// A stream of events that is being read.
struct Watching {
    body: axum::body::BodyDataStream,
    read: String,
}

/// One message: its id, its event, its data.
#[derive(Debug, PartialEq)]
struct Message(String, String, Value);

async fn watch(server: &Server, path: &str, last_event_id: Option<&str>) -> Watching {
    let mut request = Request::get(path).header("host", "localhost");
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    let response = server.stream(request.body(Body::empty()).expect("a good request")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Watching { body: response.into_body().into_data_stream(), read: String::new() }
}

impl Watching {
    async fn next(&mut self) -> Message {
        loop {
            if let Some((message, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    let line = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                let data = serde_json::from_str(&field("data")).expect("data is JSON");
                let message = Message(field("id"), field("event"), data);
                self.read = rest.to_owned();
                return message;
            }
            let chunk = self.body.next().await.expect("the stream goes on").expect("it can be read");
            self.read += std::str::from_utf8(&chunk).expect("UTF-8");
        }
    }

    async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            names.push(self.next().await.1);
        }
        names
    }
}

#[tokio::test]
async fn a_watcher_is_told_what_happens_from_now_on() {
    let server = Server::new();
    server.host.know(FakePlugin::new("before")).await;
    let mut watching = watch(&server, "/events", None).await;

    server.host.enable_fake(FakePlugin::new("p").tool("echo")).await;
    server.host.call("echo", json!({})).await.expect("it answers");

    let mut last = 0;
    for expected in ["plugin_loading", "plugin_loaded", "plugin_enabled", "tool_called"] {
        let Message(id, event, data) = watching.next().await;
        assert_eq!(
            (event.as_str(), &data["event"], &data["plugin_id"]),
            (expected, &json!(expected), &json!("p"))
        );
        check(&json!({"$ref": "#/components/schemas/Event"}), &data, "an event");
        let sequence = data["sequence"].as_u64().expect("a number");
        assert_eq!(id, sequence.to_string());
        assert!(sequence > last);
        last = sequence;
    }
}

#[tokio::test]
async fn a_watcher_goes_on_where_it_left_off() {
    let server = Server::new();
    server.host.enable_fake(FakePlugin::new("p")).await;

    let all = watch(&server, "/events?since=0", None).await.names(3).await;
    let rest = watch(&server, "/events", Some("1")).await.names(2).await;
    let header_first = watch(&server, "/events?since=0", Some("2")).await.names(1).await;

    assert_eq!(all, ["plugin_loading", "plugin_loaded", "plugin_enabled"]);
    assert_eq!(rest, all[1..]);
    assert_eq!(header_first, all[2..]);
}

#[tokio::test]
async fn a_watcher_that_was_too_slow_is_told_how_much_it_missed() {
    let server = Server::new();
    server.host.enable_fake(FakePlugin::new("p").tool("echo")).await;
    let mut watching = watch(&server, "/events", None).await;

    for _ in 0..1500 {
        server.host.call("echo", json!({})).await.expect("it answers");
    }

    // Of the numbers 4 to 1503 the last 1,024 are kept.
    assert_eq!(
        watching.next().await,
        Message(String::new(), "lagged".into(), json!({"event": "lagged", "missed": 476}))
    );
    assert_eq!(watching.next().await.0, "480");
}

#[tokio::test]
async fn a_watcher_from_before_a_restart_is_told_everything() {
    let server = Server::new();
    server.host.enable_fake(FakePlugin::new("p")).await;

    let mut watching = watch(&server, "/events", Some("1000")).await;

    assert_eq!(watching.next().await.1, "plugin_loading");
}

#[tokio::test]
async fn a_number_that_is_none_is_refused() {
    let server = Server::new();

    server.send(Request::get("/events").header("last-event-id", "x")).await.problem(400, "bad_request");
    server.get("/events?since=-1").await.problem(400, "bad_request");
}
