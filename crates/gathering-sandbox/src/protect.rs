//! Shields paths inside the folders of a policy: from being written, whether they exist yet or not, or from being seen.
//!
//! A path is protected by mounting it read-only over itself, hidden by mounting something empty over it. What does not
//! exist has nothing to mount over, so an empty folder is kept at its path for as long as a program runs: a folder,
//! whatever was to be there, because Git and its like take no notice of empty folders. The folders on the way are mounted over themselves as
//! well: a mount cannot be renamed, and so nobody moves `.git` aside to put another in its place.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::wire::{Cover, Shield};
use crate::{Policy, SetupError};

/// The shields of a policy; removes the empty places that it made when nobody needs them any longer.
#[derive(Debug, Default)]
pub(crate) struct Shields {
    pub(crate) list: Vec<Shield>,
    places: Vec<Place>,
}

/// An empty folder that keeps a path from being made.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// Locked for sharing by everybody who needs it.
    held: File,
}

/// How often a place may be removed by its last user while we take hold of it.
const ATTEMPTS: usize = 16;

impl Shields {
    pub(crate) fn raise(policy: &Policy) -> Result<Self, SetupError> {
        let mut shields = Self::default();
        for path in &policy.protected {
            for root in policy.write.iter().filter(|root| path.starts_with(root)) {
                shields.add(root, path, Cover::ReadOnly).map_err(|error| {
                    SetupError::Policy(format!("`{}` cannot be protected: {error}", path.display()))
                })?;
            }
        }
        for path in &policy.hidden {
            for root in policy.read.iter().chain(&policy.write).filter(|root| path.starts_with(root)) {
                shields.add(root, path, Cover::Hidden).map_err(|error| {
                    SetupError::Policy(format!("`{}` cannot be hidden: {error}", path.display()))
                })?;
            }
        }
        // What lies in something hidden is not there to be shielded.
        let hidden: Vec<_> =
            shields.list.iter().filter(|shield| shield.cover == Cover::Hidden).cloned().collect();
        shields.list.retain(|shield| {
            !hidden.iter().any(|hidden| {
                shield.root == hidden.root
                    && shield.inside != hidden.inside
                    && shield.inside.starts_with(&hidden.inside)
            })
        });
        shields.list.sort_by_key(|shield| shield.inside.components().count());
        Ok(shields)
    }

    fn add(&mut self, root: &Path, path: &Path, wanted: Cover) -> io::Result<()> {
        let inside = path.strip_prefix(root).map_err(io::Error::other)?;
        let mut way = PathBuf::new();
        for part in inside {
            way.push(part);
            let here = root.join(&way);
            let last = way == inside;
            let folder = match fs::symlink_metadata(&here) {
                Ok(found) if found.is_symlink() => {
                    let here = here.display();
                    return Err(io::Error::other(format!(
                        "`{here}` is a symbolic link: remove it, or protect its target"
                    )));
                }
                Ok(found) => {
                    let ours = self.hold_if_ours(&here, &found)?;
                    found.is_dir() && !ours
                }
                Err(error) if error.kind() == ErrorKind::NotFound && wanted == Cover::Hidden => break,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.places.push(Place::make(&here)?);
                    false
                }
                Err(error) => return Err(error),
            };
            let cover = match (last, folder) {
                (true, _) => wanted,
                (false, true) => Cover::Pinned,
                (false, false) => Cover::ReadOnly,
            };
            let shield = Shield { root: root.to_owned(), inside: way.clone(), cover };
            match self
                .list
                .iter_mut()
                .find(|known| known.root == shield.root && known.inside == shield.inside)
            {
                Some(known) => known.cover = known.cover.max(cover),
                None => self.list.push(shield),
            }
            if cover != Cover::Pinned {
                break;
            }
        }
        Ok(())
    }

    /// Somebody else's place, or one that was left behind, is kept until this one ends as well.
    fn hold_if_ours(&mut self, path: &Path, found: &fs::Metadata) -> io::Result<bool> {
        let ours = is_place(found);
        if ours && !self.places.iter().any(|place| place.path == path) {
            self.places.push(Place::make(path)?);
        }
        Ok(ours)
    }
}

/// What gives a place away: it is empty and nobody may write it, its owner included.
///
/// Some file systems count no links of folders, and one that holds something is not removed.
fn is_place(found: &fs::Metadata) -> bool {
    found.is_dir() && found.mode() & 0o7777 == 0o555 && found.nlink() <= 2
}

impl Place {
    fn make(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        for _ in 0..ATTEMPTS {
            match fs::DirBuilder::new().mode(0o555).create(path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let held =
                match File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
                {
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    held => held?,
                };
            flock(&held, FlockOperation::LockShared)?;
            // Its last user may have removed it before we had the lock.
            let ours = held.metadata()?;
            if fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (ours.dev(), ours.ino()))
            {
                return Ok(Self { path: path.to_owned(), held });
            }
        }
        Err(io::Error::other("it is made and removed all the time"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever else needs it holds the lock, and removes it in our stead. If removing fails, an empty path stays
        // shielded, and the next program that is started with this policy takes it over.
        if flock(&self.held, FlockOperation::NonBlockingLockExclusive).is_err() {
            return;
        }
        let _ = match self.held.metadata() {
            Ok(found) if !is_place(&found) => Ok(()),
            _ => fs::remove_dir(&self.path),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(root: &Path, protected: &[&str]) -> Policy {
        let protected = protected.iter().map(|path| root.join(path)).collect();
        Policy { write: vec![root.to_owned()], protected, ..Policy::default() }
    }

    #[test]
    fn a_path_that_does_not_exist_is_occupied_while_it_is_protected() {
        let root = tempfile::tempdir().unwrap();
        let policy = policy(root.path(), &[".mcp.json", ".git/hooks"]);

        let first = Shields::raise(&policy).unwrap();
        let second = Shields::raise(&policy).unwrap();
        drop(first);
        let occupied = root.path().join(".mcp.json").is_dir() && root.path().join(".git").is_dir();
        drop(second);

        assert!(occupied);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn folders_on_the_way_are_pinned() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(".git/hooks")).unwrap();

        let shields = Shields::raise(&policy(root.path(), &[".git/hooks"])).unwrap();

        let list: Vec<_> =
            shields.list.iter().map(|shield| (shield.inside.to_str().unwrap(), shield.cover)).collect();
        assert_eq!(list, [(".git", Cover::Pinned), (".git/hooks", Cover::ReadOnly)]);
    }

    #[test]
    fn a_symbolic_link_on_the_way_is_refused() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join(".git")).unwrap();

        let error = Shields::raise(&policy(root.path(), &[".git/hooks"])).unwrap_err();

        assert!(error.to_string().contains("is a symbolic link"), "{error}");
    }
}
