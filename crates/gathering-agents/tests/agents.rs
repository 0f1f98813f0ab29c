//! Making, changing and deleting agents: what is refused, what is kept, and whose a token is.

use std::sync::Arc;
use std::time::Duration;

use gathering_agents::{AgentChange, AgentError, Agents, NewAgent, NewToken, may_spend, spend};
use gathering_core::{AgentLimits, Caller, RateLimit, ToolError};
use gathering_host::{CallOptions, Limits};
use gathering_testkit::{FakePlugin, TestHost};
use serde_json::{Value, json};

/// A host with the competencies `python`, `git` and `authoring`, which builds on `python`, and a tool for each.
async fn host() -> TestHost {
    let host = TestHost::default();
    let tool = |name: &str, required: &[&str]| json!({"name": name, "description": name, "category": "custom", "required_competencies": required});
    host.enable_fake(
        FakePlugin::new("p")
            .competency("python", &[])
            .competency("git", &[])
            .competency("authoring", &["python"])
            .tool_with(tool("echo_python", &["python"]))
            .tool_with(tool("echo_git", &["git:advanced"]))
            .tool_with(tool("echo_authoring", &["authoring"]))
            .tool_with(tool("call_any", &[]))
            .tool_with(tool("wait_any", &[])),
    )
    .await;
    host
}

fn kept(host: &TestHost) -> Agents {
    Agents::open(host.host.clone(), host.store.clone()).expect("the store answers")
}

fn wanted(agent: Value) -> NewAgent {
    serde_json::from_value(agent).expect("a good request")
}

async fn make(agents: &Agents, agent: Value) -> NewToken {
    agents.create(wanted(agent)).await.expect("the agent can be made")
}

async fn refused(agents: &Agents, agent: Value) -> String {
    agents.create(wanted(agent)).await.expect_err("it does not fit").to_string()
}

fn tools(agents: &Agents, id: &str) -> Vec<String> {
    agents.tools(id).expect("the agent is there").iter().map(|tool| tool.name.to_string()).collect()
}

fn caller(agents: &Agents, id: &str) -> Caller {
    Caller::Agent(agents.rights(id).expect("the agent is there"))
}

#[tokio::test]
async fn an_agent_is_known_by_its_token_and_the_token_is_kept_nowhere() {
    let host = host().await;
    let agents = kept(&host);
    assert!(!agents.were_made());

    let made =
        make(&agents, json!({"name": "Data Analyst", "competencies": ["python", "git:advanced"]})).await;

    assert_eq!(made.agent.id, "data-analyst");
    assert_eq!((made.token.len(), &made.token[..4]), (68, "gat_"));
    for agents in [&agents, &kept(&host)] {
        let Some(Caller::Agent(rights)) = agents.by_token(&made.token) else { panic!("the token is known") };
        assert_eq!(rights.id, "data-analyst");
        assert!(agents.by_token("gat_").is_none() && agents.by_token("").is_none());
        assert!(agents.were_made());
    }
    let record = &gathering_core::StateStore::agents(&*host.store).expect("it answers")[0];
    assert!(!serde_json::to_string(record).expect("JSON").contains(&made.token[4..]));
    assert!(agents.by_token(&record.token_sha256).is_none(), "what is kept is no token");
    assert!(!format!("{made:?}").contains(&made.token));
}

#[tokio::test]
async fn competencies_decide_which_tools_an_agent_has() {
    let agents = Agents::new(host().await.host);
    make(&agents, json!({"name": "a"})).await;

    assert_eq!(tools(&agents, "a"), ["call_any", "wait_any"]);
    agents.grant("a", &["git".into()]).await.expect("git is known");
    assert_eq!(tools(&agents, "a"), ["call_any", "wait_any"], "`git` is less than `git:advanced`");
    agents.grant("A", &["git:expert".into(), "authoring".into()]).await.expect("both are known");
    assert_eq!(
        tools(&agents, "a"),
        ["echo_python", "echo_git", "echo_authoring", "call_any", "wait_any"],
        "authoring builds on python"
    );
    agents.revoke("a", "git").await.expect("it is held");
    assert_eq!(tools(&agents, "a"), ["echo_python", "echo_authoring", "call_any", "wait_any"]);
    assert_eq!(
        agents.revoke("a", "git").await.unwrap_err().to_string(),
        "the agent `a` does not itself hold `git`: it holds `authoring`"
    );
}

