//! A host with the plugin `documents` over a folder of its own, whose workers are the `gathering` binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use gathering_core::{Caller, ToolError, ToolOutput};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_plugins::{NativeRuntime, OwnPlaces};
use gathering_sandbox::{Confinement, Prober};
use serde_json::{Value, json};

/// The folder of the files that a maker makes, which it does once.
fn fixtures(maker: &str) -> Option<PathBuf> {
    static MADE: Mutex<BTreeMap<String, Option<PathBuf>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let folder = made.entry(maker.to_owned()).or_insert_with(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents").join(maker);
        // What an earlier run made may be older than its maker.
        let _ = std::fs::remove_dir_all(&folder);
        let python = here.join("../../.venv/bin/python");
        let python = if python.exists() { python } else { "python3".into() };
        let make = here.join("tests/fixtures/make.py");
        let ran = Command::new(python).arg("-B").arg(make).arg(&folder).arg(maker).output().unwrap();
        if ran.status.success() {
            return Some(folder);
        }
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(said.contains("ModuleNotFoundError"), "{said}");
        println!("NOT RUN: {}: `make .venv/.tests` installs it", said.lines().last().unwrap_or_default());
        None
    });
    folder.clone()
}

pub(crate) struct Documents {
    pub(crate) host: Host,
    folder: tempfile::TempDir,
}

impl Documents {
    /// None, with a note, where no worker can be started.
    pub(crate) async fn new() -> Option<Self> {
        let this = std::env::current_exe().unwrap();
        let launcher = this.ancestors().nth(2).unwrap().join("gathering");
        if !launcher.is_file() {
            println!(
                "NOT RUN: `gathering` was not built beside this test: run the tests of the whole workspace"
            );
            return None;
        }
        let prober = Prober::new(Confinement::Sandbox { launcher, tier: None, or_unconfined: false });
        if prober.holds().word() == "none" {
            println!("NOT RUN: no tier of the sandbox holds here");
            return None;
        }
        Some(Self::with(prober).await)
    }

    pub(crate) async fn with(prober: Prober) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({"base_path": folder.path().to_str().unwrap()});
        let runtime = NativeRuntime::new(gathering_plugins::all(&OwnPlaces::default(), &Arc::new(prober)));
        let sources = runtime.sources();
        let host = Host::builder().runtime(Arc::new(runtime)).build();
        for source in sources {
            host.add(source).await.unwrap();
        }
        for plugin in ["documents", "core"] {
            host.load(plugin, Some(config.clone()), Dependencies::MustBeLoaded).await.unwrap();
            host.enable(plugin).await.unwrap();
        }
        Self { host, folder }
    }

    /// With the files that `fixtures/<maker>.py` makes. None, with a note, where they cannot be made.
    pub(crate) async fn with_files(maker: &str) -> Option<Self> {
        let made = fixtures(maker)?;
        let documents = Self::new().await?;
        for entry in std::fs::read_dir(made).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), documents.path(entry.file_name().to_str().unwrap())).unwrap();
        }
        Some(documents)
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// Puts a file into the folder.
    pub(crate) fn put(&self, inside: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(inside), bytes).unwrap();
    }

    pub(crate) async fn output(&self, tool: &str, arguments: Value) -> Result<ToolOutput, ToolError> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        self.host.execute(Caller::Operator, tool, arguments, CallOptions::default()).await.outcome
    }

    /// What lies beside a file: what the program that made it says of it.
    pub(crate) fn said(&self, of: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(&format!("{of}.json"))).unwrap()).unwrap()
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        self.output(tool, arguments).await.map(|output| output.value).map_err(|error| error.to_string())
    }
}
