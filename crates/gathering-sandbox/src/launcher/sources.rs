//! What the new root is made of: copies of mounts, taken while the old root is there and its user may look at them.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::{idmap, mounts, user};
use crate::error::During;
use crate::wire::Gap;
use crate::{Failure, Policy, Step, ToolUser};

/// The system's programs and libraries.
pub(crate) const SYSTEM: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"];

/// What programs need of the system's configuration, and gives nothing away.
pub(crate) const CONFIGURATION: &[&str] = &[
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/pki",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
];

/// The devices that there are.
pub(crate) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// A copy of mounts, and where it goes.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) tree: OwnedFd,
    pub(super) folder: bool,
}

/// All that the new root is made of.
pub(super) struct Sources {
    /// Symbolic links of the system, such as `/bin` to `usr/bin`.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    pub(super) system: Vec<Source>,
    /// What the policy names, parents before what lies in them.
    pub(super) roots: Vec<Source>,
    /// Folders that were to be writable and can only be read.
    pub(super) read_only: Vec<PathBuf>,
    pub(super) gaps: Vec<Gap>,
}

impl Sources {
    /// Takes copies of everything. Needs the right to mount: that of root, or of a user namespace of one's own.
    pub(super) fn take(policy: &Policy, tools: ToolUser) -> Result<Self, Failure> {
        let mut sources = Self {
            links: Vec::new(),
            system: Vec::new(),
            roots: Vec::new(),
            read_only: Vec::new(),
            gaps: Vec::new(),
        };
        for path in SYSTEM.iter().chain(CONFIGURATION).map(Path::new) {
            sources.take_system(path, mounts::PLAIN | libc::MOUNT_ATTR_RDONLY)?;
        }
        for path in DEVICES.iter().map(Path::new) {
            sources.take_system(path, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC)?;
        }
        for path in &policy.read {
            sources.take_readable(path, tools)?;
        }
        for path in &policy.write {
            sources.take_writable(path, tools)?;
        }
        sources.roots.sort_by_key(|source| source.path.components().count());
        Ok(sources)
    }

    /// What a system lacks, its programs do without.
    fn take_system(&mut self, path: &Path, attributes: u64) -> Result<(), Failure> {
        let at_root = path.components().count() == 2;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Ok(found) if at_root && found.is_symlink() => {
                let target =
                    fs::read_link(path).during(Step::Files, format_args!("reading `{}`", path.display()))?;
                self.links.push((path.to_owned(), target));
                return Ok(());
            }
            _ => {}
        }
        match mounts::copy(path) {
            // A link to something that is not there.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            copied => {
                self.system.push(finish(path, copied, attributes)?);
                Ok(())
            }
        }
    }

    /// Makes what only its owner may read readable for the tool's user too, where that can be done.
    fn take_readable(&mut self, path: &Path, tools: ToolUser) -> Result<(), Failure> {
        let source = take(path, mounts::PLAIN | libc::MOUNT_ATTR_RDONLY)?;
        if user::is_root()
            && mounts::is_closed_to_others(source.tree.as_fd())
                .during(Step::Files, format_args!("looking at `{}`", path.display()))?
            && let Err(error) = idmap::adopt(source.tree.as_fd(), tools)
        {
            self.gaps.push(Gap {
                what: format!(
                    "`{}` cannot be read: its owner cannot be mapped to user {}: {error}",
                    path.display(),
                    tools.uid
                ),
                remedy: "let others read it, or start the server as its owner".to_owned(),
            });
        }
        self.roots.push(source);
        Ok(())
    }

    /// Makes a folder writable for the tool's user also if it belongs to another, where that can be done.
    fn take_writable(&mut self, path: &Path, tools: ToolUser) -> Result<(), Failure> {
        let source = take(path, mounts::PLAIN)?;
        if user::is_root()
            && let Err(error) = idmap::adopt(source.tree.as_fd(), tools)
        {
            mounts::set(source.tree.as_fd(), libc::MOUNT_ATTR_RDONLY)
                .during(Step::Files, format_args!("making `{}` read-only", path.display()))?;
            self.read_only.push(path.to_owned());
            self.gaps.push(Gap {
                what: format!(
                    "`{}` can only be read: its owner cannot be mapped to user {}: {error}",
                    path.display(),
                    tools.uid
                ),
                remedy: format!(
                    "give it to that user, `chown -R {}:{}`, or start the server as its owner",
                    tools.uid, tools.gid
                ),
            });
        }
        self.roots.push(source);
        Ok(())
    }
}

fn take(path: &Path, attributes: u64) -> Result<Source, Failure> {
    finish(path, mounts::copy(path), attributes)
}

fn finish(path: &Path, copied: io::Result<OwnedFd>, attributes: u64) -> Result<Source, Failure> {
    let finished = copied.and_then(|tree| {
        mounts::set(tree.as_fd(), attributes)?;
        let folder = mounts::is_folder(tree.as_fd())?;
        Ok(Source { path: path.to_owned(), tree, folder })
    });
    finished.map_err(|error| explain(path, &error))
}

fn explain(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => Failure::new(
            Step::Files,
            format!("`{path}` does not exist"),
            "make it, or leave it out of the policy",
        ),
        ErrorKind::PermissionDenied if error.raw_os_error() == Some(libc::EPERM) => {
            super::namespaces::blocked(error, "mounts")
        }
        ErrorKind::PermissionDenied => Failure::new(
            Step::Files,
            format!("`{path}` is out of reach of user {}", rustix::process::getuid().as_raw()),
            "let that user read it, with all folders above it, or name another place",
        ),
        _ if error.raw_os_error() == Some(libc::ENOSYS) => Failure::new(
            Step::Files,
            format!("mounting `{path}`: {error}"),
            "a kernel from 5.12 on is needed",
        ),
        _ => Failure::new(Step::Files, format!("mounting `{path}`: {error}"), ""),
    }
}
