//! What cannot be set up is an error that says why, and nothing runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gathering_sandbox::{Job, Policy, SetupError, Stdio, Step, Tier, ToolUser, WarmParent, spawn};

use crate::harness::*;

fn refused(tier: Tier, policy: &Policy, job: Job) -> SetupError {
    spawn(launcher(), tier, policy, job).map(|child| child.wait()).unwrap_err()
}

#[test]
fn a_launcher_that_is_missing_or_another_program_is_named() {
    let missing = spawn(Path::new("/no/gathering"), Tier::Isolated, &policy(), shell("true")).unwrap_err();
    let other = spawn(Path::new("/bin/true"), Tier::Isolated, &policy(), shell("true")).unwrap_err();

    assert!(
        missing.to_string().starts_with("the launcher `/no/gathering` could not be started"),
        "{missing}"
    );
    assert!(other.to_string().contains("it ended without a word"), "{other}");
    assert_eq!((missing.code(), other.code()), ("sandbox_setup_failed", "sandbox_setup_failed"));
}

#[test]
fn a_warm_parent_that_ends_before_it_is_warm_is_waited_for_no_longer() {
    if !has(Tier::Isolated) {
        return;
    }
    let began = Instant::now();

    let start = |program: &str, args: &[&str]| {
        let args = args.iter().map(Into::into).collect();
        WarmParent::start(launcher(), program.into(), args, Vec::new(), ToolUser::default()).unwrap_err()
    };
    let ended = start("/bin/sh", &["-c", "echo no luck >&2"]);
    let killed = start("/bin/sh", &["-c", "kill -9 $$"]);

    assert_eq!(
        ended.to_string(),
        "the launcher gave no answer: the warm parent ended before it was warm (no luck)"
    );
    assert!(killed.to_string().contains("the warm parent ended before it was warm"), "{killed}");
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
}

#[test]
fn a_program_that_is_missing_or_cannot_be_run_is_named() {
    let workspace = workspace();
    let script = workspace.path().join("script");
    fs::write(&script, "#!/no/interpreter\n").unwrap();
    let plain = workspace.path().join("plain");
    fs::write(&plain, "x").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for tier in tiers() {
        for (program, expected) in [
            (Path::new("/usr/bin/no-such-program"), "does not exist in the sandbox"),
            (Path::new("relative"), "does not exist in the sandbox"),
            (&script, "needs an interpreter"),
            (&plain, "may not be run"),
        ] {
            let error =
                refused(tier, &policy_in(workspace.path()), Job { program: program.into(), ..shell("") });

            assert_eq!(error.failure().unwrap().step, Step::Program, "{tier}: {error}");
            assert!(error.to_string().contains(expected), "{tier}: {error}");
        }
    }
}

#[test]
fn folders_that_are_missing_are_named() {
    for tier in tiers() {
        let absent = PathBuf::from("/usr/no-such-folder");
        let reading = refused(tier, &Policy { read: vec![absent.clone()], ..policy() }, shell("true"));
        let starting = refused(tier, &Policy { cwd: absent, ..policy() }, shell("true"));

        assert!(reading.to_string().contains("`/usr/no-such-folder` does not exist"), "{tier}: {reading}");
        assert!(starting.to_string().contains("cannot be the working directory"), "{tier}: {starting}");
    }
}

#[test]
fn a_policy_that_contradicts_itself_is_refused_before_anything_starts() {
    let error =
        refused(Tier::Isolated, &Policy { read: vec!["/a/../etc".into()], ..policy() }, shell("true"));

    assert!(matches!(error, SetupError::Policy(_)), "{error}");
}

/// A launcher that starts where no user namespaces can be made.
pub(crate) fn without_namespaces(folder: &Path) -> PathBuf {
    let path = folder.join("launcher");
    let other = if is_root() { "setpriv --reuid 12345 --regid 12345 --clear-groups" } else { "" };
    let script = format!(
        "#!/bin/sh
exec {other} unshare --user --map-current-user --keep-caps sh -c 'echo 0 > /proc/sys/user/max_user_namespaces &&
exec setpriv --ambient-caps=-all --inh-caps=-all {} __sandbox'",
        launcher().display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn that_user_namespaces_are_turned_off_is_said_and_nothing_falls_back() {
    if !has(Tier::Isolated) {
        return;
    }
    let folder = open_folder();

    let error =
        spawn(&without_namespaces(folder.path()), Tier::Isolated, &policy(), shell("true")).unwrap_err();

    assert!(error.to_string().contains("(user.max_user_namespaces=0)"), "{error}");
    assert_eq!(error.failure().unwrap().remedy, "`sysctl user.max_user_namespaces=15000`");
}

#[test]
fn where_namespaces_are_blocked_the_other_tier_can_be_had() {
    if available().len() < 2 {
        return;
    }
    let folder = open_folder();
    let launcher = without_namespaces(folder.path());

    let child = spawn(&launcher, Tier::Confined, &policy(), shell("echo confined")).unwrap();

    assert_eq!(child.applied().tier, Tier::Confined);
    assert!(child.wait().unwrap().success());
}

const ROLE: &str = "GATHERING_TEST_NESTED";

/// What the next test runs in a sandbox.
#[test]
fn server_that_is_in_a_sandbox_already() {
    if std::env::var(ROLE).is_err() {
        return;
    }
    let error = spawn(launcher(), Tier::Isolated, &Policy::default(), shell("true")).unwrap_err();
    println!("{error}");
}

#[test]
fn that_a_filter_of_a_container_forbids_namespaces_is_said() {
    if !has(Tier::Isolated) {
        return;
    }
    let me = std::env::current_exe().unwrap();
    let mut policy = Policy { read: vec![me.clone(), launcher().to_owned()], ..policy() };
    policy.env.insert(ROLE.to_owned(), "yes".to_owned());
    let args =
        ["--exact", "setup::server_that_is_in_a_sandbox_already", "--nocapture"].map(Into::into).into();

    let ran = run(Tier::Isolated, &policy, Job { program: me, args, ..shell("") });

    assert!(ran.stdout.contains("user namespaces are blocked"), "{}", ran.said());
    assert!(ran.stdout.contains("(a seccomp filter, such as a container's)"), "{}", ran.said());
}

#[test]
fn many_threads_start_programs_at_once_and_no_pipe_is_inherited_by_another() {
    for tier in tiers() {
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || {
                    for round in 0..5 {
                        let mut job = shell("ls /proc/self/fd 2>/dev/null | wc -l; cat");
                        job.stdin = Stdio::Piped;
                        let mut child = start(tier, &policy(), job);
                        let mut stdin = child.stdin.take().unwrap();
                        std::io::Write::write_all(&mut stdin, format!("{number} {round}").as_bytes())
                            .unwrap();
                        // If another child had inherited this end, `cat` would never end.
                        drop(stdin);
                        let said = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
                        assert!(said.ends_with(&format!("\n{number} {round}")), "{tier}: {said}");
                        assert!(child.wait().unwrap().success());
                    }
                });
            }
        });
    }
}
