//! Versions, restarts and kills, and whose a plugin is.

use gathering::{Caller, PluginAuthor, PluginStatus};
use serde_json::{Value, json};

use crate::support::{House, agent, greeter, greeter_with};

fn says(word: &str) -> Value {
    greeter_with(&format!("def greet(name): return '{word}, ' + name"), json!([]))
}

async fn greeting(house: &House) -> Value {
    house.call("greet", json!({"name": "A"})).await.expect("it answers")
}

#[tokio::test]
async fn an_update_takes_over_only_when_it_passed_everything_and_can_be_rolled_back() {
    let Some(house) = House::new().await else { return };
    let dynamic = house.gathering.dynamic();
    house.create(says("Hello")).await.expect("it can be made");

    let failed =
        house.update(greeter_with("def greet(name): return name", json!(["greet(name='x') == 'y'"]))).await;
    let after_failure = greeting(&house).await;
    house.update(says("Good day")).await.expect("it can be updated");
    let after_update = greeting(&house).await;
    dynamic.rollback(Caller::Operator, "greeter".into(), None).await.expect("there is a version before");

    assert_eq!(failed.map_err(|error| error.code()).err(), Some("example_failed"));
    assert_eq!((after_failure, after_update), (json!("Hello, A"), json!("Good day, A")));
    assert_eq!(greeting(&house).await, json!("Hello, A"));
    let versions = dynamic.versions("greeter".into()).await.expect("they are kept");
    let told: Vec<_> = versions.iter().map(|kept| (kept.number, kept.rolled_back_to, kept.current)).collect();
    assert_eq!(told, [(1, None, false), (2, None, false), (3, Some(1), true)]);
    let unknown = dynamic.rollback(Caller::Operator, "greeter".into(), Some(9)).await.expect_err("no such");
    assert_eq!(unknown.to_string(), "`greeter` has no version 9: there are 1, 2, 3");
    house
        .update(json!({"plugin_id": "core", "tools": greeter()["tools"]}))
        .await
        .expect_err("it is built in");
}

#[tokio::test]
async fn twenty_versions_are_kept() {
    let Some(house) = House::new().await else { return };
    house.create(says("0")).await.expect("it can be made");
    for number in 1..23 {
        house.update(says(&number.to_string())).await.expect("it can be updated");
    }

    let versions = house.gathering.dynamic().versions("greeter".into()).await.expect("they are kept");

    assert_eq!((versions.len(), versions[0].number, versions[19].number), (20, 4, 23));
    assert_eq!(greeting(&house).await, json!("22, A"));
}

#[tokio::test]
async fn it_is_back_after_a_restart_and_after_a_kill() {
    let Some(house) = House::new().await else { return };
    house.create(says("Hello")).await.expect("it can be made");
    house.update(says("Good day")).await.expect("it can be updated");

    let house = house.restarted().await;
    let after_restart = greeting(&house).await;
    let house = house.killed().await;

    assert_eq!((after_restart, greeting(&house).await), (json!("Good day, A"), json!("Good day, A")));
    assert_eq!(house.gathering.problems(), [""; 0]);
    assert_eq!(house.gathering.dynamic().versions("greeter".into()).await.expect("they are kept").len(), 2);
}

