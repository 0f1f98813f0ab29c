//! What providers do wrong: limits, trouble, answers that break off, refusals, and nobody there.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::mock::Mock;
use crate::support::House;

const BOTH: [&str; 2] = ["openai", "anthropic"];

#[tokio::test]
async fn a_provider_that_limits_is_asked_again_when_it_wants_to_be() {
    for model in BOTH {
        let Some(mock) = Mock::start(json!([
            {"match": {"userMessage": "hello", "sequenceIndex": 0},
             "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429, "retryAfter": 1}},
            {"match": {"userMessage": "hello", "sequenceIndex": 1},
             "response": {"error": {"message": "too much to do", "type": "overloaded_error"}, "status": 503}},
            {"match": {"userMessage": "hello"}, "response": {"content": "Hello."}},
        ])) else {
            return;
        };
        let house = House::new(&mock).await;
        let agent = house.agent(json!({"name": "A", "model": model})).await;
        let begun = Instant::now();

        let told = house.say(&agent, "hello").await;

        assert_eq!(told.end()["text"], "Hello.", "{told:?}");
        let retries = told.all("retry");
        assert_eq!(retries[0]["after_ms"], 1000, "{retries:?}");
        assert!(
            retries[0]["reason"].as_str().is_some_and(|reason| reason.contains("429: slow down")),
            "{retries:?}"
        );
        assert!(
            retries[1]["reason"].as_str().is_some_and(|reason| reason.contains("trouble of its own")),
            "{retries:?}"
        );
        assert!(begun.elapsed() >= Duration::from_secs(1));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_and_what_came_of_it_is_void() {
    for model in BOTH {
        let whole = "This is a long answer that comes in several pieces, one after the other.";
        let Some(mock) = Mock::start(json!([
            {"match": {"userMessage": "tell", "sequenceIndex": 0}, "response": {"content": whole},
             "truncateAfterChunks": 4, "latency": 30},
            {"match": {"userMessage": "tell"}, "response": {"content": whole}},
        ])) else {
            return;
        };
        let house = House::new(&mock).await;
        let agent = house.agent(json!({"name": "A", "model": model})).await;

        let told = house.say(&agent, "tell me").await;

        assert_eq!(told.names(), ["conversation", "text", "retry", "text", "usage", "done"], "{told:?}");
        assert_eq!(told.end()["text"], whole);
        let kept = house.gathering.chats().list(&agent).await.expect("they are listed");
        assert_eq!(kept[0].messages, 2);
    }
}

#[tokio::test]
async fn what_waiting_does_not_help_is_told_at_once_with_what_to_do() {
    let cases = [
        (
            json!({"error": {"message": "bad key", "type": "authentication_error"}, "status": 401}),
            "model_unauthenticated",
        ),
        (
            json!({"error": {"message": "no such model", "type": "not_found_error"}, "status": 404}),
            "model_refused",
        ),
        (
            json!({"error": {"message": "prompt is too long: 9 tokens", "type": "invalid_request_error"}, "status": 400}),
            "context_too_long",
        ),
        (
            json!({"error": {"message": "You exceeded your quota", "type": "insufficient_quota", "code": "insufficient_quota"},
            "status": 429}),
            "model_used_up",
        ),
    ];
    for (response, code) in cases {
        let Some(mock) = Mock::start(json!([{"match": {}, "response": response}])) else { return };
        let house = House::new(&mock).await;
        for model in BOTH {
            let agent = house.agent(json!({"name": "A", "model": model})).await;

            let told = house.say(&agent, "hello").await;

            let end = told.end();
            assert_eq!((&end["event"], &end["code"]), (&json!("error"), &json!(code)), "{end}");
            assert!(end.get("conversation_id").is_none() && told.all("retry").is_empty(), "{told:?}");
            assert!(house.gathering.chats().list(&agent).await.expect("a list").is_empty());
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_speaks_something_else_is_told_of_by_its_address() {
    let Some(mock) = Mock::start(json!([{"match": {}, "response": {"content": "hello"}}])) else { return };
    let url = mock.url.clone();
    let house = House::with(&mock, |config| {
        let settings = json!({
            "page": {"provider": "openai", "url": format!("{url}/__aimock"), "model": "m"},
            "gone": {"provider": "openai", "url": "http://127.0.0.1:1/v1", "model": "m"},
            "keyless": {"provider": "openai", "url": url, "model": "m", "secret": "NOT_THERE"},
        });
        config.models = serde_json::from_value(settings).expect("good settings");
        config.chat.time = Duration::from_millis(900);
    })
    .await;
    let mut ends = Vec::new();
    for model in ["page", "gone", "keyless"] {
        let agent = house.agent(json!({"name": model, "model": model})).await;
        ends.push(house.say(&agent, "hello").await.end().clone());
    }

    assert_eq!(ends[0]["code"], "model_refused", "{}", ends[0]);
    assert_eq!(ends[1]["code"], "model_unreachable");
    let gone = ends[1]["message"].as_str().expect("a text");
    assert!(
        gone.contains("http://127.0.0.1:1/v1/chat/completions") && gone.contains("models.gone.url"),
        "{gone}"
    );
    assert_eq!(
        ends[2]["message"],
        "the key of the model `keyless` is missing: `gathering secrets set NOT_THERE` keeps it"
    );
}

#[tokio::test]
async fn a_key_is_sent_where_it_belongs_and_shown_nowhere() {
    let Some(mock) = Mock::start(json!([
        {"match": {"userMessage": "hello"}, "response": {"content": "Hello."}},
        {"match": {}, "response": {"error": {"message": "the key sk-mock-0123 is not known", "type": "x"}, "status": 401}},
    ])) else {
        return;
    };
    let url = mock.url.clone();
    let house = House::with(&mock, |config| {
        let settings = json!({
            "a": {"provider": "anthropic", "url": url, "model": "m", "secret": "MOCK_KEY"},
            "o": {"provider": "openai", "url": format!("{url}/v1"), "model": "m", "secret": "MOCK_KEY"},
        });
        config.models = serde_json::from_value(settings).expect("good settings");
    })
    .await;
    house.gathering.secrets().set("MOCK_KEY", "sk-mock-0123").expect("it can be kept");
    for model in ["a", "o"] {
        let agent = house.agent(json!({"name": model, "model": model})).await;
        let told = house.say(&agent, "hello").await;
        let refused = house.say(&agent, "something else").await;

        assert_eq!(told.end()["text"], "Hello.");
        let refused = refused.end()["message"].as_str().expect("a text");
        assert!(
            refused.contains("401: the key *** is not known") && refused.contains("secrets set MOCK_KEY"),
            "{refused}"
        );
    }
    let journal = mock.journal().await;
    let header = |at: usize, name: &str| journal[at]["headers"][name].as_str().map(str::to_owned);
    assert!(header(0, "x-api-key").is_some() && header(0, "anthropic-version").is_some(), "{journal}");
    assert!(header(2, "authorization").is_some() && header(2, "x-api-key").is_none(), "{journal}");
    let models = serde_json::to_string(&house.gathering.chats().models().list()).expect("plain data");
    let debug = format!("{:?}", house.gathering.chats().models());
    assert!(!models.contains("sk-mock") && !debug.contains("sk-mock"), "{models} {debug}");
}
