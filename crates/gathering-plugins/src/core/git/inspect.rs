//! Looking at a repository before libgit2 does: it must not read outside of the base, wait on a pipe, or drown.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use cap_fs_ext::DirExt;
use cap_std::fs::{Dir, FileType, FileTypeExt};

use crate::core::base::{Base, shown};
use crate::{Cancel, Failure};

/// The most files and folders a repository and its working tree may have together.
const MAX_ENTRIES: usize = 1_000_000;
/// How deep folders may lie.
const MAX_DEPTH: usize = 128;
/// The largest file of the repository that libgit2 reads whole, in bytes: its index, its references, a loose object.
const MAX_CONTROL_FILE: u64 = 128 * 1024 * 1024;
/// The largest file of the working tree: one that may have changed is read to find out.
const MAX_WORK_FILE: u64 = 1024 * 1024 * 1024;
/// The largest configuration, and the largest file that only names a folder.
const MAX_CONFIG: u64 = 1024 * 1024;

/// What a configuration may not set, since it makes libgit2 read files elsewhere, or match patterns for as long as they
/// like. Git itself takes these names in any case.
const REFUSED_SETTINGS: [&str; 4] = ["[include", "excludesfile", "attributesfile", "funcname"];

/// Files of the working tree that libgit2 reads by name.
const READ_BY_NAME: [&str; 3] = [".gitignore", ".gitattributes", ".gitmodules"];

/// Refuses a repository that is not what Git makes, or that has parts outside of the base. `worktree` is relative to
/// the base, without symbolic links.
///
/// Whoever can exchange files while libgit2 runs may still lead it elsewhere; the tools that an agent has cannot.
pub(super) fn inspect(base: &Base, worktree: &Path, cancel: &Cancel) -> Result<(), Failure> {
    let git_dir = git_dir(base, worktree)?;
    let mut walk = Walk { cancel, seen: 0 };
    let common = match read_small(base, &git_dir.join("commondir"))? {
        Some(path) => resolve(base, &git_dir, path.trim_end())?,
        None => git_dir.clone(),
    };
    for folder in [&git_dir, &common] {
        for name in ["config", "config.worktree"] {
            check_config(base, &folder.join(name))?;
        }
    }
    // It is read as a configuration is.
    check_config(base, &worktree.join(".gitmodules"))?;
    if read_small(base, &common.join("objects/info/alternates"))?.is_some_and(|text| !text.trim().is_empty())
    {
        return Err(
            "the repository borrows objects from another one (objects/info/alternates), which is not \
            supported: `git repack -a -d` makes it complete"
                .into(),
        );
    }
    for folder in [&git_dir, &common] {
        let dir = base.dir.open_dir(folder).map_err(|_| unusable(folder))?;
        walk.control(&dir, folder, 1)?;
        if common == git_dir {
            break;
        }
    }
    let dir = base.open_folder(if worktree.as_os_str().is_empty() { "." } else { text_of(worktree)? })?;
    walk.tree(&dir, worktree, 1)
}

fn text_of(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| "the path of the repository is not UTF-8".into())
}

fn unusable(path: &Path) -> Failure {
    format!(
        "`{}` cannot be used: it is not as Git makes it, or lies outside of the folder that this tool works in",
        shown(&path.display().to_string())
    )
    .into()
}

/// Where the repository of a working tree lies, relative to the base.
fn git_dir(base: &Base, worktree: &Path) -> Result<PathBuf, Failure> {
    let dot_git = worktree.join(".git");
    let kind = base.dir.symlink_metadata(&dot_git).map_err(|_| unusable(&dot_git))?.file_type();
    if kind.is_dir() {
        return Ok(dot_git);
    }
    if kind.is_symlink() {
        return base.dir.canonicalize(&dot_git).map_err(|_| unusable(&dot_git));
    }
    let text = read_small(base, &dot_git)?.ok_or_else(|| unusable(&dot_git))?;
    let path = text.strip_prefix("gitdir:").ok_or_else(|| unusable(&dot_git))?;
    resolve(base, worktree, path.trim())
}

/// A path that a file in `from` names, relative to the base; it must lie inside.
fn resolve(base: &Base, from: &Path, named: &str) -> Result<PathBuf, Failure> {
    let named = Path::new(named);
    let inside = match named.strip_prefix(&base.path) {
        Ok(inside) => inside.to_owned(),
        Err(_) if named.is_absolute() => return Err(unusable(named)),
        Err(_) => from.join(named),
    };
    base.dir.canonicalize(inside).map_err(|_| unusable(named))
}