#[tokio::test]
async fn what_is_unknown_is_refused_with_what_looks_like_it() {
    let agents = Agents::new(host().await.host);
    make(&agents, json!({"name": "helper"})).await;

    assert_eq!(
        refused(&agents, json!({"name": "b", "competencies": ["pyhton"]})).await,
        "there is no competency called `pyhton`; did you mean `python`?"
    );
    assert_eq!(
        refused(&agents, json!({"name": "b", "denied_tools": ["echo_gti"]})).await,
        "there is no tool called `echo_gti`; did you mean `echo_git`?"
    );
    assert_eq!(
        refused(&agents, json!({"name": "b", "parent": "helpr"})).await,
        "there is no agent called `helpr`; did you mean `helper`?"
    );
    assert_eq!(
        refused(&agents, json!({"name": "b", "competencies": ["git:advancd"]})).await,
        "`advancd` is no level of `git`: there are novice, intermediate, advanced and expert"
    );
    assert_eq!(
        refused(&agents, json!({"name": " "})).await,
        "`name` must be one line of 1 to 200 characters"
    );
    assert!(
        refused(&agents, json!({"name": "b", "limits": {"calls_per_minute": 0}}))
            .await
            .contains("at least 1")
    );
    assert!(serde_json::from_value::<NewAgent>(json!({"name": "b", "limits": {"calls": 5}})).is_err());
    assert_eq!(agents.list().len(), 1, "nothing is left of what was refused");
}

#[tokio::test]
async fn a_sub_agent_never_has_more_than_its_parent() {
    let agents = Agents::new(host().await.host);
    make(&agents, json!({"name": "boss", "competencies": ["authoring"], "denied_tools": ["wait_any"]})).await;

    make(&agents, json!({"name": "sub", "competencies": ["python"], "parent": "boss"})).await;

    assert_eq!(tools(&agents, "sub"), ["echo_python", "call_any"]);
    assert_eq!(
        agents.grant("sub", &["git".into(), "python:expert".into()]).await.unwrap_err().to_string(),
        "a sub-agent holds no more than its parent, and `boss` does not hold `git`, `python:expert`: \
         `gathering agents grant boss git python:expert` comes first"
    );
    agents.revoke("boss", "authoring").await.expect("it is held");
    assert_eq!(tools(&agents, "sub"), ["call_any"], "what the parent lost, the sub-agent cannot use");
    let error = agents.delete("boss", false).await.unwrap_err();
    assert_eq!(error.to_string(), "`boss` is the parent of `sub`: delete them first, or use cascade");
    assert_eq!(agents.delete("boss", true).await.expect("with cascade"), ["sub", "boss"]);
    assert!(agents.list().is_empty());
}

#[tokio::test]
async fn a_deleted_agent_is_nobody_and_nobody_gets_its_id() {
    let host = host().await;
    let agents = kept(&host);
    let first = make(&agents, json!({"name": "Worker"})).await;
    let rights = agents.rights("worker").expect("it is there");

    agents.delete("worker", false).await.expect("it is there");
    let second = make(&agents, json!({"name": "Worker"})).await;

    for agents in [&agents, &kept(&host)] {
        assert!(agents.by_token(&first.token).is_none());
        assert!(agents.by_token(&second.token).is_some());
        assert!(matches!(agents.get("worker"), Err(AgentError::Unknown { .. })));
        assert!(agents.were_made());
    }
    assert_eq!(second.agent.id, "worker-2");
    assert!(rights.is_withdrawn());
    for (name, id) in
        [("Operator", "operator-2"), ("7 of 9", "agent-7-of-9"), ("Zoë!", "zo"), ("日本", "agent")]
    {
        let made = make(&agents, json!({"name": name})).await;
        assert_eq!(made.agent.id, id);
    }
}

#[tokio::test]
async fn a_new_token_takes_the_place_of_the_old_one() {
    let agents = Agents::new(host().await.host);
    let old = make(&agents, json!({"name": "a"})).await.token;

    let new = agents.renew_token("a").await.expect("it is there").token;

    assert!(agents.by_token(&old).is_none() && agents.by_token(&new).is_some());
}

#[tokio::test]
async fn a_call_in_flight_goes_on_with_no_right_that_was_taken_meanwhile() {
    let host = host().await;
    let agents = kept(&host);
    make(&agents, json!({"name": "a", "competencies": ["python"]})).await;
    let nested = |caller| host.call_as(caller, "call_any", json!({"tool": "echo_python"}));
    let before = caller(&agents, "a");

    agents.grant("a", &["git".into()]).await.expect("git is known");
    assert_eq!(nested(before.clone()).await, Ok(json!({})), "nothing was taken");
    let before = caller(&agents, "a");
    agents.revoke("a", "git").await.expect("it is held");

    assert_eq!(
        nested(before).await.unwrap_err().to_string(),
        "the agent `a` is gone, or something was taken from it after this call began: call again"
    );
    assert_eq!(nested(caller(&agents, "a")).await, Ok(json!({})));
}

#[tokio::test]
async fn rules_refine_what_competencies_open_and_open_nothing() {
    let agents = Agents::new(host().await.host);
    let rules =
        json!({"name": "a", "competencies": ["python"], "allowed_tools": ["Echo_Python", "echo_git"]});
    make(&agents, rules).await;

    assert_eq!(tools(&agents, "a"), ["echo_python"]);
    let all: AgentChange = serde_json::from_value(json!({"allowed_tools": null})).expect("a good change");
    agents.update("a", all).await.expect("it is there");
    assert_eq!(tools(&agents, "a"), ["echo_python", "call_any", "wait_any"]);
}

