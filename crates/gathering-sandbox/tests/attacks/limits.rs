//! What a program may spend.

use std::time::{Duration, Instant};

use gathering_sandbox::{Ended, Limits, Policy, Tier};

use crate::harness::*;

fn with(limits: Limits) -> Policy {
    Policy { limits, ..policy() }
}

#[test]
fn processor_time_ends_and_the_exit_says_so() {
    for tier in tiers() {
        let policy = with(Limits { cpu_seconds: 1, ..limits() });
        for script in [
            "while :; do :; done",
            "trap '' XCPU; while :; do :; done",
            "sh -c 'while :; do :; done'; exit $?",
        ] {
            let ran = run_shell(tier, &policy, script);

            assert_eq!(ran.exit.ended, Ended::CpuLimit, "{tier}: `{script}`: {}", ran.said());
            assert!(ran.exit.cpu < Duration::from_secs(4), "{tier}: {}", ran.said());
        }
    }
}

#[test]
fn a_file_that_grows_too_large_ends_its_writer() {
    for tier in tiers() {
        let workspace = workspace();

        let ran = run_shell(tier, &policy_in(workspace.path()), "exec head -c 1G /dev/zero > large");

        assert_eq!(ran.exit.ended, Ended::FileSizeLimit, "{tier}: {}", ran.said());
        assert_eq!(std::fs::metadata(workspace.path().join("large")).unwrap().len(), 8 << 20, "{tier}");
    }
}

#[test]
fn one_process_cannot_take_more_memory_than_it_may() {
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            "
kept = []
try:
    for _ in range(99): kept.append(bytearray(16 << 20))
    print('took it all')
except MemoryError: print(10 < len(kept) < 16)
",
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "True\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn a_tree_that_takes_too_much_memory_together_is_ended() {
    for tier in tiers() {
        let started = Instant::now();
        let Some(ran) = run_python(
            tier,
            &policy(),
            "
import os, time
for _ in range(8):
    if os.fork() == 0:
        kept = bytearray(b'x') * (64 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
",
        ) else {
            return;
        };

        assert_eq!(ran.exit.ended, Ended::MemoryLimit, "{tier}: {}", ran.said());
        assert!(started.elapsed() < Duration::from_secs(15), "{tier}");
    }
}

#[test]
fn memory_that_a_tree_shares_is_counted_once() {
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            "
import os, time
kept = b'x' * (100 << 20)
children = []
for _ in range(6):
    pid = os.fork()
    if pid == 0:
        time.sleep(1); os._exit(0)
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
print('lived')
",
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "lived\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn a_fork_bomb_goes_off_in_its_own_limits() {
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &with(Limits { processes: 40, ..limits() }),
            "
import os, time
count = 0
try:
    for _ in range(500):
        if os.fork() == 0: time.sleep(60); os._exit(0)
        count += 1
    print('all of them')
except OSError: pass
print(20 < count <= 45)
",
        ) else {
            return;
        };

        // Without namespaces the kernel counts for the user, whose other processes come and go.
        let counted = ran.stdout == "True\n" || (tier == Tier::Confined && !ran.stdout.contains("all"));
        assert!(counted, "{tier}: {}", ran.said());
        let ran = run_shell(
            tier,
            &with(Limits { cpu_seconds: 1, processes: 40, ..limits() }),
            "b() { b | b & }; b; sleep 1",
        );
        assert_ne!(ran.exit.ended, Ended::LauncherLost, "{tier}: {}", ran.said());
    }
}

#[test]
fn descriptors_run_out_at_the_limit() {
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            "
import os
count = 0
try:
    while True: os.dup(0); count += 1
except OSError as error: print(error.errno, count < 64)
",
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "24 True\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn limits_cannot_be_raised_from_inside() {
    for tier in tiers() {
        let ran = run_shell(
            tier,
            &policy(),
            "ulimit -n 1024 || ulimit -t 99 || ulimit -u 999 || echo no; ulimit -c",
        );

        assert_eq!(ran.stdout, "no\n0\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn the_usage_of_a_tree_is_told() {
    for tier in tiers() {
        let Some(python) = python() else { return };
        let code = "import os\nkept = b'x' * (50 << 20)\nif os.fork(): print('ready', flush=True)\ninput()";
        let job = gathering_sandbox::Job {
            program: python,
            args: vec!["-I".into(), "-c".into(), code.into()],
            stdin: gathering_sandbox::Stdio::Piped,
            ..shell("")
        };
        let mut child = start(tier, &policy(), job);
        readable_within(child.stdout.take().unwrap(), Duration::from_secs(10));

        let usage = child.usage().unwrap();

        assert_eq!(usage.processes, 2, "{tier}: {usage:?}");
        assert!(usage.memory > 50 << 20 && usage.memory < 200 << 20, "{tier}: {usage:?}");
        child.kill().unwrap();
    }
}
