//! Mounts by descriptor: each is made detached, given its attributes, and only then put in its place.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};

/// Nothing in it makes who runs it another user, and nothing in it is a device.
pub(super) const PLAIN: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// Copies the mounts at and below what `path` names, detached.
pub(super) fn copy(path: &Path) -> io::Result<OwnedFd> {
    let place = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    copy_at(place.as_fd())
}

/// Copies the mounts at and below `place`, detached.
pub(super) fn copy_at(place: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    Ok(rustix::mount::open_tree(place, c"", flags)?)
}

/// Sets `attributes` on the mount and all below it, and has mounts of the outside not spread into it.
pub(super) fn set(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    change(
        mount,
        libc::AT_RECURSIVE,
        libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 },
    )
}

/// Makes this one mount read-only, not those below it.
pub(super) fn set_read_only(mount: BorrowedFd<'_>) -> io::Result<()> {
    change(
        mount,
        0,
        libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 },
    )
}

/// Has the mount and all below it show the owners that the maps of `namespace` make of the real ones.
pub(super) fn map_owners(mount: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let userns_fd = namespace.as_raw_fd().try_into().map_err(io::Error::other)?;
    let attributes =
        libc::mount_attr { attr_set: libc::MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd };
    change(mount, libc::AT_RECURSIVE, attributes)
}

fn change(mount: BorrowedFd<'_>, flags: i32, attributes: libc::mount_attr) -> io::Result<()> {
    let flags = flags | libc::AT_EMPTY_PATH;
    // SAFETY: the path is an empty string that is 0-terminated, and the length is that of what is pointed to.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a new file system of a kind, detached.
pub(super) fn new(kind: &str, options: &[(&str, String)], attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let system = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(&system, *key, value)?;
    }
    rustix::mount::fsconfig_create(&system)?;
    Ok(rustix::mount::fsmount(&system, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Puts a detached mount at `place`. The descriptor is then its root.
pub(super) fn put(mount: BorrowedFd<'_>, place: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(mount, c"", place, c"", flags)?)
}

/// Opens a place in a tree without leaving it, following no link.
pub(super) fn inside(tree: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    Ok(rustix::fs::openat2(tree, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how)?)
}

/// Finds the place for a mount at `path` of the new root, making the folders on the way and the place itself.
pub(super) fn place(root: BorrowedFd<'_>, path: &Path, folder: bool) -> io::Result<OwnedFd> {
    let path = path.strip_prefix("/").unwrap_or(path);
    let open = |path: &Path| {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
    };
    match open(path) {
        Err(rustix::io::Errno::NOENT) => {}
        found => return Ok(found?),
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => place(root, parent, true)?,
        _ => root.try_clone_to_owned()?,
    };
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    if folder {
        rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
    } else {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644))?;
    }
    Ok(open(path)?)
}

/// Writes a small file into the new root.
pub(super) fn write(root: BorrowedFd<'_>, path: &str, text: &str) -> io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(root, path, flags, Mode::from_raw_mode(0o644))?;
    io::Write::write_all(&mut std::fs::File::from(file), text.as_bytes())
}

/// Makes a symbolic link in the new root.
pub(super) fn link(root: BorrowedFd<'_>, path: &Path, target: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let target = CString::new(target.as_os_str().as_bytes())?;
    let path = path.strip_prefix("/").unwrap_or(path);
    Ok(rustix::fs::symlinkat(target, root, path)?)
}

/// Makes `root` the root of everything in this mount namespace, and forgets the old one.
pub(super) fn pivot(root: BorrowedFd<'_>) -> io::Result<()> {
    rustix::process::fchdir(root)?;
    // As pivot_root(2) shows: both in one place, the old root above, which is then taken away.
    rustix::process::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")?;
    Ok(())
}

/// The file type of an open place.
pub(super) fn is_folder(place: BorrowedFd<'_>) -> io::Result<bool> {
    let found = rustix::fs::statat(place, c"", AtFlags::EMPTY_PATH)?;
    Ok(rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::Directory)
}

/// Whether an open place gives others than its owner and its group nothing to read.
pub(super) fn is_closed_to_others(place: BorrowedFd<'_>) -> io::Result<bool> {
    let found = rustix::fs::statat(place, c"", AtFlags::EMPTY_PATH)?;
    let wanted = if is_folder(place)? { 0o005 } else { 0o004 };
    Ok(found.st_mode & wanted != wanted)
}
