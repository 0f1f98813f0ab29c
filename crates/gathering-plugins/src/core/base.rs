//! The folder that the tools work in: every path goes through here, and none leads out.

use std::io;
use std::path::{Component, Path, PathBuf};

use cap_fs_ext::OpenOptionsSyncExt;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, FileType, OpenOptions};
use gathering_core::{LoadError, LoadErrorKind};

use crate::Failure;

/// The longest path that Linux takes.
const MAX_PATH: usize = 4096;

/// A folder by its handle. Paths are resolved beneath it by the kernel (`openat2`), so that neither `..` nor a symbolic
/// link leads out, whoever exchanges what meanwhile.
pub(super) struct Base {
    pub(super) dir: Dir,
    /// Where it lies, without symbolic links.
    pub(super) path: PathBuf,
}

impl Base {
    pub(super) fn open(path: &str) -> Result<Self, LoadError> {
        let failed = |error: io::Error| {
            let message = format!(
                "the folder `{path}` (the setting `base_path` of the plugin `core`) cannot be opened: {error}"
            );
            LoadError::new(LoadErrorKind::NotFound, message)
        };
        let canonical = std::fs::canonicalize(path).map_err(failed)?;
        let dir = Dir::open_ambient_dir(&canonical, ambient_authority()).map_err(failed)?;
        Ok(Self { dir, path: canonical })
    }

    /// The path as one relative to the folder. An absolute path is taken if it names something inside.
    pub(super) fn relative(&self, given: &str) -> Result<PathBuf, Failure> {
        if given.is_empty() {
            return Err("the path is empty: `.` is the folder that this tool works in".into());
        }
        if given.contains('\0') {
            return Err(format!("the path `{}` holds a NUL character", shown(given)).into());
        }
        if given.len() > MAX_PATH {
            return Err(format!("the path has {} bytes, more than {MAX_PATH}", given.len()).into());
        }
        let path = Path::new(given);
        let inside = match path.strip_prefix(&self.path) {
            Ok(inside) => inside,
            Err(_) if path.is_absolute() => return Err(outside(given)),
            Err(_) => path,
        };
        let plain: PathBuf = inside.components().filter(|part| *part != Component::CurDir).collect();
        Ok(if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain })
    }

    /// Opens a regular file for reading. Anything else is refused without being opened, since opening a pipe or a device
    /// may wait for ever or do something.
    pub(super) fn open_file(&self, given: &str) -> Result<std::fs::File, Failure> {
        let path = self.relative(given)?;
        if given.ends_with('/') || given.ends_with("/.") {
            return Err(
                format!("`{}` names a folder: leave out what follows the file's name", shown(given)).into()
            );
        }
        let seen = self.dir.metadata(&path).map_err(|error| io_failure(given, &error))?;
        regular(given, seen.file_type())?;
        let file = self
            .dir
            .open_with(&path, OpenOptions::new().read(true).nonblock(true))
            .map_err(|error| io_failure(given, &error))?;
        // It may have been exchanged since.
        let metadata = file.metadata().map_err(|error| io_failure(given, &error))?;
        regular(given, metadata.file_type())?;
        Ok(file.into_std())
    }

    pub(super) fn open_folder(&self, given: &str) -> Result<Dir, Failure> {
        let path = self.relative(given)?;
        self.dir.open_dir(path).map_err(|error| io_failure(given, &error))
    }
}

/// Refuses what is no regular file.
pub(super) fn regular(given: &str, kind: FileType) -> Result<(), Failure> {
    if kind.is_file() {
        return Ok(());
    }
    let hint = if kind.is_dir() { ": `list_directory` lists it" } else { "" };
    Err(format!("`{}` is {}, not a regular file{hint}", shown(given), kind_name(kind)).into())
}

fn kind_name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else {
        "a pipe, socket or device"
    }
}

fn outside(given: &str) -> Failure {
    format!(
        "`{}` lies outside of the folder that this tool works in; paths are relative to that",
        shown(given)
    )
    .into()
}

/// What the operating system said about a path, in words that hold no path but the given one.
pub(super) fn io_failure(given: &str, error: &io::Error) -> Failure {
    let path = shown(given);
    // `cap-std` makes an error of its own of a path that leads out.
    if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
        return outside(given);
    }
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no `{path}`"),
        io::ErrorKind::PermissionDenied => format!("the server may not open `{path}`"),
        io::ErrorKind::NotADirectory => {
            format!("`{path}` is not a folder, or leads through something that is none")
        }
        io::ErrorKind::InvalidFilename => format!("a name in the path `{path}` is too long"),
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            format!("`{path}` leads through too many symbolic links")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("there is no room left on the disk for `{path}`")
        }
        _ => format!("`{path}`: {error}"),
    }
    .into()
}

/// A text of a stranger, shortened, with invisible characters made visible.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(200)
        .map(|character| match character {
            '\'' | '"' => character.to_string(),
            other => other.escape_debug().to_string(),
        })
        .collect();
    if text.chars().nth(200).is_some() {
        shown.push_str("...");
    }
    shown
}
