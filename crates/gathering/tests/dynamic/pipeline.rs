//! From a request to a tool that answers, and what becomes of requests that fail on the way.

use gathering::{AuthoringError, PluginStatus};
use serde_json::{Value, json};

use crate::support::{House, greeter, greeter_with};

#[tokio::test]
async fn the_documents_greeter_greets() {
    let Some(house) = House::new().await else { return };

    let plugin = house.create(greeter()).await.expect("it can be made");

    assert_eq!((plugin.status, plugin.tools_count), (PluginStatus::Enabled, 1));
    assert_eq!(
        (plugin.metadata.version.as_str(), plugin.metadata.author.as_str()),
        ("1.0.0", "GatheRing Agent")
    );
    assert_eq!(house.call("greet", json!({"name": "World"})).await, Ok(json!("Hello, World!")));
    assert_eq!(house.files(), [".versions/greeter/1.json", ".versions/greeter/1.py", "greeter.py"]);
}

#[tokio::test]
async fn code_has_imports_constants_helpers_and_recursion() {
    let Some(house) = House::new().await else { return };
    let sums = r#"
"""Sums of many kinds."""

import math
from functools import reduce

LIMIT = 10

def _helper(n):
    return n if n <= LIMIT else LIMIT

def factorial(n: int) -> int:
    """The factorial.

    Args:
        n: a number, up to ten
    """
    n = _helper(n)
    return 1 if n == 0 else n * factorial(n - 1)
"#;
    let waits = "import asyncio\nLIMIT = 3\nasync def _helper(n):\n    await asyncio.sleep(0)\n    return n + LIMIT\n\
                 async def later(n: int = 1):\n    'Adds later.'\n    return await _helper(n)\n";

    house
        .create(json!({"plugin_id": "sums", "tools": [{"name": "factorial", "code": sums}, {"name": "later", "code": waits}]}))
        .await
        .expect("it can be made");

    assert_eq!(house.call("factorial", json!({"n": 12})).await, Ok(json!(3_628_800)));
    assert_eq!(house.call("later", json!({})).await, Ok(json!(4)), "two helpers of one name do not clash");
    let tools = house.gathering.host().snapshot();
    let factorial = tools.tools().get("factorial").expect("it is registered");
    assert_eq!(
        factorial.definition().parameters.to_value(),
        json!({
            "type": "object",
            "properties": {"n": {"type": "integer", "description": "a number, up to ten"}},
            "required": ["n"],
            "additionalProperties": false,
        })
    );
    assert_eq!(&*factorial.description, "The factorial.");
    assert_eq!(
        house.gathering.host().plugin("sums").expect("known").metadata.description,
        "Sums of many kinds."
    );
}

#[tokio::test]
async fn each_public_function_of_a_plugins_code_is_a_tool_and_they_share_it() {
    let Some(house) = House::new().await else { return };
    let code = "count = 0\ndef up():\n    'Counts up.'\n    global count\n    count += 1\n    return count\n\
                def now():\n    'Tells the count.'\n    return count\n";

    house.create(json!({"plugin_id": "counter", "code": code})).await.expect("it can be made");

    assert_eq!(house.call("up", json!({})).await, Ok(json!(1)));
    assert_eq!(house.call("now", json!({})).await, Ok(json!(1)));
}

#[tokio::test]
async fn a_configuration_is_checked_and_seen_by_the_code() {
    let Some(house) = House::new().await else { return };
    let plugin = |config: Value, schema: Value| {
        json!({
            "plugin_id": "shouter", "config": config, "config_schema": schema,
            "tools": [{"name": "shout", "description": "Shouts", "code": "def shout(text):\n    return text + config['mark'] * config.get('count', 1)"}],
        })
    };
    let schema =
        json!({"mark": {"type": "string", "maxLength": 1}, "count": {"type": "integer", "default": 2}});

    let refused =
        house.create(plugin(json!({"mark": "!!"}), schema.clone())).await.expect_err("it is too long");
    house.create(plugin(json!({"mark": "?"}), schema)).await.expect("it fits");

    assert_eq!(refused.code(), "invalid_plugin", "{refused}");
    assert_eq!(house.call("shout", json!({"text": "hey"})).await, Ok(json!("hey??")));
}

#[tokio::test]
async fn examples_that_are_calls_are_tried_on_a_copy_of_their_own() {
    let Some(house) = House::new().await else { return };
    let code = "count = 0\ndef greet(name='you', *, times: int = 1):\n    global count\n    count += 1\n    return f'Hello, {name}! ' * times + str(count)\n";
    let examples = json!([
        "greet(name='World') == 'Hello, World! 1'",
        "greet('Ada', times=2) -> 'Hello, Ada! Hello, Ada! 2'",
        "greet() -> a greeting",
        "say hello to the world",
        {"arguments": {"name": "Bo"}, "result": "Hello, Bo! 4"},
    ]);
    let mut plugin = greeter_with(code, examples.clone());
    plugin["tools"][0]["parameters"] = Value::Null;

    house.create(plugin).await.expect("they give what they say");

    assert_eq!(
        house.call("greet", json!({})).await,
        Ok(json!("Hello, you! 1")),
        "nothing is left of the examples"
    );
    let snapshot = house.gathering.host().snapshot();
    let kept = snapshot.tools().get("greet").expect("it is registered").examples.to_vec();
    assert_eq!(Value::Array(kept), examples);
}

