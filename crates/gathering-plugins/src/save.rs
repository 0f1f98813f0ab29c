//! Saving a file for a tool: whole or not at all, inside the folder, and nothing that other programs run.

mod draft;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, MetadataExt, OpenOptions};

pub(crate) use self::draft::Draft;
use crate::base::{Base, Names, io_failure, regular, shown};
use crate::{Cancel, Failure};

/// Where a file is to be, as the caller of a tool says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The path, relative to the folder.
    pub(crate) given: &'a str,
    /// Whether folders on the way that are missing are made.
    pub(crate) create_parents: bool,
    /// Whether a file that is there is replaced.
    pub(crate) overwrite: bool,
}

/// Writes `bytes` to a file in `base`, as [`Target`] does. True if the file was not there before.
pub(crate) fn save(
    base: &Base,
    protected: &Names,
    place: Place<'_>,
    bytes: &[u8],
    cancel: &Cancel,
) -> Result<bool, Failure> {
    let target = Target::find(base, protected, place)?;
    cancel.check()?;
    let draft = target.draft()?;
    (&draft.file).write_all(bytes).map_err(|error| io_failure(place.given, &error))?;
    target.put(draft)?;
    Ok(target.is_new())
}

/// A place inside a [`Base`] at which a file may be written.
pub(crate) struct Target {
    given: String,
    folder: Dir,
    name: OsString,
    /// Of the file that is replaced.
    mode: Option<u32>,
    overwrite: bool,
}

impl Target {
    /// Finds the place. Nothing is written to what is private or `protected`, nor through a symbolic link, nor over what
    /// is there unless that is wanted.
    pub(crate) fn find(base: &Base, protected: &Names, place: Place<'_>) -> Result<Self, Failure> {
        let Place { given, create_parents, overwrite } = place;
        let failed = |error: io::Error| io_failure(given, &error);
        let path = base.relative(given)?;
        let Some(Component::Normal(name)) = path.components().next_back() else {
            return Err(format!("`{}` is a folder, not the name of a file", shown(given)).into());
        };
        if given.ends_with('/') {
            return Err(format!("`{}` names a folder: leave out the `/` at the end", shown(given)).into());
        }
        refuse_protected(base, protected, given, &path)?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if create_parents {
            base.dir.create_dir_all(parent).map_err(failed)?;
        }
        // Symbolic links on the way may lead to what is protected.
        let parent = base.dir.canonicalize(parent).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let hint = "make it with `create_parents`, or check the path";
                Failure::new(format!("the folder of `{}` is not there: {hint}", shown(given)))
            }
            _ => failed(error),
        })?;
        let parent: PathBuf = parent.components().filter(|part| *part != Component::CurDir).collect();
        refuse_protected(base, protected, given, &parent.join(name))?;
        let folder = match parent.as_os_str().is_empty() {
            true => base.dir.try_clone(),
            false => base.dir.open_dir(&parent),
        }
        .map_err(failed)?;
        let mode = existing(&folder, given, Path::new(name))?;
        if mode.is_some() && !overwrite {
            return Err(exists(given));
        }
        Ok(Self { given: given.to_owned(), folder, name: name.to_owned(), mode, overwrite })
    }

    /// Whether there is no file yet.
    pub(crate) fn is_new(&self) -> bool {
        self.mode.is_none()
    }

    /// A file to be filled, which is nowhere to be seen yet.
    pub(crate) fn draft(&self) -> Result<Draft, Failure> {
        Draft::open(&self.folder, self.mode).map_err(|error| io_failure(&self.given, &error))
    }

    /// Puts what was filled in its place and makes sure that it outlives a power cut. A new file has the permissions that
    /// new files have, one that replaces another has those.
    pub(crate) fn put(&self, draft: Draft) -> Result<(), Failure> {
        draft.put(&self.folder, &self.name, self.overwrite).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&self.given),
            _ => io_failure(&self.given, &error),
        })
    }
}

fn exists(given: &str) -> Failure {
    format!("`{}` is there already, and `overwrite` is false", shown(given)).into()
}

/// The mode of the file that is to be replaced, if there is one. What may not be written to is not replaced either, and
/// a symbolic link is never written through.
fn existing(folder: &Dir, given: &str, name: &Path) -> Result<Option<u32>, Failure> {
    let failed = |error: io::Error| io_failure(given, &error);
    let seen = match folder.symlink_metadata(name) {
        Ok(seen) => seen,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if seen.file_type().is_symlink() {
        return Err(
            format!("`{}` is a symbolic link: write to the file that it leads to", shown(given)).into()
        );
    }
    regular(given, seen.file_type())?;
    let mut options = OpenOptions::new();
    options.write(true).nonblock(true).follow(FollowSymlinks::No);
    let opened = folder.open_with(name, &options).map_err(failed)?.metadata().map_err(failed)?;
    regular(given, opened.file_type())?;
    Ok(Some(opened.mode() & 0o777))
}

fn refuse_protected(base: &Base, protected: &Names, given: &str, path: &Path) -> Result<(), Failure> {
    if base.is_private(path) {
        return Err(format!("`{}` is private to the server", shown(given)).into());
    }
    match protected.covering(&base.path, path) {
        None => Ok(()),
        Some(name) => Err(format!(
            "`{}` is not written: other programs run what `{}` says (the operator may take it off the setting \
             `protected` of the plugin `{}`)",
            shown(given),
            shown(name),
            base.plugin
        )
        .into()),
    }
}
