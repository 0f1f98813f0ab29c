//! The folder that the tools work in: every path goes through here, and none leads out.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
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
    /// The plugin whose tools work in it, as errors name it.
    pub(super) plugin: &'static str,
    pub(super) dir: Dir,
    /// Where it lies, without symbolic links.
    pub(super) path: PathBuf,
    pub(super) private: Names,
}

/// The folder in which a server keeps its state and the operator's token when it is started here.
const ALWAYS_PRIVATE: &str = ".gathering";

/// Files and folders, each by its name, wherever it lies, or by its absolute path.
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn new(names: &[String]) -> Self {
        let canonical = |name: &String| match name.starts_with('/') {
            true => {
                std::fs::canonicalize(name).map_or_else(|_| name.clone(), |path| path.display().to_string())
            }
            false => name.clone(),
        };
        Self(names.iter().map(canonical).collect())
    }

    /// Those that are meant wherever they lie.
    pub(super) fn anywhere(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|name| !name.starts_with('/'))
    }

    /// Those that are meant at one place.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter(|name| name.starts_with('/')).map(Path::new)
    }

    /// The one among them that `path` is, or lies in. It is relative to `base` and without symbolic links.
    pub(super) fn covering(&self, base: &Path, path: &Path) -> Option<&str> {
        let covers = |name: &&String| match name.starts_with('/') {
            true => base.join(path).starts_with(name),
            false => path.components().any(|part| part.as_os_str().eq_ignore_ascii_case(name.as_str())),
        };
        self.0.iter().find(covers).map(String::as_str)
    }
}

impl Base {
    /// Opens the folder at `path` for the tools of `plugin`, of which the files and folders `private` are kept from all tools.
    pub(super) fn open(plugin: &'static str, path: &str, private: &[String]) -> Result<Self, LoadError> {
        let failed = |error: io::Error| {
            let message = format!(
                "the folder `{path}` (the setting `base_path` of the plugin `{plugin}`) cannot be opened: {error}"
            );
            LoadError::new(LoadErrorKind::NotFound, message)
        };
        let canonical = std::fs::canonicalize(path).map_err(failed)?;
        let dir = Dir::open_ambient_dir(&canonical, ambient_authority()).map_err(failed)?;
        let private = Names::new(&[private, &[ALWAYS_PRIVATE.to_owned()]].concat());
        Ok(Self { plugin, dir, path: canonical, private })
    }

    /// Whether tools are kept from a path, which is relative to the folder and without symbolic links.
    pub(super) fn is_private(&self, path: &Path) -> bool {
        self.private.covering(&self.path, path).is_some()
    }

    /// Refuses what is private, by the path that an open file or folder really has.
    pub(super) fn refuse_private(&self, given: &str, opened: impl AsFd) -> Result<(), Failure> {
        let path =
            |handle: BorrowedFd<'_>| std::fs::read_link(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        let paths = path(opened.as_fd()).and_then(|opened| Ok((opened, path(self.dir.as_fd())?)));
        let (opened, base) = paths.map_err(|_| "this tool needs /proc, which is not there: mount it")?;
        match opened.strip_prefix(&base) {
            Ok(inside) if !self.is_private(inside) => Ok(()),
            _ => Err(format!("`{}` is private to the server", shown(given)).into()),
        }
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
        self.refuse_private(given, &file)?;
        Ok(file.into_std())
    }

    pub(super) fn open_folder(&self, given: &str) -> Result<Dir, Failure> {
        let path = self.relative(given)?;
        let folder = self.dir.open_dir(path).map_err(|error| io_failure(given, &error))?;
        self.refuse_private(given, &folder)?;
        Ok(folder)
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
