//! The Python SDK and the worker, carried inside the binary and written to disk at first use.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{fs, io};

use sha2::{Digest, Sha256};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../python/gathering/", $path)))),*]
    };
}

/// Each file under `python/gathering` and its text.
const FILES: &[(&str, &str)] = files![
    "__init__.py",
    "_collect.py",
    "_decorator.py",
    "_definitions.py",
    "_enums.py",
    "_face.py",
    "_registries.py",
    "_requirements.py",
    "_worker/__init__.py",
    "_worker/__main__.py",
    "_worker/authoring.py",
    "_worker/channel.py",
    "_worker/context.py",
    "_worker/docstrings.py",
    "_worker/evaluate.py",
    "_worker/examples.py",
    "_worker/failures.py",
    "_worker/inference.py",
    "_worker/loading.py",
    "_worker/loops.py",
    "_worker/registries.py",
    "_worker/server.py",
    "_worker/values.py",
    "_worker/warm.py",
    "agents.py",
    "core/__init__.py",
    "core/competency_registry.py",
    "core/file_handler_registry.py",
    "core/tool_registry.py",
    "plugins/__init__.py",
    "plugins/base.py",
    "plugins/core.py",
    "plugins/design.py",
    "plugins/documents.py",
    "plugins/finance.py",
    "plugins/manager.py",
];

/// Names what is carried: another text for each change.
pub(crate) fn hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let mut hash = Sha256::new();
        for (path, text) in FILES {
            hash.update(path);
            hash.update([0]);
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hex(&hash.finalize()[..8])
    })
}

/// Writes the SDK under `data`, unless it is there, and returns the program that a worker runs.
///
/// It appears whole or not at all: it is written beside its place and renamed.
pub(crate) fn install(data: &Path) -> io::Result<PathBuf> {
    let home = data.join("sdk");
    let place = home.join(hash());
    let program = place.join("gathering/_worker/__main__.py");
    if program.is_file() {
        return Ok(program);
    }
    let building = home.join(format!(".{}.{}", hash(), std::process::id()));
    match fs::remove_dir_all(&building) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for (path, text) in FILES {
        let path = building.join("gathering").join(path);
        fs::create_dir_all(path.parent().expect("it is inside `building`"))?;
        fs::write(path, text)?;
    }
    match fs::rename(&building, &place) {
        Ok(()) => {}
        // Another process was faster, with the same bytes.
        Err(_) if program.is_file() => fs::remove_dir_all(&building)?,
        Err(error) => return Err(error),
    }
    Ok(program)
}

/// The bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("the SDK's folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            if entry.file_type().expect("a type").is_dir() {
                if name != "__pycache__" {
                    sources(&entry.path(), &format!("{prefix}{name}/"), found);
                }
            } else {
                found.push(format!("{prefix}{name}"));
            }
        }
    }

    #[test]
    fn every_file_of_the_sdk_is_carried() {
        let mut found = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/gathering"), "", &mut found);
        // What is in there is for the user's own process.
        found.retain(|name| name.ends_with(".py") && !name.starts_with("_process/"));
        found.sort();

        let mut carried: Vec<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        carried.sort();

        assert_eq!(carried, found);
    }

    #[test]
    fn the_sdk_is_written_once_and_whole() {
        let data = tempfile::tempdir().expect("a folder");

        let program = install(data.path()).expect("installed");
        let again = install(data.path()).expect("there");

        assert_eq!(program, again);
        let carried = FILES.iter().find(|(path, _)| *path == "_worker/__main__.py").expect("it is carried");
        assert_eq!(fs::read_to_string(&program).expect("a file"), carried.1);
        assert_eq!(fs::read_dir(data.path().join("sdk")).expect("a folder").count(), 1);
    }

    #[test]
    fn the_sdk_has_the_version_of_the_program() {
        let text = FILES[0].1;

        assert!(text.contains(&format!("__version__ = \"{}\"", gathering_core::VERSION)), "{text}");
    }
}
