//! The verbs, one file each.

pub(crate) mod agents;
pub(crate) mod calls;
pub(crate) mod competencies;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod execute;
pub(crate) mod files;
pub(crate) mod new;
pub(crate) mod plugins;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod tools;

use gathering::config::LogFormat;

use crate::cli::{Cli, Command, Global};
use crate::client::Client;
use crate::error::{CliError, Exit};
use crate::logging;

/// Does what was asked for.
pub(crate) fn run(cli: Cli) -> Result<(), CliError> {
    let Cli { global, command } = cli;
    if !matches!(command, Command::Serve(_)) {
        // A server logs as it is configured; a verb says what went wrong by itself.
        logging::start(if global.verbose { "info" } else { "error" }, LogFormat::Text)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        CliError::new(Exit::Failed, "runtime", format!("no thread could be started: {error}"))
    })?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve(serve) => serve.run(&global).await,
            Command::Plugins(plugins) => plugins.run(&global).await,
            Command::Tools(tools) => tools.run(&global).await,
            Command::Agents(agents) => agents.run(&global).await,
            Command::Competencies(competencies) => competencies.run(&global).await,
            Command::Execute(execute) => execute.run(&global).await,
            Command::Files(files) => files.run(&global).await,
            Command::New(new) => new.run(&global),
            Command::Calls(calls) => calls.run(&global).await,
            Command::Events(events) => events.run(&global).await,
            Command::Doctor(doctor) => doctor.run(&global).await,
            Command::Secrets(secrets) => secrets.run(&global),
            Command::Config(config) => config.run(&global),
            Command::Completions(completions) => completions.run(),
        }
    });
    // What still blocks, such as a native tool, does not hold up the end.
    runtime.shutdown_background();
    done
}

/// Does `verb` on what there is to work on, and ends it in order.
async fn on_client(
    global: &Global,
    verb: impl AsyncFnOnce(&Client) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let client = global.connect().await?;
    let done = verb(&client).await;
    client.close().await;
    done
}
