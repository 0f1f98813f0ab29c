//! Installs packages into a folder: with `uv`, else with `pip`, else with the `pip` of a fresh `venv`.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gathering_core::{LoadError, LoadErrorKind, Progress};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::interpreter::{Interpreter, on_path};

/// The most of what an installer prints that is kept for its error, in bytes.
const MAX_SAID: usize = 16 << 10;
/// The most lines of it that are shown.
const SHOWN_LINES: usize = 12;

/// What installs packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Installer {
    /// `uv`: quick, with a cache that works offline.
    Uv(PathBuf),
    /// The interpreter's own `pip`.
    Pip,
    /// The `pip` that a virtual environment brings.
    Venv,
}

impl fmt::Display for Installer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uv(program) => write!(f, "uv ({})", program.display()),
            Self::Pip => f.write_str("pip"),
            Self::Venv => f.write_str("venv and pip"),
        }
    }
}

/// How packages are installed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Nothing is fetched.
    pub(crate) offline: bool,
    /// Nothing is built: building runs code of the package, outside of every sandbox.
    pub(crate) only_wheels: bool,
}

impl Installer {
    /// The configured `uv`, the one on `PATH` or beside the interpreter, or what the interpreter brings.
    pub(crate) async fn find(
        configured: Option<&Path>,
        interpreter: &Interpreter,
    ) -> Result<Self, LoadError> {
        if let Some(program) = configured {
            return match answers(Command::new(program).arg("--version")).await {
                true => Ok(Self::Uv(program.to_owned())),
                false => Err(failed(format!("the configured uv {} cannot be run", program.display()))),
            };
        }
        let beside = interpreter.program.parent().map(|folder| folder.join("uv")).filter(|uv| uv.is_file());
        for program in on_path(OsStr::new("uv")).into_iter().chain(beside) {
            if answers(Command::new(&program).arg("--version")).await {
                return Ok(Self::Uv(program));
            }
        }
        for (module, installer) in [("pip", Self::Pip), ("venv", Self::Venv)] {
            if answers(interpreter.command().args(["-m", module, "--help"])).await {
                return Ok(installer);
            }
        }
        Err(failed(format!(
            "nothing that installs packages was found: {} has neither pip nor venv, and there is no uv on PATH; \
             install uv (it is on PyPI), or set its path as `python.uv`",
            interpreter.program.display()
        )))
    }

    /// Installs `requirements` into the folder `target`, which is new.
    pub(crate) async fn install(
        &self,
        interpreter: &Interpreter,
        requirements: &[String],
        target: &Path,
        rules: Rules,
        progress: &Progress,
    ) -> Result<(), LoadError> {
        let refused = |said: String| {
            let message =
                format!("its packages could not be installed ({}): {said}", requirements.join(", "));
            Err(LoadError::new(LoadErrorKind::MissingDependency, message))
        };
        match self {
            Self::Uv(program) => {
                let uv = |offline: bool| {
                    let mut command = Command::new(program);
                    command.args(["pip", "install", "--no-progress", "--color=never", "--python"]);
                    command.arg(&interpreter.program).arg("--target").arg(target);
                    command.args(rules.only_wheels.then_some("--only-binary=:all:"));
                    command.args(offline.then_some("--offline")).arg("--").args(requirements);
                    command
                };
                match run(uv(rules.offline), progress).await {
                    Ok(()) => Ok(()),
                    // Without a network, what the cache holds may still be enough.
                    Err(said) if !rules.offline => match run(uv(true), progress).await {
                        Ok(()) => Ok(()),
                        Err(_) => refused(said),
                    },
                    Err(said) => refused(said),
                }
            }
            Self::Pip => match run(pip(interpreter.command(), requirements, target, rules), progress).await {
                Ok(()) => Ok(()),
                Err(said) => refused(said),
            },
            Self::Venv => {
                let venv = target.with_extension("venv");
                let mut make = interpreter.command();
                make.args(["-m", "venv"]).arg(&venv);
                let made = run(make, progress).await;
                let installed = match made {
                    Ok(()) => {
                        let mut python = Command::new(venv.join("bin/python"));
                        python.arg("-I");
                        run(pip(python, requirements, target, rules), progress).await
                    }
                    Err(said) => Err(said),
                };
                let removed = tokio::fs::remove_dir_all(&venv).await;
                match (installed, removed) {
                    (Err(said), _) => refused(said),
                    (Ok(()), Err(error)) => {
                        refused(format!("{} could not be removed: {error}", venv.display()))
                    }
                    (Ok(()), Ok(())) => Ok(()),
                }
            }
        }
    }
}

