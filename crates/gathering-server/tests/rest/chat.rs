//! Talking with agents over HTTP, as far as it needs no model; the chats themselves are tested at the assembly.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use gathering_agents::{Agents, ChatLimits, Chats};
use gathering_models::Models;
use gathering_server::{Access, Options};
use gathering_testkit::{MemoryStore, TestHost};
use serde_json::json;

use crate::support::Server;

/// A server that lets models talk, of which it has none.
async fn server() -> Server {
    let host = TestHost::default();
    let agents = Agents::new(host.host.clone());
    let new = serde_json::from_value(json!({"name": "A"})).expect("a good agent");
    agents.create(new).await.expect("it can be made");
    let store = Arc::new(MemoryStore::default());
    let chats = Chats::new(agents.clone(), Models::default(), store, ChatLimits::default());
    let access = Access::Embedded;
    let options = Options { access, agents: Some(agents), chats: Some(chats), ..Options::default() };
    Server::with(host, options)
}

#[tokio::test]
async fn what_can_be_refused_at_once_is_a_problem_with_what_to_do() {
    let server = server().await;

    let no_model = server.post("/agents/a/chat", json!({"message": "hello"})).await.problem(409, "no_model");
    server.post("/agents/b/chat", json!({"message": "hello"})).await.problem(404, "unknown_agent");
    server.post("/agents/a/chat", json!({"message": " "})).await.problem(400, "bad_request");
    server.post("/agents/a/chat", json!({"text": "hello"})).await.problem(400, "bad_request");

    assert!(no_model.contains("[models.main]"), "{no_model}");
}

#[tokio::test]
async fn what_was_said_and_which_models_there_are_is_listed() {
    let server = server().await;

    assert_eq!(server.get("/agents/a/conversations").await.ok(), json!({"total": 0, "conversations": []}));
    assert_eq!(server.get("/models").await.ok(), json!({"total": 0, "models": []}));
    let gone = server.send(Request::delete("/agents/a/conversations/0123")).await;
    gone.problem(404, "unknown_conversation");
}

#[tokio::test]
async fn an_agent_talks_with_itself_only() {
    let host = TestHost::default();
    let agents = Agents::new(host.host.clone());
    let mut tokens = Vec::new();
    for name in ["a", "b"] {
        let new = serde_json::from_value(json!({"name": name})).expect("a good agent");
        tokens.push(agents.create(new).await.expect("it can be made").token);
    }
    let store = Arc::new(MemoryStore::default());
    let chats = Chats::new(agents.clone(), Models::default(), store, ChatLimits::default());
    let server =
        Server::with(host, Options { agents: Some(agents), chats: Some(chats), ..Options::default() });
    let say = async |path: &str| {
        let request =
            Request::post(path).header("host", "localhost").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", tokens[0]));
        server.send_whole(request.body(Body::from("{\"message\": \"hello\"}")).expect("a good request")).await
    };

    say("/agents/a/chat").await.problem(409, "no_model");
    let refused = say("/agents/b/chat").await.problem(403, "forbidden");

    assert_eq!(refused, "an agent may look at itself only, which is `/agents/a`");
}
