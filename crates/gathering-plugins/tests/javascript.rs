//! `javascript_eval`: what a piece of JavaScript gives, how it ends, and what it cannot reach.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::{Duration, Instant};

use gathering_plugins::OwnPlaces;
use gathering_sandbox::{Confinement, Prober};
use serde_json::{Value, json};
use support::Core;

/// None, with a note, where no worker can be started.
#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
async fn core(base: &std::path::Path) -> Option<Core> {
    let this = std::env::current_exe().unwrap();
    let launcher = this.ancestors().nth(2).unwrap().join("gathering");
    if !launcher.is_file() {
        println!("NOT RUN: `gathering` was not built beside this test: run the tests of the whole workspace");
        return None;
    }
    let prober = Prober::new(Confinement::Sandbox { launcher, tier: None, or_unconfined: false });
    if prober.holds().word() == "none" {
        println!("NOT RUN: no tier of the sandbox holds here");
        return None;
    }
    Some(Core::build(base.to_str().unwrap(), json!({}), &OwnPlaces::default(), prober).await.unwrap())
}

async fn run(core: &Core, code: &str) -> Result<Value, String> {
    core.call("javascript_eval", json!({"code": code, "timeout": 20})).await
}

#[tokio::test]
async fn values_the_console_exceptions_and_promises_come_back_as_a_model_can_use_them() {
    let folder = tempfile::tempdir().unwrap();
    let Some(core) = core(folder.path()).await else { return };
    for (code, expected) in [
        ("1 + 1", json!(2)),
        ("const x = [3, 1, 2]; x.toSorted()", json!([1, 2, 3])),
        ("({a: 1, b: [true, null, undefined]})", json!({"a": 1, "b": [true, null, null]})),
        ("undefined", Value::Null),
        ("0.1 + 0.2", json!(0.1 + 0.2)),
        ("2n ** 70n", json!("1180591620717411303424")),
        ("NaN", json!("NaN")),
        ("'snow \u{2603}'.normalize()", json!("snow \u{2603}")),
        ("await Promise.all([1, Promise.resolve(2)])", json!([1, 2])),
        ("({then: 1})", json!({"then": 1})),
        ("new Date(0)", json!("1970-01-01T00:00:00.000Z")),
    ] {
        let answer = run(&core, code).await.unwrap();
        assert_eq!((&answer["result"], &answer["error"]), (&expected, &Value::Null), "{code}: {answer}");
    }

    let printed =
        run(&core, "console.log('a', 1, {b: 2}, new Error('c')); console.error([1]); 3").await.unwrap();
    let thrown = run(&core, "console.log('before');\nfunction f() { null.x }\nf()").await.unwrap();
    let value = run(&core, "throw {reason: 'because'}").await.unwrap();
    let syntax = run(&core, "let = ;").await.unwrap();
    let never = run(&core, "await new Promise(() => {})").await.unwrap();

    assert_eq!(
        (&printed["output"], &printed["result"]),
        (&json!("a 1 {\"b\":2} Error: c\n[1]\n"), &json!(3))
    );
    assert_eq!((&thrown["output"], &thrown["result"]), (&json!("before\n"), &Value::Null));
    assert_eq!(thrown["error"], "TypeError: cannot read property 'x' of null");
    assert!(thrown["traceback"].as_str().unwrap().contains("code.js:2"), "{thrown}");
    assert_eq!(value["error"], "thrown: {\"reason\":\"because\"}");
    assert!(syntax["error"].as_str().unwrap().starts_with("SyntaxError: "), "{syntax}");
    assert!(never["error"].as_str().unwrap().contains("awaits what never comes"), "{never}");
}

#[tokio::test]
async fn loops_floods_of_memory_and_of_output_and_deep_recursion_cost_only_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let Some(core) = core(folder.path()).await else { return };
    run(&core, "1").await.unwrap();

    let started = Instant::now();
    let endless =
        core.call("javascript_eval", json!({"code": "for (;;) ;", "timeout": 0.5})).await.unwrap_err();
    let took = started.elapsed();
    let memory =
        run(&core, "let s = 'x'.repeat(1 << 20); const all = []; for (;;) all.push(s += 'x');").await;
    let caught = run(&core, "try { (function f() { f() })() } catch (e) { e.name }").await.unwrap();
    let output = run(&core, "for (let i = 0; i < 1e5; i++) console.log('xxxxxxxxxx')").await.unwrap();
    let result = run(&core, "'x'.repeat(1 << 20)").await.unwrap_err();

    assert!(endless.starts_with("the code did not end within 500ms and was stopped"), "{endless}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(memory.as_ref().is_err_and(|error| error.contains("256 MiB of memory")), "{memory:?}");
    assert!(["RangeError", "InternalError"].contains(&caught["result"].as_str().unwrap()), "{caught}");
    assert_eq!(output["truncated"], true);
    assert!(output["output"].as_str().unwrap().len() <= 65_536);
    assert!(result.contains("65536"), "{result}");
    assert_eq!(run(&core, "2").await.unwrap()["result"], 2);
}

#[tokio::test]
async fn nothing_is_kept_and_nothing_outside_of_the_language_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let Some(core) = core(folder.path()).await else { return };
    run(&core, "globalThis.kept = 1; Array.prototype.map = null").await.unwrap();

    let kept = run(&core, "[typeof kept, [1].map(x => x + 1)[0]]").await.unwrap();
    let there = run(
        &core,
        "['require', 'process', 'fetch', 'std', 'os', 'Deno', 'setTimeout', 'XMLHttpRequest'].filter(name => name in globalThis)",
    )
    .await
    .unwrap();
    let module = run(&core, "await import('/etc/passwd')").await.unwrap();

    assert_eq!(kept["result"], json!(["undefined", 2]));
    assert_eq!(there["result"], json!([]));
    assert_ne!(module["error"], Value::Null, "{module}");
}