fn pip(mut python: Command, requirements: &[String], target: &Path, rules: Rules) -> Command {
    // The folder is a plugin's own, so what pip says about packages of the system's user does not apply.
    python.env("PIP_ROOT_USER_ACTION", "ignore");
    python.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]);
    python.args(["--no-warn-script-location", "--target"]).arg(target);
    python.args(rules.only_wheels.then_some("--only-binary=:all:"));
    python.args(rules.offline.then_some("--no-index")).arg("--").args(requirements);
    python
}

/// Whether the command ends well.
async fn answers(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    silent.status().await.is_ok_and(|status| status.success())
}

/// Runs an installer, tells what it says as progress, and gives the last of that when it fails.
///
/// It is killed with all it started when the future is dropped.
async fn run(mut command: Command, progress: &Progress) -> Result<(), String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    // From the root folder, so that no project that the server was started in has a say.
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("{program} cannot be started: {error}"))?;
    let _group = Group::of(&child);
    let out = child.stdout.take().expect("it is piped");
    let err = child.stderr.take().expect("it is piped");
    let mut said = Vec::new();
    // Installers say what they do on one and complain on the other; both are wanted, in whatever order they come.
    let mut told = Vec::new();
    tokio::join!(tell(out, progress, &mut told), tell(err, progress, &mut said));
    let status = child.wait().await.map_err(|error| format!("{program} was lost: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let lines: Vec<_> =
        told.iter().chain(&said).map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    Err(if last.is_empty() { format!("{program} ended with {status}") } else { last })
}

/// Tells each line and keeps the last of them.
async fn tell(from: impl AsyncRead + Unpin, progress: &Progress, kept: &mut Vec<String>) {
    let mut from = BufReader::new(from);
    let mut size = 0;
    loop {
        let mut line = Vec::new();
        // A line that never ends is cut into pieces.
        match (&mut from).take(4096).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if !line.trim().is_empty() {
                    progress(&line);
                }
                size += line.len();
                kept.push(line);
                while size > MAX_SAID {
                    size -= kept.remove(0).len();
                }
            }
        }
    }
}

/// The process group of an installer, killed when this is dropped before the installer was waited for.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // That nobody is left in it is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn failed(message: String) -> LoadError {
    LoadError::new(LoadErrorKind::RuntimeFailed, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A source package, which each installer builds or unpacks by itself.
    fn wheel(folder: &Path) -> String {
        let path = folder.join("greeting-1.0-py3-none-any.whl");
        let script = r"
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    info = 'greeting-1.0.dist-info/'
    wheel.writestr('greeting.py', 'VERSION = 1\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'RECORD', ''.join(f'{name},,\n' for name in [*wheel.namelist(), info + 'RECORD']))
";
        let made = std::process::Command::new("python3").args(["-c", script]).arg(&path).status();
        assert!(made.expect("python3 runs").success());
        format!("greeting @ file://{}", path.display())
    }

    async fn tries(installer: Installer) {
        let interpreter = Interpreter::find(None).await.expect("a Python");
        let folder = tempfile::tempdir().expect("a folder");
        let (target, requirement) = (folder.path().join("target"), wheel(folder.path()));
        let silent: Progress = Arc::new(|_| {});
        let rules = Rules { offline: true, only_wheels: true };

        installer.install(&interpreter, &[requirement], &target, rules, &silent).await.expect("it installs");

        assert!(target.join("greeting.py").is_file());
        assert!(
            target.join("greeting-1.0.dist-info").is_dir(),
            "its distribution can be asked for its version"
        );
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(left.len(), 2, "nothing else is left: {left:?}");
    }

    async fn brings(module: &str) -> bool {
        let interpreter = Interpreter::find(None).await.expect("a Python");
        let there = answers(interpreter.command().args(["-m", module, "--help"])).await;
        if !there {
            println!("NOT RUN: this Python has no {module}");
        }
        there
    }

    #[tokio::test]
    async fn uv_installs_into_a_folder() {
        match on_path(OsStr::new("uv")).into_iter().next() {
            Some(uv) => tries(Installer::Uv(uv)).await,
            None => println!("NOT RUN: uv is not on PATH"),
        }
    }

    #[tokio::test]
    async fn pip_installs_into_a_folder() {
        if brings("pip").await {
            tries(Installer::Pip).await;
        }
    }

    #[tokio::test]
    async fn venv_brings_a_pip_that_installs_into_a_folder() {
        if brings("ensurepip").await {
            tries(Installer::Venv).await;
        }
    }
}
