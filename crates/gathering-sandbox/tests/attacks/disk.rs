//! What a program may put on disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gathering_sandbox::{Ended, Limits, Policy, Tier};

use crate::harness::*;

/// What all files in a folder take.
fn taken(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    entries.map(|found| found.blocks() * 512).sum()
}

/// One of these tests at a time, whoever runs it: what is hidden is found by the room that goes, and another test that tidies
/// up gives room back.
fn alone() -> std::fs::File {
    let place = std::env::temp_dir().join("gathering-disk-tests.lock");
    let file =
        std::fs::File::open(&place).or_else(|_| std::fs::File::create(&place)).expect("it can be made");
    file.lock().expect("it can be locked");
    file
}

#[test]
fn many_files_together_end_who_writes_them() {
    let _alone = alone();
    for tier in tiers() {
        let workspace = workspace();
        let policy = policy_in(workspace.path());

        let ran = run_shell(tier, &policy, "i=0; while :; do i=$((i+1)); head -c 4M /dev/zero > f$i; done");

        let taken = taken(workspace.path());
        println!("{tier}: {} MiB of {} were written", taken >> 20, policy.limits.disk_bytes >> 20);
        assert_eq!(ran.exit.ended, Ended::DiskLimit, "{tier}: {}", ran.said());
        assert!(taken < 20 * policy.limits.disk_bytes, "{tier}: {taken}");
    }
}

#[test]
fn space_that_is_taken_without_writing_counts() {
    let _alone = alone();
    for tier in tiers() {
        let workspace = workspace();
        let Some(ran) = run_python(
            tier,
            &policy_in(workspace.path()),
            "
import os, time
for number in range(1000):
    with open(f'f{number}', 'wb') as file: os.posix_fallocate(file.fileno(), 0, 1 << 20)
time.sleep(60)
",
        ) else {
            return;
        };

        assert_eq!(ran.exit.ended, Ended::DiskLimit, "{tier}: {}", ran.said());
    }
}

#[test]
fn empty_files_end_who_makes_them() {
    let _alone = alone();
    for tier in tiers() {
        let workspace = workspace();

        let ran =
            run_shell(tier, &policy_in(workspace.path()), "i=0; while :; do i=$((i+1)); : > name$i; done");

        assert_eq!(ran.exit.ended, Ended::DiskLimit, "{tier}: {}", ran.said());
    }
}

#[test]
fn a_file_that_was_removed_counts_as_long_as_it_is_open() {
    let _alone = alone();
    for tier in tiers() {
        let workspace = workspace();
        let Some(ran) = run_python(
            tier,
            &policy_in(workspace.path()),
            "
import os, time
kept = []
for number in range(40):
    kept.append(open('name', 'wb')); os.unlink('name')
    kept[-1].write(b'x' * (4 << 20)); kept[-1].flush()
time.sleep(60)
",
        ) else {
            return;
        };

        assert_eq!(ran.exit.ended, Ended::DiskLimit, "{tier}: {}", ran.said());
    }
}

/// Hides 16 files of 8 MiB, one way each.
const HIDDEN: [&str; 4] = [
    // In a folder that only who is in it already can reach.
    "
os.mkdir('closed'); os.chdir('closed')
kept = [open(f'f{number}', 'wb') for number in range(16)]
os.chmod('.', 0)
for file in kept: file.write(part); file.flush()
",
    // In a process that lets nobody look at it.
    "
libc.prctl(4, 0)
for file in removed(): file.write(part); file.flush()
",
    // In memory that is mapped to a file without name or descriptor.
    "
libc.mmap.restype = ctypes.c_void_p
for file in removed():
    file.truncate(len(part))
    at = libc.mmap(None, ctypes.c_size_t(len(part)), 3, 1, file.fileno(), ctypes.c_size_t(0))
    file.close()
    ctypes.memmove(at, part, len(part))
",
    // On the way from one socket to another.
    "
here, there = socket.socketpair()
for file in removed():
    file.write(part); file.flush()
    socket.send_fds(here, [b'x'], [file.fileno()])
    file.close()
",
];

#[test]
fn hiding_what_is_written_does_not_help() {
    let _alone = alone();
    for tier in tiers() {
        for way in HIDDEN {
            let workspace = workspace();
            let code = format!(
                "
import ctypes, os, socket, time
libc, part, kept = ctypes.CDLL(None), b'x' * (8 << 20), []
def removed():
    for number in range(16):
        kept.append(open('name', 'w+b'))
        os.unlink('name')
        yield kept[-1]
{way}
time.sleep(60)
"
            );
            let Some(ran) = run_python(tier, &policy_in(workspace.path()), &code) else { return };

            // Without namespaces there are no sockets at all.
            let refused = tier == Tier::Confined && ran.stderr.contains("socket.socketpair()");
            assert!(refused || ran.exit.ended == Ended::DiskLimit, "{tier}: {way}: {}", ran.said());
        }
    }
}

#[test]
fn the_private_folder_of_a_confined_program_counts_too() {
    let _alone = alone();
    for tier in tiers().filter(|tier| *tier == Tier::Confined) {
        let ran = run_shell(
            tier,
            &policy(),
            "cd $TMPDIR; i=0; while :; do i=$((i+1)); head -c 4M /dev/zero > f$i; done",
        );

        assert_eq!(ran.exit.ended, Ended::DiskLimit, "{tier}: {}", ran.said());
        assert_eq!(ran.exit.leftover, None, "{tier}: {}", ran.said());
    }
}

#[test]
fn what_another_run_left_in_a_folder_of_its_own_counts() {
    let _alone = alone();
    for tier in tiers() {
        let workspace = workspace();
        let policy = policy_in(workspace.path());
        let fill = "for i in 1 2 3 4 5 6 7 8 9; do head -c 8000000 /dev/zero > f$i; done";
        let granted = Policy { limits: Limits { disk_bytes: 1 << 30, ..limits() }, ..policy.clone() };
        assert!(run_shell(tier, &granted, fill).exit.success(), "{tier}");
        let own = Policy { scratch: Some(workspace.path().to_owned()), ..policy };

        let ran = run_shell(tier, &own, "sleep 20");

        assert_eq!(ran.exit.ended, Ended::DiskLimit, "{tier}: {}", ran.said());
    }
}

#[test]
fn who_rewrites_the_same_file_is_left_alone() {
    let _alone = alone();
    for tier in tiers() {
        let workspace = workspace();

        let ran = run_shell(
            tier,
            &policy_in(workspace.path()),
            "i=0; while [ $i -lt 60 ]; do i=$((i+1)); head -c 4M /dev/zero > same; done; echo done",
        );

        assert_eq!(ran.stdout, "done\n", "{tier}: {}", ran.said());
    }
}
