//! Lets a program write a folder without the protected paths in it, where nothing can be mounted over these.
//!
//! Rules of Landlock only ever add rights, and those of a folder hold for all that is below it. So the folder itself is
//! only readable, and what may be written is each of its entries, but not the protected ones; on the way to these, the
//! same again. The price is that beside a protected path nothing can be made, removed or renamed, since the right to
//! would reach into it: a file moved to `.git/hooks` is a hook. To put back afterwards what was changed would cost less
//! and protect nothing in the meantime, in which a hook that was planted may run, nor after a kill of the launcher.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::landlock::{self, Ruleset};
use crate::error::During;
use crate::{Failure, Policy, Step};

/// The most entries that can be allowed one by one. Each costs some microseconds and a piece of the kernel's memory.
const MOST: usize = 10_000;

/// Lets a program write all that `root` holds, but what `policy` protects; returns the folders in which nothing can be
/// made or removed.
pub(super) fn allow(rules: &mut Ruleset, root: &Path, policy: &Policy) -> Result<Vec<PathBuf>, Failure> {
    let inside = |path: &&PathBuf| path.starts_with(root) && path.as_path() != root;
    let protected: Vec<_> = policy.protected.iter().filter(inside).collect();
    if protected.is_empty() {
        rules.allow(root, landlock::WRITE)?;
        return Ok(Vec::new());
    }
    rules.allow(root, landlock::READ)?;
    let (mut fixed, mut next, mut count) = (Vec::new(), vec![root.to_owned()], 0);
    while let Some(folder) = next.pop() {
        for path in entries(&folder).during(Step::Files, format_args!("listing `{}`", folder.display()))? {
            count += 1;
            if count > MOST {
                return Err(too_many(root));
            }
            if !protected.iter().any(|protected| protected.starts_with(&path)) {
                rules.allow_entry(&path, landlock::WRITE)?;
                continue;
            }
            let found = fs::symlink_metadata(&path)
                .during(Step::Files, format_args!("looking at `{}`", path.display()))?;
            if found.is_symlink() {
                return Err(leads_elsewhere(&path));
            }
            if found.is_dir() && !protected.contains(&&path) {
                next.push(path);
            }
        }
        fixed.push(folder);
    }
    Ok(fixed)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.take(MOST + 1).map(|entry| Ok(entry?.path())).collect()
}

fn too_many(root: &Path) -> Failure {
    Failure::new(
        Step::Landlock,
        format!("`{}` has more than {MOST} entries beside protected paths", root.display()),
        "let the program write a folder below it, or use the tier `isolated`: `gathering doctor` says what it needs",
    )
}

fn leads_elsewhere(path: &Path) -> Failure {
    Failure::new(
        Step::Files,
        format!("`{}` is to be protected and is a symbolic link", path.display()),
        "remove it, or protect its target",
    )
}
