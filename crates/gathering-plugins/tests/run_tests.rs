//! `run_tests` on projects of pytest and Node, run by these themselves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use gathering_plugins::OwnPlaces;
use gathering_sandbox::{Confinement, Prober};
use serde_json::{Value, json};
use support::Core;

/// Runs what it runs unconfined, as an operator may allow: the sandbox is the matter of the tests of `run_command`.
async fn core(folder: &std::path::Path) -> Core {
    let nowhere =
        Confinement::Sandbox { launcher: "/nowhere/gathering".into(), tier: None, or_unconfined: true };
    Core::build(folder.to_str().unwrap(), json!({}), &OwnPlaces::default(), Prober::new(nowhere))
        .await
        .unwrap()
}

/// The path of a program that can be run with these arguments; none, with a note.
#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
fn program(name: &str, arguments: &[&str]) -> Option<String> {
    let runs = Command::new(name).args(arguments).output().is_ok_and(|output| output.status.success());
    if !runs {
        println!("NOT RUN: `{name} {}` cannot be run", arguments.join(" "));
        return None;
    }
    let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
    Some(String::from_utf8(found.stdout).unwrap().trim().to_owned())
}

const PYTHON_TESTS: &str = r#"
import pytest

def test_passes():
    assert 1 + 1 == 2

class TestShop:
    def test_fails(self):
        print("printed")
        assert {"a": 1} == {"a": "<2>"}

@pytest.mark.skip(reason="later")
def test_skipped(): ...

@pytest.fixture
def broken():
    raise ValueError("no shop")

def test_error(broken): ...
"#;

#[tokio::test]
async fn tests_of_pytest_are_counted_and_failures_have_their_places() {
    let Some(python) = program("python3", &["-m", "pytest", "--version"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let core = core(folder.path()).await;
    std::fs::create_dir_all(core.path("tests")).unwrap();
    std::fs::create_dir_all(core.path(".venv/bin")).unwrap();
    std::fs::write(core.path(".venv/bin/python"), format!("#!/bin/sh\nexec {python} \"$@\"\n")).unwrap();
    std::fs::set_permissions(core.path(".venv/bin/python"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(core.path("tests/test_shop.py"), PYTHON_TESTS).unwrap();

    let all = core.call("run_tests", json!({})).await.unwrap();
    let some = core.call("run_tests", json!({"filter": "passes or skipped"})).await.unwrap();
    let none = core.call("run_tests", json!({"filter": "nothing_of_that_name"})).await.unwrap();
    std::fs::write(core.path("tests/test_shop.py"), "def broken(:\n").unwrap();
    let broken = core.call("run_tests", json!({})).await.unwrap();

    let counts =
        |of: &Value| ["passed", "failed", "skipped", "total"].map(|field| of[field].as_u64().unwrap());
    assert_eq!(counts(&all), [1, 2, 1, 4], "{all}");
    assert_eq!(
        (&all["runner"], &all["success"], &all["return_code"]),
        (&json!("pytest"), &json!(false), &json!(1))
    );
    let fails = &all["failures"][0];
    assert_eq!((&fails["file"], &fails["line"]), (&json!("tests/test_shop.py"), &json!(10)), "{all}");
    assert!(fails["name"].as_str().unwrap().ends_with("TestShop::test_fails"), "{fails}");
    assert!(fails["message"].as_str().unwrap().contains("{'a': 1} == {'a': '<2>'}"), "{fails}");
    assert!(all["failures"][1]["message"].as_str().unwrap().contains("no shop"), "{all}");
    assert_eq!((counts(&some), &some["success"]), ([1, 0, 1, 2], &json!(true)), "{some}");
    assert_eq!((&none["success"], &none["error"]), (&json!(false), &json!("no tests were found")), "{none}");
    assert_eq!(broken["success"], false);
    assert!(
        broken["failures"][0]["message"].as_str().unwrap_or_default().contains("collection failure"),
        "{broken}"
    );
}

const NODE_TESTS: &str = r#"
const test = require("node:test");
const assert = require("node:assert");
test("passes", () => {});
test("fails", () => {
    assert.strictEqual(1, 2, "not <equal>");
});
test("is skipped", { skip: true }, () => {});
"#;

#[tokio::test]
async fn tests_of_node_are_counted_and_failures_have_their_places() {
    if program("node", &["--test", "--test-reporter=junit", "/dev/null"]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let core = core(folder.path()).await;
    std::fs::write(core.path("package.json"), "{\"name\": \"shop\"}").unwrap();
    std::fs::write(core.path("shop.test.js"), NODE_TESTS).unwrap();

    let all = core.call("run_tests", json!({})).await.unwrap();

    assert_eq!((&all["passed"], &all["failed"], &all["skipped"]), (&json!(1), &json!(1), &json!(1)), "{all}");
    let fails = &all["failures"][0];
    assert_eq!((&fails["name"], &fails["line"]), (&json!("fails"), &json!(6)), "{all}");
    assert_eq!(fails["file"], "shop.test.js");
    assert!(fails["message"].as_str().unwrap().contains("not <equal>"), "{fails}");
}

#[tokio::test]
async fn a_folder_without_tests_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(folder.path()).await;

    let error = core.call("run_tests", json!({})).await.unwrap_err();

    assert!(error.starts_with("there is no sign in `.` of what runs its tests"), "{error}");
}
