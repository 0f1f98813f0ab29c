//! What commands see and can write, and what is protected and hidden from them.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use gathering_plugins::OwnPlaces;
use gathering_sandbox::Tier;
use serde_json::json;

use crate::harness::*;

/// Whether the strongest tier, which alone can shield, is here.
fn isolated() -> bool {
    tiers().contains(&Tier::Isolated)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_working_folder_is_seen_and_written() {
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        let secret = shop.folder.path().join("secret");
        fs::write(&secret, "CANARY-7f3a").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (secret, port) = (secret.display(), listener.local_addr().unwrap().port());

        let said = shop
            .say(&format!(
                "cat {secret}; ln {secret} work/hard; cat work/hard; echo x > {secret}; cat /proc/$PPID/environ
                 echo hi > /dev/tcp/127.0.0.1/{port}; echo x > /etc/x; echo ok > work/kept; cat work/kept"
            ))
            .await;

        assert!(said.contains("ok\n") && !said.contains("CANARY"), "{tier}: {said}");
        assert!(listener.accept().is_err(), "nobody connected");
        assert_eq!(fs::read_to_string(shop.path("work/kept")).unwrap(), "ok\n", "{said}");
        assert_eq!(fs::read_to_string(shop.folder.path().join("secret")).unwrap(), "CANARY-7f3a");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_programs_run_is_not_written_whether_it_is_there_or_not() {
    for tier in tiers() {
        nothing_that_others_run_is_written_in(tier).await;
    }
}

async fn nothing_that_others_run_is_written_in(tier: Tier) {
    let plugins =
        |base: &std::path::Path| OwnPlaces { protected: vec![base.join("plugins")], ..OwnPlaces::default() };
    let shop = Workshop::with(in_tier(tier), json!({}), plugins).await;

    let said = shop
        .say(
            "for path in .git/hooks/pre-commit .git/config .mcp.json .vscode/tasks.json .idea/x .bashrc .profile .envrc \
             .ssh/config .gitconfig .claude/settings.json plugins/x.py; do
                 mkdir -p $(dirname $path) 2>/dev/null; echo x > $path; rm -rf $path; mv $(dirname $path) moved; done 2>&1
             echo ok > work/other; cat work/other",
        )
        .await;

    assert!(said.ends_with("ok\n"), "{said}");
    let left: Vec<_> = fs::read_dir(shop.base()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["work"], "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn git_commits_and_what_it_would_run_stays_as_it_is() {
    if !isolated() {
        return;
    }
    let shop = Workshop::new(Tier::Isolated).await;
    if !shop.run("command -v git").await["return_code"].eq(&json!(0)) {
        return not_run("there is no git");
    }
    // What its operator made: a repository here, one below, and one that came with a folder of an editor.
    let made = shop.run("cd \"$(mktemp -d)\" && git init -q a && echo ok").await;
    assert_eq!(made["stdout"], "ok\n", "{made}");
    let init = |at: &str| {
        let path = shop.path(at);
        fs::create_dir_all(&path).unwrap();
        let done =
            std::process::Command::new("git").args(["init", "-q"]).current_dir(&path).status().unwrap();
        assert!(done.success());
    };
    init(".");
    init("deep/er/nested");
    fs::create_dir_all(shop.path("deep/.vscode")).unwrap();
    let own = std::process::Command::new("chown")
        .args(["-R", "--reference", shop.base(), shop.base()])
        .status()
        .unwrap();
    assert!(own.success());
    let config = fs::read_to_string(shop.path(".git/config")).unwrap();

    let said = shop
        .say(
            "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
             echo text > file; git add -A file && git commit -qm first && git log --format=%s; git status --short -- file .bashrc .mcp.json
             cd deep/er/nested; echo text > file; git add -A && git commit -qm second && git log --format=%s; cd ../../..
             exec 2>/dev/null
             git config core.fsmonitor 'touch pwned'; git -C deep/er/nested config core.pager x
             for git in .git deep/er/nested/.git; do echo x > $git/hooks/pre-commit; echo x >> $git/config
             mv $git/hooks $git/h; mv $git/config $git/c; mv $git moved; done; mv deep elsewhere; mv deep/er elsewhere
             echo x > deep/.vscode/tasks.json; mkdir evil; echo ../evil > .git/commondir; echo end",
        )
        .await;

    assert!(said.starts_with("first\nsecond\n"), "{said}");
    assert!(said.ends_with("end\n"), "{said}");
    assert_eq!(fs::read_to_string(shop.path(".git/config")).unwrap(), config);
    for absent in [
        ".git/hooks/pre-commit",
        ".git/commondir",
        "deep/er/nested/.git/hooks/pre-commit",
        "deep/.vscode/tasks.json",
    ] {
        assert!(!shop.path_exists(absent), "{absent}: {said}");
    }
    assert!(shop.path_exists("deep/er/nested/.git/config"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_is_not_seen_at_all() {
    for tier in tiers() {
        let shop = Workshop::with(in_tier(tier), json!({"private": [".env"]}), |base| {
            for (folder, file) in
                [("state", "operator.token"), ("project/.gathering", "operator.token"), ("app", ".env")]
            {
                fs::create_dir_all(base.join(folder)).unwrap();
                fs::write(base.join(folder).join(file), "CANARY-7f3a").unwrap();
            }
            OwnPlaces { private: vec![base.join("state")], ..OwnPlaces::default() }
        })
        .await;
        let arguments = json!({"command": "cat state/* project/.gathering/* app/.env; ls -A state project/.gathering; mv app/.env x; \
            mv state y; mv project z; mv app w; grep -r CANARY . ; echo done"});

        let outcome = shop.report(arguments).await.outcome;

        if tier == Tier::Isolated {
            let said = outcome.unwrap().value;
            assert!(said["stdout"].as_str().unwrap().ends_with("done\n"), "{said}");
            assert!(!said.to_string().contains("CANARY"), "{said}");
            assert!(shop.path_exists("state/operator.token"), "{said}");
        } else {
            let error = outcome.unwrap_err();
            assert_eq!(error.code(), "sandbox_setup_failed");
            assert!(error.to_string().contains("cannot be hidden"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_folder_inside_of_what_is_private_is_refused() {
    for tier in tiers() {
        let private = |base: &std::path::Path| OwnPlaces {
            private: vec![base.parent().map(PathBuf::from).unwrap()],
            ..OwnPlaces::default()
        };
        let shop = Workshop::with(in_tier(tier), json!({}), private).await;

        let error = shop.fail(json!({"command": "true"})).await;

        assert!(error.to_string().contains("private to the server"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_folder_that_cannot_be_written_can_be_read() {
    if is_root() {
        return not_run("root can write everywhere");
    }
    for tier in tiers() {
        let shop = Workshop::new(tier).await;
        fs::write(shop.path("file"), "text").unwrap();
        let mode = |mode| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(shop.base(), fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o555);

        let ran = shop.run("cat file; touch other").await;

        mode(0o755);
        assert_eq!((&ran["stdout"], &ran["return_code"]), (&json!("text"), &json!(1)), "{ran}");
    }
}
