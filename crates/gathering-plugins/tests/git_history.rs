//! `git_log` and `git_commit`, compared with Git itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};
use support::Core;

fn git(core: &Core, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(core.base())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An empty repository; none, with a note, where there is no Git to make one.
#[expect(clippy::print_stdout, reason = "says why the test did not run")]
async fn repository() -> Option<Core> {
    if Command::new("git").arg("--version").output().is_err() {
        println!("NOT RUN: there is no git");
        return None;
    }
    let core = Core::new().await;
    git(&core, &["init", "-q"]);
    Some(core)
}

fn put(core: &Core, path: &str, text: &str) {
    std::fs::write(core.path(path), text).unwrap();
}

async fn commit(core: &Core, mut arguments: Value) -> Result<Value, String> {
    arguments["author_name"] = "Ada".into();
    arguments["author_email"] = "ada@example.com".into();
    core.call("git_commit", arguments).await
}

#[tokio::test]
async fn the_log_is_that_of_git_with_branches_renames_and_messages_of_several_lines() {
    let Some(core) = repository().await else { return };
    assert_eq!(
        core.call("git_log", json!({})).await.unwrap(),
        json!({"root": ".", "commits": [], "more": false})
    );
    for (file, message) in
        [("a.txt", "first"), ("b.txt", "second\n\nwith a body\nof two lines"), ("a.txt", "third")]
    {
        put(&core, file, message);
        git(&core, &["add", "."]);
        git(&core, &["commit", "-qm", message, "--date", "2024-02-03T04:05:06+0530"]);
    }
    git(&core, &["checkout", "-qb", "side", "HEAD~1"]);
    put(&core, "c.txt", "side");
    git(&core, &["add", "."]);
    git(&core, &["commit", "-qm", "on the side"]);
    git(&core, &["checkout", "-q", "main"]);
    git(&core, &["merge", "-q", "--no-edit", "side"]);

    let log = core.call("git_log", json!({})).await.unwrap();
    let of_file = core.call("git_log", json!({"file": "a.txt"})).await.unwrap();
    let page = core.call("git_log", json!({"limit": 2, "skip": 1})).await.unwrap();
    let older = core.call("git_log", json!({"ref": "side~1"})).await.unwrap();
    let unknown = core.call("git_log", json!({"ref": "nowhere"})).await.unwrap_err();

    let field = |log: &Value, name: &str| -> Vec<String> {
        log["commits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|each| each[name].as_str().unwrap().to_owned())
            .collect()
    };
    let lines = |arguments: &[&str]| git(&core, arguments).lines().map(str::to_owned).collect::<Vec<_>>();
    let all = lines(&["log", "--topo-order", "--format=%H"]);
    assert_eq!(all.len(), 5);
    let mut ids = field(&log, "commit");
    assert_eq!(ids[0], all[0]);
    ids.sort();
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(ids, sorted);
    assert_eq!(field(&of_file, "commit"), lines(&["log", "--format=%H", "--", "a.txt"]));
    assert_eq!(page["commits"].as_array().unwrap()[..], log["commits"].as_array().unwrap()[1..3]);
    assert_eq!(page["more"], true);
    assert_eq!(field(&older, "commit"), lines(&["log", "--format=%H", "side~1"]));
    let second = &older["commits"][0];
    assert_eq!(
        (&second["subject"], &second["body"]),
        (&json!("second"), &json!("with a body\nof two lines"))
    );
    assert_eq!((&second["time"], &second["author"]), (&json!("2024-02-03T04:05:06+05:30"), &json!("Test")));
    assert_eq!(unknown, "there is no branch, tag or commit `nowhere`: `git_status` names the branch");
}

#[tokio::test]
async fn a_commit_is_what_git_sees_and_hooks_never_run() {
    let Some(core) = repository().await else { return };
    for hook in ["pre-commit", "commit-msg", "post-commit", "prepare-commit-msg"] {
        put(&core, &format!(".git/hooks/{hook}"), "#!/bin/sh\ntouch hook-ran\nexit 1\n");
        let path = core.path(&format!(".git/hooks/{hook}"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    put(&core, ".gitignore", "*.log\n");
    put(&core, "kept.txt", "one\n");
    put(&core, "gone.txt", "two\n");
    put(&core, "noise.log", "three\n");

    let first = commit(&core, json!({"message": "begin", "files": ["."]})).await.unwrap();
    put(&core, "kept.txt", "changed\n");
    put(&core, "new.txt", "new\n");
    std::fs::remove_file(core.path("gone.txt")).unwrap();
    let second = commit(&core, json!({"message": "go on\n\nwith reasons", "all": true})).await.unwrap();
    let nothing = commit(&core, json!({"message": "again"})).await.unwrap_err();

    assert_eq!(first["branch"], "main");
    assert_eq!(second["parents"], json!([first["commit"]]));
    assert_eq!(
        git(&core, &["log", "--format=%an <%ae>%n%B", "-1"]).trim(),
        "Ada <ada@example.com>\ngo on\n\nwith reasons"
    );
    assert_eq!(git(&core, &["show", "--name-status", "--format=", "HEAD"]), "D\tgone.txt\nM\tkept.txt\n");
    assert_eq!(git(&core, &["ls-tree", "--name-only", "HEAD~1"]), ".gitignore\ngone.txt\nkept.txt\n");
    assert_eq!(git(&core, &["status", "--porcelain"]), "?? new.txt\n");
    git(&core, &["fsck", "--strict"]);
    assert!(!core.path_exists("hook-ran"));
    assert!(nothing.starts_with("there is nothing to commit"), "{nothing}");
}

#[tokio::test]
async fn what_is_private_what_a_program_would_change_and_what_lies_outside_is_not_committed() {
    let Some(core) = repository().await else { return };
    std::fs::create_dir(core.path(".gathering")).unwrap();
    put(&core, ".gathering/token", "secret");
    put(&core, "big.bin", "large");
    put(&core, ".gitattributes", "*.bin filter=lfs\n");

    let private = commit(&core, json!({"message": "all", "files": [".gathering"]})).await.unwrap_err();
    let filtered = commit(&core, json!({"message": "all", "files": ["big.bin"]})).await.unwrap_err();
    let outside = commit(&core, json!({"message": "all", "files": ["../other"]})).await.unwrap_err();
    let missing = commit(&core, json!({"message": "all", "files": ["none.txt"]})).await.unwrap_err();
    let nobody =
        core.call("git_commit", json!({"message": "x", "files": [".gitattributes"]})).await.unwrap_err();

    assert_eq!(private, "`.gathering/token` is private to the server, and is not committed");
    assert!(filtered.starts_with("`big.bin` goes through the filter `lfs`"), "{filtered}");
    assert!(outside.starts_with("`../other` does not name a file from the repository's root"), "{outside}");
    assert_eq!(missing, "`none.txt` has no change: `git_status` names what has changed");
    assert!(nobody.starts_with("it is not known who commits: give `author_name`"), "{nobody}");
    assert_eq!(git(&core, &["status", "--porcelain", ".gitattributes"]), "?? .gitattributes\n");
}
