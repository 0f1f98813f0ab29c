//! Workers that are forked from a warm parent: they are like those that start by themselves, and as well confined.

mod support;

use std::collections::BTreeMap;
use std::fs;

use gathering_sandbox::Tier;
use serde_json::{Value, json};
use support::PythonHost;

const PLUGIN: &str = r#"
def tool_report(self):
    import resource, signal
    def status(*keys):
        with open("/proc/self/status") as f:
            lines = dict(line.split(":", 1) for line in f)
        return {key: lines[key].split() for key in keys}
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}
    report = status("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Threads", "CapInh", "CapPrm",
                    "CapEff", "CapBnd", "CapAmb", "SigBlk", "SigIgn", "SigCgt", "Umask")
    descriptors = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except FileNotFoundError:
            continue
        descriptors[name] = target.split(":")[0]
    return {
        **report,
        "limits": limits,
        "descriptors": descriptors,
        "environment": {k: v for k, v in os.environ.items() if k != "HOME"},
        "path": [p.replace(os.path.dirname(__file__), "HERE") for p in sys.path if "/sdk/" not in p],
        "argv": sys.argv[1:],
        "folder": os.getcwd() == os.environ["HOME"],
        "leads": os.getsid(0) == os.getpid(),
        "parent": os.getppid(),
        "streams": [sys.stdin.read(), sys.stdout.line_buffering, sys.stdout.encoding, sys.stdout.errors, sys.flags.isolated],
        "root": sorted(os.listdir("/")),
    }

def tool_parent(self):
    import os
    return [name for name in os.listdir("/proc") if name.isdigit()]

def tool_random(self):
    import random, tempfile, uuid
    return [random.random(), str(uuid.uuid4()), next(tempfile._get_candidate_names())]

def tool_nested(self):
    from gathering.core.tool_registry import tool_registry
    return len(tool_registry.execute("random"))

def tool_children(self):
    import subprocess, sys
    made = subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True)
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as pool:
        squares = pool.map(abs, [-1, -2])
    return [made.stdout, squares]
"#;

/// A host whose plugins run in namespaces, with workers from a warm parent or not.
async fn isolated(warm: bool) -> Option<PythonHost> {
    PythonHost::confined_in(Some(Tier::Isolated), |config| config.warm = warm).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_forked_is_like_one_that_was_started() {
    let (Some(warm), Some(cold)) = (isolated(true).await, isolated(false).await) else { return };
    warm.enable_plugin("forked", PLUGIN).await;
    cold.enable_plugin("forked", PLUGIN).await;

    let forked = warm.call("report", json!({})).await.expect("it tells");
    let started = cold.call("report", json!({})).await.expect("it tells");

    let fields = |report: Value| -> BTreeMap<String, Value> {
        serde_json::from_value(report).expect("the report is an object")
    };
    for ((name, forked), (_, started)) in fields(forked).into_iter().zip(fields(started)) {
        assert_eq!(forked, started, "`{name}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_forked_sees_no_process_but_its_own() {
    let Some(host) = isolated(true).await else { return };
    host.enable_plugin("forked", PLUGIN).await;

    // The first process of its namespace, and itself.
    let seen = host.call("parent", json!({})).await.expect("a list");

    assert_eq!(seen.as_array().map(Vec::len), Some(2), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_numbers_of_workers_that_were_forked_differ() {
    let Some(host) = isolated(true).await else { return };
    host.enable_plugin("one", PLUGIN).await;
    host.enable_plugin("other", &PLUGIN.replace("tool_", "tool_other_")).await;

    let one = host.call("random", json!({})).await.expect("numbers");
    let other = host.call("other_random", json!({})).await.expect("numbers");

    for (one, other) in one.as_array().into_iter().flatten().zip(other.as_array().into_iter().flatten()) {
        assert_ne!(one, other);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_forked_calls_tools_of_the_host() {
    let Some(host) = isolated(true).await else { return };
    host.enable_plugin("forked", PLUGIN).await;

    assert_eq!(host.call("nested", json!({})).await, Ok(json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_forked_starts_processes_as_any_other() {
    let Some(host) = isolated(true).await else { return };
    host.enable_plugin("forked", PLUGIN).await;

    let made = host.call("children", json!({})).await;

    assert_eq!(made, Ok(json!(["1\n", [1, 2]])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_parent_that_was_lost_is_started_again() {
    let Some(host) = isolated(true).await else { return };
    host.enable_plugin("one", PLUGIN).await;
    let parents = warm_parents_of(host.folder.path());
    assert_eq!(parents.len(), 1, "{parents:?}");

    for pid in parents {
        let pid = rustix::process::Pid::from_raw(pid).expect("a number");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there");
    }
    host.enable_plugin("other", &PLUGIN.replace("tool_", "tool_other_")).await;

    assert!(host.call("other_random", json!({})).await.is_ok(), "a new worker starts");
    assert!(host.call("random", json!({})).await.is_ok(), "those that were forked before live on");
}

/// The warm parents whose program lies in `folder`.
fn warm_parents_of(folder: &std::path::Path) -> Vec<i32> {
    let processes = fs::read_dir("/proc").expect("it can be listed").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            // A worker has the same words; it is in a namespace of processes of its own.
            let outside =
                status.lines().any(|line| line.starts_with("NSpid:") && line.split_whitespace().count() == 2);
            outside && line.trim_end().ends_with("warm") && line.contains(&*folder.to_string_lossy())
        })
        .collect()
}
