//! How commands come to an end: at their limits, with their time, and when nobody waits for them.

use std::time::Duration;

use gathering_core::{Caller, ToolOutput};
use gathering_host::CallOptions;
use gathering_plugins::OwnPlaces;
use gathering_sandbox::Prober;
use serde_json::{Map, Value, json};

use crate::harness::*;

/// As long as a tree may take to be gone.
const GONE: Duration = Duration::from_millis(500);

fn command(text: String) -> Map<String, Value> {
    Map::from_iter([("command".to_owned(), Value::String(text))])
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ignores_signals_is_stopped_with_its_time() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        let word = nonce();

        let error = shop
            .stopped(&format!("trap '' TERM INT HUP; echo so far; echo oh >&2; sh -c 'trap \"\" TERM; sleep 999; :' {word}"), 1.0)
            .await;

        assert_eq!(alive_with(&word), 0, "nothing is left when the call ends");
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            (
                "time_limit",
                "the command did not end within 1s and was stopped, with all that it had started: give it a longer \
                 `timeout` (at most 600 s), or do less in one call\nstdout until then: so far\nstderr until then: oh"
            )
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_longest_time_and_the_calls_own_hold_whatever_is_asked() {
    for tier in tiers().into_iter().take(1) {
        let shop =
            Workshop::with(in_tier(tier), json!({"max_timeout_seconds": 1}), |_| OwnPlaces::default()).await;
        let arguments = json!({"command": "sleep 50", "timeout": 1e300}).as_object().unwrap().clone();
        let options = CallOptions { timeout: Some(Duration::from_millis(700)) };

        let longest = shop.fail(json!({"command": "sleep 50", "timeout": 40})).await;
        let call = shop
            .host()
            .execute(Caller::Operator, "run_command", arguments, options)
            .await
            .outcome
            .unwrap_err();

        assert_eq!(longest.code(), "time_limit");
        assert!(
            longest.to_string().contains("within 1 s, the longest that the operator allows"),
            "{longest}"
        );
        assert_eq!(call.code(), "time_limit");
        assert!(call.to_string().contains("within the 0.4 s that were left to the call"), "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_does_not_outlive_its_command() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        let word = nonce();

        let ran = shop
            .run(&format!("(setsid sh -c 'sleep 300; :' {word} &) ; sh -c 'sleep 300; :' {word} & echo ok"))
            .await;

        assert_eq!((&ran["stdout"], &ran["return_code"]), (&json!("ok\n"), &json!(0)));
        assert_eq!(alive_with(&word), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_start_themselves_anew_are_gone_as_well() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        let word = nonce();
        let script = format!("setsid sh \"$0\" {word} & setsid sh \"$0\" {word} & sleep 0.05");
        std::fs::write(shop.path("again.sh"), script).unwrap();

        let error = shop.stopped(&format!("sh again.sh {word}; sleep 60"), 1.0).await;

        assert!(["time_limit", "process_limit"].contains(&error.code()), "{error}");
        assert_eq!(alive_with(&word), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_leaves_nothing() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        let word = nonce();
        let arguments =
            command(format!("(setsid sh -c 'sleep 300; :' {word} &); sh -c 'sleep 300; :' {word}"));
        let host = shop.host().clone();
        let call = tokio::spawn(async move {
            host.execute(Caller::Operator, "run_command", arguments, CallOptions::default()).await
        });
        until_alive(&word, 2, Duration::from_secs(10)).await;

        call.abort();

        until_alive(&word, 0, GONE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_any_more_when_the_plugin_is_unloaded() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        let word = nonce();
        let arguments = command(format!("sh -c 'sleep 300; :' {word}"));
        let host = shop.host().clone();
        let options = CallOptions { timeout: Some(Duration::from_secs(2)) };
        let call =
            tokio::spawn(
                async move { host.execute(Caller::Operator, "run_command", arguments, options).await },
            );
        until_alive(&word, 1, Duration::from_secs(10)).await;

        shop.host().unload("core", false).await.unwrap();

        assert_eq!(alive_with(&word), 0);
        assert!(call.await.unwrap().outcome.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_spins_ends_with_its_time_or_its_processor_time() {
    for tier in tiers() {
        let config = json!({"limits": {"cpu_seconds": 1}});
        let shop = Workshop::with(in_tier(tier), config, |_| OwnPlaces::default()).await;
        let free = Workshop::new(tier).await;

        let limited = shop.fail(json!({"command": "while :; do :; done"})).await;
        let spinning =
            free.stopped("for n in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait", 1.0).await;

        assert_eq!(limited.code(), "cpu_limit", "{limited}");
        assert!(limited.to_string().contains("used up its 1 s of processor time"), "{limited}");
        assert_eq!(spinning.code(), "time_limit", "{spinning}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_takes_too_much_memory_is_stopped() {
    for tier in tiers() {
        let config = json!({"limits": {"memory": "128MiB"}});
        let shop = Workshop::with(in_tier(tier), config, |_| OwnPlaces::default()).await;

        // Each of them stays below what one process may have.
        let many = shop.fail(json!({"command": "for n in 1 2 3 4; do (x=$(head -c 60000000 /dev/zero | tr '\\0' a); sleep 20) & done; wait"})).await;
        let one = shop
            .report(json!({"command": "x=$(head -c 900000000 /dev/zero | tr '\\0' a); echo \"${#x}\""}))
            .await
            .outcome;

        assert_eq!(many.code(), "memory_limit", "{many}");
        assert!(many.to_string().contains("more than 128 MiB of memory"), "{many}");
        // Either the shell is refused more, or the whole tree is found to have too much just before.
        match one {
            Ok(ToolOutput { value: one, .. }) => {
                assert_ne!(one["stdout"], "900000000\n", "{one}");
                assert!(one["stderr"].as_str().unwrap().contains("cannot allocate"), "{one}");
            }
            Err(error) => assert_eq!(error.code(), "memory_limit", "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_ends_and_leaves_nothing() {
    for tier in tiers() {
        let config = json!({"limits": {"processes": 32}});
        let shop = Workshop::with(in_tier(tier), config, |_| OwnPlaces::default()).await;
        let word = nonce();

        let error = shop
            .stopped(
                &format!("bomb() {{ sh -c 'sleep 30; :' {word} & bomb | bomb & }}; bomb; wait; sleep 9"),
                2.0,
            )
            .await;

        assert!(["process_limit", "time_limit"].contains(&error.code()), "{error}");
        assert_eq!(alive_with(&word), 0);
        assert_eq!(shop.run("echo well").await["stdout"], "well\n", "the next command runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_grows_to_its_limit() {
    for tier in tiers() {
        let config = json!({"limits": {"file_size": "1MiB"}});
        let shop = Workshop::with(in_tier(tier), config, |_| OwnPlaces::default()).await;

        let error = shop.fail(json!({"command": "head -c 100G /dev/zero > work/big"})).await;

        assert_eq!(error.code(), "file_size_limit", "{error}");
        assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
        assert_eq!(std::fs::metadata(shop.path("work/big")).unwrap().len(), 1 << 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commands_at_once_keep_other_tools_from_nothing() {
    let shop = Workshop::with(Prober::default(), json!({}), |_| OwnPlaces::default()).await;
    let word = nonce();
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let (host, arguments) = (shop.host().clone(), command(format!("sh -c 'sleep 300; :' {word}")));
            tokio::spawn(async move {
                host.execute(Caller::Operator, "run_command", arguments, CallOptions::default()).await
            })
        })
        .collect();
    until_alive(&word, 32, Duration::from_secs(20)).await;

    let one_more = shop.fail(json!({"command": "true"})).await;
    let other = shop.call("calculate", json!({"expression": "6 * 7"})).await;

    for call in calls {
        call.abort();
    }
    until_alive(&word, 0, Duration::from_secs(20)).await;
    assert!(
        one_more.to_string().contains("32 commands and pieces of Python are running already"),
        "{one_more}"
    );
    assert_eq!(other, Ok(json!(42)));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_together_grow_to_their_limit() {
    for tier in tiers() {
        let config = json!({"limits": {"disk": "4MiB"}});
        let shop = Workshop::with(in_tier(tier), config, |_| OwnPlaces::default()).await;

        let error = shop
            .fail(json!({"command": "n=0; while :; do head -c 100000 /dev/zero > work/f$n; n=$((n + 1)); done"}))
            .await;

        assert_eq!(error.code(), "disk_limit", "{error}");
        assert!(error.to_string().contains("more than 4 MiB on disk"), "{error}");
    }
}
