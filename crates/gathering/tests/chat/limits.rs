//! What ends a chat that would not end by itself, and what is stopped with it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use gathering::{ChatEvent, NewMessage};
use serde_json::json;

use crate::mock::Mock;
use crate::support::House;

#[tokio::test]
async fn the_same_call_with_the_same_result_is_told_the_model_and_then_ends_the_chat() {
    let call = json!({"name": "calculate", "arguments": {"expression": "6 * 7"}});
    let Some(mock) = Mock::start(json!([{"match": {}, "response": {"toolCalls": [call]}}])) else { return };
    let house = House::new(&mock).await;
    let agent = house.agent(json!({"name": "A", "competencies": ["mathematics"]})).await;

    let told = house.say(&agent, "loop").await;

    assert_eq!(told.all("tool_result").len(), 5);
    assert_eq!(told.end()["code"], "repeating", "{told:?}");
    let last = mock.requests().await.pop().expect("it was asked");
    assert!(last["messages"].to_string().contains("This is the 4th time that this call"), "{last}");
    assert!(told.end()["conversation_id"].is_string());
}

#[tokio::test]
async fn steps_are_limited() {
    let call = json!({"name": "calculate", "arguments": {"expression": "1"}});
    let Some(mock) = Mock::start(json!([{"match": {}, "response": {"toolCalls": [call]}}])) else { return };
    let house = House::with(&mock, |config| config.chat.steps = 2).await;
    let agent = house.agent(json!({"name": "A", "competencies": ["mathematics"]})).await;

    let told = house.say(&agent, "loop").await;

    assert_eq!(told.end()["code"], "too_many_steps", "{told:?}");
    assert_eq!(mock.requests().await.len(), 2);
}

#[tokio::test]
async fn a_tool_that_runs_is_stopped_when_the_time_of_the_chat_is_over() {
    let call = json!({"name": "run_command", "arguments": {"command": "sleep 60"}});
    let Some(mock) = Mock::start(json!([
        {"match": {"hasToolResult": false}, "response": {"toolCalls": [call]}},
        {"match": {}, "response": {"content": "done"}},
    ])) else {
        return;
    };
    let house = House::with(&mock, |config| config.chat.time = Duration::from_secs(2)).await;
    let agent = house.agent(json!({"name": "A", "competencies": ["shell"]})).await;
    let begun = Instant::now();

    let told = house.say(&agent, "wait").await;

    assert_eq!(told.all("tool_result")[0]["is_error"], true, "{told:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_model_that_is_too_slow_is_waited_for_no_longer_than_the_chat_may_take() {
    let answer = json!({"content": "slow".repeat(40)});
    let Some(mock) = Mock::start(json!([{"match": {}, "response": answer, "latency": 20_000}])) else {
        return;
    };
    let house = House::with(&mock, |config| config.chat.time = Duration::from_millis(500)).await;
    let agent = house.agent(json!({"name": "A"})).await;

    let told = house.say(&agent, "hello").await;

    assert_eq!(told.end()["code"], "timed_out", "{told:?}");
    assert_eq!(
        told.end()["message"],
        "the agent has not come to an end in 500ms; `chat.time` in gathering.toml sets how long it may take"
    );
}

#[tokio::test]
async fn who_goes_away_stops_the_tool_that_runs_and_can_go_on_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let (begun, ended) = (folder.path().join("begun"), folder.path().join("ended"));
    let call = json!({"name": "run_command", "arguments": {"command": "touch begun; sleep 30; touch ended"}});
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "wait"}, "response": {"toolCalls": [call]}},
        {"match": {"userMessage": "and now"}, "response": {"content": "It was stopped."}},
    ])) else {
        return;
    };
    let base = folder.path().to_owned();
    let house = House::with(&mock, |config| {
        let settings = json!({"base_path": base});
        config.plugins.config.insert("core".into(), settings.as_object().expect("an object").clone());
    })
    .await;
    let agent = house.agent(json!({"name": "A", "competencies": ["shell"]})).await;
    let said: NewMessage = serde_json::from_value(json!({"message": "wait"})).expect("a good message");
    let mut events = house.gathering.chats().say(&agent, said).await.expect("it can be said");
    let mut id = String::new();
    while let Some(event) = events.next().await {
        match event {
            ChatEvent::Conversation { conversation_id, .. } => id = conversation_id,
            ChatEvent::ToolCall { .. } => break,
            _ => {}
        }
    }
    // The call is made while the stream is polled.
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    while !begun.exists() && tokio::time::Instant::now() < until {
        assert!(tokio::time::timeout(Duration::from_millis(20), events.next()).await.is_err(), "it runs");
    }
    assert!(begun.exists());

    drop(events);

    let said = json!({"message": "and now", "conversation_id": id});
    let told = house.try_say(&agent, said).await.expect("nobody is in the way");
    assert_eq!(told.text(), "It was stopped.");
    let last = mock.requests().await.pop().expect("it was asked");
    assert!(last["messages"].to_string().contains("the call was stopped before it gave a result"), "{last}");
    assert!(!ended.exists());
}

