//! Saving a file for a tool: whole or not at all, inside the folder, and nothing that other programs run.

use std::path::{Component, Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, MetadataExt, OpenOptions};

use crate::atomic;
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

/// Writes `bytes` to a file in `base`. Nothing that is private to the server or `protected` is touched, an existing file
/// keeps its permissions, and a symbolic link is never written through. True if the file was not there before.
pub(crate) fn save(
    base: &Base,
    protected: &Names,
    place: Place<'_>,
    bytes: &[u8],
    cancel: &Cancel,
) -> Result<bool, Failure> {
    let Place { given, create_parents, overwrite } = place;
    let failed = |error: std::io::Error| io_failure(given, &error);
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
        std::io::ErrorKind::NotFound => {
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
    cancel.check()?;
    atomic::write(&folder, name, bytes, mode, overwrite).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(given),
        _ => failed(error),
    })?;
    Ok(mode.is_none())
}

fn exists(given: &str) -> Failure {
    format!("`{}` is there already, and `overwrite` is false", shown(given)).into()
}

/// The mode of the file that is to be replaced, if there is one. What may not be written to is not replaced either, and
/// a symbolic link is never written through.
fn existing(folder: &Dir, given: &str, name: &Path) -> Result<Option<u32>, Failure> {
    let failed = |error: std::io::Error| io_failure(given, &error);
    let seen = match folder.symlink_metadata(name) {
        Ok(seen) => seen,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
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
