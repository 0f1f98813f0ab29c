//! Makes namespaces of its own, or says why the system does not let it.

use std::fs;
use std::io;

use rustix::thread::{SecureComputingMode, UnshareFlags};

use crate::error::During;
use crate::{Failure, Step, ToolUser};

/// Enters new user, mount, process, network, ipc, host name and cgroup namespaces. The process namespace is that of
/// the next child.
pub(super) fn enter(user: ToolUser) -> Result<(), Failure> {
    let all = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    // SAFETY: what may not be unshared is the descriptor table, on which ownership of descriptors rests.
    unsafe { rustix::thread::unshare_unsafe(all) }
        .map_err(|error| blocked(&error.into(), "user namespaces"))?;
    let step = Step::Namespaces;
    // A group map may be written only by who can no longer change its groups.
    fs::write("/proc/self/setgroups", "deny").during(step, "giving up `setgroups`")?;
    fs::write("/proc/self/gid_map", format!("{0} {0} 1", user.gid)).during(step, "writing `gid_map`")?;
    fs::write("/proc/self/uid_map", format!("{0} {0} 1", user.uid)).during(step, "writing `uid_map`")?;
    Ok(())
}

/// Enters a new mount, network, ipc and host name namespace, as root may without a user namespace.
pub(super) fn enter_as_root() -> Result<(), Failure> {
    let all = UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    // SAFETY: as above.
    unsafe { rustix::thread::unshare_unsafe(all) }.map_err(|error| blocked(&error.into(), "namespaces"))
}

/// Names what on this system stands in the way.
pub(super) fn blocked(error: &io::Error, what: &str) -> Failure {
    let set = |key: &str, value: &str| {
        fs::read_to_string(format!("/proc/sys/{key}")).is_ok_and(|found| found.trim() == value)
    };
    let (why, remedy) = if set("user/max_user_namespaces", "0") {
        ("user.max_user_namespaces=0", "`sysctl user.max_user_namespaces=15000`")
    } else if error.raw_os_error() == Some(libc::ENOSPC) {
        ("all that user.max_user_namespaces allows are in use", "raise it with `sysctl`")
    } else if set("kernel/unprivileged_userns_clone", "0") {
        ("kernel.unprivileged_userns_clone=0", "`sysctl kernel.unprivileged_userns_clone=1`")
    } else if set("kernel/apparmor_restrict_unprivileged_userns", "1") {
        (
            "kernel.apparmor_restrict_unprivileged_userns=1",
            "allow `userns` in an AppArmor profile of the `gathering` binary, \
             or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
        )
    } else if has_seccomp_filter() {
        (
            "a seccomp filter, such as a container's",
            "allow `unshare` and `mount` in it: with Docker `--security-opt seccomp=unconfined`",
        )
    } else {
        ("the system gives no further reason", "look for a security module that forbids it")
    };
    Failure::new(Step::Namespaces, format!("{what} are blocked: {error} ({why})"), remedy)
}

fn has_seccomp_filter() -> bool {
    rustix::thread::secure_computing_mode().is_ok_and(|mode| mode == SecureComputingMode::Filter)
}
