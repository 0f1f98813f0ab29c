//! The packages of plugins: installed once for each set, found without running the plugin, refused with the reason.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gathering_host::Dependencies;
use serde_json::json;
use support::{PythonHost, plugin};

/// A wheel of a package `greeting`, made here so that nothing has to be fetched: it is all that an installer needs.
fn wheel(folder: &Path, version: &str) -> PathBuf {
    let path = folder.join(format!("greeting-{version}-py3-none-any.whl"));
    let script = format!(
        "import sys, zipfile\n\
         with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n    \
             info = 'greeting-{version}.dist-info/'\n    \
             wheel.writestr('greeting.py', 'VERSION = \"{version}\"\\n')\n    \
             wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: greeting\\nVersion: {version}\\n')\n    \
             wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n    \
             wheel.writestr(info + 'RECORD', 'greeting.py,,\\n' + info + 'METADATA,,\\n' + info + 'WHEEL,,\\n' + info + 'RECORD,,\\n')\n"
    );
    let made = Command::new("python3").args(["-c", &script]).arg(&path).status().expect("python3 runs");
    assert!(made.success());
    path
}

fn requirement(wheel: &Path) -> String {
    format!("greeting @ file://{}", wheel.display())
}

fn environments(host: &PythonHost) -> usize {
    fs::read_dir(host.folder.path().join("data/env")).map_or(0, Iterator::count)
}

/// A plugin that imports `greeting` at the top and names it in its metadata.
fn greeter(id: &str, requirement: &str) -> String {
    let text = plugin(id, "def tool_greet_ID(self):\n    return greeting.VERSION".replace("ID", id).as_str());
    let named = format!("description=\"a plugin of a test\", python_dependencies=[{requirement:?}]");
    format!("import greeting\n{}", text.replace("description=\"a plugin of a test\"", &named))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_metadata_names_is_installed_once_and_shared() {
    let host = PythonHost::new();
    let requirement = requirement(&wheel(host.folder.path(), "1.2.0"));
    host.write("one.py", &greeter("one", &requirement));
    host.write("two.py", &greeter("two", &requirement));
    let mut events = host.subscribe();

    let found = host.discover(Some(&host.plugins())).await.expect("the folder can be read");
    assert_eq!((found.discovered.len(), found.errors), (2, vec![]));
    assert_eq!(environments(&host), 0, "discovery installs nothing");
    host.enable_known("one").await;
    host.enable_known("two").await;

    assert_eq!(host.call("greet_one", json!({})).await, Ok(json!("1.2.0")));
    assert_eq!(host.call("greet_two", json!({})).await, Ok(json!("1.2.0")));
    assert_eq!(environments(&host), 1);
    let mut progress = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let gathering_host::EventKind::PluginProgress { message, .. } = &event.kind {
            progress.push(message.clone());
        }
    }
    assert!(
        progress.first().is_some_and(|first| first.starts_with("installing greeting @ file://")),
        "{progress:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pep_723_block_is_installed_before_the_plugin_is_run() {
    let host = PythonHost::new();
    let requirement = requirement(&wheel(host.folder.path(), "2.0.0"));
    let text = plugin("scripted", "def tool_greet(self):\n    return greeting.VERSION");
    let block =
        format!("# /// script\n# requires-python = \">=3.8\"\n# dependencies = [{requirement:?}]\n# ///\n");
    host.write("scripted.py", &format!("{block}import greeting\n{text}"));

    host.discover(Some(&host.plugins())).await.expect("the folder can be read");
    host.enable_known("scripted").await;

    assert_eq!(host.call("greet", json!({})).await, Ok(json!("2.0.0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_cannot_be_installed_is_named_with_the_reason() {
    let host = PythonHost::with(|config| config.offline = true);
    let text = plugin("hopeless", "").replace(
        "description=\"a plugin of a test\"",
        "description=\"x\", python_dependencies=[\"a-package-that-nobody-made>=7\"]",
    );
    host.write("hopeless.py", &text);
    host.discover(Some(&host.plugins())).await.expect("the folder can be read");

    let error = host.load("hopeless", None, Dependencies::MustBeLoaded).await.expect_err("it cannot be");

    assert_eq!(error.code(), "missing_dependency");
    let text = error.to_string();
    assert!(text.contains("its packages could not be installed (a-package-that-nobody-made>=7)"), "{text}");
    assert!(text.lines().count() > 1 || text.len() > 120, "the installer's own words are there: {text}");
    assert_eq!(environments(&host), 0, "nothing half-made is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_installed_before_needs_no_installer() {
    let host = PythonHost::new();
    let made = wheel(host.folder.path(), "3.0.0");
    host.write("kept.py", &greeter("kept", &requirement(&made)));
    host.discover(Some(&host.plugins())).await.expect("the folder can be read");
    host.enable_known("kept").await;
    host.unload("kept", false).await.expect("it unloads");

    fs::remove_file(made).expect("it is there");
    host.enable_known("kept").await;

    assert_eq!(host.call("greet_kept", json!({})).await, Ok(json!("3.0.0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_that_is_too_old_for_the_plugin_is_refused() {
    let host = PythonHost::new();
    host.write(
        "future.py",
        &format!("# /// script\n# requires-python = \">=4\"\n# ///\n{}", plugin("future", "")),
    );

    let found = host.discover(Some(&host.plugins())).await.expect("the folder can be read");

    assert!(found.errors[0].message.starts_with("it needs Python >=4, and "), "{:?}", found.errors);
}
