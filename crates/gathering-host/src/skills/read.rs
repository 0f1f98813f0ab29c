//! Reading the instructions of a competency, and the files beside them: nothing but what lies in its own folder.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use gathering_core::{
    Caller, CompetencyDefinition, Instructions, InstructionsError, PluginStatus, Requirement,
};

use super::{FILE, MAX_FILE, split};
use crate::host::{Host, Inner};
use crate::snapshot::Snapshot;
use crate::table::nearest;

/// How many files beside the instructions are told of, and how deep they lie at most.
const MOST_FILES: usize = 500;
const DEEPEST: usize = 8;

impl Host {
    /// What `caller` is told who holds the competency `id`: the body of its `SKILL.md`, or the text of another file in its
    /// folder, and which files are there. The operator is told of every one. Reads files: call it where that may block.
    pub fn instructions(
        &self,
        caller: &Caller,
        id: &str,
        file: Option<&str>,
    ) -> Result<Instructions, InstructionsError> {
        self.inner.instructions(caller, id, file)
    }

    /// The competencies with instructions that `caller` holds: what an agent is told of before it reads one.
    pub fn skills_for(&self, caller: &Caller) -> Vec<std::sync::Arc<CompetencyDefinition>> {
        let snapshot = self.snapshot();
        let all = snapshot.competencies.list();
        let told = all.iter().filter(|found| found.instructions.is_some() && is_offered(&snapshot, found));
        told.filter(|found| self.inner.holds(&snapshot, caller, found)).cloned().collect()
    }
}

impl Inner {
    pub(crate) fn instructions(
        &self,
        caller: &Caller,
        id: &str,
        file: Option<&str>,
    ) -> Result<Instructions, InstructionsError> {
        let snapshot = self.snapshot.load();
        let competency = snapshot.competencies.get_ignoring_case(id).ok_or_else(|| {
            let all = snapshot.competencies.list();
            let nearest = nearest(all.iter().map(|competency| &competency.id), id);
            InstructionsError::Unknown { id: shown(id), nearest }
        })?;
        if let Caller::Agent(rights) = caller
            && !(self.holds(&snapshot, caller, competency) && is_offered(&snapshot, competency))
        {
            return Err(InstructionsError::NotHeld { id: competency.id.clone(), agent: rights.id.clone() });
        }
        let none = || InstructionsError::None(competency.id.clone());
        let plugin = competency.plugin_id.as_ref().and_then(|id| snapshot.plugins.get(id.as_str()));
        let folder = plugin.and_then(|plugin| plugin.source.path()).ok_or_else(none)?;
        let below = competency.instructions.as_deref().ok_or_else(none)?;
        let unreadable = |file: &str, error: &io::Error| InstructionsError::File {
            id: competency.id.clone(),
            file: shown(file),
            reason: error.to_string(),
        };
        let opened =
            Dir::open_ambient_dir(folder, ambient_authority()).and_then(|folder| folder.open_dir(below));
        let folder = opened.map_err(|error| unreadable(FILE, &error))?;
        let name = file.unwrap_or(FILE);
        let text = text(&folder, name).map_err(|error| unreadable(name, &error))?;
        let body = match file {
            Some(_) => text,
            None => split(&text).map_or("", |(_, body)| body).trim_start().to_owned(),
        };
        Ok(Instructions { id: competency.id.clone(), text: body, files: files(&folder) })
    }

    /// Whether `caller` holds the competency, by itself or through one that builds on it.
    fn holds(&self, snapshot: &Snapshot, caller: &Caller, competency: &CompetencyDefinition) -> bool {
        let Caller::Agent(rights) = caller else { return true };
        let required = Requirement { id: competency.id.clone(), level: None };
        let view = self.views.of(snapshot, rights);
        !rights.lineage().any(|rights| rights.is_withdrawn())
            && view.reaches().iter().all(|reach| reach.satisfies(&required))
    }
}

/// Whether agents are offered what its plugin brings.
fn is_offered(snapshot: &Snapshot, competency: &CompetencyDefinition) -> bool {
    let plugin = competency.plugin_id.as_ref().and_then(|id| snapshot.plugins.get(id.as_str()));
    plugin.is_none_or(|plugin| plugin.status == PluginStatus::Enabled)
}

/// The text of a file below `folder`. Whatever it is called, and wherever links lead, it lies in there.
fn text(folder: &Dir, name: &str) -> io::Result<String> {
    // A pipe would keep whoever opens it.
    if !folder.metadata(name)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    folder.open(name)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it has more than {MAX_FILE} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text in UTF-8"))
}

/// The files beside the instructions, those in folders too, without hidden ones and links.
fn files(folder: &Dir) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = VecDeque::from([String::new()]);
    while let Some(below) = left.pop_front() {
        let path = if below.is_empty() { Path::new(".") } else { Path::new(&below) };
        // What cannot be read is not told of.
        for entry in folder.read_dir(path).into_iter().flatten().flatten() {
            let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
            let name = if below.is_empty() { name } else { format!("{below}/{name}") };
            let is_hidden = name.rsplit('/').next().is_some_and(|last| last.starts_with('.'));
            if is_hidden || name == FILE {
                continue;
            }
            if kind.is_dir() && name.split('/').count() < DEEPEST {
                left.push_back(name);
            } else if kind.is_file() && found.len() < MOST_FILES {
                found.push(name);
            }
        }
        if found.len() >= MOST_FILES {
            break;
        }
    }
    found.sort();
    found
}

fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}
