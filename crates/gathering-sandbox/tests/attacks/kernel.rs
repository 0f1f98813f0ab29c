//! Calls into the kernel that tools have no business with.

use gathering_sandbox::Tier;

use crate::harness::*;

#[test]
fn wide_doors_into_the_kernel_are_closed_and_knocking_kills_nobody() {
    if cfg!(not(target_arch = "x86_64")) {
        return not_run("the numbers of the calls are those of x86_64");
    }
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            "
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
calls = dict(ptrace=101, process_vm_readv=310, process_vm_writev=311, unshare=272, setns=308, mount=165, umount2=166,
  pivot_root=155, chroot=161, move_mount=429, open_tree=428, fsopen=430, mount_setattr=442, name_to_handle_at=303,
  open_by_handle_at=304, fanotify_init=300, bpf=321, perf_event_open=298, userfaultfd=323, keyctl=250, add_key=248,
  request_key=249, init_module=175, finit_module=313, kexec_load=246, reboot=169, swapon=167, syslog=103,
  io_uring_setup=425, io_uring_enter=426, io_uring_register=427, clone3=435, memfd_create=319, memfd_secret=447,
  shmget=29, semget=64, msgget=68, mq_open=240, pidfd_getfd=438, sethostname=170, iopl=172, modify_ldt=154)
for name, number in calls.items():
    ctypes.set_errno(0)
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1: print('worked:', name)
    elif ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS): print(name, errno.errorcode[ctypes.get_errno()])
for flags in (0x10000000, 0x20000000, 0x40000000, 0x00020000):
    if libc.syscall(56, flags | 17, 0, 0, 0, 0) != -1: print('worked: clone', hex(flags))
# x32
if libc.syscall(0x40000000 | 39) != -1: print('worked: x32')
print('done')
",
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "done\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn namespaces_mounts_and_devices_cannot_be_made() {
    for tier in tiers() {
        let ran = run_shell(
            tier,
            &policy(),
            "unshare -Ur true && echo unshare; mkdir m; mount -t tmpfs t m && echo mount; mknod d c 1 3 && echo mknod
             chroot / true && echo chroot; nsenter -t 1 -m true && echo nsenter; true",
        );

        assert_eq!(ran.stdout, "", "{tier}: {}", ran.said());
    }
}

#[test]
fn settings_of_the_kernel_cannot_be_opened_for_writing() {
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            "
import os
for path in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/kernel/hostname', '/sys/fs/cgroup/cgroup.procs', '/dev/mem', '/dev/kmsg', '/proc/1/mem'):
    try: os.open(path, os.O_WRONLY); print('worked:', path)
    except OSError: pass
",
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "", "{tier}: {}", ran.said());
    }
}

#[test]
fn the_filter_holds_for_whatever_a_program_brings_along() {
    if !has(Tier::Isolated) {
        return;
    }
    let outside = open_folder();
    let canary = canary(&outside);
    for tier in tiers() {
        let ran = run_shell(
            tier,
            &policy(),
            &format!("cp /bin/cat $TMPDIR/mine; $TMPDIR/mine {}; echo $?", canary.display()),
        );

        assert_eq!(ran.stdout, "1\n", "{tier}: {}", ran.said());
    }
}
