//! The Git tools of the core plugin, compared with Git itself, and hostile repositories.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::Core;

/// Runs Git in `folder` and returns what it printed.
fn git(folder: &str, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"])
        .args(["-c", "protocol.file.allow=always", "-c", "core.abbrev=7"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let is_conflict = arguments[0] == "merge";
    assert!(
        output.status.success() || is_conflict,
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[expect(clippy::print_stdout, reason = "says why the test did not run")]
fn has_git() -> bool {
    let found = Command::new("git").arg("--version").output().is_ok();
    if !found {
        println!("NOT RUN: there is no git");
    }
    found
}

fn write(core: &Core, path: &str, text: &str) {
    let path = core.path(path);
    std::fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A repository with one commit of some files.
async fn repository() -> Core {
    let core = Core::new().await;
    git(core.base(), &["init", "-q"]);
    for (path, lines) in
        [("a.txt", 20), ("b.txt", 30), ("sub/c.txt", 5), ("gone.txt", 7), ("mode.sh", 2), ("link", 1)]
    {
        let text: String = (0..lines).map(|n| format!("{path} line {n}\n")).collect();
        write(&core, path, &text);
    }
    git(core.base(), &["add", "."]);
    git(core.base(), &["commit", "-q", "-m", "first"]);
    core
}

/// What `git status` says, in the words of the tool.
fn expected(core: &Core) -> BTreeMap<String, (String, String, Option<String>)> {
    let word = |letter: u8| match letter {
        b' ' => "unmodified",
        b'A' => "added",
        b'M' => "modified",
        b'D' => "deleted",
        b'R' => "renamed",
        b'T' => "typechange",
        b'?' => "untracked",
        other => panic!("{}", char::from(other)),
    };
    let text = git(core.base(), &["status", "--porcelain=v1", "-z"]);
    let mut fields = text.split_terminator('\0');
    let mut entries = BTreeMap::new();
    while let Some(field) = fields.next() {
        let (code, path) = (&field.as_bytes()[..2], field[3..].to_owned());
        let old = code.contains(&b'R').then(|| fields.next().unwrap().to_owned());
        let is_conflict = code.contains(&b'U') || matches!(code, b"AA" | b"DD");
        let (index, worktree) = match code {
            _ if is_conflict => ("conflicted", "conflicted"),
            b"??" => ("unmodified", "untracked"),
            code => (word(code[0]), word(code[1])),
        };
        entries.insert(path, (index.to_owned(), worktree.to_owned(), old));
    }
    entries
}

fn found(status: &Value) -> BTreeMap<String, (String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entry = |entry: &Value| {
        let old = entry.get("old_path").map(text);
        (text(&entry["path"]), (text(&entry["index"]), text(&entry["worktree"]), old))
    };
    status["entries"].as_array().unwrap().iter().map(entry).collect()
}

#[tokio::test]
async fn the_status_is_that_of_git() {
    if !has_git() {
        return;
    }
    let core = repository().await;
    let clean = core.call("git_status", json!({})).await.unwrap();
    assert_eq!((&clean["clean"], &clean["entries"], &clean["root"]), (&json!(true), &json!([]), &json!(".")));
    assert_eq!(clean["branch"], "main");
    assert_eq!(clean["commit"], git(core.base(), &["rev-parse", "HEAD"]).trim());

    git(core.base(), &["mv", "b.txt", "renamed é.txt"]);
    write(&core, "a.txt", "changed\n");
    git(core.base(), &["add", "a.txt"]);
    write(&core, "a.txt", "changed again\n");
    write(&core, "new/untracked/deep.txt", "x");
    write(&core, "staged.txt", "x");
    write(&core, ".gitignore", "ignored*\n");
    write(&core, "ignored.txt", "x");
    git(core.base(), &["add", "staged.txt"]);
    std::fs::remove_file(core.path("gone.txt")).unwrap();
    git(core.base(), &["rm", "-q", "sub/c.txt"]);
    std::fs::set_permissions(core.path("mode.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_file(core.path("link")).unwrap();
    symlink("a.txt", core.path("link")).unwrap();

    let status = core.call("git_status", json!({"path": "new/untracked"})).await.unwrap();

    assert_eq!(found(&status), expected(&core));
    assert_eq!(status["clean"], false);
}

#[tokio::test]
async fn conflicts_upstreams_and_detached_heads_are_told() {
    if !has_git() {
        return;
    }
    let core = repository().await;
    git(core.base(), &["checkout", "-q", "-b", "other"]);
    write(&core, "a.txt", "theirs\n");
    git(core.base(), &["commit", "-q", "-a", "-m", "theirs"]);
    git(core.base(), &["checkout", "-q", "main"]);
    for n in 0..2 {
        write(&core, "a.txt", &format!("ours {n}\n"));
        git(core.base(), &["commit", "-q", "-a", "-m", "ours"]);
    }
    git(core.base(), &["branch", "-q", "--set-upstream-to=other"]);

    let status = core.call("git_status", json!({})).await.unwrap();
    assert_eq!(
        (&status["upstream"], &status["ahead"], &status["behind"]),
        (&json!("other"), &json!(2), &json!(1))
    );

    git(core.base(), &["merge", "-q", "other"]);
    let status = core.call("git_status", json!({})).await.unwrap();
    assert_eq!(found(&status), expected(&core));
    assert_eq!(found(&status)["a.txt"].0, "conflicted");
    core.call("git_diff", json!({})).await.unwrap();

    git(core.base(), &["reset", "-q", "--hard"]);
    git(core.base(), &["checkout", "-q", "--detach"]);
    let status = core.call("git_status", json!({})).await.unwrap();
    assert_eq!((&status["branch"], &status["clean"]), (&Value::Null, &json!(true)));
}

#[tokio::test]
async fn the_diff_is_that_of_git() {
    if !has_git() {
        return;
    }
    let core = repository().await;
    let changed: String =
        (0..30).map(|n| if n == 3 || n == 25 { "x\n".into() } else { format!("b.txt line {n}\n") }).collect();
    write(&core, "b.txt", &changed);
    write(&core, "sub/c.txt", "no newline at the end");
    std::fs::remove_file(core.path("gone.txt")).unwrap();
    std::fs::set_permissions(core.path("mode.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();

    assert_eq!(core.call("git_diff", json!({})).await, Ok(json!(git(core.base(), &["diff"]))));
    let one = core.call("git_diff", json!({"file": "sub/c.txt"})).await;
    assert_eq!(one, Ok(json!(git(core.base(), &["diff", "--", "sub/c.txt"]))));
    let folder = core.call("git_diff", json!({"path": "sub", "file": "sub/"})).await;
    assert_eq!(folder, one);
    let pattern = core.call("git_diff", json!({"file": "*.txt"})).await;
    assert_eq!(pattern, Ok(json!("")), "a file's name is no pattern");

    git(core.base(), &["mv", "a.txt", "moved.txt"]);
    git(core.base(), &["add", "."]);
    assert_eq!(core.call("git_diff", json!({})).await, Ok(json!("")));
    let staged = core.call("git_diff", json!({"staged": true})).await;
    assert_eq!(staged, Ok(json!(git(core.base(), &["diff", "--staged"]))));
}

#[tokio::test]
async fn a_repository_without_a_commit_has_a_status_and_a_diff() {
    if !has_git() {
        return;
    }
    let core = Core::new().await;
    git(core.base(), &["init", "-q"]);
    write(&core, "a", "1\n");
    git(core.base(), &["add", "a"]);

    let status = core.call("git_status", json!({})).await.unwrap();

    assert_eq!((&status["branch"], &status["commit"]), (&json!("main"), &Value::Null));
    assert_eq!(found(&status), expected(&core));
    let staged = core.call("git_diff", json!({"staged": true})).await;
    assert_eq!(staged, Ok(json!(git(core.base(), &["diff", "--staged"]))));
}

#[tokio::test]
async fn a_long_diff_is_cut_and_says_so() {
    if !has_git() {
        return;
    }
    let core = Core::with(json!({"max_diff_bytes": 1024})).await;
    git(core.base(), &["init", "-q"]);
    write(&core, "a", &"line\n".repeat(1000));
    write(&core, "latin", "");
    std::fs::write(core.path("latin"), b"na\xefve\n").unwrap();
    git(core.base(), &["add", "."]);

    let diff = core.call("git_diff", json!({"staged": true})).await.unwrap();
    let latin = core.call("git_diff", json!({"staged": true, "file": "latin"})).await.unwrap();

    let diff = diff.as_str().unwrap();
    assert!(
        diff.len() < 1200
            && diff.ends_with("+line\n[cut after 1024 bytes: the diff goes on; ask for one `file`]\n")
    );
    assert!(latin.as_str().unwrap().ends_with(
        "+na\u{fffd}ve\n[some lines are not UTF-8: \u{fffd} stands for what could not be shown]\n"
    ));
}

#[tokio::test]
async fn no_program_that_a_repository_names_is_run() {
    if !has_git() {
        return;
    }
    let core = repository().await;
    let canary = core.outside();
    let run = format!("touch {}", canary.display());
    for (key, value) in [
        ("core.fsmonitor", run.as_str()),
        ("core.pager", &run),
        ("core.editor", &run),
        ("core.sshCommand", &run),
        ("core.askPass", &run),
        ("core.hooksPath", "hooks"),
        ("diff.external", &run),
        ("diff.evil.command", &run),
        ("diff.evil.textconv", &run),
        ("filter.evil.clean", &run),
        ("filter.evil.smudge", &run),
        ("filter.evil.process", &run),
        ("filter.evil.required", "true"),
        ("credential.helper", &run),
        ("gpg.program", &run),
        ("interactive.diffFilter", &run),
        ("alias.status", &format!("!{run}")),
        ("merge.evil.driver", &run),
        ("uploadpack.packObjectsHook", &run),
    ] {
        git(core.base(), &["config", key, value]);
    }
    write(&core, ".gitattributes", "* filter=evil diff=evil merge=evil\n");
    for hook in ["pre-commit", "post-index-change", "fsmonitor-watchman", "post-checkout"] {
        for folder in [".git/hooks", "hooks"] {
            write(&core, &format!("{folder}/{hook}"), &format!("#!/bin/sh\n{run}\n"));
            let path = core.path(&format!("{folder}/{hook}"));
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    write(&core, "a.txt", "changed\n");

    let status = core.call("git_status", json!({})).await.unwrap();
    let diff = core.call("git_diff", json!({})).await.unwrap();
    let staged = core.call("git_diff", json!({"staged": true})).await.unwrap();

    assert!(!canary.exists(), "a program was run");
    assert_eq!(found(&status)["a.txt"].1, "modified");
    assert!(diff.as_str().unwrap().contains("\n+changed\n"), "{diff}");
    assert_eq!(staged, "");
    git(core.base(), &["config", "--unset", "filter.evil.process"]);
    git(core.base(), &["config", "--unset", "core.fsmonitor"]);
    git(core.base(), &["config", "filter.evil.required", "false"]);
    git(core.base(), &["diff"]);
    assert!(canary.exists(), "Git itself runs none either, so that this test shows nothing");
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_read() {
    if !has_git() {
        return;
    }
    let secret = Core::new().await;
    git(secret.base(), &["init", "-q"]);
    write(&secret, "secret", "CANARY-7f3a\n");
    git(secret.base(), &["add", "."]);
    git(secret.base(), &["commit", "-q", "-m", "CANARY-7f3a"]);
    let other = secret.base();
    let refused = |core: Core, expected: &'static str| async move {
        for tool in ["git_status", "git_diff"] {
            let error = core.call(tool, json!({})).await.unwrap_err();
            assert!(error.contains(expected) && !error.contains("CANARY"), "{error}");
        }
    };

    let link = Core::new().await;
    symlink(format!("{other}/.git"), link.path(".git")).unwrap();
    refused(link, "lies outside of the folder that this tool works in").await;

    let file = Core::new().await;
    write(&file, ".git", &format!("gitdir: {other}/.git\n"));
    refused(file, "lies outside of the folder that this tool works in").await;

    let worktree = repository().await;
    git(worktree.base(), &["config", "core.worktree", other]);
    refused(worktree, "the setting `core.worktree` leads elsewhere").await;

    let common = repository().await;
    write(&common, ".git/commondir", &format!("{other}/.git\n"));
    refused(common, "lies outside of the folder that this tool works in").await;

    let borrowed = repository().await;
    write(&borrowed, ".git/objects/info/alternates", &format!("{other}/.git/objects\n"));
    refused(borrowed, "borrows objects from another one").await;

    let included = repository().await;
    write(
        &included,
        ".git/config",
        &format!("[core]\n\tbare = false\n[ Include ]\n\tpath = {other}/secret\n"),
    );
    refused(included, "has a setting `include`").await;

    let modules = repository().await;
    write(&modules, ".gitmodules", &format!("[include]\n\tpath = {other}/secret\n"));
    refused(modules, "has a setting `include`").await;

    let excludes = repository().await;
    git(excludes.base(), &["config", "core.excludesFile", &format!("{other}/secret")]);
    refused(excludes, "has a setting `excludesfile`").await;

    let head = repository().await;
    std::fs::remove_file(head.path(".git/HEAD")).unwrap();
    symlink(format!("{other}/.git/HEAD"), head.path(".git/HEAD")).unwrap();
    refused(head, "`.git/HEAD` cannot be used").await;

    let objects = repository().await;
    std::fs::rename(objects.path(".git/objects"), objects.path("moved")).unwrap();
    symlink(format!("{other}/.git/objects"), objects.path(".git/objects")).unwrap();
    refused(objects, "`.git/objects` cannot be used").await;

    let ignore = repository().await;
    symlink(format!("{other}/secret"), ignore.path("sub/.gitignore")).unwrap();
    refused(ignore, "`sub/.gitignore` cannot be used").await;

    let above = repository().await;
    std::fs::create_dir(above.path("base")).unwrap();
    let inside = Core::at(&above.path("base"), json!({})).await;
    refused(inside, "`.` is in no Git repository of the working folder").await;

    let tracked = repository().await;
    std::fs::remove_file(tracked.path("a.txt")).unwrap();
    symlink(format!("{other}/secret"), tracked.path("a.txt")).unwrap();
    std::fs::remove_dir_all(tracked.path("sub")).unwrap();
    symlink(other, tracked.path("sub")).unwrap();
    let diff = tracked.call("git_diff", json!({})).await.unwrap();
    assert!(!diff.as_str().unwrap().contains("CANARY"), "{diff}");
    for path in ["../outside", "/etc", "sub"] {
        let error = tracked.call("git_status", json!({"path": path})).await.unwrap_err();
        assert!(error.contains("lies outside of the folder"), "{error}");
    }
}

#[tokio::test]
async fn a_pipe_in_a_repository_is_refused_at_once() {
    if !has_git() {
        return;
    }
    let started = Instant::now();
    for place in [
        ".git/HEAD",
        ".git/index",
        ".git/config",
        ".git/refs/heads/x",
        ".gitignore",
        "sub/.gitattributes",
        ".gitmodules",
    ] {
        let core = repository().await;
        let _ = std::fs::remove_file(core.path(place));
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, core.path(place), fifo, 0o644.into(), 0).unwrap();

        let error = core.call("git_status", json!({})).await.unwrap_err();

        assert!(error.contains("cannot be used") || error.contains("not a regular file"), "{place}: {error}");
    }
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_huge_sparse_file_is_refused_before_it_is_read() {
    if !has_git() {
        return;
    }
    for place in [".git/index", ".git/packed-refs", "a.txt"] {
        let core = repository().await;
        std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(core.path(place))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();

        core.call("git_status", json!({})).await.unwrap_err();
        core.call("git_diff", json!({})).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_linked_worktree_inside_of_the_folder_works() {
    if !has_git() {
        return;
    }
    let core = Core::new().await;
    write(&core, "main/a", "1\n");
    let main = core.path("main");
    git(&main, &["init", "-q"]);
    git(&main, &["add", "."]);
    git(&main, &["commit", "-q", "-m", "first"]);
    git(&main, &["worktree", "add", "-q", "../linked", "-b", "side"]);
    write(&core, "linked/a", "2\n");

    let status = core.call("git_status", json!({"path": "linked"})).await.unwrap();

    assert_eq!((&status["root"], &status["branch"]), (&json!("linked"), &json!("side")));
    assert_eq!(found(&status)["a"].1, "modified");
}

#[tokio::test]
async fn a_repository_of_another_user_is_read() {
    if !has_git() {
        return;
    }
    let core = repository().await;
    let other = Some(rustix::fs::Uid::from_raw(12_345));
    for path in [core.path(""), core.path(".git")] {
        if rustix::fs::chownat(rustix::fs::CWD, path, other, None, rustix::fs::AtFlags::empty()).is_err() {
            println!("NOT RUN: only root gives files to other users");
            return;
        }
    }

    assert_eq!(core.call("git_status", json!({})).await.unwrap()["clean"], true);
}
