//! Killing leaves nothing.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::process::{Command, Stdio as Std};
use std::time::{Duration, Instant};

use gathering_sandbox::{Ended, Job, Stdio, Tier};

use crate::harness::*;

/// Processes that hide from process groups and sessions, and from their parent. Goes on when all are there.
const DAEMONS: &str = "
    for i in 1 2 3; do (setsid sh -c \"trap '' TERM INT HUP; (setsid sleep $0 &) ; echo up; sleep $0\" $0 &); done |
        head -n 3 > /dev/null";

fn daemons(word: &str, then: &str) -> Job {
    Job { args: vec!["-c".into(), format!("{DAEMONS}\n{then}").into(), word.into()], ..shell("") }
}

#[test]
fn daemons_end_with_the_program_that_started_them() {
    for tier in tiers() {
        let word = nonce();

        let ran = run(tier, &policy(), daemons(&word, "exit 7"));

        assert_eq!(alive_with(&word), 0, "{tier}");
        assert_eq!((ran.exit.ended, ran.exit.code), (Ended::Exited, Some(7)), "{tier}: {}", ran.said());
    }
}

#[test]
fn a_kill_takes_everything_within_half_a_second() {
    for tier in tiers() {
        let word = nonce();
        let mut child = start(tier, &policy(), daemons(&word, "trap '' TERM INT HUP; echo ready; sleep $0"));
        assert!(readable_within(child.stdout.take().unwrap(), Duration::from_secs(10)));
        assert!(alive_with(&word) > 3, "{tier}");

        let started = Instant::now();
        let exit = child.kill().unwrap();
        let took = started.elapsed();

        assert_eq!(alive_with(&word), 0, "{tier}");
        assert_eq!(exit.ended, Ended::Killed);
        assert!(took < Duration::from_millis(500), "{tier}: {took:?}");
    }
}

#[test]
fn a_tree_that_replaces_what_is_killed_is_killed_as_well() {
    for tier in tiers() {
        let Some(python) = python() else { return };
        let word = nonce();
        let code = "
import os, sys, time
def live():
    os.setsid()
    while True:
        try:
            if os.fork() == 0: os.setsid()
            else:
                time.sleep(0.01)
                if os.fork() == 0: os.setsid()
        except OSError: time.sleep(0.001)
        try: os.waitpid(-1, os.WNOHANG)
        except OSError: pass
print('ready', flush=True)
if os.fork() == 0: live()
time.sleep(60)
";
        let job = Job {
            program: python,
            args: vec!["-I".into(), "-c".into(), code.into(), word.clone().into()],
            ..shell("")
        };
        let mut child = start(tier, &policy(), job);
        assert!(readable_within(child.stdout.take().unwrap(), Duration::from_secs(10)));
        // It grows until it reaches its limit.
        let full = Instant::now();
        while child.usage().unwrap().processes < 20 && full.elapsed() < Duration::from_secs(10) {
            child.wait_timeout(Duration::from_millis(5)).unwrap();
        }

        let started = Instant::now();
        child.kill().unwrap();
        let took = started.elapsed();

        assert_eq!(alive_with(&word), 0, "{tier}");
        assert!(took < Duration::from_millis(500), "{tier}: {took:?}");
    }
}

#[test]
fn dropping_a_child_ends_it() {
    for tier in tiers() {
        let word = nonce();

        drop(start(tier, &policy(), daemons(&word, "sleep $0")));

        assert_eq!(alive_with(&word), 0, "{tier}");
    }
}

#[test]
fn its_descriptor_tells_when_nothing_is_left() {
    for tier in tiers() {
        let word = nonce();
        let child = start(tier, &policy(), daemons(&word, "exit 0"));

        let told = readable_within(&child, Duration::from_secs(10));

        assert!(told && alive_with(&word) == 0, "{tier}");
        assert!(child.wait().unwrap().success());
        assert_eq!(child.wait().unwrap(), child.kill().unwrap(), "the first exit holds");
    }
}

const ROLE: &str = "GATHERING_TEST_ROLE";

/// The server of the next test: starts a program that holds our standard output, and waits to be killed.
#[test]
fn server_that_will_be_killed() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (tier, word) = role.split_once(' ').unwrap();
    let tier = if tier == "isolated" { Tier::Isolated } else { Tier::Confined };
    let held = || Stdio::Fd(std::io::stderr().as_fd().try_clone_to_owned().unwrap());
    let job = Job { stdout: held(), stderr: held(), ..daemons(word, "echo ready; sleep $0") };
    let _child = start(tier, &policy(), job);
    std::thread::park();
}

#[test]
fn nothing_outlives_a_server_that_is_killed_by_more_than_a_second() {
    for tier in tiers() {
        let word = nonce();
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::server_that_will_be_killed", "--nocapture"])
            .env(ROLE, format!("{tier} {word}"))
            .stdin(Std::null())
            .stdout(Std::null())
            .stderr(Std::piped())
            .spawn()
            .unwrap();
        // All of the tree holds the other end: when this one ends, so has the tree.
        let mut tree = BufReader::new(server.stderr.take().unwrap());
        let mut line = String::new();
        while line.trim() != "ready" {
            line.clear();
            assert!(tree.read_line(&mut line).unwrap() > 0, "{tier}: it ended early");
        }

        let killed = Instant::now();
        server.kill().unwrap();
        server.wait().unwrap();
        tree.read_to_end(&mut Vec::new()).unwrap();
        let took = killed.elapsed();

        assert_eq!(alive_with(&word), 0, "{tier}");
        assert!(took < Duration::from_secs(1), "{tier}: {took:?}");
    }
}
