//! A host with the design plugin over a folder of its own, and the programs that check what it made.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use gathering_core::{Caller, Content, Secrets, ToolOutput};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_plugins::{NativeRuntime, OwnPlaces};
use gathering_sandbox::{Confinement, Prober};
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
        let sandbox = Confinement::Sandbox { launcher: launcher(), tier: None, or_unconfined: false };
        let prober = Arc::new(Prober::new(sandbox));
        let runtime = NativeRuntime::new(gathering_plugins::all(&OwnPlaces::default(), &prober));
        let sources = runtime.sources();
        let mut builder = Host::builder().runtime(Arc::new(runtime));
        if let Some(secrets) = secrets {
            let names = ["OPENAI_API_KEY", "STABILITY_API_KEY", "AUTOMATIC1111_AUTH", "FIGMA_TOKEN"];
            let granted = serde_json::from_value(json!({"secrets": names})).unwrap();
            builder = builder.secrets(secrets).allow(&gathering_testkit::id("design"), granted);
        }
        let host = builder.build();
        for source in sources {
            host.add(source).await.unwrap();
        }
        host.load("design", Some(config), Dependencies::MustBeLoaded).await.unwrap();
        host.enable("design").await.unwrap();
        Self { host, folder }
    }

    /// Whether jobs can be run here; says so if not.
    pub(crate) fn can_run(&self) -> bool {
        let is_there = launcher().is_file();
        if !is_there {
            println!(
                "NOT RUN: `gathering` was not built beside this test: run the tests of the whole workspace"
            );
        }
        is_there
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

/// The program that is a worker when it is told to.
fn launcher() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(2).unwrap().join("gathering")
}

/// The media types of the pictures in a result.
pub(crate) fn pictures(output: &ToolOutput) -> Vec<&str> {
    fn media_type(part: &Content) -> Option<&str> {
        if let Content::Image { media_type, .. } = part { Some(media_type) } else { None }
    }
    output.parts.iter().filter_map(media_type).collect()
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

/// Puts a picture into the folder. False if there is nothing to make one with.
pub(crate) fn picture(design: &Design, name: &str) -> bool {
    let script = format!("from PIL import Image\nImage.linear_gradient('L').convert('RGB').save('{name}')");
    python(design, &["PIL"], &script).is_some()
}

/// A running provider of npm `@copilotkit/aimock`; stopped when this is dropped.
pub(crate) struct Mock {
    pub(crate) url: String,
    child: Child,
}

impl Mock {
    /// One that answers as `fixtures` say; `None`, with a note, if it cannot run here.
    pub(crate) fn start(fixtures: &Value) -> Option<Self> {
        let script = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("npm");
        let script = script.join("node_modules/@copilotkit/aimock/dist/cli.js");
        if !script.is_file() {
            println!("NOT RUN: the mock provider is not installed: `make mock` installs it, and needs npm");
            return None;
        }
        let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
        std::fs::write(file.path(), json!({"fixtures": fixtures}).to_string()).unwrap();
        let mut child = Command::new("node")
            .arg(script)
            .args(["--port", "0", "--strict", "--validate-on-load", "--fixtures"])
            .arg(file.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = said
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("listening on ").map(|(_, url)| url.trim().to_owned()));
        // It waits for nobody who reads what it says.
        std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        Some(Self { url: url.unwrap(), child })
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
