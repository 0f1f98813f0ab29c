//! Finds the Python interpreter that workers run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gathering_core::{LoadError, LoadErrorKind};
use serde::Deserialize;
use tokio::process::Command;

/// The oldest Python that plugins run on.
const OLDEST: (u32, u32) = (3, 10);
/// Looked for on `PATH`, in this order.
const NAMES: [&str; 7] =
    ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
/// What an interpreter is asked of itself. `json` takes ten milliseconds to import, once.
const QUESTION: &str = "import json, sys, sysconfig; print(json.dumps({
    'executable': getattr(sys, '_base_executable', '') or sys.executable, 'version': sys.version_info[:3], 'name': sys.implementation.name,
    'platform': sysconfig.get_platform(),
    'folders': [sys.base_prefix, sys.base_exec_prefix, sysconfig.get_path('stdlib'), sysconfig.get_path('platstdlib')]}))";

/// A Python that runs workers.
#[derive(Debug, Clone)]
pub(crate) struct Interpreter {
    /// The program itself, never a shim in front of it, which would cost hundreds of milliseconds each time.
    pub(crate) program: PathBuf,
    /// Its version.
    pub(crate) version: (u32, u32, u32),
    /// Where it and its library lie, as far as that is not the system's own place for programs.
    pub(crate) folders: Vec<PathBuf>,
    /// What packages have to be built for, such as `cpython-3.11-linux-x86_64`.
    pub(crate) tag: String,
}

#[derive(Deserialize)]
struct Said {
    executable: PathBuf,
    version: (u32, u32, u32),
    name: String,
    platform: String,
    folders: Vec<PathBuf>,
}

impl Interpreter {
    /// Runs it without looking at the environment or the user's own packages.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-I");
        command
    }

    /// The configured interpreter, or the first on `PATH` that is new enough.
    pub(crate) async fn find(configured: Option<&Path>) -> Result<Self, LoadError> {
        if let Some(program) = configured {
            return ask(program).await.map_err(|reason| {
                failed(format!("the configured interpreter {} cannot be used: {reason}", program.display()))
            });
        }
        let mut refused = Vec::new();
        for program in candidates() {
            match ask(&program).await {
                Ok(found) => return Ok(found),
                Err(reason) => refused.push(format!("{}: {reason}", program.display())),
            }
        }
        let tried = if refused.is_empty() { "there is none".to_owned() } else { refused.join("; ") };
        let (major, minor) = OLDEST;
        Err(failed(format!(
            "no Python {major}.{minor} or newer was found on PATH ({tried}): install one, or set its path"
        )))
    }
}

/// The programs on `PATH` that may be a Python, in the order in which they are tried.
pub(crate) fn candidates() -> impl Iterator<Item = PathBuf> {
    NAMES.into_iter().flat_map(|name| on_path(OsStr::new(name)))
}

/// The files called `name` in the folders of `PATH`.
pub(crate) fn on_path(name: &OsStr) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .filter(|program| program.is_file())
        .collect()
}

async fn ask(program: &Path) -> Result<Interpreter, String> {
    let asked = Command::new(program).args(["-I", "-S", "-c", QUESTION]).kill_on_drop(true).output().await;
    let output = asked.map_err(|error| format!("it cannot be started ({error})"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        return Err(format!("it ended with {} ({})", output.status, last.trim()));
    }
    let said: Said =
        serde_json::from_slice(&output.stdout).map_err(|_| "it does not answer like Python".to_owned())?;
    let (major, minor, patch) = said.version;
    if said.name != "cpython" {
        return Err(format!("it is {}, and plugins need CPython", said.name));
    }
    if (major, minor) < OLDEST {
        return Err(format!(
            "it is Python {major}.{minor}.{patch}, and plugins need {}.{} or newer",
            OLDEST.0, OLDEST.1
        ));
    }
    let tag = format!("{}-{major}.{minor}-{}", said.name, said.platform);
    Ok(Interpreter { folders: folders(said.folders), program: said.executable, version: said.version, tag })
}

/// Each of the folders once, without those inside others and those that hold the system's programs.
fn folders(mut said: Vec<PathBuf>) -> Vec<PathBuf> {
    said.retain(|folder| !folder.starts_with("/usr") && folder.parent().is_some());
    said.sort();
    said.dedup_by(|inner, outer| inner.starts_with(outer));
    said
}

fn failed(message: String) -> LoadError {
    LoadError::new(LoadErrorKind::RuntimeFailed, message)
}
