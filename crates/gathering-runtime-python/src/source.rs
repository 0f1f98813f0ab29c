//! Plugin files: what is taken for one, what a change of it is, and what it says in its PEP 723 block.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gathering_core::{LoadError, LoadErrorKind, Permissions, PluginSource};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::sdk;

/// The most bytes that one source file may have.
const MAX_FILE: u64 = 8 << 20;
/// The most bytes that the Python files of a package may have together.
const MAX_PACKAGE: u64 = 64 << 20;
/// The most files and folders of a package that are looked at.
const MAX_ENTRIES: usize = 20_000;

/// A plugin file, or a package's folder.
pub(crate) struct Source {
    /// The file or folder; absolute.
    pub(crate) path: PathBuf,
    /// What its PEP 723 block asks for.
    pub(crate) script: ScriptBlock,
}

/// The block `# /// script` of a Python file (PEP 723, "Inline script metadata").
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ScriptBlock {
    /// The packages it needs (PEP 508).
    #[serde(default)]
    pub(crate) dependencies: Vec<String>,
    /// The versions of Python it runs on (PEP 440).
    #[serde(default, rename = "requires-python")]
    pub(crate) requires_python: Option<String>,
    #[serde(default)]
    tool: Tools,
}

/// The tables of other programs; ours is `[tool.gathering]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Tools {
    #[serde(default)]
    gathering: Ours,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ours {
    permissions: Permissions,
}

impl ScriptBlock {
    /// What it asks to touch, in `[tool.gathering.permissions]`.
    pub(crate) fn permissions(&self) -> &Permissions {
        &self.tool.gathering.permissions
    }
}

impl Source {
    /// Reads the block of the plugin at `source`.
    pub(crate) fn read(source: &PluginSource) -> Result<Self, LoadError> {
        let path = path_of(source)?.to_owned();
        let main = main_file(&path);
        let text = read_file(&main, MAX_FILE).map_err(|error| unreadable(&main, &error))?;
        let script = script_block(&String::from_utf8_lossy(&text)).map_err(|reason| {
            let name = main.file_name().unwrap_or_default().to_string_lossy();
            LoadError::new(LoadErrorKind::InvalidPlugin, format!("{name}: {reason}"))
        })?;
        Ok(Self { path, script })
    }
}

/// Whether `path` is a Python file, or a folder with an `__init__.py`.
pub(crate) fn recognises(path: &Path) -> bool {
    if path.is_dir() {
        return path.join("__init__.py").is_file();
    }
    path.extension().is_some_and(|extension| extension == "py") && path.is_file()
}

/// Changes when a Python file of the plugin, or the SDK that runs it, does.
pub(crate) fn fingerprint(source: &PluginSource) -> Result<String, LoadError> {
    let path = path_of(source)?;
    let mut hash = Sha256::new();
    hash.update(sdk::hash());
    let mut left = MAX_PACKAGE;
    let mut add = |name: &Path, file: &Path| -> io::Result<()> {
        let text = read_file(file, MAX_FILE.min(left))?;
        left -= text.len() as u64;
        hash.update(name.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(&text);
        Ok(())
    };
    if path.is_dir() {
        for file in python_files(path).map_err(|error| unreadable(path, &error))? {
            let name = file.strip_prefix(path).unwrap_or(&file);
            add(name, &file).map_err(|error| unreadable(&file, &error))?;
        }
    } else {
        add(Path::new("plugin.py"), path).map_err(|error| unreadable(path, &error))?;
    }
    Ok(sdk::hex(&hash.finalize()[..16]))
}

fn path_of(source: &PluginSource) -> Result<&Path, LoadError> {
    match source.path() {
        Some(path) if recognises(path) => Ok(path),
        Some(path) => {
            let message =
                format!("{} is neither a Python file nor a package with an `__init__.py`", path.display());
            Err(LoadError::new(LoadErrorKind::NotFound, message))
        }
        None => Err(LoadError::new(LoadErrorKind::NotFound, format!("{source} is no Python file"))),
    }
}

fn main_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("__init__.py") } else { path.to_owned() }
}

fn unreadable(path: &Path, error: &io::Error) -> LoadError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => LoadErrorKind::NotFound,
        _ => LoadErrorKind::InvalidPlugin,
    };
    LoadError::new(kind, format!("{} cannot be read: {error}", path.display()))
}

fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut text = Vec::new();
    file.take(limit + 1).read_to_end(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(text)
}

/// The Python files below `folder`, sorted. Links to folders are not followed, and neither are hidden folders.
fn python_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            seen += 1;
            if seen > MAX_ENTRIES {
                let message = format!("the package holds more than {MAX_ENTRIES} files and folders");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                if name != "__pycache__" && !name.as_encoded_bytes().starts_with(b".") {
                    folders.push(entry.path());
                }
            } else if name.as_encoded_bytes().ends_with(b".py") && entry.path().is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The `script` block of a Python file, read without running it. The error says what is wrong with it.
