//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    agents, calls, competencies, completions, config, doctor, events, execute, files, new, plugins, secrets,
    serve, tools,
};

const EXAMPLES: &str = "\
Examples:
  gathering serve                              start the server on http://127.0.0.1:8000
  gathering new plugin hello                   write a plugin to start from
  gathering plugins discover                   look for plugins in the plugin folders
  gathering plugins load hello --enable        load a plugin and offer its tools
  gathering tools list                         see what can be called
  gathering agents create Analyst -c python    make an agent, and see what it may call
  gathering execute calculate expression='6 * 7'

Where a verb works:
  on the server of --server; else on the server that holds the data directory; else, when there is
  none, on the data directory itself. What is loaded and enabled is kept there.

Exit codes:
  0  done
  1  the tool or the operation failed
  2  the command line, the configuration or the arguments of a tool do not fit
  3  no server could be reached, or the data directory could not be opened
  4  there is no such plugin, tool, competency or agent";

/// The tool runtime for AI agents.
///
/// GatheRing discovers plugins, loads them at run time, and calls their tools with checked arguments, over REST and from
/// here.
#[derive(Debug, Parser)]
#[command(name = "gathering", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every verb takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The configuration file; else $GATHERING_CONFIG, ./gathering.toml or ~/.config/gathering/gathering.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where state is kept; else $GATHERING_DATA_DIR or ~/.local/share/gathering.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server to work on, such as http://127.0.0.1:8000.
    #[arg(long, global = true, value_name = "URL", env = "GATHERING_SERVER_URL", hide_env_values = true)]
    pub(crate) server: Option<String>,
    /// The token for --server; that of a server of this data directory is read from there.
    #[arg(long, global = true, value_name = "TOKEN", env = "GATHERING_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Show tracebacks, and more of what is done.
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy, Args)]
// Its name as a group would clash with that of verbs called `show`.
#[group(skip)]
pub(crate) struct Show {
    /// Print JSON; an error is printed as JSON too.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve tools over REST until Ctrl-C.
    #[command(visible_alias = "up")]
    Serve(serve::Serve),
    /// Find, load, enable, disable, reload and unload plugins.
    #[command(subcommand, visible_alias = "plugin")]
    Plugins(plugins::Plugins),
    /// See the tools that can be called.
    #[command(subcommand, visible_alias = "tool")]
    Tools(tools::Tools),
    /// See the competencies that agents can hold.
    #[command(subcommand, visible_alias = "competency")]
    Competencies(competencies::Competencies),
    /// Make agents, say what each may call, and talk with them.
    #[command(subcommand, visible_alias = "agent")]
    Agents(agents::Agents),
    /// Call a tool.
    Execute(execute::Execute),
    /// Read, describe, show and convert files of many formats.
    #[command(subcommand, visible_alias = "file")]
    Files(files::Files),
    /// Write something to start from.
    #[command(subcommand)]
    New(new::New),
    /// Read the journal: what was called, by whom, and what came of it.
    #[command(subcommand)]
    Calls(calls::Calls),
    /// Follow what happens on a server.
    Events(events::Events),
    /// Check that everything is in place, and say what to do where it is not.
    Doctor(doctor::Doctor),
    /// Keep secrets for plugins that ask for them and are allowed them.
    #[command(subcommand, visible_alias = "secret")]
    Secrets(secrets::Secrets),
    /// See the configuration.
    #[command(subcommand)]
    Config(config::Config),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
}

impl Command {
    /// Whether the answer, and so an error too, is to be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Serve(serve) => serve.show.json,
            Self::Plugins(plugins) => plugins.show().json,
            Self::Tools(tools) => tools.show().json,
            Self::Competencies(competencies) => competencies.show().json,
            Self::Agents(agents) => agents.show().json,
            Self::Execute(execute) => execute.wants_json(),
            Self::Files(files) => files.show().json,
            Self::New(new::New::Plugin(plugin)) => plugin.show.json,
            Self::Calls(calls) => calls.wants_json(),
            Self::Events(events) => events.show.json,
            Self::Doctor(doctor) => doctor.show.json,
            Self::Secrets(secrets) => secrets.show().json,
            Self::Config(config::Config::Show { show }) => show.json,
            Self::Completions(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
