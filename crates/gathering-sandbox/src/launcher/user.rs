//! Becomes the tool's user, and gives up every privilege.

use std::io;

use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use crate::error::During;
use crate::{Failure, Step, ToolUser};

/// Who tools run as: ourselves, or, if that is root, the one whom the policy names.
pub(super) fn of_tools(named: ToolUser) -> ToolUser {
    if is_root() {
        return named;
    }
    ToolUser { uid: rustix::process::getuid().as_raw(), gid: rustix::process::getgid().as_raw() }
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Becomes `user` for good, if we are root.
pub(super) fn become_user(user: ToolUser) -> Result<(), Failure> {
    if !is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::thread::set_thread_groups(&[])
        .and_then(|()| rustix::thread::set_thread_res_gid(gid, gid, gid))
        .and_then(|()| rustix::thread::set_thread_res_uid(uid, uid, uid))
        .map_err(|error| {
            let cause = format!(
                "the server is root and cannot become user {} of group {}: {error}",
                user.uid, user.gid
            );
            Failure::new(
                Step::User,
                cause,
                "name a user that this container has, or start the server as another user",
            )
        })?;
    // The kernel makes who changes its user unreadable to itself; the id maps have to be written yet.
    readable_to_itself(true)
}

/// Whether `/proc/self` belongs to us, or to root, whom then no tool of the same user can follow into our memory.
pub(super) fn readable_to_itself(readable: bool) -> Result<(), Failure> {
    let behaviour = if readable { DumpableBehavior::Dumpable } else { DumpableBehavior::NotDumpable };
    rustix::process::set_dumpable_behavior(behaviour).during(Step::User, "setting dumpable")
}

/// Gives up all capabilities, and makes sure of it. What will be run could only regain those of the bounding set.
pub(super) fn give_up_capabilities() -> Result<(), Failure> {
    let step = Step::Privileges;
    rustix::thread::clear_ambient_capability_set().during(step, "emptying the ambient set")?;
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, none).during(step, "giving up capabilities")?;
    let left = rustix::thread::capabilities(None).during(step, "reading capabilities")?;
    if left.effective.is_empty() && left.permitted.is_empty() && left.inheritable.is_empty() {
        return Ok(());
    }
    Err(Failure::new(step, format!("capabilities are left: {:?}", left.permitted), ""))
}

/// Empties the bounding set, so that no program regains anything. Who lacks `CAP_SETPCAP` has nothing that could be regained: `no_new_privs` sees to that.
pub(super) fn give_up_bounding_set() -> io::Result<()> {
    let held = rustix::thread::capabilities(None)?;
    if !held.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    for capability in 0..64 {
        // SAFETY: `prctl` with these arguments takes numbers only.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            let error = io::Error::last_os_error();
            // The kernel has no capability of this number, nor of a higher one.
            return if error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) };
        }
    }
    Ok(())
}