pub(crate) fn script_block(text: &str) -> Result<ScriptBlock, String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim_end() != "# /// script" {
            continue;
        }
        let mut block = Vec::new();
        while let Some(line) = lines.next_if(|line| *line == "#" || line.starts_with("# ")) {
            block.push(line);
        }
        // The last `# ///` closes the block: the specification lets TOML itself hold such a line.
        match block.iter().rposition(|line| *line == "# ///") {
            Some(end) => blocks.push(block[..end].to_vec()),
            None => return Err("the block `# /// script` is not closed by a line `# ///`".into()),
        }
    }
    let block = match blocks.as_slice() {
        [] => return Ok(ScriptBlock::default()),
        [block] => block,
        _ => return Err("there are several blocks `# /// script`, and one is allowed".into()),
    };
    let toml: Vec<_> =
        block.iter().map(|line| line.strip_prefix("# ").or(line.strip_prefix('#')).unwrap_or(line)).collect();
    toml::from_str(&toml.join("\n")).map_err(|error| {
        format!("the block `# /// script` cannot be read: {}", error.to_string().replace('\n', " ").trim())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_block_says_which_packages_and_which_python_are_needed() {
        let text = "#!/usr/bin/env python\n# /// script\n# requires-python = \">=3.11\"\n# dependencies = [\n\
                    #   \"humanize>=4\",\n#\n# ]\n# [tool.other]\n# x = 1\n# ///\nimport humanize\n";

        let block = script_block(text).expect("a block");

        assert_eq!(block.dependencies, ["humanize>=4"]);
        assert_eq!(block.requires_python.as_deref(), Some(">=3.11"));
    }

    #[test]
    fn the_block_says_what_is_asked_to_be_touched() {
        let text = "# /// script\n# [tool.gathering.permissions]\n# network = [\"api.example.com\"]\n\
                    # limits = { memory = \"2GiB\" }\n# ///\n";

        let block = script_block(text).expect("a block");

        assert_eq!(block.permissions().to_words(), ["network=api.example.com", "memory=2GiB"]);
        for (text, reason) in [
            (
                "# /// script\n# [tool.gathering.permissions]\n# read = \"data\"\n# ///\n",
                "it must be absolute",
            ),
            ("# /// script\n# [tool.gathering]\n# permission = {}\n# ///\n", "unknown field `permission`"),
        ] {
            let error = script_block(text).expect_err("no permissions");
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_file_without_a_block_asks_for_nothing() {
        assert_eq!(script_block("# /// pyproject\n# ///\nx = 1\n"), Ok(ScriptBlock::default()));
    }

    #[test]
    fn a_block_that_is_open_double_or_malformed_is_refused_with_the_reason() {
        for (text, reason) in [
            ("# /// script\n# dependencies = []\nx = 1\n", "not closed"),
            ("# /// script\n# ///\n\n# /// script\n# ///\n", "several blocks"),
            ("# /// script\n# dependencies = [\n# ///\n", "cannot be read"),
            ("# /// script\n# dependencies = 3\n# ///\n", "cannot be read"),
        ] {
            let error = script_block(text).expect_err("no block");
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_fingerprint_changes_with_every_python_file_of_a_package_and_with_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let package = folder.path().join("p");
        fs::create_dir_all(package.join("__pycache__")).expect("made");
        fs::write(package.join("__init__.py"), "x = 1").expect("written");
        fs::write(package.join("tools.py"), "y = 1").expect("written");
        let source = PluginSource::Path(package.clone());
        let first = fingerprint(&source).expect("a fingerprint");

        fs::write(package.join("__pycache__/tools.pyc"), "compiled").expect("written");
        fs::write(package.join("notes.txt"), "notes").expect("written");
        assert_eq!(fingerprint(&source).expect("a fingerprint"), first);

        fs::write(package.join("tools.py"), "y = 2").expect("written");
        assert_ne!(fingerprint(&source).expect("a fingerprint"), first);
    }

    #[test]
    fn what_is_neither_a_python_file_nor_a_package_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("data")).expect("made");
        fs::write(folder.path().join("notes.txt"), "").expect("written");

        assert!(!recognises(&folder.path().join("data")));
        assert!(!recognises(&folder.path().join("notes.txt")));
        assert!(!recognises(&folder.path().join("missing.py")));
        let error =
            fingerprint(&PluginSource::Path(folder.path().join("missing.py"))).expect_err("nothing there");
        assert_eq!(error.kind, LoadErrorKind::NotFound);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_of_blocks_panic(text in "(# /// script\n|# ///\n|# x = \\[\n|#\n|[ -~]{0,20}\n){0,12}") {
            let _ = script_block(&text);
        }
    }
}
