//! A GatheRing over its life: opened, closed, killed, opened again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gathering::{
    CallOptions, Caller, Config, Dependencies, EventKind, GatheRing, PluginStatus, StartError, ToolError,
};
use serde_json::{Value, json};

/// Set for the process that a test starts to kill it.
const CHILD: &str = "GATHERING_TEST_CHILD";

fn config(data_dir: &Path) -> Config {
    Config { data_dir: Some(data_dir.to_owned()), ..Config::default() }
}

async fn open(data_dir: &Path) -> GatheRing {
    GatheRing::open(config(data_dir)).await.expect("it can be opened")
}

async fn call(gathering: &GatheRing, tool: &str, arguments: Value) -> Result<Value, ToolError> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let report = gathering.host().execute(Caller::Operator, tool, arguments, CallOptions::default()).await;
    report.outcome.map(|output| output.value)
}

fn status(gathering: &GatheRing, id: &str) -> PluginStatus {
    gathering.host().plugin(id).expect("it is known").status
}

/// Puts a Python plugin with the tool `word`, which says `word`, into the plugin folder.
fn write_plugin(data_dir: &Path, id: &str, word: &str) -> PathBuf {
    let folder = data_dir.join("plugins");
    std::fs::create_dir_all(&folder).expect("it can be made");
    let path = folder.join(format!("{id}.py"));
    let text = format!(
        r#"
from gathering.plugins.base import Plugin, PluginMetadata
from gathering.core.tool_registry import ToolDefinition, ToolCategory

class Word(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(id="{id}", name="{id}", version="1.0.0", description="Says a word")

    def register_tools(self):
        return [ToolDefinition(name="{id}_word", description="Says a word", category=ToolCategory.CUSTOM,
                               function=lambda: "{word}")]
"#
    );
    std::fs::write(&path, text).expect("it can be written");
    path
}

/// Whether Python plugins can be tried; says so if not.
#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
async fn has_python(gathering: &GatheRing) -> bool {
    match gathering.python().interpreter().await {
        Ok(_) => true,
        Err(error) => {
            println!("NOT RUN: {error}");
            false
        }
    }
}

#[tokio::test]
async fn the_core_tools_are_there_from_the_start() {
    let folder = tempfile::tempdir().expect("a folder");

    let gathering = open(folder.path()).await;

    assert_eq!(gathering.problems(), [""; 0]);
    assert_eq!(status(&gathering, "core"), PluginStatus::Enabled);
    let sum =
        call(&gathering, "calculate", json!({"expression": "6 * 7"})).await.expect("it can be calculated");
    assert!(sum.to_string().contains("42"), "{sum}");
    gathering.shutdown().await;
}

#[tokio::test]
async fn the_file_tools_stay_away_from_what_is_gatherings_own_however_core_is_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data_dir, extra) = (folder.path().join("state"), folder.path().join("extra"));
    std::fs::create_dir(&extra).expect("it can be made");
    std::fs::write(extra.join("tool.py"), "x = 1").expect("it can be written");
    let mut config = config(&data_dir);
    config.plugins.directories = vec![extra];
    let gathering = GatheRing::open(config).await.expect("it can be opened");
    gathering.operator_token().expect("it can be made");
    let base = json!({"base_path": folder.path(), "private": [], "protected": []});
    gathering.host().reload("core", Some(base)).await.expect("it takes the configuration");

    let read = call(&gathering, "read_file", json!({"path": "state/operator.token"})).await;
    let listed = call(&gathering, "list_directory", json!({"path": "state"})).await;
    let code = call(&gathering, "read_file", json!({"path": "extra/tool.py"})).await;
    let write = json!({"path": "extra/tool.py", "content": "import os"});
    let written = call(&gathering, "write_file", write).await;

    let refusal = read.expect_err("the token is the operator's").to_string();
    assert_eq!(refusal, "`state/operator.token` is private to the server");
    assert!(listed.is_err(), "{listed:?}");
    assert_eq!(code, Ok(json!("x = 1")), "plugins may be read");
    assert!(written.is_err_and(|error| error.to_string().contains("protected")), "but not written");
    gathering.shutdown().await;
}