/// The text of a small file, if it is there.
fn read_small(base: &Base, path: &Path) -> Result<Option<String>, Failure> {
    if base.dir.symlink_metadata(path).is_err() {
        return Ok(None);
    }
    let file = base.open_file(text_of(path)?)?;
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG + 1).read_to_end(&mut bytes).map_err(|_| unusable(path))?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(unusable(path));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn check_config(base: &Base, path: &Path) -> Result<(), Failure> {
    let Some(text) = read_small(base, path)? else { return Ok(()) };
    let plain: String =
        text.chars().filter(|c| *c != ' ' && *c != '\t').collect::<String>().to_ascii_lowercase();
    match REFUSED_SETTINGS.iter().find(|setting| plain.contains(**setting)) {
        None => Ok(()),
        Some(setting) => Err(format!(
            "`{}` has a setting `{}`, which this tool does not follow: take it out of the repository's configuration",
            shown(&path.display().to_string()),
            setting.trim_start_matches('[')
        )
        .into()),
    }
}

struct Walk<'a> {
    cancel: &'a Cancel,
    seen: usize,
}

impl Walk<'_> {
    /// Calls `check` for each entry of a folder; returns the folders inside that it says to look into.
    fn entries(
        &mut self,
        dir: &Dir,
        path: &Path,
        mut check: impl FnMut(&str, FileType, &cap_std::fs::DirEntry) -> Result<bool, Failure>,
    ) -> Result<Vec<std::ffi::OsString>, Failure> {
        let mut inner = Vec::new();
        for entry in dir.entries().map_err(|_| unusable(path))? {
            self.cancel.check()?;
            self.seen += 1;
            if self.seen > MAX_ENTRIES {
                return Err(format!("the repository has more than {MAX_ENTRIES} files").into());
            }
            let entry = entry.map_err(|_| unusable(path))?;
            // Gone since it was read.
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            if check(&name.to_string_lossy(), kind, &entry)? {
                inner.push(name);
            }
        }
        Ok(inner)
    }

    /// Git makes folders and regular files; a socket cannot be opened by name and hurts nobody.
    fn control(&mut self, dir: &Dir, path: &Path, depth: usize) -> Result<(), Failure> {
        let is_packs = path.ends_with("objects/pack");
        let inner = self.entries(dir, path, |name, kind, entry| {
            // Neither hooks nor what other programs keep here is read; submodules are left out.
            if depth == 1 && matches!(name, "hooks" | "lfs" | "modules" | "annex") {
                return Ok(false);
            }
            let is_large = |entry: &cap_std::fs::DirEntry| {
                !is_packs && entry.metadata().is_ok_and(|metadata| metadata.len() > MAX_CONTROL_FILE)
            };
            match kind {
                kind if kind.is_dir() => Ok(true),
                kind if kind.is_file() && !is_large(entry) => Ok(false),
                kind if kind.is_socket() => Ok(false),
                _ => Err(unusable(&path.join(name))),
            }
        })?;
        self.inside(dir, path, inner, depth, Self::control)
    }

    fn tree(&mut self, dir: &Dir, path: &Path, depth: usize) -> Result<(), Failure> {
        let inner = self.entries(dir, path, |name, kind, entry| {
            if name == ".git" {
                return Ok(false);
            }
            let is_read = READ_BY_NAME.iter().any(|read| name.eq_ignore_ascii_case(read));
            if is_read && !kind.is_file() && !kind.is_dir() {
                return Err(unusable(&path.join(name)));
            }
            if kind.is_file() && entry.metadata().is_ok_and(|metadata| metadata.len() > MAX_WORK_FILE) {
                let file = path.join(name);
                let file = shown(&file.display().to_string()).to_owned();
                return Err(
                    format!("`{file}` is larger than the {MAX_WORK_FILE} bytes that Git tools read").into()
                );
            }
            Ok(kind.is_dir())
        })?;
        self.inside(dir, path, inner, depth, Self::tree)
    }

    fn inside(
        &mut self,
        dir: &Dir,
        path: &Path,
        inner: Vec<std::ffi::OsString>,
        depth: usize,
        look: fn(&mut Self, &Dir, &Path, usize) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for name in inner {
            let path = path.join(Component::Normal(&name));
            if depth == MAX_DEPTH {
                return Err(format!("the repository has folders deeper than {MAX_DEPTH}").into());
            }
            // What the server may not read, libgit2 cannot read either.
            let Ok(folder) = dir.open_dir_nofollow(&name) else { continue };
            look(self, &folder, &path, depth + 1)?;
        }
        Ok(())
    }
}
