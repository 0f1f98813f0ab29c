//! Other processes, and what a program inherits.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};

use gathering_sandbox::{Job, Policy, Tier};

use crate::harness::*;

#[test]
fn the_environment_is_what_the_policy_says_and_nothing_else() {
    for tier in tiers() {
        let policy = Policy { env: [("GREETING".to_owned(), "hello".to_owned())].into(), ..policy() };

        let ran = run(tier, &policy, Job { program: "/usr/bin/env".into(), args: vec![], ..shell("") });

        assert_eq!(ran.stdout, "GREETING=hello\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn no_descriptor_is_inherited_not_even_one_that_was_meant_to_be() {
    let secret = File::open("/etc/hostname").unwrap();
    // SAFETY: the descriptor is open; that a program inherits it is what is to be tried.
    unsafe { libc::fcntl(secret.as_raw_fd(), libc::F_SETFD, 0) };
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            "import os\nfor n in range(3, 4096):\n try: os.fstat(n); print(n)\n except OSError: pass",
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "", "{tier}: {}", ran.said());
    }
}

#[test]
fn channels_are_handed_over_in_order() {
    for tier in tiers() {
        let (first, mut to_first) = std::io::pipe().unwrap();
        let (second, mut to_second) = std::io::pipe().unwrap();
        to_first.write_all(b"one ").unwrap();
        to_second.write_all(b"two").unwrap();
        drop((to_first, to_second));
        let channels = vec![OwnedFd::from(first), OwnedFd::from(second)];

        let ran = run(
            tier,
            &policy(),
            Job { channels, ..shell("cat <&3; cat <&4; { true <&5; } 2>/dev/null || echo ' end'") },
        );

        assert_eq!(ran.stdout, "one two end\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn a_program_has_no_capability_no_new_privileges_a_filter_and_is_not_root() {
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            "import os\nprint(os.getresuid()[0] != 0, len(set(os.getresuid())), len(set(os.getresgid())))\n\
             for line in open('/proc/self/status'):\n\
             \x20if line.split(':')[0] in ('CapInh','CapPrm','CapEff','CapAmb','NoNewPrivs','Seccomp'): print(line.split()[1].lstrip('0'))",
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "True 1 1\n\n\n\n\n1\n2\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn the_server_can_be_neither_read_nor_traced_nor_signalled() {
    let server = std::process::id();
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            &format!(
                "
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
S = {server}
def attempt(name, do):
    try:
        if do() != -1: print('worked:', name)
    except OSError: pass
if os.getpid() < 10: S = 1  # a namespace of its own: the nearest to a server is its init
attempt('environ', lambda: open(f'/proc/{{S}}/environ').read())
attempt('mem', lambda: open(f'/proc/{{S}}/mem', 'rb'))
attempt('maps', lambda: open(f'/proc/{{S}}/maps').read())
attempt('fd', lambda: os.listdir(f'/proc/{{S}}/fd'))
attempt('root', lambda: os.listdir(f'/proc/{{S}}/root/'))
attempt('seize', lambda: libc.ptrace(0x4206, S, 0, 0))
attempt('readv', lambda: libc.process_vm_readv(S, 0, 0, 0, 0, 0))
attempt('pidfd_getfd', lambda: libc.syscall(438, S, 0, 0))
if S != 1:
    attempt('kill', lambda: os.kill(S, 0))
    attempt('priority', lambda: os.setpriority(os.PRIO_PROCESS, S, 5))
    attempt('affinity', lambda: os.sched_setaffinity(S, {{0}}))
    attempt('prlimit', lambda: __import__('resource').prlimit(S, 7))
attempt('kill all', lambda: os.kill(-1, 9) or -1)  # it says 0 also if it was allowed to signal nobody
attempt('parent', lambda: os.kill(os.getppid(), signal.SIGKILL) or (-1 if S == 1 else 0))
group = os.getpgid(os.getppid())  # 0 if it lies outside of the namespace
attempt('group', lambda: os.killpg(group, 9) if group else -1)
print('still here')
"
            ),
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "still here\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn two_runs_cannot_see_or_signal_each_other() {
    for tier in tiers() {
        let word = nonce();
        let mut other = start(tier, &policy(), shell(&format!("echo ready; sleep {word}")));
        readable_within(other.stdout.take().unwrap(), std::time::Duration::from_secs(10));

        let ran = run_shell(
            tier,
            &policy(),
            &format!(
                "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; done 2>/dev/null | grep -v grep | grep -c 'sleep {word}'
                 i=2; while [ $i -lt 6 ]; do i=$((i+1)); kill -9 $i; done
                 kill -9 {}; kill -9 $(({} + 1)); true",
                other.launcher().as_raw_nonzero(),
                other.launcher().as_raw_nonzero(),
            ),
        );

        assert_eq!(ran.stdout, "0\n", "{tier}: {}", ran.said());
        assert_eq!(other.wait_timeout(std::time::Duration::ZERO).unwrap(), None, "{tier}");
        other.kill().unwrap();
        assert_eq!(alive_with(&word), 0);
    }
}

#[test]
fn a_setuid_program_changes_nobody() {
    if !is_root() {
        return not_run("only root can make a setuid program to try");
    }
    let folder = open_folder();
    let program = folder.path().join("id");
    std::fs::copy("/usr/bin/id", &program).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
    for tier in tiers() {
        let policy = Policy { read: vec![folder.path().to_owned()], ..policy() };

        let ran = run_shell(tier, &policy, &format!("{} -u", program.display()));

        assert_eq!(ran.stdout, "65534\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn there_is_no_terminal_to_type_into() {
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            "
import fcntl, os
for what in (lambda: os.open('/dev/tty', os.O_RDWR), lambda: fcntl.ioctl(0, 0x5412, b'x'), lambda: fcntl.ioctl(0, 0x541C, b'x')):
    try: what(); print('worked')
    except OSError as error: print(error.errno)
",
        ) else {
            return;
        };

        assert!(!ran.stdout.contains("worked"), "{tier}: {}", ran.said());
        assert!(ran.stdout.ends_with("1\n1\n"), "{tier}: {}", ran.said());
    }
}

#[test]
fn an_isolated_program_has_a_machine_of_its_own() {
    if !has(Tier::Isolated) {
        return;
    }

    let ran = run_shell(
        Tier::Isolated,
        &policy(),
        "hostname; ls /proc | grep -c '^[0-9]'; ls /sys /run /home 2>/dev/null | head",
    );

    assert_eq!(ran.stdout.lines().next(), Some("sandbox"), "{}", ran.said());
    // Init, the shell, and the pipeline.
    let count: usize = ran.stdout.lines().nth(1).unwrap().parse().unwrap();
    assert!(count <= 5, "{}", ran.said());
}
