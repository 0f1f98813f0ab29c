//! A host with the design plugin over a folder of its own, and the programs that check what it made.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use gathering_core::{Caller, Content, Secrets, ToolOutput};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_plugins::{NativeRuntime, OwnPlaces};
use gathering_sandbox::Prober;
use serde_json::{Value, json};

pub(crate) struct Design {
    host: Host,
    folder: tempfile::TempDir,
}

impl Design {
    pub(crate) async fn new() -> Self {
        Self::with(json!({}), None).await
    }

    /// With settings, and secrets all of which are granted.
    pub(crate) async fn with(mut config: Value, secrets: Option<Arc<dyn Secrets>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        config["base_path"] = folder.path().to_str().unwrap().into();
        let runtime =
            NativeRuntime::new(gathering_plugins::all(&OwnPlaces::default(), &Arc::new(Prober::default())));
        let sources = runtime.sources();
        let mut builder = Host::builder().runtime(Arc::new(runtime));
        if let Some(secrets) = secrets {
            builder = builder.secrets(secrets);
        }
        let host = builder.build();
        for source in sources {
            host.add(source).await.unwrap();
        }
        host.load("design", Some(config), Dependencies::MustBeLoaded).await.unwrap();
        host.enable("design").await.unwrap();
        Self { host, folder }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// Puts a file into the folder.
    pub(crate) fn put(&self, inside: &str, bytes: &[u8]) {
        std::fs::write(self.path(inside), bytes).unwrap();
    }

    pub(crate) async fn output(&self, tool: &str, arguments: Value) -> Result<ToolOutput, String> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let report = self.host.execute(Caller::Operator, tool, arguments, CallOptions::default()).await;
        report.outcome.map_err(|error| error.to_string())
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        self.output(tool, arguments).await.map(|output| output.value)
    }
}

/// The media types of the pictures in a result.
pub(crate) fn pictures(output: &ToolOutput) -> Vec<&str> {
    let media_type = |part: &'_ Content| match part {
        Content::Image { .. } => true,
        _ => false,
    };
    let parts = output.parts.iter().filter(|part| media_type(part));
    parts.map(|part| if let Content::Image { media_type, .. } = part { media_type } else { "" }).collect()
}

/// Runs Python in the folder with packages that check what we made. None, with a note, if it lacks them.
pub(crate) fn python(design: &Design, packages: &[&str], script: &str) -> Option<String> {
    let run =
        |code: &str| Command::new("python3").args(["-c", code]).current_dir(design.folder.path()).output();
    let imports: String = packages.iter().map(|package| format!("import {package}\n")).collect();
    match run(&imports) {
        Ok(output) if output.status.success() => {}
        _ => {
            println!("NOT RUN: python3 has no {}", packages.join(" and no "));
            return None;
        }
    }
    let output = run(script).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}
