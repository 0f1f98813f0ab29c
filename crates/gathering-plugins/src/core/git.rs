//! Git repositories, read by libgit2: no program runs, whatever a repository names, and nothing outside is read.
//!
//! What a repository may contain is checked before it is opened, since libgit2 works by paths: see [`inspect`]. It runs
//! no hooks, no file system monitor, no external diff, no `textconv` and no filters but its own.

pub(super) mod commit;
pub(super) mod diff;
mod inspect;
pub(super) mod log;
pub(super) mod status;

use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use git2::{ConfigLevel, Delta, Diff, DiffFindOptions, Repository, RepositoryOpenFlags};

use self::inspect::inspect;
use super::base::{Base, shown};
use crate::{Cancel, Failure};

/// The largest content that is looked at for likeness when renames are found, in bytes.
const MAX_RENAMED: usize = 4 * 1024 * 1024;

/// What libgit2 said.
fn git_failure(error: &git2::Error) -> Failure {
    format!("Git: {}", shown(error.message())).into()
}

/// Sets libgit2 up for the whole process, once.
fn prepare() -> Result<(), Failure> {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| {
        let levels = [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global];
        // SAFETY: these settings are global to libgit2. Nothing else in the process uses libgit2, and this module opens
        // no repository before this has returned.
        unsafe {
            // An answer depends on the repository, not on who runs the server.
            for level in levels {
                git2::opts::set_search_path(level, "").map_err(|error| error.message().to_owned())?;
            }
            // Git refuses the repositories of other users because their configuration names programs. None is run here,
            // and the server may well run as another user than the one whose folder it was given.
            git2::opts::set_verify_owner_validation(false).map_err(|error| error.message().to_owned())
        }
    });
    prepared.clone().map_err(Failure::from)
}

/// Opens the repository that holds the folder `given`; neither it nor any part of it lies outside of the base.
fn open(base: &Base, given: &str, cancel: &Cancel) -> Result<Repository, Failure> {
    prepare()?;
    let folder = base.relative(given)?;
    let folder = base.dir.canonicalize(folder).map_err(|error| super::base::io_failure(given, &error))?;
    let folder: PathBuf = folder.components().filter(|part| *part != Component::CurDir).collect();
    let worktree =
        folder
            .ancestors()
            .find(|folder| base.dir.symlink_metadata(folder.join(".git")).is_ok())
            .ok_or_else(|| format!("`{}` is in no Git repository of the working folder", shown(given)))?;
    inspect(base, worktree, cancel)?;
    let path = base.path.join(worktree);
    let none: [&str; 0] = [];
    let repository = Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, none)
        .map_err(|error| git_failure(&error))?;
    let Some(workdir) = repository.workdir() else {
        return Err("the repository is bare: it has no files to compare with".into());
    };
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_default();
    if real(workdir) != base.path.join(worktree).components().collect::<PathBuf>() {
        return Err(
            "the setting `core.worktree` leads elsewhere than to the folder that holds `.git`, which is not \
            supported"
                .into(),
        );
    }
    if [repository.path(), repository.commondir()].iter().any(|part| !real(part).starts_with(&base.path)) {
        return Err("a part of the repository lies outside of the folder that this tool works in".into());
    }
    Ok(repository)
}

/// Whether the contents that were added and deleted are small enough to be compared with each other.
fn may_find_renames(repository: &Repository, diff: &Diff<'_>) -> bool {
    let Ok(objects) = repository.odb() else { return false };
    let is_small = |id| objects.read_header(id).is_ok_and(|(size, _)| size <= MAX_RENAMED);
    diff.deltas().all(|delta| match delta.status() {
        Delta::Added => is_small(delta.new_file().id()),
        Delta::Deleted => is_small(delta.old_file().id()),
        _ => true,
    })
}

/// Turns pairs of an added and a deleted file into renames: alike ones, or only equal ones if some are large.
fn find_renames(repository: &Repository, diff: &mut Diff<'_>) -> Result<(), Failure> {
    let is_exact = !may_find_renames(repository, diff);
    let mut options = DiffFindOptions::new();
    options.renames(true).exact_match_only(is_exact);
    diff.find_similar(Some(&mut options)).map_err(|error| git_failure(&error))
}

/// A path of the repository as text, and whether bytes had to be escaped because it is not UTF-8.
fn text(path: &[u8]) -> (String, bool) {
    match std::str::from_utf8(path) {
        Ok(path) => (path.to_owned(), false),
        Err(_) => (path.escape_ascii().to_string(), true),
    }
}

/// The repository's folder, relative to the base.
fn root(base: &Base, repository: &Repository) -> String {
    let workdir = repository.workdir().unwrap_or_else(|| Path::new(""));
    let inside: PathBuf = workdir.strip_prefix(&base.path).unwrap_or(workdir).components().collect();
    if inside.as_os_str().is_empty() { ".".to_owned() } else { inside.display().to_string() }
}
