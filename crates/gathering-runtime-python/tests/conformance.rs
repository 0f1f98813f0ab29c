//! The runtime conformance suite on Python workers.

use std::fs;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use gathering_core::{PluginSource, Runtime};
use gathering_host::Host;
use gathering_runtime_python::{PythonConfig, PythonRuntime};
use gathering_testkit::conformance::{self, Subject};
use tempfile::TempDir;

const PLUGIN: &str = include_str!("plugins/conformance.py");

struct PythonSubject {
    folder: TempDir,
    runtime: Arc<PythonRuntime>,
}

impl PythonSubject {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = PythonConfig { data_dir: folder.path().join("data"), ..PythonConfig::default() };
        Self { runtime: Arc::new(PythonRuntime::new(config)), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("conformance.py")
    }
}

impl Subject for PythonSubject {
    fn host(&self) -> Pin<Box<dyn Future<Output = Host> + '_>> {
        Box::pin(async {
            let host = Host::builder().runtime(self.runtime.clone()).build();
            host.add(PluginSource::Path(self.path())).await.expect("it describes itself");
            host
        })
    }

    fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    fn edit(&self) {
        fs::write(self.path(), PLUGIN.replace("1.0.0", "2.0.0")).expect("it can be edited");
    }

    fn break_it(&self) {
        fs::write(self.path(), PLUGIN.replace("class ", "clas ")).expect("it can be edited");
    }

    fn restore(&self) {
        fs::write(self.path(), PLUGIN).expect("it can be written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_workers_keep_every_promise_of_a_runtime() {
    let checked = conformance::check(&PythonSubject::new()).await;

    assert!(checked.len() >= 12, "only {checked:?} were checked");
}
