//! What a command sees and may write of the working folder, and what of it is shielded.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use gathering_core::{ResourceLimits, ToolError};
use gathering_sandbox::{Limits, Policy};

use crate::Failure;
use crate::core::Core;
use crate::core::base::Names;

/// How far below the working folder it is looked for what has to be shielded: folders deep, folders and entries in all.
const MAX_DEPTH: usize = 6;
const MAX_FOLDERS: usize = 1_000;
const MAX_ENTRIES: usize = 20_000;
/// The most that is shielded below the working folder itself: each costs mounts at every command.
const MAX_SHIELDED: usize = 160;
/// Folders full of what others wrote and nobody opens in an editor.
const NOT_LOOKED_INTO: &[&str] = &["node_modules", "target", "__pycache__", ".venv", "venv", ".tox"];
/// What in a Git folder holds programs or names where they are. `git commit` writes none of it.
const OF_GIT: &[&str] = &["hooks", "config"];
/// The same, where it is there: an empty one would mislead Git.
const OF_GIT_IF_THERE: &[&str] = &["config.worktree", "gitdir"];
/// It would have Git take its configuration from elsewhere. In a main Git folder it is never rightly there, and an empty
/// one would stop Git, so it cannot be shielded; it is removed afterwards.
const ELSEWHERE: &str = "commondir";

/// What of the working folder has to be shielded.
#[derive(Debug, Default)]
pub(in crate::core) struct Workspace {
    base: PathBuf,
    writable: bool,
    protected: Vec<PathBuf>,
    hidden: Vec<PathBuf>,
    /// Git folders, relative to the base.
    git_folders: Vec<PathBuf>,
}

impl Core {
    /// Looks at the working folder as it is now. Where nothing is `confined`, nothing can be shielded either.
    pub(super) fn workspace(&self, confined: bool) -> Result<Workspace, Failure> {
        let base = self.base.path.clone();
        let mut workspace = Workspace { base, ..Workspace::default() };
        if !confined {
            return Ok(workspace);
        }
        if self.base.is_private(Path::new("")) {
            let reason = "the working folder (`base_path` of the plugin `core`) lies in what is private to the server: \
                          choose another one, or move the data directory";
            return Err(ToolError::SandboxSetupFailed { reason: reason.to_owned() }.into());
        }
        workspace.hide_places(&self.base.private);
        workspace.writable = rustix::fs::access(&workspace.base, rustix::fs::Access::WRITE_OK).is_ok()
            && !self.protected.paths().any(|path| workspace.base.starts_with(path));
        workspace.protect_top(&self.protected);
        workspace.search(&self.protected, &self.base.private).map_err(|error| {
            format!("the working folder cannot be looked at for what has to be protected: {error}")
        })?;
        Ok(workspace)
    }
}

impl Workspace {
    /// What is private by its absolute path.
    fn hide_places(&mut self, private: &Names) {
        let inside = private.paths().filter(|path| path.starts_with(&self.base));
        self.hidden.extend(inside.filter(|path| path.exists()).map(Path::to_owned));
    }

    /// What is protected in the folder itself, whether it is there or not.
    fn protect_top(&mut self, protected: &Names) {
        let base = self.base.clone();
        let paths = protected.paths().filter(|path| path.starts_with(&base) && *path != base);
        self.protected.extend(paths.map(Path::to_owned));
        for name in protected.anywhere().filter(|name| is_one_name(name)) {
            match name {
                ".git" if !base.join(".git").is_file() => {
                    self.protected.extend(OF_GIT.iter().map(|inside| base.join(".git").join(inside)));
                }
                name => self.protected.push(base.join(name)),
            }
        }
    }

    /// Finds what is protected or private below, nearest first. What could not be read by us cannot be read by a command.
    fn search(&mut self, protected: &Names, private: &Names) -> io::Result<()> {
        let (mut folders, mut entries) = (0, 0);
        let most = self.protected.len() + MAX_SHIELDED;
        let mut ahead = VecDeque::from([(self.base.clone(), 0)]);
        while let Some((folder, depth)) = ahead.pop_front() {
            folders += 1;
            let listed = match fs::read_dir(&folder) {
                Ok(listed) => listed,
                // It went away, or is not ours to read.
                Err(_) if depth > 0 => continue,
                Err(error) => return Err(error),
            };
            for entry in listed.filter_map(Result::ok) {
                entries += 1;
                if entries > MAX_ENTRIES || self.protected.len() + self.hidden.len() >= most {
                    return Ok(());
                }
                self.look_at(&entry, depth == 0, protected, private);
                let deeper = depth < MAX_DEPTH && folders + ahead.len() < MAX_FOLDERS;
                if deeper && self.is_looked_into(&entry) {
                    ahead.push_back((entry.path(), depth + 1));
                }
            }
        }
        Ok(())
    }

