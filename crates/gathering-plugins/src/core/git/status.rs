//! `git_status`: what has changed in a repository, as data.

use git2::{Branch, Delta, Repository, Status, StatusEntry, StatusOptions};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{git_failure, may_find_renames, open, root, text};
use crate::core::Core;
use crate::{Cancel, Failure};

pub(in crate::core) fn definition() -> Value {
    let state = |of: &str| {
        json!({
            "enum": ["unmodified", "added", "modified", "deleted", "renamed", "typechange", "untracked", "conflicted"],
            "description": of,
        })
    };
    json!({
        "name": "git_status",
        "description": "Tells the state of a Git repository: its branch, how it stands to its upstream, and the files \
            that are changed, staged, untracked or in conflict. Runs no hooks and no programs. Submodules are left out.",
        "category": "version_control",
        "required_competencies": ["git"],
        "parameters": {
            "type": "object",
            "properties": {
                "path": {
                    "type": "string", "default": ".",
                    "description": "A folder of the repository, relative to the working folder",
                },
            },
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "root": {"type": "string", "description": "The repository's folder, relative to the working folder"},
                "branch": {"type": ["string", "null"], "description": "The branch; null if none is checked out"},
                "commit": {"type": ["string", "null"], "description": "The commit checked out; null before the first"},
                "upstream": {"type": ["string", "null"], "description": "The branch that this one follows"},
                "ahead": {"type": "integer", "description": "Commits that the upstream lacks"},
                "behind": {"type": "integer", "description": "Commits of the upstream that this branch lacks"},
                "clean": {"type": "boolean", "description": "Whether nothing is changed, staged or untracked"},
                "entries": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "path": {"type": "string", "description": "Relative to the root; a folder ends with /"},
                            "index": state("The staged change"),
                            "worktree": state("The change that is not staged"),
                            "old_path": {"type": "string", "description": "What a renamed file was called"},
                        },
                        "required": ["path", "index", "worktree"],
                    },
                },
                "truncated": {"type": "integer", "description": "How many further entries were left out, if any"},
            },
            "required": ["root", "branch", "clean", "entries"],
        },
        "examples": ["git_status()", "git_status(path='my-project')"],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(in crate::core) struct Arguments {
    path: String,
}

pub(in crate::core) fn git_status(
    core: &Core,
    arguments: &Arguments,
    cancel: &Cancel,
) -> Result<Value, Failure> {
    let repository = open(&core.base, &arguments.path, cancel)?;
    let failed = |error: git2::Error| git_failure(&error);
    let staged = repository
        .diff_tree_to_index(super::diff::head_tree(&repository)?.as_ref(), None, None)
        .map_err(failed)?;
    cancel.check()?;
    let mut options = StatusOptions::new();
    options
        .include_untracked(true)
        .exclude_submodules(true)
        .renames_head_to_index(may_find_renames(&repository, &staged));
    let statuses = repository.statuses(Some(&mut options)).map_err(failed)?;
    let most = core.config.max_list_entries;
    let entries: Vec<Value> = statuses.iter().take(most).map(|entry| described(&entry)).collect();
    let mut answer = head(&repository)?;
    answer["root"] = root(&core.base, &repository).into();
    answer["clean"] = statuses.is_empty().into();
    answer["entries"] = entries.into();
    if statuses.len() > most {
        answer["truncated"] = (statuses.len() - most).into();
    }
    Ok(answer)
}

/// The branch, its commit and its upstream.
fn head(repository: &Repository) -> Result<Value, Failure> {
    let failed = |error: git2::Error| git_failure(&error);
    let head = repository.find_reference("HEAD").map_err(failed)?;
    let branch = head
        .symbolic_target_bytes()
        .map(|target| text(target.strip_prefix(b"refs/heads/").unwrap_or(target)).0);
    let commit = head.resolve().ok().and_then(|reference| reference.target());
    let mut answer =
        json!({"branch": branch, "commit": commit.map(|commit| commit.to_string()), "upstream": null});
    // The upstream is a matter of configuration, which may be missing or wrong; the rest stands without it.
    let upstream = head.resolve().ok().and_then(|reference| Branch::wrap(reference).upstream().ok());
    if let Some(upstream) = upstream
        && let (Some(ours), Some(theirs)) = (commit, upstream.get().target())
    {
        let (ahead, behind) = repository.graph_ahead_behind(ours, theirs).map_err(failed)?;
        answer["upstream"] = text(upstream.name_bytes().map_err(failed)?).0.into();
        answer["ahead"] = ahead.into();
        answer["behind"] = behind.into();
    }
    Ok(answer)
}

fn described(entry: &StatusEntry<'_>) -> Value {
    let status = entry.status();
    let (path, is_escaped) = text(entry.path_bytes());
    if status.contains(Status::CONFLICTED) {
        return json!({"path": path, "index": "conflicted", "worktree": "conflicted"});
    }
    let staged = entry.head_to_index();
    let index = staged.as_ref().map_or("unmodified", |delta| word(delta.status()));
    let worktree = entry.index_to_workdir().map_or("unmodified", |delta| word(delta.status()));
    let mut described = json!({"path": path, "index": index, "worktree": worktree});
    if let Some(delta) = staged.filter(|delta| delta.status() == Delta::Renamed) {
        // The path of an entry is the one that it had first.
        let path_of = |path: Option<&[u8]>| path.map_or_else(String::new, |path| text(path).0);
        described["old_path"] = path_of(delta.old_file().path_bytes()).into();
        described["path"] = path_of(delta.new_file().path_bytes()).into();
    }
    if is_escaped {
        described["escaped"] = true.into();
    }
    described
}

/// How a change is called.
pub(super) fn word(status: Delta) -> &'static str {
    match status {
        Delta::Added => "added",
        Delta::Modified | Delta::Unreadable => "modified",
        Delta::Deleted => "deleted",
        Delta::Renamed | Delta::Copied => "renamed",
        Delta::Typechange => "typechange",
        Delta::Untracked => "untracked",
        Delta::Conflicted => "conflicted",
        Delta::Unmodified | Delta::Ignored => "unmodified",
    }
}
