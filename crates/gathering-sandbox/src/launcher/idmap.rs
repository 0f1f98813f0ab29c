//! Lets the tool's user write what belongs to another, through a mount that shows the owner as the tool's user.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::AtFlags;
use rustix::process::{Signal, kill_process};
use rustix::thread::UnshareFlags;

use super::{mounts, parent};
use crate::ToolUser;

/// Makes what the owner of the detached `tree` can do there possible for `user`. Needs root, and a file system that
/// has such maps.
pub(super) fn adopt(tree: BorrowedFd<'_>, user: ToolUser) -> io::Result<()> {
    let owner = rustix::fs::statat(tree, c"", AtFlags::EMPTY_PATH)?;
    if (owner.st_uid, owner.st_gid) == (user.uid, user.gid) {
        return Ok(());
    }
    let namespace = user_namespace((owner.st_uid, user.uid), (owner.st_gid, user.gid))?;
    mounts::map_owners(tree, namespace.as_fd())
}

/// A user namespace with these maps, each from a number on disk to the one it stands for.
fn user_namespace(uid: (u32, u32), gid: (u32, u32)) -> io::Result<OwnedFd> {
    let (ready, told) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // Namespaces are made by being in them: a child has nothing else to do.
    let holder = parent::fork_plain(|| {
        // SAFETY: descriptors are not unshared.
        let made = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) };
        if made.is_ok() && parent::die_with_parent().is_ok() && rustix::io::write(&told, b"+").is_ok() {
            loop {
                // It waits to be killed.
                rustix::event::pause();
            }
        }
    })?;
    let namespace = (|| {
        drop(told);
        if rustix::io::read(&ready, &mut [0; 1])? == 0 {
            return Err(io::Error::other("no user namespace could be made for its owners"));
        }
        let own = format!("/proc/{}", holder.as_raw_nonzero());
        fs::write(format!("{own}/uid_map"), format!("{} {} 1", uid.0, uid.1))?;
        fs::write(format!("{own}/gid_map"), format!("{} {} 1", gid.0, gid.1))?;
        Ok(OwnedFd::from(fs::File::open(format!("{own}/ns/user"))?))
    })();
    kill_process(holder, Signal::KILL)?;
    parent::collect(Some(holder), true)?;
    namespace
}
