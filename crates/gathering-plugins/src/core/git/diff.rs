//! `git_diff`: what has changed in a repository, line by line.

use std::borrow::Cow;

use git2::{DiffFormat, DiffOptions, Repository, Tree};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{find_renames, git_failure, open};
use crate::core::Core;
use crate::core::base::shown;
use crate::{Cancel, Failure};

/// Larger files are shown as binary ones are: that they differ, not how.
const MAX_COMPARED: i64 = 4 * 1024 * 1024;

pub(in crate::core) fn definition() -> Value {
    json!({
        "name": "git_diff",
        "description": "Shows what has changed in a Git repository as a unified diff: the changes that are not staged, \
            or those that are. Empty if nothing changed. A diff that is too long is cut, and a line in brackets at its \
            end says so; ask for one file then. Untracked files and submodules are left out. Runs no programs.",
        "category": "version_control",
        "required_competencies": ["git"],
        "parameters": {
            "type": "object",
            "properties": {
                "path": {
                    "type": "string", "default": ".",
                    "description": "A folder of the repository, relative to the working folder",
                },
                "staged": {"type": "boolean", "default": false, "description": "Whether to show the staged changes"},
                "file": {
                    "type": "string",
                    "description": "Shows only this file or folder, named from the repository's root as `git_status` \
                        names it",
                },
            },
            "additionalProperties": false,
        },
        "returns": {"type": "string", "description": "The unified diff"},
        "examples": ["git_diff()", "git_diff(staged=True, file='src/main.py')"],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(in crate::core) struct Arguments {
    path: String,
    staged: bool,
    file: Option<String>,
}

pub(in crate::core) fn git_diff(
    core: &Core,
    arguments: &Arguments,
    cancel: &Cancel,
) -> Result<String, Failure> {
    let repository = open(&core.base, &arguments.path, cancel)?;
    let failed = |error: git2::Error| git_failure(&error);
    let mut options = DiffOptions::new();
    options.ignore_submodules(true).indent_heuristic(true).max_size(MAX_COMPARED);
    if let Some(file) = &arguments.file {
        if file.contains('\0') {
            return Err(format!("the file name `{}` holds a NUL character", shown(file)).into());
        }
        // A name, never a pattern.
        options.disable_pathspec_match(true).pathspec(file.trim_end_matches('/'));
    }
    let mut diff = if arguments.staged {
        repository.diff_tree_to_index(head_tree(&repository)?.as_ref(), None, Some(&mut options))
    } else {
        repository.diff_index_to_workdir(None, Some(&mut options))
    }
    .map_err(failed)?;
    cancel.check()?;
    find_renames(&repository, &mut diff)?;
    let mut printed =
        Printed { text: String::new(), most: core.config.max_diff_bytes, is_cut: false, is_lossy: false };
    let outcome = diff.print(DiffFormat::Patch, |_, _, line| {
        let sign = line.origin();
        let sign = matches!(sign, ' ' | '+' | '-').then_some(sign);
        !cancel.is_cancelled() && printed.add(sign, line.content())
    });
    cancel.check()?;
    if !printed.is_cut {
        outcome.map_err(failed)?;
    }
    Ok(printed.finish())
}

/// The tree of the commit that is checked out; none before the first commit.
pub(super) fn head_tree(repository: &Repository) -> Result<Option<Tree<'_>>, Failure> {
    match repository.head() {
        Ok(head) => head.peel_to_tree().map(Some).map_err(|error| git_failure(&error)),
        Err(error) if matches!(error.code(), git2::ErrorCode::UnbornBranch | git2::ErrorCode::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(git_failure(&error)),
    }
}

/// The diff as text, up to a limit.
struct Printed {
    text: String,
    most: usize,
    is_cut: bool,
    is_lossy: bool,
}

impl Printed {
    /// Adds a line; false if it does not fit.
    fn add(&mut self, sign: Option<char>, line: &[u8]) -> bool {
        let line = String::from_utf8_lossy(line);
        if self.text.len() + 1 + line.len() > self.most {
            self.is_cut = true;
            return false;
        }
        self.is_lossy |= matches!(line, Cow::Owned(_));
        self.text.extend(sign);
        self.text.push_str(&line);
        true
    }

    fn finish(mut self) -> String {
        if self.is_cut {
            let most = self.most;
            self.text.push_str(&format!("[cut after {most} bytes: the diff goes on; ask for one `file`]\n"));
        }
        if self.is_lossy {
            self.text.push_str("[some lines are not UTF-8: \u{fffd} stands for what could not be shown]\n");
        }
        self.text
    }
}