#[tokio::test]
async fn only_one_talks_in_a_conversation_at_a_time() {
    let Some(mock) = Mock::start(json!([{"match": {}, "response": {"content": "hello"}}])) else { return };
    let house = House::new(&mock).await;
    let agent = house.agent(json!({"name": "A"})).await;
    let told = house.say(&agent, "hello").await;
    let id = told.end()["conversation_id"].as_str().expect("an id").to_owned();
    let said = || json!({"message": "more", "conversation_id": id});
    let first = house.gathering.chats().say(&agent, serde_json::from_value(said()).expect("good")).await;

    let second = house.try_say(&agent, said()).await.expect_err("somebody talks already");

    assert_eq!(second.code(), "conversation_busy");
    drop(first);
    assert!(house.try_say(&agent, said()).await.is_ok());
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_shown_without_its_beginning_and_says_so() {
    let Some(mock) = Mock::start(json!([{"match": {}, "response": {"content": "I see."}}])) else { return };
    let url = format!("{}/v1", mock.url);
    let house = House::with(&mock, |config| {
        let small =
            json!({"small": {"provider": "openai", "url": url, "model": "m", "context_window": 2000}});
        config.models = serde_json::from_value(small).expect("good settings");
    })
    .await;
    let agent = house.agent(json!({"name": "A", "allowed_tools": []})).await;
    let long = |word: &str| format!("{word} {}", "x".repeat(2_000));
    let first = house.say(&agent, &long("one")).await;
    let id = first.end()["conversation_id"].clone();

    for word in ["two", "three"] {
        let said = json!({"message": long(word), "conversation_id": id});
        let told = house.try_say(&agent, said).await.expect("it goes on");
        if word == "three" {
            assert_eq!(told.all("context")[0]["left_out"], 2, "{told:?}");
        }
    }
    let last = mock.requests().await.pop().expect("it was asked").to_string();
    assert!(!last.contains("one xxx") && last.contains("two xxx") && last.contains("three xxx"));
    let too_long = json!({"message": "x".repeat(9_000), "conversation_id": id});
    let told = house.try_say(&agent, too_long).await.expect("it goes on");
    assert_eq!(told.end()["code"], "context_too_long", "{told:?}");
}

#[tokio::test]
async fn without_a_model_the_error_says_how_to_set_one() {
    let Some(mock) = Mock::start(json!([{"match": {}, "response": {"content": "hello"}}])) else { return };
    let house = House::with(&mock, |config| config.models = Default::default()).await;
    let agent = house.agent(json!({"name": "A"})).await;

    let refused = house.try_say(&agent, json!({"message": "hello"})).await.expect_err("there is none");

    assert_eq!(refused.code(), "no_model");
    assert!(refused.to_string().contains("[models.main]"), "{refused}");
}