#[tokio::test]
async fn an_agents_limits_hold_for_all_its_calls_and_those_of_its_sub_agents() {
    let host = host().await;
    let agents = kept(&host);
    let limits = json!({"calls_per_minute": 3, "call_seconds": 0.02});
    make(&agents, json!({"name": "a", "limits": limits})).await;
    make(&agents, json!({"name": "sub", "parent": "a"})).await;

    let slow = host.call_as(caller(&agents, "sub"), "wait_any", json!({})).await.unwrap_err();
    assert_eq!(slow.to_string(), "`wait_any` did not answer within 20ms");
    let nested = json!({"tool": "call_any", "arguments": {"tool": "nothing"}});
    let refused = host.call_as(caller(&agents, "a"), "call_any", nested).await.unwrap_err();

    assert!(
        refused.to_string().starts_with("the agent `a` may make 3 calls a minute and has made them"),
        "{refused}"
    );
    let options = CallOptions { timeout: Some(Duration::from_secs(5)) };
    let report = host.execute(caller(&agents, "a"), "call_any", Default::default(), options).await;
    assert!(matches!(
        report.outcome,
        Err(ToolError::RateLimited { limit: RateLimit::CallsPerMinute(3), .. })
    ));
}

#[tokio::test]
async fn what_models_take_is_counted_against_an_agent_and_those_above_it() {
    let host = host().await;
    let agents = kept(&host);
    make(&agents, json!({"name": "a", "limits": {"tokens_per_day": 1000}})).await;
    make(&agents, json!({"name": "sub", "parent": "a", "limits": {"cost_per_day": 0.5}})).await;
    let rights = |id: &str| agents.rights(id).expect("it is there");

    spend(&rights("sub"), 1200, 0.1).expect("a day's worth was left");
    let refused = may_spend(&rights("sub")).unwrap_err();

    assert!(matches!(refused, ToolError::RateLimited { limit: RateLimit::TokensPerDay(1000), .. }));
    assert!(
        refused.to_string().starts_with(
            "the agent `a` may use 1000 tokens of models a day and has used them; try again in 1"
        ),
        "{refused}"
    );
    assert_eq!(
        self::refused(&agents, json!({"name": "b", "limits": {"cost_per_day": 0}})).await,
        "`cost_per_day` must be a number greater than 0; leave it out for no limit"
    );
}

#[tokio::test]
async fn agents_come_back_after_a_restart_and_what_cannot_be_saved_is_not_made() {
    let host = host().await;
    let agents = kept(&host);
    make(
        &agents,
        json!({
            "name": "a", "competencies": ["git:expert"], "instructions": "Be brief.", "provider": "anthropic",
            "model": "m", "limits": {"call_seconds": 2.5}, "denied_tools": ["wait_any"],
        }),
    )
    .await;
    make(&agents, json!({"name": "b", "parent": "a"})).await;

    host.store.set_full(true);
    assert_eq!(agents.create(wanted(json!({"name": "c"}))).await.unwrap_err().code(), "storage_full");
    assert_eq!(agents.delete("b", false).await.unwrap_err().code(), "storage_full");

    let again = TestHost::over(host.runtime.clone(), host.store.clone(), Limits::default());
    let restored = kept(&again);
    assert_eq!(restored.list(), agents.list());
    assert_eq!(
        restored.get("a").expect("it is there").limits,
        AgentLimits { call_seconds: Some(2.5), ..Default::default() }
    );
    assert!(Arc::ptr_eq(
        restored.rights("b").expect("it is there").parent.as_ref().expect("a parent"),
        &restored.rights("a").expect("it is there")
    ));
}

#[tokio::test]
async fn a_learning_path_says_what_each_step_opens_and_how_it_is_granted() {
    let agents = Agents::new(host().await.host);
    make(&agents, json!({"name": "a"})).await;

    let path =
        serde_json::to_value(agents.learning_path("a", "authoring").expect("it is known")).expect("JSON");

    assert_eq!(
        path,
        json!({
            "agent_id": "a", "competency_id": "authoring", "held": false,
            "steps": [
                {"competency_id": "python", "held": false, "gains": ["echo_python"]},
                {"competency_id": "authoring", "held": false, "gains": ["echo_authoring"]},
            ],
            "grant_command": "gathering agents grant a authoring",
        })
    );
    agents.grant("a", &["authoring".into(), "git".into()]).await.expect("both are known");
    let path = agents.learning_path("a", "python").expect("it is known");
    assert!(path.held && path.grant_command.is_none() && path.steps.iter().all(|step| step.gains.is_empty()));
    let path = agents.learning_path("a", "git:advanced").expect("it is known");
    assert_eq!((path.held, path.steps[0].gains[0].as_str()), (false, "echo_git"));
    assert_eq!(agents.learning_path("a", "gti").unwrap_err().code(), "unknown_competency");
}
