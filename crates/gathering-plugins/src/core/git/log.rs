//! `git_log`: the commits that led to a branch, a tag or a commit, newest first.

use std::path::Path;

use chrono::{DateTime, FixedOffset};
use git2::{Commit, Oid, Signature, Sort};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{git_failure, open, root};
use crate::base::shown;
use crate::core::Core;
use crate::{Cancel, Failure};

/// How many commits are looked at for those that changed a file.
const MOST_SEEN: usize = 100_000;
/// How much of a message is returned, in bytes.
const MAX_MESSAGE: usize = 8 << 10;

pub(in crate::core) fn definition() -> Value {
    json!({
        "name": "git_log",
        "description": "Lists the commits of a Git repository, newest first: id, author, time and message; those that led to the \
            commit checked out, or to another branch, tag or commit; all of them, or those that changed a file. Runs no \
            programs.",
        "category": "version_control",
        "required_competencies": ["git"],
        "parameters": {
            "type": "object",
            "properties": {
                "path": {
                    "type": "string", "default": ".",
                    "description": "A folder of the repository, relative to the working folder",
                },
                "ref": {
                    "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._/@~^-]{0,199}$", "default": "HEAD",
                    "description": "Where to begin: a branch, a tag, a commit, or one before such as `HEAD~3`",
                },
                "file": {
                    "type": "string",
                    "description": "Only commits that changed this file or folder, named from the repository's root",
                },
                "limit": {"type": "integer", "default": 20, "minimum": 1, "maximum": 500, "description": "The most commits"},
                "skip": {"type": "integer", "default": 0, "minimum": 0, "description": "How many are left out at the beginning"},
            },
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "root": {"type": "string", "description": "The repository's folder, relative to the working folder"},
                "commits": {"type": "array", "items": {"type": "object"}, "description": "Each with commit, parents, author, email, \
                    time (ISO 8601, in the author's zone), subject, body"},
                "more": {"type": "boolean", "description": "Whether there are, or may be, further ones"},
            },
            "required": ["root", "commits", "more"],
        },
        "examples": ["git_log(limit=5)", "git_log(ref='main', file='src/main.py')"],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(in crate::core) struct Arguments {
    path: String,
    r#ref: String,
    file: Option<String>,
    limit: usize,
    skip: usize,
}

pub(in crate::core) fn git_log(
    core: &Core,
    arguments: &Arguments,
    cancel: &Cancel,
) -> Result<Value, Failure> {
    let failed = |error: git2::Error| git_failure(&error);
    let Arguments { path, r#ref: start, file, limit, skip } = arguments;
    let repository = open(&core.base, path, cancel)?;
    let answer = |commits: Vec<Value>, more: bool| json!({"root": root(&core.base, &repository), "commits": commits, "more": more});
    if start == "HEAD" && repository.head().is_err_and(|error| error.code() == git2::ErrorCode::UnbornBranch)
    {
        return Ok(answer(Vec::new(), false));
    }
    let first =
        repository.revparse_single(start).and_then(|object| object.peel_to_commit()).map_err(|_| {
            format!("there is no branch, tag or commit `{}`: `git_status` names the branch", shown(start))
        })?;
    let mut walk = repository.revwalk().map_err(failed)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(failed)?;
    walk.push(first.id()).map_err(failed)?;
    let (mut commits, mut found) = (Vec::new(), 0);
    for (seen, id) in walk.enumerate() {
        cancel.check()?;
        if seen == MOST_SEEN {
            return Ok(answer(commits, true));
        }
        let commit = repository.find_commit(id.map_err(failed)?).map_err(failed)?;
        if let Some(file) = file
            && !changes(&commit, Path::new(file))?
        {
            continue;
        }
        found += 1;
        if found <= *skip {
            continue;
        }
        if commits.len() == *limit {
            return Ok(answer(commits, true));
        }
        commits.push(described(&commit));
    }
    Ok(answer(commits, false))
}

/// Whether a commit has a file that none of its parents has as it is there.
fn changes(commit: &Commit<'_>, file: &Path) -> Result<bool, Failure> {
    let state = |commit: &Commit<'_>| -> Result<Option<Oid>, Failure> {
        let tree = commit.tree().map_err(|error| git_failure(&error))?;
        Ok(tree.get_path(file).ok().map(|entry| entry.id()))
    };
    let own = state(commit)?;
    if commit.parent_count() == 0 {
        return Ok(own.is_some());
    }
    for parent in commit.parents() {
        if state(&parent)? == own {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is said of a commit.
pub(super) fn described(commit: &Commit<'_>) -> Value {
    let message = String::from_utf8_lossy(commit.message_bytes());
    let mut end = message.len().min(MAX_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let (subject, body) = message[..end].trim().split_once('\n').unwrap_or((message[..end].trim(), ""));
    let author = commit.author();
    json!({
        "commit": commit.id().to_string(),
        "parents": commit.parent_ids().map(|id| id.to_string()).collect::<Vec<_>>(),
        "author": String::from_utf8_lossy(author.name_bytes()),
        "email": String::from_utf8_lossy(author.email_bytes()),
        "time": time(&author),
        "subject": subject.trim_end(),
        "body": body.trim(),
    })
}

/// ISO 8601 in the zone of the author; none where the commit says what no clock shows.
fn time(author: &Signature<'_>) -> Option<String> {
    let when = author.when();
    let zone = FixedOffset::east_opt(when.offset_minutes() * 60)?;
    Some(DateTime::from_timestamp(when.seconds(), 0)?.with_timezone(&zone).to_rfc3339())
}
