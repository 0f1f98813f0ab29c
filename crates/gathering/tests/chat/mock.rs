//! A mock provider in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// A running mock provider; stopped when this is dropped.
pub(crate) struct Mock {
    pub(crate) url: String,
    child: Child,
    _fixtures: NamedTempFile,
}

impl Mock {
    /// One that answers as `fixtures` say; `None`, and the reason is printed, if it cannot run here.
    #[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
    pub(crate) fn start(fixtures: Value) -> Option<Self> {
        let script =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder in `target`").join("npm");
        let script = script.join("node_modules/@copilotkit/aimock/dist/cli.js");
        if !script.is_file() {
            println!("NOT RUN: the mock provider is not installed: `make mock` installs it, and needs npm");
            return None;
        }
        let mut file = NamedTempFile::with_suffix(".json").expect("a file");
        file.write_all(json!({"fixtures": fixtures}).to_string().as_bytes()).expect("it can be written");
        let started = Command::new("node")
            .arg(script)
            .args(["--port", "0", "--strict", "--validate-on-load", "--fixtures"])
            .arg(file.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                println!("NOT RUN: node cannot be started: {error}");
                return None;
            }
        };
        let mut said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let url = said
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listening on ")?.1.trim().to_owned()));
        let url = url.expect("the mock says where it listens");
        // It waits for nobody who reads what it says.
        std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        Some(Self { url, child, _fixtures: file })
    }

    /// The bodies of the requests that came, oldest first.
    pub(crate) async fn requests(&self) -> Vec<Value> {
        let journal = self.journal().await;
        journal.as_array().expect("a list").iter().map(|entry| entry["body"].clone()).collect()
    }

    /// Everything that it knows of the requests that came.
    pub(crate) async fn journal(&self) -> Value {
        let journal = reqwest::get(format!("{}/__aimock/journal", self.url)).await.expect("it answers");
        journal.json().await.expect("it answers in JSON")
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
