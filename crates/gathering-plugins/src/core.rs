//! The plugin `core`: essential tools that are always there.

mod calculate;
mod competencies;
mod config;
mod git;
mod javascript_eval;
mod list_directory;
mod llm_chat;
mod pattern;
mod plugin_authoring;
mod python_eval;
mod read_file;
mod read_skill;
mod run_command;
mod run_tests;
mod time;
mod tool_search;
mod write_file;

use std::sync::Arc;

use gathering_core::{LoadError, Plugin, PluginManifest};
use gathering_sandbox::Prober;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::config::Config;
pub(crate) use self::config::{private_schema, protected_schema};
pub(crate) use self::javascript_eval::Script;
use crate::base::{self, Base, Names};
use crate::worker::Workers;
use crate::{Builtin, Failure, NativePlugin, OwnPlaces, encoding, worker};

/// The plugin.
pub(crate) fn builtin(own: OwnPlaces, prober: Arc<Prober>, workers: Workers) -> Builtin {
    Builtin::new(manifest(), move |manifest, config| {
        start(manifest, config, &own, prober.clone(), workers.clone())
    })
}

fn manifest() -> PluginManifest {
    let [create, update, remove] = plugin_authoring::definitions();
    let [search_tools, get_tool] = tool_search::definitions();
    let manifest = json!({
        "metadata": {
            "id": "core",
            "name": "Core GatheRing Tools",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Essential tools: files, Git, commands, Python, JavaScript, arithmetic, finding tools, and making plugins",
            "author": "GatheRing Team",
            "license": "MIT OR Apache-2.0",
            "tags": ["core", "files", "git", "mathematics"],
            "config_schema": config::schema(),
        },
        "tools": [
            calculate::definition(),
            read_file::definition(),
            write_file::definition(),
            list_directory::definition(),
            git::status::definition(),
            git::diff::definition(),
            git::log::definition(),
            git::commit::definition(),
            run_command::definition(),
            run_tests::definition(),
            python_eval::definition(),
            javascript_eval::definition(),
            llm_chat::definition(),
            create,
            update,
            remove,
            search_tools,
            get_tool,
            read_skill::definition(),
        ],
        "competencies": competencies::definitions(),
    });
    serde_json::from_value(manifest).expect("the manifest is part of the program, and a test reads it")
}

/// What the tools share.
struct Core {
    base: Base,
    /// What `write_file` and commands do not touch.
    protected: Names,
    config: Config,
    /// Knows how commands are confined.
    prober: Arc<Prober>,
    /// A permit for each command and each piece of Python that may run at once.
    running: Semaphore,
}

/// How many commands and pieces of Python run at once: half of the calls that the plugin serves, so that those who wait
/// for them keep nobody from reading a file.
const MOST_RUNNING: usize = 32;

impl Core {
    /// Takes a permit to run something; refuses if there is none.
    fn permit(&self) -> Result<SemaphorePermit<'_>, Failure> {
        self.running.try_acquire().map_err(|_| {
            let most = MOST_RUNNING;
            format!("{most} commands and pieces of Python are running already: try again when one has ended")
                .into()
        })
    }
}

fn start(
    manifest: PluginManifest,
    config: &Value,
    own: &OwnPlaces,
    prober: Arc<Prober>,
    workers: Workers,
) -> Result<Box<dyn Plugin>, LoadError> {
    let config: Config = own.configure(config)?;
    let base = Base::open("core", &config.base_path, &config.private)?;
    let running = Semaphore::new(MOST_RUNNING);
    let core = Arc::new(Core { base, protected: Names::new(&config.protected), config, prober, running });
    let [
        reads,
        writes,
        lists,
        states,
        diffs,
        runs,
        confines,
        evaluates,
        interprets,
        scripts,
        logs,
        commits,
        tests,
        holds,
    ] = std::array::from_fn(|_| core.clone());
    NativePlugin::new(manifest)
        .tool("calculate", calculate::calculate)
        .blocking_tool("read_file", move |arguments, cx, cancel| {
            read_file::read_file(&reads, &arguments, cx, cancel)
        })
        .blocking_tool("write_file", move |arguments, _, cancel| {
            write_file::write_file(&writes, &arguments, cancel)
        })
        .blocking_tool("list_directory", move |arguments, _, cancel| {
            list_directory::list_directory(&lists, &arguments, cancel)
        })
        .blocking_tool("git_status", move |arguments, _, cancel| {
            git::status::git_status(&states, &arguments, cancel)
        })
        .blocking_tool("git_diff", move |arguments, _, cancel| {
            git::diff::git_diff(&diffs, &arguments, cancel)
        })
        .blocking_tool("git_log", move |arguments, _, cancel| git::log::git_log(&logs, &arguments, cancel))
        .blocking_tool("git_commit", move |arguments, _, cancel| {
            git::commit::git_commit(&commits, &arguments, cancel)
        })
        .blocking_tool("run_command", move |arguments, cx, cancel| {
            run_command::run_command(&runs, &arguments, cx, cancel)
        })
        .tier_of("run_command", move || confines.prober.known().and_then(worker::tier))
        .blocking_tool("run_tests", move |arguments, cx, cancel| {
            run_tests::run_tests(&tests, &arguments, cx, cancel)
        })
        .tier_of("run_tests", move || holds.prober.known().and_then(worker::tier))
        .async_tool("python_eval", move |arguments, cx| {
            let core = evaluates.clone();
            async move { python_eval::python_eval(&core, arguments, &cx).await }
        })
        .tier_of("python_eval", move || interprets.prober.known().and_then(worker::tier))
        .tier_of("javascript_eval", {
            let workers = workers.clone();
            move || workers.tier()
        })
        .async_tool("javascript_eval", move |arguments, cx| {
            let (core, workers) = (scripts.clone(), workers.clone());
            async move { javascript_eval::javascript_eval(&core, &workers, arguments, &cx).await }
        })
        .async_tool("llm_chat", llm_chat::llm_chat)
        .async_tool("create_plugin", plugin_authoring::create_plugin)
        .async_tool("update_plugin", plugin_authoring::update_plugin)
        .async_tool("remove_plugin", plugin_authoring::remove_plugin)
        .blocking_tool("search_tools", |wanted: tool_search::Search, cx, _| {
            Ok::<_, Failure>(tool_search::search_tools(&wanted, cx))
        })
        .tool("get_tool", tool_search::get_tool)
        .blocking_tool("read_skill", |wanted: read_skill::Wanted, cx, _| read_skill::read_skill(&wanted, cx))
        .finish()
}
