//! Protected paths inside writable folders.

use std::fs;

use gathering_sandbox::{Policy, Tier};

use crate::harness::*;

fn repository() -> (tempfile::TempDir, Policy) {
    let workspace = workspace();
    let ran = run_shell(
        Tier::Isolated,
        &policy_in(workspace.path()),
        "mkdir -p .git/hooks; echo old > .git/config",
    );
    assert!(ran.exit.success(), "{}", ran.said());
    let protected = [".git/hooks", ".git/config", ".mcp.json", ".vscode/tasks.json"];
    let protected = protected.map(|path| workspace.path().join(path)).into();
    let policy = Policy { protected, ..policy_in(workspace.path()) };
    (workspace, policy)
}

#[test]
fn what_is_protected_cannot_be_written_moved_aside_or_made() {
    if !has(Tier::Isolated) {
        return;
    }
    let (workspace, policy) = repository();

    let ran = run_shell(
        Tier::Isolated,
        &policy,
        "echo x > .git/hooks/pre-commit; echo x > .git/config; rm -rf .git/hooks; mv .git/hooks .git/h
         mv .git .g; mv .git/config c; ln -f .git/config c; echo x > c; echo x > .mcp.json; rm -f .mcp.json
         mkdir -p .vscode/tasks.json; echo x > .vscode/tasks.json; rmdir .vscode; mv .mcp.json m
         echo ok > .git/index; echo ok > free; cat free .git/index .git/config",
    );

    assert_eq!(ran.stdout, "ok\nok\nold\n", "{}", ran.said());
    assert_eq!(fs::read_to_string(workspace.path().join(".git/config")).unwrap(), "old\n");
    assert_eq!(fs::read_dir(workspace.path().join(".git/hooks")).unwrap().count(), 0);
    for absent in [".mcp.json", ".vscode", ".g", "m"] {
        assert!(!workspace.path().join(absent).exists(), "{absent} was left behind");
    }
}

#[test]
fn what_is_protected_stays_so_when_another_run_with_the_same_policy_ends() {
    if !has(Tier::Isolated) {
        return;
    }
    let (workspace, policy) = repository();
    let mut job = shell("echo ready; read line; echo x > .mcp.json; test -s .mcp.json && echo written");
    job.stdin = gathering_sandbox::Stdio::Piped;
    let mut first = start(Tier::Isolated, &policy, job);
    readable_within(first.stdout.as_ref().unwrap(), std::time::Duration::from_secs(10));

    run_shell(Tier::Isolated, &policy, "true");
    drop(first.stdin.take());
    let said = std::io::read_to_string(first.stdout.take().unwrap()).unwrap();
    first.wait().unwrap();
    drop(first);

    assert_eq!(said, "ready\n");
    assert!(!workspace.path().join(".mcp.json").exists());
}

#[test]
fn that_a_confined_program_can_write_protected_paths_is_said() {
    if !has(Tier::Confined) {
        return;
    }
    let workspace = workspace();
    let policy =
        Policy { protected: vec![workspace.path().join(".mcp.json")], ..policy_in(workspace.path()) };

    let child = start(Tier::Confined, &policy, shell("true"));

    assert!(child.applied().gaps.iter().any(|gap| gap.what.contains("protected paths")));
}
