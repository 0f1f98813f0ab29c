//! Skills: competencies that are folders with a `SKILL.md`, in the open Agent Skills format (agentskills.io, specification 1.0).

mod read;
mod runtime;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use gathering_core::{
    CompetencyCategory, CompetencyDefinition, CompetencyId, CompetencyLevel, LoadError, LoadErrorKind,
    PluginManifest, PluginSource,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub(crate) use runtime::KIND;
pub use runtime::SkillsRuntime;

/// The file that makes a folder a skill.
pub(crate) const FILE: &str = "SKILL.md";
/// Where the skills of a plugin lie in its folder, a folder each.
const FOLDER: &str = "skills";
/// The most bytes of a `SKILL.md`.
const MAX_FILE: u64 = 256 * 1024;
/// The most bytes of what stands between its `---` lines.
const MAX_FRONT: usize = 16 * 1024;
/// The most characters of a description, and of what else is one text.
const MAX_DESCRIPTION: usize = 1024;
const MAX_TEXT: usize = 500;
/// The most things of which there may be several: skills of a plugin, prerequisites, lines of metadata.
const MOST: usize = 1000;

/// What stands between the `---` lines. The first six are the format's, the others ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    name: String,
    description: String,
    license: Option<String>,
    compatibility: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// Tools that a client need not ask about. They grant nothing here and are kept as they are.
    #[serde(rename = "allowed-tools")]
    allowed_tools: Option<String>,
    category: Option<String>,
    level: Option<String>,
    #[serde(default)]
    prerequisites: Vec<CompetencyId>,
}

/// The skill in `folder` as a competency, whose files lie `below` its plugin's folder.
fn skill(folder: &Path, below: &str) -> Result<CompetencyDefinition, LoadError> {
    let file = folder.join(FILE);
    let refuse = |message: String| {
        LoadError::new(LoadErrorKind::InvalidPlugin, format!("{}: {message}", file.display()))
    };
    let text = text_of(&file).map_err(|error| refuse(error.to_string()))?;
    let (front, _) = split(&text).ok_or_else(|| {
        refuse(
            "it begins with a line `---`, then `name` and `description` in YAML, then another line `---`"
                .to_owned(),
        )
    })?;
    if front.len() > MAX_FRONT {
        return Err(refuse(format!(
            "there are {} bytes before its second `---`, more than {MAX_FRONT}",
            front.len()
        )));
    }
    let front: Front =
        serde_norway::from_str(front).map_err(|error| refuse(format!("its first part: {error}")))?;
    competency(front, folder, below).map_err(refuse)
}

fn competency(front: Front, folder: &Path, below: &str) -> Result<CompetencyDefinition, String> {
    let name = &front.name;
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    if !fits {
        return Err("`name` has 1 to 64 small letters, digits and single hyphens between them".to_owned());
    }
    if folder.file_name().is_none_or(|folder| folder != name.as_str()) {
        return Err(format!("`name` is `{name}`, and its folder has to be called so, too"));
    }
    let id = CompetencyId::new(name).map_err(|error| format!("`name`: {error}"))?;
    between("description", &front.description, MAX_DESCRIPTION)?;
    for (field, text) in [
        ("license", &front.license),
        ("compatibility", &front.compatibility),
        ("allowed-tools", &front.allowed_tools),
        ("category", &front.category),
        ("level", &front.level),
    ] {
        text.as_ref().map_or(Ok(()), |text| between(field, text, MAX_TEXT))?;
    }
    if front.prerequisites.len() > MOST || front.metadata.len() > MOST {
        return Err(format!("there may be {MOST} prerequisites and {MOST} lines of metadata"));
    }
    let mut metadata: Map<String, Value> =
        front.metadata.into_iter().map(|(key, text)| (key, text.into())).collect();
    let of_format = [
        ("license", front.license),
        ("compatibility", front.compatibility),
        ("allowed-tools", front.allowed_tools),
    ];
    metadata.extend(of_format.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.into()))));
    Ok(CompetencyDefinition {
        name: title(&front.name),
        id,
        description: front.description,
        category: front.category.map_or(CompetencyCategory::CUSTOM, CompetencyCategory::from),
        level: front.level.map(CompetencyLevel::from).unwrap_or_default(),
        prerequisites: front.prerequisites,
        capabilities: Vec::new(),
        tools_enabled: Vec::new(),
        plugin_id: None,
        instructions: Some(below.into()),
        metadata,
    })
}

fn between(field: &str, text: &str, most: usize) -> Result<(), String> {
    if text.trim().is_empty() || text.chars().count() > most {
        return Err(format!("`{field}` has 1 to {most} characters"));
    }
    Ok(())
}

/// `pdf-processing` for people.
fn title(name: &str) -> String {
    let mut title = name.replace('-', " ");
    title[..1].make_ascii_uppercase();
    title
}

/// What stands between the `---` lines, and what comes after.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text
        .strip_prefix("---")
        .and_then(|rest| rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n")))?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

fn text_of(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(file)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        return Err(std::io::Error::other(format!("it has more than {MAX_FILE} bytes")));
    }
    Ok(text)
}

/// The folders of the skills that a plugin brings beside its code, sorted. Only a plugin that is a folder has some.
fn folders(source: &PluginSource) -> Result<Vec<PathBuf>, LoadError> {
    let Some(folder) = source.path().filter(|path| path.is_dir()).map(|path| path.join(FOLDER)) else {
        return Ok(Vec::new());
    };
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let mut folders = Vec::new();
    for entry in entries.into_iter().flatten().flatten() {
        if entry.path().join(FILE).is_file() {
            folders.push(entry.path());
        }
        if folders.len() > MOST {
            let message = format!("{}: there may be {MOST} skills", folder.display());
            return Err(LoadError::new(LoadErrorKind::InvalidPlugin, message));
        }
    }
    folders.sort();
    Ok(folders)
}

/// Adds the skills in the plugin's folder to what it contributes. What its code says of where instructions lie is not taken:
/// they are files of its folder that agents read. May block.
pub(crate) fn add(kind: &str, source: &PluginSource, manifest: &mut PluginManifest) -> Result<(), LoadError> {
    if kind == KIND {
        return Ok(());
    }
    for competency in manifest.competencies.iter_mut().filter(|held| held.instructions.is_some()) {
        std::sync::Arc::make_mut(competency).instructions = None;
    }
    for folder in folders(source)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let skill = skill(&folder, &format!("{FOLDER}/{name}"))?;
        manifest.competencies.push(skill.into());
    }
    Ok(())
}

/// The runtime's fingerprint of a plugin, with the skills in its folder. May block.
pub(crate) fn fingerprint(
    runtime: &dyn gathering_core::Runtime,
    source: &PluginSource,
) -> Result<String, LoadError> {
    let mut fingerprint = runtime.fingerprint(source)?;
    for folder in folders(source)? {
        fingerprint.push_str(&digest(&folder)?);
    }
    Ok(fingerprint)
}

/// Changes when the skill's `SKILL.md` does.
fn digest(folder: &Path) -> Result<String, LoadError> {
    let file = folder.join(FILE);
    let text = text_of(&file)
        .map_err(|error| LoadError::new(LoadErrorKind::NotFound, format!("{}: {error}", file.display())))?;
    let hash =
        Sha256::new().chain_update(file.as_os_str().as_encoded_bytes()).chain_update([0]).chain_update(text);
    let digits = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(format!(" {digits}"))
}