#[tokio::test]
async fn disabling_is_kept_and_unloading_lasts_until_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");

    let first = open(folder.path()).await;
    first.host().unload("core", false).await.expect("nobody needs it");
    first.shutdown().await;
    let second = open(folder.path()).await;
    let after_unload = status(&second, "core");
    second.host().disable("core", false).await.expect("nobody needs it");
    second.shutdown().await;
    let third = open(folder.path()).await;

    assert_eq!(after_unload, PluginStatus::Enabled);
    assert_eq!(status(&third, "core"), PluginStatus::Disabled);
}

#[tokio::test]
async fn a_data_directory_has_one_holder_until_it_is_shut_down() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = open(folder.path()).await;
    first.announce("http://127.0.0.1:8000").expect("it can be written");

    let refused = GatheRing::open(config(folder.path())).await.map(|_| ()).unwrap_err();
    first.shutdown().await;

    let StartError::InUse { url, pid, .. } = refused else { panic!("{refused}") };
    assert_eq!((url.as_deref(), pid), (Some("http://127.0.0.1:8000"), Some(std::process::id())));
    let second = open(folder.path()).await;
    assert_eq!(second.data_dir().server(), None, "the address is forgotten");
}

#[tokio::test]
async fn a_wrong_plugin_spoils_nothing_and_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("plugins/broken.py");
    std::fs::create_dir(broken.parent().expect("a parent")).expect("it can be made");
    std::fs::write(&broken, "def (:\n").expect("it can be written");
    let mut config = config(folder.path());
    config.plugins.enable = vec!["cor".into(), "core".into()];
    config.plugins.directories = vec!["/nowhere".into()];

    let gathering = GatheRing::open(config).await.expect("it can be opened");

    let problems = gathering.problems().join("\n");
    assert_eq!(status(&gathering, "core"), PluginStatus::Enabled);
    assert!(problems.contains("`/nowhere`: the folder cannot be read"), "{problems}");
    assert!(problems.contains(&format!("`{}`: ", broken.display())), "{problems}");
    assert!(problems.contains("there is no plugin called `cor`, did you mean `core`?"), "{problems}");
}

#[tokio::test]
async fn a_section_of_no_plugin_is_refused_with_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    config.plugins.config.insert("1st".into(), serde_json::Map::new());

    let error = GatheRing::open(config).await.map(|_| ()).unwrap_err().to_string();

    assert!(error.starts_with("`plugins.config.1st`: `1st` is not a "), "{error}");
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let probe = open(folder.path()).await;
    let has_python = has_python(&probe).await;
    probe.shutdown().await;
    drop(probe);
    write_plugin(folder.path(), "kept", "kept");
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "changes_state_and_waits_to_be_killed", "--ignored", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let acknowledged = output.lines().map_while(Result::ok).any(|line| line.contains("acknowledged"));
    child.kill().expect("it runs");
    child.wait().expect("it ends");

    let back = open(folder.path()).await;

    assert!(acknowledged, "the child told that it was done");
    assert_eq!(status(&back, "core"), PluginStatus::Disabled);
    if has_python {
        assert_eq!(status(&back, "kept"), PluginStatus::Enabled);
        assert!(!back.host().plugin("kept").expect("it is known").started, "nothing was started");
        assert_eq!(call(&back, "kept_word", json!({})).await, Ok(json!("kept")));
        back.shutdown().await;
    }
}

