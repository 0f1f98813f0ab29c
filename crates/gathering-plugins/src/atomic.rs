//! Writing a file whole or not at all: a second file is written beside it and then takes its name.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

/// Writes `bytes` to `name` in `folder` and makes sure that they outlive a power cut. The new file has `mode`, else what
/// new files have. Without `overwrite` a file that is there stays.
pub(super) fn write(
    folder: &Dir,
    name: &OsStr,
    bytes: &[u8],
    mode: Option<u32>,
    overwrite: bool,
) -> io::Result<()> {
    let beside = Beside::write(folder, bytes, mode)?;
    if overwrite {
        rustix::fs::renameat(folder, &beside.name, folder, name)?;
    } else {
        rustix::fs::linkat(folder, &beside.name, folder, name, AtFlags::empty())?;
    }
    drop(beside);
    // The handle of the folder is one that cannot be synced (`O_PATH`).
    match rustix::fs::openat(folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    {
        Ok(opened) => Ok(rustix::fs::fsync(opened)?),
        // A folder that may be written to and not read. The file is complete all the same.
        Err(Errno::ACCESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A file beside the one that is meant. Its name is gone when this is.
struct Beside<'a> {
    folder: &'a Dir,
    name: OsString,
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        // After a rename there is nothing under the name; nobody can do anything about another error.
        let _ = rustix::fs::unlinkat(self.folder, &self.name, AtFlags::empty());
    }
}

impl<'a> Beside<'a> {
    fn write(folder: &'a Dir, bytes: &[u8], mode: Option<u32>) -> io::Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let name = OsString::from(format!(".gathering-{:032x}.tmp", u128::from_ne_bytes(random)));
        let new = Mode::from_raw_mode(0o666);
        // Without a name until it is complete: a process that is killed while it writes leaves nothing behind.
        let unnamed = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match rustix::fs::openat(folder, ".", unnamed, new) {
            Ok(file) => {
                let file = File::from(file);
                fill(&file, bytes, mode)?;
                let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
                match rustix::fs::linkat(rustix::fs::CWD, path, folder, &name, AtFlags::SYMLINK_FOLLOW) {
                    Ok(()) => return Ok(Self { folder, name }),
                    // There is no `/proc`.
                    Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            // The file system has no files without names.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(folder, &name, flags, new)?);
        let beside = Self { folder, name };
        fill(&file, bytes, mode)?;
        Ok(beside)
    }
}

fn fill(mut file: &File, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    if let Some(mode) = mode {
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}
