//! Files outside do not exist, or cannot be touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use gathering_sandbox::{Policy, Tier};

use crate::harness::*;

#[test]
fn a_file_outside_cannot_be_read_written_or_removed_whatever_the_way() {
    let outside = open_folder();
    let canary = canary(&outside);
    let path = canary.display().to_string();
    for tier in tiers() {
        let workspace = workspace();
        symlink(&canary, workspace.path().join("link")).unwrap();
        symlink(outside.path(), workspace.path().join("folder")).unwrap();

        let ran = run_shell(
            tier,
            &policy_in(workspace.path()),
            &format!(
                "cat {path}; cat /proc/self/root{path}; cat link; cat folder/canary; cat ../*/canary
                 echo x > link; echo x > folder/new; truncate -s 0 folder/canary; rm -f folder/canary
                 ln {path} hard; ln link hard; mv folder/canary here; cat hard here
                 cd /; cat ./{path}"
            ),
        );

        assert!(!ran.said().contains("CANARY"), "{tier}: {}", ran.said());
        assert_eq!(fs::read_to_string(&canary).unwrap(), "CANARY-7f3a", "{tier}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{tier}");
    }
}

#[test]
fn an_isolated_program_cannot_even_tell_whether_a_file_exists() {
    let outside = open_folder();
    let canary = canary(&outside);
    fs::set_permissions(&canary, std::os::unix::fs::PermissionsExt::from_mode(0o646)).unwrap();
    if !has(Tier::Isolated) {
        return;
    }

    let path = canary.display();
    let ran = run_shell(
        Tier::Isolated,
        &policy(),
        &format!(
            "stat {path}; chmod 600 {path}; touch -d 2001-01-01 {path}; ls /home /root /work /var/lib; true"
        ),
    );

    assert_eq!(ran.stdout, "", "{}", ran.said());
    let found = fs::metadata(&canary).unwrap();
    assert_eq!(found.mode() & 0o777, 0o646);
    assert!(found.mtime() > 1_000_000_000);
}

#[test]
fn what_can_be_read_cannot_be_written() {
    let readable = open_folder();
    let file = canary(&readable);
    let path = file.display();
    for tier in tiers() {
        // A confined program may change the modes of its user's files: that is one of its gaps.
        let chmod = if tier == Tier::Isolated { "chmod 000" } else { "true" };
        let policy = Policy { read: vec![readable.path().to_owned()], ..policy() };

        let ran = run_shell(
            tier,
            &policy,
            &format!("cat {path}; {chmod} {path}; echo x > {path}; rm -f {path}; touch {path}2; true"),
        );

        assert!(ran.stdout.starts_with("CANARY-7f3a"), "{tier}: {}", ran.said());
        assert_eq!(fs::read_to_string(&file).unwrap(), "CANARY-7f3a", "{tier}");
        assert_eq!(fs::read_dir(readable.path()).unwrap().count(), 1, "{tier}");
    }
}

#[test]
fn what_can_be_written_is_written_for_real_and_as_the_tools_user() {
    for tier in tiers() {
        let workspace = workspace();

        let ran = run_shell(
            tier,
            &policy_in(workspace.path()),
            "mkdir -p a/b && echo hello > a/b/c && mv a/b/c a/d && ln a/d a/e && ln -s d a/f && mkfifo p && cat a/f",
        );

        assert_eq!(ran.stdout, "hello\n", "{tier}: {}", ran.said());
        let written = fs::metadata(workspace.path().join("a/e")).unwrap();
        assert_eq!(written.uid(), fs::metadata(workspace.path()).unwrap().uid());
    }
}