#[tokio::test]
#[ignore = "it is the child of another test"]
async fn changes_state_and_waits_to_be_killed() {
    let Some(data_dir) = std::env::var_os(CHILD) else { return };
    let gathering = open(Path::new(&data_dir)).await;
    gathering.host().disable("core", false).await.expect("nobody needs it");
    if has_python(&gathering).await {
        gathering.host().load("kept", None, Dependencies::LoadToo).await.expect("it loads");
        gathering.host().enable("kept").await.expect("it can be enabled");
    }
    println!("acknowledged");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_changed_file_is_reloaded_and_a_new_one_discovered_while_watched() {
    let folder = tempfile::tempdir().expect("a folder");
    write_plugin(folder.path(), "spoken", "before");
    let mut config = config(folder.path());
    config.plugins.watch = true;
    config.plugins.enable = vec!["spoken".into()];
    let gathering = GatheRing::open(config).await.expect("it can be opened");
    if !has_python(&gathering).await {
        return;
    }
    assert_eq!(gathering.problems(), [""; 0]);
    assert_eq!(call(&gathering, "spoken_word", json!({})).await, Ok(json!("before")));
    let mut events = gathering.host().subscribe();

    write_plugin(folder.path(), "spoken", "after");
    write_plugin(folder.path(), "newcomer", "new");

    let (mut reloaded, mut discovered) = (false, false);
    let both = async {
        while !(reloaded && discovered) {
            match &events.recv().await.expect("the host lives").kind {
                EventKind::PluginReloaded { plugin_id } => reloaded |= *plugin_id == *"spoken",
                EventKind::PluginDiscovered { plugin_id, .. } => discovered |= *plugin_id == *"newcomer",
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("both happen");
    assert_eq!(call(&gathering, "spoken_word", json!({})).await, Ok(json!("after")));
    gathering.shutdown().await;
}

#[tokio::test]
async fn a_start_with_known_plugins_starts_no_python() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..3 {
        write_plugin(folder.path(), &format!("known{number}"), "known");
    }
    let first = open(folder.path()).await;
    if !has_python(&first).await {
        return;
    }
    for number in 0..3 {
        first.host().load(&format!("known{number}"), None, Dependencies::LoadToo).await.expect("it loads");
    }
    first.shutdown().await;
    drop(first);
    let mut config = config(folder.path());
    config.python.interpreter = Some("/nowhere/python".into());

    let begun = Instant::now();
    let gathering = GatheRing::open(config).await.expect("it can be opened");

    println!("opened in {:?}", begun.elapsed());
    assert_eq!(gathering.problems(), [""; 0], "an interpreter would have been missed");
    assert_eq!(status(&gathering, "known2"), PluginStatus::Loaded);
}

#[tokio::test]
async fn a_secret_reaches_the_plugin_that_the_configuration_allows_it_and_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().join("data");
    let path = write_plugin(&data_dir, "keeper", "unused");
    let text = std::fs::read_to_string(&path).expect("it was written");
    let text = text
        .replace(
            "description=\"Says a word\")",
            "description=\"\", permissions={\"secrets\": [\"API_KEY\"]})",
        )
        .replace(
            "lambda: \"unused\"",
            "lambda: (lambda key: [key, len(key)])(__import__(\"os\").environ.get(\"API_KEY\", \"\"))",
        );
    std::fs::write(&path, text).expect("it can be written");
    let mut config = config(&data_dir);
    let gathering = GatheRing::open(config.clone()).await.expect("it can be opened");
    if !has_python(&gathering).await {
        return;
    }
    gathering.secrets().set("API_KEY", "sk-0123456789").expect("it can be kept");
    gathering.host().load("keeper", None, Dependencies::LoadToo).await.expect("it loads");
    assert_eq!(call(&gathering, "keeper_word", json!({})).await, Ok(json!(["", 0])));
    gathering.shutdown().await;

    let allowed = gathering::Permissions::from_words(["secret=API_KEY"]).expect("a permission");
    config.plugins.permissions.insert("keeper".into(), allowed);
    let gathering = GatheRing::open(config).await.expect("it can be opened");

    assert_eq!(call(&gathering, "keeper_word", json!({})).await, Ok(json!(["***", 13])));
    gathering.shutdown().await;
}

#[tokio::test]
async fn a_file_takes_the_place_of_a_built_in_plugin_that_is_not_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let gathering = open(folder.path()).await;
    if !has_python(&gathering).await {
        return;
    }
    gathering.shutdown().await;
    drop(gathering);
    let path = write_plugin(folder.path(), "finance", "mine");
    write_plugin(folder.path(), "core", "other");

    for _ in 0..2 {
        let gathering = open(folder.path()).await;
        let known = gathering.host().plugin("finance").expect("it is known");
        let core = gathering.host().plugin("core").expect("it is known");

        assert_eq!(known.source, path.display().to_string());
        assert_eq!((core.runtime.as_str(), core.status), ("native", PluginStatus::Enabled));
        let told: Vec<_> = gathering.problems().iter().filter(|told| !told.contains("core")).collect();
        assert!(told.is_empty(), "{told:?}");
        gathering.host().load("finance", None, Dependencies::MustBeLoaded).await.expect("it can be loaded");
        assert_eq!(call(&gathering, "finance_word", json!({})).await, Ok(json!("mine")));
        gathering.host().unload("finance", false).await.expect("it can be unloaded");
        gathering.shutdown().await;
    }
}
