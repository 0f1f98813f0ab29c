//! Builds the file system that an isolated program sees, and moves into it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountAttrFlags, MountPropagationFlags};

use super::mounts;
use super::sources::{Source, Sources};
use crate::error::During;
use crate::wire::{Cover, Shield};
use crate::{Failure, Policy, Step, ToolUser};

/// Where the new root is put up until it becomes the root. What lies there now has been copied already.
const STAGE: &str = "/tmp";

/// Builds the new root and makes it the root of this mount namespace. Must run in the process namespace whose
/// processes `/proc` is to show.
pub(super) fn enter(
    sources: Sources,
    shields: &[Shield],
    policy: &Policy,
    tools: ToolUser,
) -> Result<(), Failure> {
    let step = Step::Files;
    rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .during(step, "making mounts private")?;
    let root = put_up()?;
    let root = root.as_fd();
    mounts::place(root, Path::new("/etc"), true).during(step, "making `/etc`")?;
    for (path, target) in &sources.links {
        mounts::link(root, path, target).during(step, format_args!("linking `{}`", path.display()))?;
    }
    for source in &sources.system {
        put(root, source)?;
    }
    put_private(root, "/tmp", policy.tmp_bytes)?;
    put_private(root, "/dev/shm", policy.shm_bytes)?;
    put_processes(root)?;
    write_configuration(root, tools).during(step, "writing `/etc`")?;
    for (path, target) in [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ] {
        mounts::link(root, Path::new(path), Path::new(target))
            .during(step, format_args!("linking `{path}`"))?;
    }
    for source in &sources.roots {
        put(root, source)?;
        for shield in shields.iter().filter(|shield| shield.root == source.path) {
            put_shield(source, shield)?;
        }
    }
    mounts::set_read_only(root).during(step, "making the root read-only")?;
    mounts::pivot(root).during(step, "moving to the new root")
}

fn put_up() -> Result<OwnedFd, Failure> {
    let step = Step::Files;
    let options = [("size", "4m".to_owned()), ("nr_inodes", "4096".to_owned()), ("mode", "755".to_owned())];
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let root = mounts::new("tmpfs", &options, attributes)
        .map_err(|error| super::namespaces::blocked(&error, "mounts"))?;
    rustix::fs::open(STAGE, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(Into::into)
        .and_then(|stage| mounts::put(root.as_fd(), stage.as_fd()))
        .during(step, format_args!("putting the new root at `{STAGE}`, which must be a folder"))?;
    Ok(root)
}

fn put(root: BorrowedFd<'_>, source: &Source) -> Result<(), Failure> {
    mounts::place(root, &source.path, source.folder)
        .and_then(|place| mounts::put(source.tree.as_fd(), place.as_fd()))
        .during(Step::Files, format_args!("mounting `{}`", source.path.display()))
}

/// A folder in memory that everybody inside may write, and that holds `bytes`.
fn put_private(root: BorrowedFd<'_>, path: &str, bytes: u64) -> Result<(), Failure> {
    // Files without content cost memory too: as many as there are pages, and some for small folders.
    let files = bytes / 4096 + 1024;
    let options =
        [("size", bytes.to_string()), ("nr_inodes", files.to_string()), ("mode", "1777".to_owned())];
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    mounts::new("tmpfs", &options, attributes)
        .and_then(|mount| {
            let place = mounts::place(root, Path::new(path), true)?;
            mounts::put(mount.as_fd(), place.as_fd())
        })
        .during(Step::Files, format_args!("mounting a private `{path}`"))
}

fn put_processes(root: BorrowedFd<'_>) -> Result<(), Failure> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = mounts::new("proc", &[], attributes).map_err(|error| {
        let cause =
            format!("mounting a fresh `/proc`: {error}: parts of `/proc` are hidden here, as in a container");
        Failure::new(Step::Files, cause, "with Docker `--security-opt systempaths=unconfined`")
    })?;
    mounts::place(root, Path::new("/proc"), true)
        .and_then(|place| mounts::put(mount.as_fd(), place.as_fd()))
        .during(Step::Files, "mounting `/proc`")
}

/// Just enough that names of users and hosts are found.
fn write_configuration(root: BorrowedFd<'_>, ToolUser { uid, gid }: ToolUser) -> std::io::Result<()> {
    mounts::place(root, Path::new("/run"), true)?;
    mounts::place(root, Path::new("/var"), true)?;
    mounts::link(root, Path::new("/var/tmp"), Path::new("/tmp"))?;
    mounts::write(root, "etc/passwd", &format!("tool:x:{uid}:{gid}:tool:/tmp:/bin/sh\n"))?;
    mounts::write(root, "etc/group", &format!("tool:x:{gid}:\n"))?;
    mounts::write(root, "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    mounts::write(root, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
}

/// Mounts a place in a folder over itself, or something empty over it.
fn put_shield(source: &Source, shield: &Shield) -> Result<(), Failure> {
    mounts::inside(source.tree.as_fd(), &shield.inside)
        .and_then(|place| {
            let cover = match shield.cover {
                Cover::Hidden => emptiness(place.as_fd())?,
                Cover::Pinned | Cover::ReadOnly => mounts::copy_at(place.as_fd())?,
            };
            if shield.cover != Cover::Pinned {
                mounts::set(cover.as_fd(), mounts::PLAIN | libc::MOUNT_ATTR_RDONLY)?;
            }
            mounts::put(cover.as_fd(), place.as_fd())
        })
        .during(Step::Files, format_args!("protecting `{}`", shield.root.join(&shield.inside).display()))
}

/// An empty folder, or a file that cannot be opened, as `place` is the one or the other.
fn emptiness(place: BorrowedFd<'_>) -> std::io::Result<OwnedFd> {
    if mounts::is_folder(place)? {
        let options = [("size", "4k".to_owned()), ("nr_inodes", "2".to_owned()), ("mode", "555".to_owned())];
        return mounts::new("tmpfs", &options, MountAttrFlags::MOUNT_ATTR_NOEXEC);
    }
    // A device where devices are not allowed.
    mounts::copy(Path::new("/dev/null"))
}
