//! A private folder, for programs that share `/tmp` with others.

use std::io;
use std::path::Path;

use super::user;
use crate::temporary::{Kind, Temporary};
use crate::{Policy, ToolUser};

/// What stands for the folder in a policy.
pub(crate) const STANDS_FOR: &str = "/tmp";

/// A folder that is removed, with all that is in it, at the end.
pub(super) struct Scratch(Temporary);

impl Scratch {
    pub(super) fn make(tools: ToolUser) -> io::Result<Self> {
        let folder = Temporary::make(Kind::Scratch, Path::new(STANDS_FOR))?;
        if user::is_root() {
            std::os::unix::fs::lchown(folder.path(), Some(tools.uid), Some(tools.gid))?;
        }
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes the place of `/tmp` in where the program starts and in what its environment names.
    pub(super) fn stand_in(&self, policy: &mut Policy) {
        let path = self.path().to_string_lossy();
        if policy.cwd == Path::new(STANDS_FOR) {
            self.path().clone_into(&mut policy.cwd);
        }
        for value in policy.env.values_mut().filter(|value| *value == STANDS_FOR) {
            *value = path.to_string();
        }
    }

    pub(super) fn remove(self) -> io::Result<()> {
        let path = self.path().to_owned();
        self.0.remove().map_err(|error| {
            io::Error::other(format!("the private folder `{}` cannot be removed: {error}", path.display()))
        })
    }
}
