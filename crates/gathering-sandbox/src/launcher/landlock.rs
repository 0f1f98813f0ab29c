//! Restricts itself to files, with Landlock, so far as the kernel has it.
//!
//! Numbers and structures are those of the kernel's `linux/landlock.h`.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::During;
use crate::{Failure, Step};

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_BLOCK: u64 = 1 << 11;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// To read files, list folders and run programs.
pub(super) const READ: u64 = EXECUTE | READ_FILE | READ_DIR;
/// To do all that can be done to files and folders, but make devices.
pub(super) const WRITE: u64 = ((1 << 15) - 1) & !MAKE_CHAR & !MAKE_BLOCK;
/// To read and write a device, or a file that there is already.
pub(super) const USE: u64 = READ_FILE | WRITE_FILE;
/// What can be granted on something that is not a folder.
const ON_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/// From these versions on, truncating is restricted, TCP is, and signals and abstract sockets are.
pub(super) const TRUNCATING: u32 = 3;
const TCP: u32 = 4;
pub(super) const SIGNALS: u32 = 6;

/// To bind a TCP socket to a port, and to connect one.
const BIND: u64 = 1 << 0;
const CONNECT: u64 = 1 << 1;

#[repr(C)]
#[derive(Default)]
struct RulesetAttributes {
    files: u64,
    network: u64,
    scopes: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

#[repr(C)]
struct Port {
    allowed: u64,
    port: u64,
}

/// Rules that are being collected.
pub(super) struct Ruleset {
    descriptor: OwnedFd,
    files: u64,
}

/// The version that the kernel has; 0 if none.
pub(super) fn version() -> u32 {
    // SAFETY: with this flag, the kernel takes no structure.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1) };
    u32::try_from(version).unwrap_or(0)
}

impl Ruleset {
    /// Everything that `version` can restrict, and nothing allowed yet.
    pub(super) fn new(version: u32) -> Result<Self, Failure> {
        let rights = match version {
            0 | 1 => 13,
            2 => 14,
            3 | 4 => 15,
            _ => 16,
        };
        let attributes = RulesetAttributes {
            files: (1 << rights) - 1,
            network: if version >= TCP { BIND | CONNECT } else { 0 },
            scopes: if version >= SIGNALS { 0b11 } else { 0 },
        };
        // Older kernels know a shorter structure and take the longer one as long as the rest is zero.
        // SAFETY: the length is that of what is pointed to; the descriptor that comes back is nobody else's.
        let descriptor = unsafe {
            let made = libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const attributes,
                size_of::<RulesetAttributes>(),
                0,
            );
            match i32::try_from(made) {
                Ok(descriptor) if descriptor >= 0 => Ok(OwnedFd::from_raw_fd(descriptor)),
                _ => Err(io::Error::last_os_error()),
            }
        };
        let descriptor = descriptor.during(Step::Landlock, "making a ruleset")?;
        Ok(Self { descriptor, files: attributes.files })
    }

    /// Allows `rights` on `path` and all that is in it.
    pub(super) fn allow(&mut self, path: &Path, rights: u64) -> Result<(), Failure> {
        self.add(path, rights).during(Step::Landlock, format_args!("allowing `{}`", path.display()))
    }

    /// The same, if it exists.
    pub(super) fn allow_if_there(&mut self, path: &Path, rights: u64) -> Result<(), Failure> {
        match self.add(path, rights) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => Ok(()),
            done => done.during(Step::Landlock, format_args!("allowing `{}`", path.display())),
        }
    }

    /// The same for what a folder holds, if it is there still and not a link: that would lead to what nobody named.
    pub(super) fn allow_entry(&mut self, path: &Path, rights: u64) -> Result<(), Failure> {
        let during = format!("allowing `{}`", path.display());
        let place =
            match rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
                Err(Errno::NOENT) => return Ok(()),
                place => place.during(Step::Landlock, &during)?,
            };
        match kind(place.as_fd()).during(Step::Landlock, &during)? {
            FileType::Symlink => Ok(()),
            _ => self.add_rule(place.as_fd(), rights).during(Step::Landlock, &during),
        }
    }

    /// Allows TCP connections to `port`, which `version` may not be able to keep from anybody.
    pub(super) fn allow_connect(&mut self, version: u32, port: u16) -> Result<(), Failure> {
        if version < TCP {
            return Ok(());
        }
        let rule = Port { allowed: CONNECT, port: port.into() };
        // SAFETY: 2 says that the rule is a `Port`, which the kernel copies.
        let done = unsafe {
            libc::syscall(libc::SYS_landlock_add_rule, self.descriptor.as_raw_fd(), 2, &raw const rule, 0)
        };
        let done = if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        done.during(Step::Landlock, format_args!("allowing connections to port {port}"))
    }

    fn add(&mut self, path: &Path, rights: u64) -> io::Result<()> {
        let place = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        self.add_rule(place.as_fd(), rights)
    }

    fn add_rule(&mut self, place: BorrowedFd<'_>, rights: u64) -> io::Result<()> {
        let folder = kind(place)? == FileType::Directory;
        let allowed = rights & self.files & if folder { u64::MAX } else { ON_FILES };
        let rule = PathBeneath { allowed, parent: place.as_raw_fd() };
        // SAFETY: 1 says that the rule is a `PathBeneath`, which the kernel copies.
        let done = unsafe {
            libc::syscall(libc::SYS_landlock_add_rule, self.descriptor.as_raw_fd(), 1, &raw const rule, 0)
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Lets another process put the rules into force for itself.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Puts the rules into force, for good. Needs `no_new_privs`.
    pub(super) fn enforce(self) -> Result<(), Failure> {
        // SAFETY: it takes two numbers.
        let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.descriptor.as_raw_fd(), 0) };
        let done = if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        done.during(Step::Landlock, "putting rules into force")
    }
}

fn kind(place: BorrowedFd<'_>) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(place)?.st_mode))
}
