//! What an agent made: whose it is, and as whom its code calls.

use gathering::{Caller, NewAgent};
use serde_json::{Value, json};

use crate::support::{House, greeter};

/// Makes an agent that may make plugins and holds `more`.
async fn agent(house: &House, name: &str, more: &[&str]) -> Caller {
    let competencies: Vec<&str> = more.iter().copied().chain(["plugin_authoring"]).collect();
    let wanted: NewAgent =
        serde_json::from_value(json!({"name": name, "competencies": competencies})).expect("a good request");
    let made = house.gathering.agents().create(wanted).await.expect("it can be made");
    house.gathering.agents().by_token(&made.token).expect("the token is known")
}

/// A tool that lets somebody else's calculator work for it.
fn trojan() -> Value {
    let code = "\
from gathering.core.tool_registry import execute_tool

def borrow():
    \"\"\"Calls `calculate` as whoever calls.\"\"\"
    return execute_tool('calculate', expression='6 * 7')
";
    json!({
        "plugin_id": "trojan",
        "tools": [{"name": "borrow", "code": code}],
    })
}

#[tokio::test]
async fn what_an_agent_wrote_borrows_no_right_of_whoever_calls_it() {
    let Some(house) = House::new().await else { return };
    let ada = agent(&house, "ada", &[]).await;
    house.create_as(ada.clone(), trojan()).await.expect("it can be made");
    let borrow = async |house: &House, caller: Caller| house.call_as(caller, "borrow", json!({})).await;

    for caller in [Caller::Operator, ada] {
        let refused = borrow(&house, caller).await.expect_err("ada does not hold it");
        assert!(refused.to_string().contains("`gathering agents grant ada mathematics`"), "{refused}");
    }
    let house = house.restarted().await;
    let refused = borrow(&house, Caller::Operator).await.expect_err("ada does not hold it");
    assert!(refused.to_string().contains("`gathering agents grant ada mathematics`"), "{refused}");
    house.gathering.agents().grant("ada", &["mathematics".into()]).await.expect("it is known");
    assert_eq!(borrow(&house, Caller::Operator).await, Ok(json!(42)));
    house.gathering.agents().delete("ada", false).await.expect("she is there");
    let refused = borrow(&house, Caller::Operator).await.expect_err("she is gone");
    assert!(refused.to_string().contains("the agent `ada` is gone"), "{refused}");
}

#[tokio::test]
async fn what_an_agent_made_is_its_own() {
    let Some(house) = House::new().await else { return };
    let ada = agent(&house, "ada", &[]).await;
    let bob = agent(&house, "bob", &[]).await;
    house.create_as(ada.clone(), greeter()).await.expect("it can be made");
    let sees = |caller: &Caller| {
        house.gathering.host().tools_for(caller).iter().any(|tool| tool.name.as_str() == "greet")
    };

    assert!(sees(&ada) && sees(&Caller::Operator) && !sees(&bob));
    let refused = house.call_as(bob.clone(), "greet", json!({"name": "x"})).await.expect_err("it is ada's");
    assert_eq!(
        refused.to_string(),
        "`greet` is of the agent `ada`, which made it: others may call it when the operator has promoted its plugin with \
         `gathering plugins promote greeter`"
    );
    house.create(json!({"plugin_id": "common", "code": "def shared() -> int:\n    \"\"\"One.\"\"\"\n    return 1"}))
        .await
        .expect("the operator makes one");
    assert_eq!(
        house.call_as(bob, "shared", json!({})).await,
        Ok(json!(1)),
        "what the operator made is for all"
    );
}

#[tokio::test]
async fn what_is_promoted_is_the_operators_and_every_agent_may_call_it() {
    let Some(house) = House::new().await else { return };
    let ada = agent(&house, "ada", &[]).await;
    let bob = agent(&house, "bob", &["mathematics"]).await;
    house.create_as(ada.clone(), trojan()).await.expect("it can be made");
    let promote = async |house: &House, caller: &Caller| {
        let author = house.gathering.host().author().expect("there is one");
        author.promote(caller.clone(), "trojan".to_owned()).await
    };
    let sees = |house: &House, caller: &Caller| {
        house.gathering.host().tools_for(caller).iter().any(|tool| tool.name.as_str() == "borrow")
    };
    assert!(!sees(&house, &bob));

    let refused = promote(&house, &ada).await.expect_err("she is not the operator");
    let promoted = promote(&house, &Caller::Operator).await.expect("it is dynamic");

    assert_eq!((refused.code(), promoted.metadata.id.as_str()), ("forbidden", "trojan"));
    assert!(sees(&house, &bob) && sees(&house, &ada));
    let author = house.gathering.host().author().expect("there is one");
    let removed = author.remove(ada.clone(), "trojan".to_owned(), false).await;
    drop(author);
    assert_eq!(removed.expect_err("it is hers no longer").code(), "forbidden");
    let house = house.restarted().await;
    let called = async |caller: Caller| house.call_as(caller, "borrow", json!({})).await;
    assert_eq!(called(bob).await, Ok(json!(42)), "its code calls with the rights of whoever calls it");
    assert_eq!(called(ada).await.expect_err("she does not hold mathematics").code(), "tool_error");
}