#[test]
fn the_folder_of_another_user_is_writable_through_a_mount_that_maps_its_owner() {
    if !is_root() {
        return not_run("only root can map owners");
    }
    let folder = open_folder();
    fs::write(folder.path().join("old"), "old").unwrap();
    if !has(Tier::Isolated) {
        return;
    }

    let child = start(Tier::Isolated, &policy_in(folder.path()), shell("true"));
    let read_only = child.applied().read_only.clone();
    drop(child);
    let ran = run_shell(Tier::Isolated, &policy_in(folder.path()), "echo new > new; echo more >> old; id -u");

    if !read_only.is_empty() {
        return not_run("the file system of the folder for temporary files has no mapped mounts");
    }
    assert_eq!(ran.stdout, "65534\n", "{}", ran.said());
    assert_eq!(fs::read_to_string(folder.path().join("old")).unwrap(), "oldmore\n");
    assert_eq!(fs::metadata(folder.path().join("new")).unwrap().uid(), 0);
}

#[test]
fn a_confined_program_is_said_to_only_read_the_folder_of_another_user() {
    if !is_root() {
        return not_run("without root, there is no other user");
    }
    let folder = open_folder();
    if !has(Tier::Confined) {
        return;
    }

    let child = start(Tier::Confined, &policy_in(folder.path()), shell("touch new"));
    let applied = child.applied().clone();
    child.wait().unwrap();

    assert_eq!(applied.read_only, [folder.path()]);
    assert!(applied.gaps.iter().any(|gap| gap.what.contains("can only be read")), "{:?}", applied.gaps);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn temporary_files_are_private_to_the_run_and_gone_after_it() {
    for tier in tiers() {
        let first = run_shell(tier, &policy(), "echo secret > $TMPDIR/note; pwd -P; echo $HOME; ls");
        let lines: Vec<_> = first.stdout.lines().collect();
        let second = run_shell(tier, &policy(), &format!("ls; cat /tmp/note; cat {}/note; true", lines[0]));

        assert_eq!(lines[0], lines[1], "{tier}: {}", first.said());
        assert_eq!(lines[2], "note", "{tier}: {}", first.said());
        assert_eq!(second.stdout, "", "{tier}: {}", second.said());
        assert!(lines[0] == "/tmp" || !fs::exists(lines[0]).unwrap(), "{tier}: {}", lines[0]);
        assert_eq!(first.exit.leftover, None);
    }
}

#[test]
fn the_private_folders_of_an_isolated_program_have_a_size() {
    if !has(Tier::Isolated) {
        return;
    }

    let ran = run_shell(
        Tier::Isolated,
        &policy(),
        "for i in 1 2 3 4 5 6; do head -c 4M /dev/zero > /tmp/f$i; done; du -sm /tmp | cut -f1
         for i in 1 2 3 4 5 6; do head -c 4M /dev/zero > /dev/shm/f$i; done; du -sm /dev/shm | cut -f1
         i=0; while true > /tmp/e$i; do i=$((i+1)); done; test $i -lt 6000 && echo files are counted
         touch /x /usr/x /etc/x /proc/x /dev/x && echo elsewhere; true",
    );

    assert!(ran.stderr.contains("No space left on device"), "{}", ran.said());
    assert_eq!(ran.stdout, "16\n16\nfiles are counted\n", "{}", ran.said());
}

#[test]
fn the_folders_of_other_runs_are_out_of_reach() {
    for tier in tiers() {
        let (mine, theirs) = (workspace(), workspace());
        let mut running =
            start(tier, &policy_in(theirs.path()), shell("echo secret > note; pwd; exec sleep 30"));
        readable_within(running.stdout.take().unwrap(), std::time::Duration::from_secs(10));

        let ran = run_shell(
            tier,
            &policy_in(mine.path()),
            &format!(
                "cat {0}/note; echo x > {0}/note; ls {0}; ls /tmp/gathering-*; true",
                theirs.path().display()
            ),
        );

        assert_eq!(ran.stdout, "", "{tier}: {}", ran.said());
        assert_eq!(fs::read_to_string(theirs.path().join("note")).unwrap(), "secret\n", "{tier}");
        running.kill().unwrap();
    }
}
