//! A file that is being filled beside the one that is meant, and then takes its name.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

/// A file that is being filled. Unless it is put in its place, nothing is left of it.
pub(crate) struct Draft {
    pub(crate) file: File,
    folder: Dir,
    /// What it is called meanwhile, where a file cannot be without a name.
    name: Option<OsString>,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // After a rename there is nothing under the name; nobody can do anything about another error.
            let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
        }
    }
}

impl Draft {
    pub(super) fn open(folder: &Dir, mode: Option<u32>) -> io::Result<Self> {
        let folder = folder.try_clone()?;
        let new = Mode::from_raw_mode(0o666);
        // Without a name until it is complete: a process that is killed while it writes leaves nothing behind.
        let unnamed = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let opened = match Path::new("/proc/self/fd").exists() {
            true => rustix::fs::openat(&folder, ".", unnamed, new),
            // It could not be given a name later.
            false => Err(Errno::OPNOTSUPP),
        };
        let draft = match opened {
            Ok(file) => Self { file: file.into(), folder, name: None },
            // The file system has no files without names.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let name = name_beside()?;
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&folder, &name, flags, new)?.into();
                Self { file, folder, name: Some(name) }
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(mode) = mode {
            rustix::fs::fchmod(&draft.file, Mode::from_raw_mode(mode))?;
        }
        Ok(draft)
    }

    pub(super) fn put(mut self, folder: &Dir, name: &OsStr, overwrite: bool) -> io::Result<()> {
        self.file.sync_all()?;
        let beside = match &self.name {
            Some(name) => name.clone(),
            None => {
                let beside = name_beside()?;
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                rustix::fs::linkat(rustix::fs::CWD, path, folder, &beside, AtFlags::SYMLINK_FOLLOW)?;
                self.name = Some(beside.clone());
                beside
            }
        };
        if overwrite {
            rustix::fs::renameat(folder, &beside, folder, name)?;
        } else {
            rustix::fs::linkat(folder, &beside, folder, name, AtFlags::empty())?;
        }
        drop(self);
        // The handle of the folder is one that cannot be synced (`O_PATH`).
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(folder, ".", flags, Mode::empty()) {
            Ok(opened) => Ok(rustix::fs::fsync(opened)?),
            // A folder that may be written to and not read. The file is complete all the same.
            Err(Errno::ACCESS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A name beside the one that is meant, which nobody has.
fn name_beside() -> io::Result<OsString> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(OsString::from(format!(".gathering-{:032x}.tmp", u128::from_ne_bytes(random))))
}
