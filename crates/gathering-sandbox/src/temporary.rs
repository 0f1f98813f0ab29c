//! Temporary folders that are removed when they are no longer needed, and by the next server if this one is killed.
//!
//! Whoever needs one holds a lock on it, which the kernel lets go however its holder ends. A folder with a name of ours
//! that nobody holds is therefore a leftover.

use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

/// What such a folder is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// The targets of a probe.
    Probe,
    /// What stands for `/tmp` in a tier that has none of its own.
    Scratch,
}

/// A new folder, for its owner only.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    _lock: OwnedFd,
}

/// How often somebody who sweeps may take a folder from us between its making and its locking.
const ATTEMPTS: usize = 16;
/// Letters and digits that the system puts at the end of a name, so that it is new.
const RANDOM: usize = 6;

impl Kind {
    const ALL: [Self; 2] = [Self::Probe, Self::Scratch];

    fn prefix(self) -> &'static str {
        match self {
            Self::Probe => "gathering-probe-",
            Self::Scratch => "gathering-scratch-",
        }
    }
}

impl Temporary {
    pub(crate) fn make(kind: Kind, within: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let path = make_new(kind, within)?;
            match lock(&path, FlockOperation::LockShared) {
                Ok((lock, found)) => {
                    let still_there = fs::symlink_metadata(&path).is_ok_and(|now| now.ino() == found.ino());
                    if still_there {
                        return Ok(Self { path, _lock: lock });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!("in `{}`, what is made is removed all the time", within.display())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, with all that is in it.
    pub(crate) fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After `remove` there is none. Else the next sweep tries again.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn make_new(kind: Kind, within: &Path) -> io::Result<PathBuf> {
    let name = format!("{}{}-{}", kind.prefix(), std::process::id(), "X".repeat(RANDOM));
    let mut template = CString::new(within.join(name).into_os_string().into_vec())?.into_bytes_with_nul();
    // SAFETY: the template is ours, 0-terminated and ends with six X, which are replaced in place. The folder that is
    // made is new, and for its owner only.
    if unsafe { libc::mkdtemp(template.as_mut_ptr().cast()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    template.pop();
    Ok(OsString::from_vec(template).into())
}

fn lock(path: &Path, how: FlockOperation) -> io::Result<(OwnedFd, fs::Metadata)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty())?;
    let found = File::from(folder.try_clone()?).metadata()?;
    flock(&folder, how)?;
    Ok((folder, found))
}

/// Removes what servers and launchers that were killed have left in `within`: folders with names as we give them, of one
/// of these users, that nobody holds. What cannot be removed stays, for the next sweep or the system's own.
pub(crate) fn sweep(within: &Path, users: &[u32]) {
    for entry in fs::read_dir(within).into_iter().flatten().flatten() {
        if !is_our_name(entry.file_name().as_bytes()) {
            continue;
        }
        let Ok((held, found)) = lock(&entry.path(), FlockOperation::NonBlockingLockExclusive) else {
            continue;
        };
        if users.contains(&found.uid()) {
            let _ = fs::remove_dir_all(entry.path());
        }
        drop(held);
    }
}

/// Such as `gathering-probe-123-a1B2c3`.
fn is_our_name(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    let rest = Kind::ALL.iter().find_map(|kind| name.strip_prefix(kind.prefix()));
    rest.and_then(|rest| rest.split_once('-')).is_some_and(|(process, random)| {
        !process.is_empty()
            && process.bytes().all(|byte| byte.is_ascii_digit())
            && random.len() == RANDOM
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn what_is_held_is_left_alone_and_what_is_not_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let users = [rustix::process::geteuid().as_raw()];
        let held = Temporary::make(Kind::Probe, place.path()).unwrap();
        let left = make_new(Kind::Scratch, place.path()).unwrap();
        fs::write(left.join("file"), "").unwrap();

        sweep(place.path(), &users);

        assert!(held.path().exists() && !left.exists());
        drop(held);
        assert_eq!(names(place.path()), 0);
    }

    #[test]
    fn what_is_not_ours_is_not_swept() {
        let place = tempfile::tempdir().unwrap();
        let target = tempfile::tempdir().unwrap();
        for name in [
            "gathering-backup",
            "gathering-probe-1-backups",
            "gathering-probe-x-a1B2c3",
            "gathering-scratch-1",
        ] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(target.path(), place.path().join("gathering-probe-1-a1B2c3")).unwrap();
        fs::create_dir(place.path().join("gathering-probe-2-a1B2c3")).unwrap();
        let before = names(place.path());

        sweep(place.path(), &[rustix::process::geteuid().as_raw() + 1]);

        assert_eq!(names(place.path()), before);
        assert!(target.path().exists());
    }
}