    fn look_at(&mut self, entry: &DirEntry, top: bool, protected: &Names, private: &Names) {
        let (name, path) = (entry.file_name(), entry.path());
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if is_link {
            return;
        }
        let among = |names: &Names| names.anywhere().any(|known| name.eq_ignore_ascii_case(known));
        if among(private) {
            self.hidden.push(path);
        } else if name.eq_ignore_ascii_case(".git") && path.is_dir() && among(protected) {
            self.protect_git(&path);
        } else if !top && among(protected) {
            self.protected.push(path);
        }
    }

    /// Protects what in a Git folder, and in those of its submodules, holds programs.
    fn protect_git(&mut self, git: &Path) {
        let mut ahead = vec![git.to_owned()];
        while let Some(git) = ahead.pop() {
            self.protected.extend(OF_GIT.iter().map(|name| git.join(name)));
            let rest = OF_GIT_IF_THERE.iter().map(|name| git.join(name));
            self.protected.extend(rest.filter(|path| path.exists()));
            if let Ok(inside) = git.strip_prefix(&self.base) {
                self.git_folders.push(inside.to_owned());
            }
            for worktree in folders_in(&git.join("worktrees")) {
                let parts = OF_GIT_IF_THERE.iter().chain([&ELSEWHERE]).map(|name| worktree.join(name));
                self.protected.extend(parts.filter(|path| path.exists()));
            }
            let submodules = folders_in(&git.join("modules")).filter(|module| module.join("HEAD").is_file());
            ahead.extend(submodules.take(MAX_SHIELDED.saturating_sub(self.git_folders.len())));
        }
        self.protected.sort();
        self.protected.dedup();
    }

    fn is_looked_into(&self, entry: &DirEntry) -> bool {
        let (name, path) = (entry.file_name(), entry.path());
        entry.file_type().is_ok_and(|kind| kind.is_dir())
            && name != OsStr::new(".git")
            && !NOT_LOOKED_INTO.iter().any(|known| name == OsStr::new(known))
            && !self.hidden.contains(&path)
            && !self.protected.contains(&path)
    }

    /// What a command that starts in `cwd` may see, use and spend.
    pub(super) fn policy(&self, core: &Core, cwd: PathBuf, env: &BTreeMap<String, String>) -> Policy {
        let mut policy = Policy { cwd, hidden: self.hidden.clone(), ..Policy::default() };
        if self.writable {
            policy.write.push(self.base.clone());
            policy.protected = self.protected.clone();
        } else {
            policy.read.push(self.base.clone());
        }
        policy.env.extend(env.iter().map(|(name, value)| (name.clone(), value.clone())));
        let limits = core.config.limits.or(&ResourceLimits::DEFAULT);
        policy.tmp_bytes = limits.tmp_size.unwrap_or(policy.tmp_bytes);
        let unlimited = u64::from(u32::MAX);
        policy.limits = Limits {
            cpu_seconds: limits.cpu_seconds.unwrap_or(unlimited),
            memory_bytes: limits.memory.unwrap_or(unlimited),
            processes: limits.processes.unwrap_or(1024),
            open_files: 1024,
            file_bytes: limits.file_size.unwrap_or(unlimited),
            disk_bytes: limits.disk.unwrap_or(u64::MAX),
        };
        policy
    }

    /// Puts right what could not be shielded, when the command is gone. What was found is told.
    pub(super) fn tidy_up(&self, core: &Core) -> Vec<String> {
        let mut notes = Vec::new();
        for git in &self.git_folders {
            let path = git.join(ELSEWHERE);
            match core.base.dir.remove_file(&path) {
                Ok(()) => notes.push(format!(
                    "`{}` was removed: it would have had Git take its configuration from elsewhere",
                    path.display()
                )),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => notes.push(format!("`{}` could not be removed: {error}", path.display())),
            }
        }
        notes
    }
}

fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// Whether it is a name, and leads nowhere.
fn is_one_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('/')
}