/// What is wrong, the code of the refusal, and what its text says.
fn refusals() -> Vec<(Value, &'static str, &'static str)> {
    let code = |code: &str| greeter_with(code, json!([]));
    let mut taken = greeter();
    taken["tools"][0]["name"] = "calculate".into();
    let mut own = greeter();
    own["plugin_id"] = "core".into();
    let mut competency = greeter();
    competency["competencies"] = json!([{"id": "git", "name": "Git", "description": "Again"}]);
    let mut prerequisite = greeter();
    prerequisite["competencies"] =
        json!([{"id": "c", "name": "C", "description": "C", "prerequisites": ["nothing"]}]);
    let mut undescribed = greeter();
    undescribed["tools"][0]["description"] = Value::Null;
    let mut misses = greeter();
    misses["tools"][0]["parameters"] = json!({"nam": {"type": "string"}});
    let mut schema = greeter();
    schema["tools"][0]["parameters"] = json!({"name": {"type": "strin"}});
    let mut place = greeter();
    place["python_dependencies"] = json!(["greeting @ file:///tmp/greeting.tar.gz"]);
    vec![
        (place, "missing_dependency", "gets packages by name only"),
        (
            code("def greet(name):\n    return return"),
            "invalid_code",
            "the code of `greet`, line 2, column 12, cannot be taken: SyntaxError: invalid syntax",
        ),
        (code("import nothing_at_all"), "missing_dependency", "name it in `python_dependencies`"),
        (
            code("x = 1\ny = x / 0"),
            "invalid_code",
            "line 2, cannot be taken: it failed while it was imported",
        ),
        (code("x = 1"), "invalid_code", "define one called `greet`"),
        (code("def a(name): 0\ndef b(name): 0"), "invalid_code", "several public functions (`a`, `b`)"),
        (code("def greet(name, /): 0"), "invalid_code", "by position only"),
        (code("import sys; sys.exit(3)"), "invalid_code", "SystemExit"),
        (code("import os; os._exit(3)"), "invalid_plugin", "exit code 3"),
        (
            greeter_with("def greet(name): return name", json!(["greet(name='x') == 'y'"])),
            "example_failed",
            "the example `greet(name='x') == 'y'` of `greet` failed: expected \"y\", got \"x\"",
        ),
        (
            greeter_with("def greet(name): raise KeyError(name)", json!(["greet(name='x')"])),
            "example_failed",
            "expected a result, got KeyError: 'x'",
        ),
        (
            greeter_with("def greet(name): return name", json!(["greet(name=5)"])),
            "example_failed",
            "invalid arguments",
        ),
        (taken, "already_registered", "the tool `calculate` of the plugin `greeter` is already registered"),
        (own, "already_registered", "the plugin `core`"),
        (competency, "already_registered", "the competency `git`"),
        (prerequisite, "invalid_plugin", "Prerequisite 'nothing' for competency 'c' is not registered"),
        (undescribed, "bad_request", "`greet` has no description"),
        (misses, "invalid_code", "`parameters` names `nam`, which `greet` does not take: it takes `name`"),
        (schema, "invalid_plugin", "strin"),
        (json!({"plugin_id": "greeter", "tool": []}), "bad_request", "did you mean `tools`?"),
    ]
}

#[tokio::test]
async fn what_fails_at_any_step_leaves_nothing_behind_and_the_corrected_retry_works() {
    let Some(house) = House::new().await else { return };

    for (plugin, code, text) in refusals() {
        let error = house.create(plugin.clone()).await.expect_err("it is refused");

        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(house.files(), [""; 0], "{plugin}");
        assert_eq!(house.plugins(), [""; 0], "{plugin}");
        let scratch = house.gathering.data_dir().path().join("scratch/greeter");
        assert!(!scratch.exists(), "{plugin}");
    }
    let traceback = house
        .create(greeter_with("def greet(name):\n    return 1 / 0", json!(["greet(name='x')"])))
        .await
        .expect_err("nothing can be divided by zero");
    assert_eq!(traceback.traceback(), "greeter.py/greet.py, line 2, in greet\n    return 1 / 0");

    house.create(greeter()).await.expect("the corrected one can be made");
    assert_eq!(house.call("greet", json!({"name": "World"})).await, Ok(json!("Hello, World!")));
    let again = house.create(greeter()).await.expect_err("there is one");
    assert!(again.to_string().contains("update or remove it instead"), "{again}");
}

#[tokio::test]
async fn code_that_does_not_end_is_examined_for_a_short_while_only() {
    let Some(house) = House::new().await else { return };
    let limit = std::time::Duration::from_secs(1);
    let house = house.restarted_with(|config| config.python.examine_timeout = limit).await;

    let error = house.create(greeter_with("while True: pass", json!([]))).await.expect_err("it does not end");

    assert_eq!(error.code(), "timed_out", "{error}");
    assert!(error.to_string().contains("had not run to its end after 1s and was stopped"), "{error}");
    assert_eq!(house.files(), [""; 0]);
}

#[tokio::test]
async fn an_endless_loop_is_given_up_at_the_deadline() {
    let Some(house) = House::new().await else { return };
    let plugin =
        gathering::DynamicPlugin::parse(greeter_with("while True: pass", json!([]))).expect("it is one");
    let deadline = std::time::Instant::now() + std::time::Duration::from_millis(1500);

    use gathering::PluginAuthor;
    let error = house.gathering.dynamic().create(gathering::Caller::Operator, plugin, deadline).await;

    assert_eq!(error.as_ref().map_err(AuthoringError::code).err(), Some("timed_out"), "{error:?}");
    assert_eq!(house.files(), [""; 0]);
}
