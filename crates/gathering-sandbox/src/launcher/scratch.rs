//! A private folder, for programs that share `/tmp` with others.

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::{fs, mem};

use super::user;
use crate::{Policy, ToolUser};

/// What stands for the folder in a policy.
const STANDS_FOR: &str = "/tmp";

/// A folder that is removed, with all that is in it, at the end.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make(tools: ToolUser) -> io::Result<Self> {
        let mut template = CString::new(format!("{STANDS_FOR}/gathering-XXXXXX"))?.into_bytes_with_nul();
        // SAFETY: the template is ours, 0-terminated and ends with six X, which are replaced in place. The folder that
        // is made is new, and for its owner only.
        if unsafe { libc::mkdtemp(template.as_mut_ptr().cast()) }.is_null() {
            return Err(io::Error::last_os_error());
        }
        template.pop();
        let scratch = Self(OsString::from_vec(template).into());
        if user::is_root() {
            std::os::unix::fs::lchown(&scratch.0, Some(tools.uid), Some(tools.gid))?;
        }
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Takes the place of `/tmp` in where the program starts and in what its environment names.
    pub(super) fn stand_in(&self, policy: &mut Policy) {
        let path = self.0.to_string_lossy();
        if policy.cwd == Path::new(STANDS_FOR) {
            policy.cwd.clone_from(&self.0);
        }
        for value in policy.env.values_mut().filter(|value| *value == STANDS_FOR) {
            *value = path.to_string();
        }
    }

    pub(super) fn remove(mut self) -> io::Result<()> {
        let path = mem::take(&mut self.0);
        fs::remove_dir_all(&path).map_err(|error| {
            io::Error::other(format!("the private folder `{}` cannot be removed: {error}", path.display()))
        })
    }
}

impl Drop for Scratch {
    /// The set-up failed: an empty folder is all that there is.
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = fs::remove_dir(&self.0);
        }
    }
}
