//! What a command gives, and what is refused before anything runs.

use gathering_core::{Tier as CallTier, ToolError};
use gathering_plugins::OwnPlaces;
use gathering_sandbox::{Confinement, Prober, Tier};
use serde_json::{Value, json};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gives_what_it_printed_and_its_exit_code() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;

        let report = shop.report(json!({"command": "echo out; echo err >&2; exit 3"})).await;

        let mut value = report.outcome.unwrap().value;
        let took = value["duration_ms"].take();
        let notes = value.as_object_mut().unwrap().remove("notes").unwrap_or_default();
        assert!(took.as_u64().unwrap() < 10_000, "{took}");
        assert_eq!(
            value,
            json!({
                "stdout": "out\n", "stderr": "err\n", "return_code": 3, "duration_ms": null, "truncated": false,
                "tier": tier.to_string(),
            })
        );
        assert_eq!(notes.is_null(), tier == Tier::Isolated, "what is out of the ordinary is said: {notes}");
        assert_eq!(
            report.tier.map(CallTier::as_str),
            Some(tier.to_string().as_str()),
            "the call says so too"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_in_the_folder_it_is_given_with_the_variables_it_is_given() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        assert_eq!(shop.run("cd work && mkdir -p a/b && ln -s a/b link").await["return_code"], 0);

        let ran = shop
            .report(json!({"command": "pwd; echo $WORD", "cwd": "work/link", "env": {"WORD": "hé = 1"}}))
            .await;

        let base = shop.base();
        assert_eq!(ran.outcome.unwrap().value["stdout"], format!("{base}/work/a/b\nhé = 1\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_servers_environment_is_seen() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;

        let names = shop.say("env | cut -d= -f1 | sort | tr '\\n' ' '").await;

        let known = ["HOME", "LANG", "OLDPWD", "PATH", "PWD", "SHLVL", "TMPDIR", "_"];
        assert!(names.split_whitespace().all(|name| known.contains(&name)), "{names}");
        assert!(names.contains("PATH"), "{names}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loader_variable_has_no_effect_outside_of_the_sandbox() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;

        let ran = shop.report(
            json!({"command": "/bin/echo hi", "env": {"LD_PRELOAD": "/nowhere.so", "LD_DEBUG": "all"}}),
        );

        let value = ran.await.outcome.unwrap().value;
        assert_eq!((&value["stdout"], &value["return_code"]), (&json!("hi\n"), &json!(0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_before_anything_runs() {
    let shop = Workshop::with(Prober::default(), json!({}), |_| OwnPlaces::default()).await;
    let many: serde_json::Map<String, Value> = (0..65).map(|n| (format!("V{n}"), "".into())).collect();

    for (arguments, wanted) in [
        (json!({"command": ""}), "command"),
        (json!({"command": "a\0b"}), "holds a NUL"),
        (json!({"command": "x".repeat(130_000)}), "more than 120000"),
        (json!({"command": "true", "timeout": 0}), "timeout"),
        (json!({"command": "true", "env": {"A=B": "c"}}), "is not a variable's name"),
        (json!({"command": "true", "env": {"1A": "c"}}), "is not a variable's name"),
        (json!({"command": "true", "env": {"A": "c\0"}}), "holds a NUL"),
        (json!({"command": "true", "env": {"A": "x".repeat(40_000)}}), "more than 32768 bytes"),
        (json!({"command": "true", "env": many}), "more than 64"),
        (json!({"command": "true", "shell": "zsh"}), "shell"),
    ] {
        let error = shop.fail(arguments).await;

        assert_eq!(error.code(), "invalid_arguments", "{error}");
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    }
    for (cwd, wanted) in [
        ("..", "lies outside"),
        ("/etc", "lies outside"),
        ("missing", "there is no `missing`"),
        (".gathering", "there is no"),
        ("", "the path is empty"),
    ] {
        let error = shop.fail(json!({"command": "true", "cwd": cwd})).await;

        assert!(error.to_string().contains(wanted), "{cwd}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_can_switch_it_off() {
    let shop =
        Workshop::with(Prober::default(), json!({"allow_shell": false}), |_| OwnPlaces::default()).await;

    let error = shop.fail(json!({"command": "true"})).await;

    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "forbidden",
            "`run_command` is switched off: its operator set `allow_shell` of the plugin `core` to false"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_holds_nothing_runs() {
    let nowhere =
        Confinement::Sandbox { launcher: "/nowhere/gathering".into(), tier: None, or_unconfined: false };
    let shop = Workshop::with(Prober::new(nowhere), json!({}), |_| OwnPlaces::default()).await;

    let report = shop.report(json!({"command": "touch made"})).await;

    let error = report.outcome.unwrap_err();
    assert_eq!((error.code(), report.tier), ("sandbox_setup_failed", None));
    assert!(error.to_string().contains("`/nowhere/gathering` could not be started"), "{error}");
    assert!(error.to_string().contains("sandbox.allow_unconfined"), "{error}");
    assert!(!shop.path_exists("made"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confinement_that_cannot_be_set_up_is_an_error_and_no_empty_result() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        std::fs::remove_dir_all(shop.base()).unwrap();

        let error = shop.fail(json!({"command": "echo hi"})).await;

        assert!(
            matches!(error, ToolError::SandboxSetupFailed { .. } | ToolError::Failed { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_said_so_it_runs_unconfined_and_says_it() {
    let nowhere =
        Confinement::Sandbox { launcher: "/nowhere/gathering".into(), tier: None, or_unconfined: true };
    let shop = Workshop::with(Prober::new(nowhere), json!({}), |_| OwnPlaces::default()).await;
    let word = nonce();

    let report = shop.report(json!({"command": "pwd; env | grep -c CARGO"})).await;
    let stopped = shop.stopped(&format!("sleep 300 & echo before; sh -c 'sleep 100' {word}"), 0.5).await;

    let value = report.outcome.unwrap().value;
    assert_eq!((&value["tier"], report.tier), (&json!("unconfined"), Some(CallTier::Unconfined)));
    assert_eq!(value["stdout"], format!("{}\n0\n", shop.base()));
    assert_eq!(stopped.code(), "time_limit");
    assert!(stopped.to_string().ends_with("stdout until then: before"), "{stopped}");
    assert_eq!(alive_with(&word), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_the_beginning_is_kept_and_the_rest_is_counted() {
    for tier in tiers() {
        let shop =
            Workshop::with(in_tier(tier), json!({"max_output_bytes": 1024}), |_| OwnPlaces::default()).await;

        let both =
            shop.run("head -c 30000000 /dev/zero | tr '\\0' 'é' & yes err | head -c 9000000 >&2; wait").await;

        assert_eq!(both["truncated"], true);
        assert_eq!(both["total_bytes"]["stderr"], 9_000_000);
        assert_eq!(both["total_bytes"]["stdout"].as_u64().unwrap(), 30_000_000);
        assert_eq!(both["stderr"].as_str().unwrap().len(), 1024);
        assert!(both["stdout"].as_str().unwrap().len() <= 3 * 1024);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_flood_ends_with_its_time() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;

        let error = shop.stopped("yes & yes >&2 & cat /dev/urandom", 1.0).await;

        assert_eq!(error.code(), "time_limit", "{error}");
        assert!(error.to_string().len() < 16_384, "only the last of it is told");
    }
}
