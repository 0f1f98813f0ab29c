//! Protected paths inside writable folders.

use std::fs;

use gathering_sandbox::{Policy, Tier};

use crate::harness::*;

fn repository() -> (tempfile::TempDir, Policy) {
    let workspace = workspace();
    let tier = available()[0];
    let ran = run_shell(tier, &policy_in(workspace.path()), "mkdir -p .git/hooks; echo old > .git/config");
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
    let mut job = shell("echo ready; read line; echo x > .mcp.json; test -f .mcp.json && echo written");
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

/// Where nothing can be mounted: the entries beside what is protected can be written, and none can be made.
#[test]
fn what_is_protected_cannot_be_written_moved_aside_or_made_without_mounts_either() {
    if !has(Tier::Confined) {
        return;
    }
    let (workspace, policy) = repository();
    let ran = run_shell(
        Tier::Confined,
        &policy_in(workspace.path()),
        "echo old > .git/index; mkdir -p source .git/objects; echo old > free; ln -s /etc/passwd link; ln -s source inner",
    );
    assert!(ran.exit.success(), "{}", ran.said());

    let ran = run_shell(
        Tier::Confined,
        &policy,
        "echo x > .git/hooks/pre-commit; true >> .git/hooks/pre-commit; mkdir .git/hooks/d; echo x > .git/config
         rm -rf .git/hooks; mv .git/hooks .git/h; mv .git .g; mv .git/config c; ln -f .git/config source/c
         echo x > source/new; mv source/new .git/hooks/pre-commit; ln source/new .git/hooks/pre-commit
         ln -s source/new .git/hooks/link; mv source .git/hooks/; mv -T source .git/hooks; cp -f source/new .git/config
         echo x > .mcp.json; mkdir -p .vscode/tasks.json; mv free .mcp.json; rm -f free; echo x > link
         echo ok > .git/index; echo ok > free; echo ok > .git/objects/new; echo ok > inner/ok
         cat free .git/index .git/objects/new source/ok .git/config",
    );

    assert_eq!(ran.stdout, "ok\nok\nok\nok\nold\n", "{}", ran.said());
    assert_eq!(fs::read_to_string(workspace.path().join(".git/config")).unwrap(), "old\n");
    assert_eq!(fs::read_dir(workspace.path().join(".git/hooks")).unwrap().count(), 0);
    for absent in [".mcp.json", ".vscode", ".g", "c", "source/c"] {
        assert!(!workspace.path().join(absent).exists(), "{absent} was made");
    }
}

#[test]
fn where_a_confined_program_can_make_nothing_is_said() {
    if !has(Tier::Confined) {
        return;
    }
    let (workspace, policy) = repository();

    let child = start(Tier::Confined, &policy, shell("true"));

    let fixed = [workspace.path().to_owned(), workspace.path().join(".git")];
    assert_eq!(child.applied().read_only, fixed);
}

#[test]
fn a_symbolic_link_in_the_place_of_something_protected_is_refused_in_both_tiers() {
    for tier in tiers() {
        let (workspace, policy) = repository();
        fs::remove_file(workspace.path().join(".git/config")).unwrap();
        std::os::unix::fs::symlink("/etc/hosts", workspace.path().join(".git/config")).unwrap();

        let error = gathering_sandbox::spawn(launcher(), tier, &policy, shell("true")).unwrap_err();

        assert!(
            error.to_string().contains("a symbolic link: remove it, or protect its target"),
            "{tier}: {error}"
        );
    }
}
