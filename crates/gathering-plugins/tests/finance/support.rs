//! A host with the finance plugin over a folder of its own, and the programs that check what it computed.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use gathering_core::{Caller, ToolOutput};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_plugins::{NativeRuntime, OwnPlaces};
use gathering_sandbox::Prober;
use serde_json::{Value, json};

pub(crate) struct Finance {
    host: Host,
    folder: tempfile::TempDir,
}

impl Finance {
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    pub(crate) async fn with(mut config: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        config["base_path"] = folder.path().to_str().unwrap().into();
        let runtime =
            NativeRuntime::new(gathering_plugins::all(&OwnPlaces::default(), &Arc::new(Prober::default())));
        let sources = runtime.sources();
        let host = Host::builder().runtime(Arc::new(runtime)).build();
        for source in sources {
            host.add(source).await.unwrap();
        }
        host.load("finance", Some(config), Dependencies::MustBeLoaded).await.unwrap();
        host.enable("finance").await.unwrap();
        std::fs::create_dir(folder.path().join("prices")).unwrap();
        Self { host, folder }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    pub(crate) fn put(&self, inside: &str, text: &str) {
        std::fs::write(self.path(inside), text).unwrap();
    }

    /// Prices of what the examples name, of two years of days, drawn by a small generator of random numbers.
    pub(crate) fn put_prices(&self) {
        let mut state = 1_u64;
        let mut step = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5) * 0.04
        };
        for (symbol, mut price, currency) in
            [("ACME", 100.0, "USD"), ("GLOBEX", 40.0, "USD"), ("^INDEX", 4000.0, ""), ("EURUSD=X", 1.08, "")]
        {
            let mut text = "Date,Open,High,Low,Close,Adj Close,Volume,Currency\n".to_owned();
            for day in 0..730 {
                let (year, month, date) = (2023 + day / 365, day % 365 / 31 + 1, day % 365 % 31 + 1);
                if date > 28 {
                    continue;
                }
                price *= 1.0 + step();
                let (high, low) = (price * 1.01, price * 0.99);
                text += &format!(
                    "{year}-{month:02}-{date:02},{price:.4},{high:.4},{low:.4},{price:.4},{price:.4},1000,{currency}\n"
                );
            }
            self.put(&format!("prices/{symbol}.csv"), &text);
        }
    }

    pub(crate) async fn output(&self, tool: &str, arguments: Value) -> Result<ToolOutput, String> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let report = self.host.execute(Caller::Operator, tool, arguments, CallOptions::default()).await;
        report.outcome.map_err(|error| error.to_string())
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        self.output(tool, arguments).await.map(|output| output.value)
    }

    /// Runs Python in the folder with the packages that check what we computed. None, with a note, if it lacks them.
    pub(crate) fn python(&self, script: &str) -> Option<String> {
        let run =
            |code: &str| Command::new("python3").args(["-c", code]).current_dir(self.folder.path()).output();
        match run("import numpy, numpy_financial, pandas, scipy.stats, scipy.optimize") {
            Ok(output) if output.status.success() => {}
            _ => {
                println!("NOT RUN: python3 has no numpy-financial, pandas or scipy");
                return None;
            }
        }
        let output = run(script).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap())
    }
}