#[tokio::test]
async fn what_a_kill_left_half_done_is_finished_or_undone_at_the_next_start() {
    let Some(house) = House::new().await else { return };
    house.create(says("Hello")).await.expect("it can be made");
    house.update(says("Good day")).await.expect("it can be updated");
    let folder = house.gathering.data_dir().dynamic();
    let versions = folder.join(".versions/greeter");
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("it can be written");

    // An update was about to take over: its version is complete and does not run.
    std::fs::copy(versions.join("1.py"), versions.join("3.py")).expect("it can be copied");
    let record = std::fs::read_to_string(versions.join("2.json")).expect("it is there");
    std::fs::write(versions.join("3.json"), record.replace("\"number\": 2", "\"number\": 3"))
        .expect("written");
    // An update and a creation were being tried.
    std::fs::write(versions.join("4.py"), "x = 1").expect("it can be written");
    put("half.py", "x = 1");
    std::fs::create_dir(folder.join(".versions/half")).expect("it can be made");
    put(".versions/half/1.py", "x = 1");
    put(".greeter.new", "x = 1");
    let house = house.killed().await;

    assert_eq!(greeting(&house).await, json!("Good day, A"));
    assert_eq!(
        house.files(),
        [
            ".versions/greeter/1.json",
            ".versions/greeter/1.py",
            ".versions/greeter/2.json",
            ".versions/greeter/2.py",
            "greeter.py"
        ]
    );

    // A creation had passed everything and was not registered; a removal had begun.
    std::fs::remove_file(house.gathering.data_dir().state()).expect("it is there");
    let house = house.killed().await;
    let adopted = greeting(&house).await;
    std::fs::remove_dir_all(house.gathering.data_dir().dynamic().join(".versions/greeter"))
        .expect("it is there");
    let house = house.killed().await;

    assert_eq!(adopted, json!("Good day, A"));
    assert_eq!((house.plugins(), house.files()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_removal_that_a_kill_cut_short_after_unloading_is_finished_and_an_unloaded_plugin_stays() {
    let Some(house) = House::new().await else { return };
    house.create(greeter()).await.expect("it can be made");
    house.gathering.host().unload("greeter", false).await.expect("it can be unloaded");
    let house = house.killed().await;
    let unloaded = house.plugins();
    let mark = house.gathering.data_dir().dynamic().join(".versions/greeter/.being-removed");
    std::fs::write(mark, "").expect("it can be written");

    let house = house.killed().await;

    assert_eq!(unloaded, ["greeter"]);
    assert_eq!((house.plugins(), house.files()), (Vec::new(), Vec::new()));
    house.create(greeter()).await.expect("its names are free");
}

#[tokio::test]
async fn a_removed_plugin_leaves_nothing_and_its_names_are_free() {
    let Some(house) = House::new().await else { return };
    house.create(greeter()).await.expect("it can be made");

    let removed = house.gathering.dynamic().remove(Caller::Operator, "greeter".into(), false).await;

    assert_eq!(removed.expect("it can be removed").len(), 1);
    assert_eq!((house.plugins(), house.files()), (Vec::new(), Vec::new()));
    let gone = house.call("greet", json!({"name": "A"})).await.expect_err("it is gone");
    assert_eq!(gone.code(), "unknown_tool");
    let house = house.restarted().await;
    house.create(greeter()).await.expect("it can be made again");
    let core = house
        .gathering
        .dynamic()
        .remove(Caller::Operator, "core".into(), false)
        .await
        .expect_err("it is built in");
    assert_eq!(core.to_string(), "the plugin `core` was not made of code: its source is built-in `core`");
}

#[tokio::test]
async fn an_agent_changes_and_removes_only_what_it_made() {
    let Some(house) = House::new().await else { return };
    let dynamic = house.gathering.dynamic();
    let (ada, bob) = (agent("ada", &["plugin_authoring"]), agent("bob", &["plugin_authoring"]));
    house.create_as(ada.clone(), says("Hello")).await.expect("it can be made");

    let others = house.update_as(bob.clone(), says("Mine")).await.expect_err("it is another's");
    let removed = dynamic.remove(bob.clone(), "greeter".into(), false).await.expect_err("it is another's");
    let saved = dynamic.save(ada.clone(), "greeter".into(), None, false).await.expect_err("not an agent");
    house.update_as(Caller::Operator, says("Good day")).await.expect("the operator may");
    house.update_as(ada.clone(), says("Hi")).await.expect("it is its own still");

    assert_eq!(
        others.to_string(),
        "`greeter` was made by `ada`: an agent may change and remove only the plugins that it made itself"
    );
    assert_eq!((removed.code(), saved.code()), ("forbidden", "forbidden"));
    assert_eq!(house.call_as(ada.clone(), "greet", json!({"name": "B"})).await, Ok(json!("Hi, B")));
    dynamic.remove(ada, "greeter".into(), false).await.expect("it is its own");
}

#[tokio::test]
async fn a_competency_of_an_agents_plugin_grants_nothing() {
    let Some(house) = House::new().await else { return };
    let ada = agent("ada", &["poetry"]);
    let mut plugin = greeter();
    plugin["competencies"] =
        json!([{"id": "poetry", "name": "Poetry", "description": "Poems", "prerequisites": ["mathematics"]}]);
    house.create_as(ada.clone(), plugin).await.expect("it can be made");

    let refused =
        house.call_as(ada, "calculate", json!({"expression": "1 + 1"})).await.expect_err("not held");

    assert_eq!(refused.code(), "missing_competency");
    assert_eq!(house.gathering.host().plugin("greeter").expect("known").status, PluginStatus::Enabled);
}

#[tokio::test]
async fn an_agent_that_may_makes_updates_and_removes_plugins_with_tools() {
    let Some(house) = House::new().await else { return };
    let ada = agent("ada", &["plugin_authoring"]);
    let call = async |caller: &Caller, tool: &str, arguments: Value| {
        house.call_as(caller.clone(), tool, arguments).await
    };

    let made = call(&ada, "create_plugin", greeter()).await.expect("it can be made");
    let greeting = call(&ada, "greet", json!({"name": "World"})).await;
    let broken = call(&ada, "update_plugin", says("x'")).await.expect_err("it is no Python");
    call(&ada, "update_plugin", says("Hi")).await.expect("it can be updated");
    let other =
        call(&agent("bob", &["plugin_authoring"]), "remove_plugin", json!({"plugin_id": "greeter"})).await;
    let updated = call(&ada, "greet", json!({"name": "World"})).await;
    let removed = call(&ada, "remove_plugin", json!({"plugin_id": "greeter"})).await.expect("it is its own");

    assert_eq!((&made["plugin_id"], &made["status"]), (&json!("greeter"), &json!("enabled")));
    assert_eq!(made["tools"][0]["parameters"]["required"], json!(["name"]));
    assert_eq!((greeting, updated), (Ok(json!("Hello, World!")), Ok(json!("Hi, World"))));
    assert_eq!(broken.code(), "tool_error");
    assert!(broken.to_string().starts_with("the code of `greet`, line 1, column "), "{broken}");
    assert_eq!(other.expect_err("it is another's").code(), "forbidden");
    assert_eq!(removed, json!({"plugin_id": "greeter", "removed": ["greeter"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn four_calls_of_it_run_side_by_side() {
    let Some(house) = House::new().await else { return };
    let code = "\
import os

def meet(name: str) -> bool:
    \"\"\"Waits until four are here.\"\"\"
    place = os.path.join(os.environ['HOME'], 'meeting')
    os.makedirs(place, exist_ok=True)
    open(os.path.join(place, name), 'w').close()
    while len(os.listdir(place)) < 4:
        os.sched_yield()
    return True
";
    house.create(json!({"plugin_id": "party", "code": code})).await.expect("it is made");

    let calls = ["a", "b", "c", "d"].map(|name| json!({"name": name}));
    let [a, b, c, d] = calls.map(|arguments| house.call("meet", arguments));
    let met = tokio::join!(a, b, c, d);

    assert_eq!(met, (Ok(json!(true)), Ok(json!(true)), Ok(json!(true)), Ok(json!(true))));
}

#[tokio::test]
async fn what_its_code_asks_for_it_may_when_it_is_granted_and_until_the_code_changes() {
    let Some(house) = House::new().await else { return };
    let folder = house.folder.path().canonicalize().expect("it is there").join("shared");
    std::fs::create_dir(&folder).expect("it can be made");
    std::fs::write(folder.join("text"), "shared").expect("it can be written");
    let place = folder.display().to_string();
    let code = |body: &str| {
        format!(
            "# /// script\n# [tool.gathering.permissions]\n# read = [\"{place}\"]\n# ///\ndef greet(name):\n    {body}\n"
        )
    };
    let reads = format!("return open('{place}/' + name).read()");
    let mut by_field = greeter_with(&format!("def greet2(name):\n    {reads}"), json!([]));
    by_field["plugin_id"] = "by_field".into();
    by_field["tools"][0]["name"] = "greet2".into();
    by_field["permissions"] = json!({"read": [place]});
    house.create(greeter_with(&code(&reads), json!([]))).await.expect("it can be made");
    house.create(by_field).await.expect("it can be made");
    let words =
        gathering::Permissions::from_words([format!("read={place}").as_str()]).expect("they are words");

    for (plugin, tool) in [("greeter", "greet"), ("by_field", "greet2")] {
        let permissions = house.gathering.host().permissions(plugin).await.expect("it is known");
        let command = format!("gathering plugins grant {plugin} read={place}");
        assert_eq!(permissions.grant_command, Some(command));

        house.gathering.host().grant(plugin, words.clone()).await.expect("it can be granted");

        assert_eq!(house.call(tool, json!({"name": "text"})).await, Ok(json!("shared")));
    }
    let changed = greeter_with(&code(&format!("{reads}  # changed")), json!([]));
    house.update(changed).await.expect("it can be updated");
    let permissions = house.gathering.host().permissions("greeter").await.expect("it is known");
    assert_eq!(permissions.missing, words, "nobody has seen the new code");
}
