//! `git_commit`: records changes in a repository. No hook and no other program runs, and nothing is signed.

use std::path::{Component, Path, PathBuf};

use git2::{
    AttrCheckFlags, Index, Repository, RepositoryState, Signature, Status, StatusOptions, message_prettify,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{git_failure, log, open, root, text};
use crate::base::{Base, shown};
use crate::core::Core;
use crate::{Cancel, Failure};

/// The longest message, in bytes.
const MAX_MESSAGE: usize = 64 << 10;

pub(in crate::core) fn definition() -> Value {
    json!({
        "name": "git_commit",
        "description": "Commits changes to the branch that is checked out: what is staged already, and before that stages \
            `files`, or with `all` every change of files that Git knows. Hooks never run, and commits are not signed. To undo, \
            use `run_command` with `git reset --soft HEAD~1`.",
        "category": "version_control",
        "required_competencies": ["git"],
        "parameters": {
            "type": "object",
            "properties": {
                "message": {
                    "type": "string", "minLength": 1,
                    "description": "What changes and why: a short first line, an empty line, then the rest",
                },
                "files": {
                    "type": "array", "items": {"type": "string", "minLength": 1}, "default": [], "maxItems": 1000,
                    "description": "Files and folders to stage first, new, changed or deleted, named from the repository's root as \
                        `git_status` names them; `.` for everything. What `.gitignore` names is left out",
                },
                "all": {
                    "type": "boolean", "default": false,
                    "description": "Whether to stage every change of files that Git knows; new files are left out",
                },
                "author_name": {"type": "string", "minLength": 1, "maxLength": 200, "description": "By default the `user.name` of \
                    the repository's configuration"},
                "author_email": {"type": "string", "minLength": 1, "maxLength": 200, "description": "By default its `user.email`"},
                "path": {
                    "type": "string", "default": ".",
                    "description": "A folder of the repository, relative to the working folder",
                },
            },
            "required": ["message"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "root": {"type": "string", "description": "The repository's folder, relative to the working folder"},
                "branch": {"type": ["string", "null"], "description": "The branch; null if none is checked out"},
                "commit": {"type": "string", "description": "The id of the new commit"},
                "parents": {"type": "array", "items": {"type": "string"}},
                "subject": {"type": "string"},
                "files": {"type": "array", "items": {"type": "object"}, "description": "What it changes: path and change"},
            },
            "required": ["root", "branch", "commit", "parents", "subject", "files"],
        },
        "examples": [
            "git_commit(message='docs: how to begin', files=['README.md'])",
            "git_commit(message='fix the build', all=True, author_name='Ada', author_email='ada@example.com')",
        ],
        "annotations": {"read_only": false, "destructive": false, "idempotent": false, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(in crate::core) struct Arguments {
    message: String,
    files: Vec<String>,
    all: bool,
    author_name: Option<String>,
    author_email: Option<String>,
    path: String,
}

pub(in crate::core) fn git_commit(
    core: &Core,
    arguments: &Arguments,
    cancel: &Cancel,
) -> Result<Value, Failure> {
    let failed = |error: git2::Error| git_failure(&error);
    let Arguments { message, files, all, path, .. } = arguments;
    if message.len() > MAX_MESSAGE {
        return Err(format!("the message has {} bytes, more than {MAX_MESSAGE}", message.len()).into());
    }
    let message = message_prettify(message.as_str(), None).map_err(failed)?;
    if message.trim().is_empty() {
        return Err("the message is empty: say what changes and why".into());
    }
    let repository = open(&core.base, path, cancel)?;
    if repository.state() != RepositoryState::Clean {
        return Err(
            "a merge, rebase or the like is going on: end it first, with `git` in `run_command`".into()
        );
    }
    let signature = signature(&repository, arguments)?;
    let mut index = repository.index().map_err(failed)?;
    stage(&core.base, &repository, &mut index, files, *all, cancel)?;
    if index.has_conflicts() {
        return Err("there are files in conflict: `git_status` names them".into());
    }
    let head = match repository.head() {
        Ok(head) => Some(head.peel_to_commit().map_err(failed)?),
        Err(error) if error.code() == git2::ErrorCode::UnbornBranch => None,
        Err(error) => return Err(git_failure(&error)),
    };
    let before = head.as_ref().map(git2::Commit::tree).transpose().map_err(failed)?;
    let tree = repository.find_tree(index.write_tree().map_err(failed)?).map_err(failed)?;
    let diff = repository.diff_tree_to_tree(before.as_ref(), Some(&tree), None).map_err(failed)?;
    if diff.deltas().len() == 0 {
        return Err("there is nothing to commit: name changed `files`, or set `all`; `git_status` shows what has changed".into());
    }
    cancel.check()?;
    index.write().map_err(failed)?;
    let parents: Vec<_> = head.iter().collect();
    let id =
        repository.commit(Some("HEAD"), &signature, &signature, &message, &tree, &parents).map_err(failed)?;
    let mut answer = log::described(&repository.find_commit(id).map_err(failed)?);
    let changed: Vec<_> = diff
        .deltas()
        .take(core.config.max_list_entries)
        .map(|delta| {
            let path = delta.new_file().path_bytes().map_or_else(String::new, |path| text(path).0);
            json!({"path": path, "change": super::status::word(delta.status())})
        })
        .collect();
    let branch = repository.find_reference("HEAD").map_err(failed)?;
    let branch =
        branch.symbolic_target_bytes().map(|name| text(name.strip_prefix(b"refs/heads/").unwrap_or(name)).0);
    answer["root"] = root(&core.base, &repository).into();
    answer["branch"] = json!(branch);
    answer["files"] = changed.into();
    Ok(answer)
}

fn signature(repository: &Repository, arguments: &Arguments) -> Result<Signature<'static>, Failure> {
    let config = repository.config().map_err(|error| git_failure(&error))?;
    let of =
        |given: &Option<String>, setting: &str| given.clone().or_else(|| config.get_string(setting).ok());
    let name = of(&arguments.author_name, "user.name");
    let email = of(&arguments.author_email, "user.email");
    match (name, email) {
        (Some(name), Some(email)) => Signature::now(&name, &email).map_err(|error| git_failure(&error)),
        _ => Err("it is not known who commits: give `author_name` and `author_email`, or set `user.name` and `user.email` in \
            the repository's configuration"
            .into()),
    }
}

/// Stages the changes of `files`, and with `all` those of every file that Git knows.
fn stage(
    base: &Base,
    repository: &Repository,
    index: &mut Index,
    files: &[String],
    all: bool,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let failed = |error: git2::Error| git_failure(&error);
    let wanted = files.iter().map(|file| inside(file)).collect::<Result<Vec<_>, _>>()?;
    let mut is_found = vec![false; wanted.len()];
    let mut options = StatusOptions::new();
    options.include_untracked(!wanted.is_empty()).recurse_untracked_dirs(true).exclude_submodules(true);
    let statuses = repository.statuses(Some(&mut options)).map_err(failed)?;
    for entry in statuses.iter() {
        cancel.check()?;
        let path = std::str::from_utf8(entry.path_bytes()).map(Path::new);
        let path = path.map_err(
            |_| "a changed file has a name that is not UTF-8: stage it with `git` in `run_command`",
        )?;
        let mut is_wanted = all && !entry.status().contains(Status::WT_NEW);
        for (folder, found) in wanted.iter().zip(&mut is_found) {
            if path.starts_with(folder) {
                (is_wanted, *found) = (true, true);
            }
        }
        if !is_wanted {
            continue;
        }
        if entry.status().contains(Status::WT_DELETED) {
            index.remove_path(path).map_err(failed)?;
        } else if entry
            .status()
            .intersects(Status::WT_NEW | Status::WT_MODIFIED | Status::WT_TYPECHANGE | Status::WT_RENAMED)
        {
            may_be_read(base, repository, path)?;
            index.add_path(path).map_err(failed)?;
        }
    }
    match files.iter().zip(is_found).find(|(_, found)| !found) {
        None => Ok(()),
        Some((file, _)) => {
            Err(format!("`{}` has no change: `git_status` names what has changed", shown(file)).into())
        }
    }
}

/// A path from the repository's root, without `.` and `..`.
fn inside(file: &str) -> Result<PathBuf, Failure> {
    let plain: PathBuf = Path::new(file).components().filter(|part| *part != Component::CurDir).collect();
    let is_inside = plain.components().all(|part| matches!(part, Component::Normal(_)));
    if is_inside {
        Ok(plain)
    } else {
        Err(format!(
            "`{}` does not name a file from the repository's root, as `git_status` does",
            shown(file)
        )
        .into())
    }
}

/// Refuses files that the tools do not read, that lie beyond a symbolic link, and that a program would have to change.
fn may_be_read(base: &Base, repository: &Repository, file: &Path) -> Result<(), Failure> {
    let given = shown(&file.display().to_string());
    let worktree = PathBuf::from(root(base, repository));
    let path: PathBuf = worktree.join(file).components().filter(|part| *part != Component::CurDir).collect();
    if base.is_private(&path) {
        return Err(format!("`{given}` is private to the server, and is not committed").into());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = base.dir.canonicalize(parent).map_err(|error| crate::base::io_failure(&given, &error))?;
    let real: PathBuf = real.components().filter(|part| *part != Component::CurDir).collect();
    if real != parent.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>() {
        return Err(format!("`{given}` lies beyond a symbolic link").into());
    }
    let filter = repository
        .get_attr_bytes(file, "filter", AttrCheckFlags::default())
        .map_err(|error| git_failure(&error))?;
    match filter {
        None => Ok(()),
        Some(name) => Err(format!(
            "`{given}` goes through the filter `{}` when it is committed, which is a program, and none runs here: commit it \
             with `git` in `run_command`",
            shown(&String::from_utf8_lossy(name))
        )
        .into()),
    }
}
