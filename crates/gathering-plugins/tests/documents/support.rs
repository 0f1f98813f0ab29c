//! A host with the plugin `documents` over a folder of its own, whose workers are the `gathering` binary.

use std::path::PathBuf;
use std::sync::Arc;

use gathering_core::{Caller, ToolError, ToolOutput};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_plugins::{NativeRuntime, OwnPlaces};
use gathering_sandbox::{Confinement, Prober};
use serde_json::{Value, json};

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

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        self.output(tool, arguments).await.map(|output| output.value).map_err(|error| error.to_string())
    }
}
