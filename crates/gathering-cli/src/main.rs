//! The command line of GatheRing.

mod arguments;
mod cli;
mod client;
mod commands;
mod error;
mod logging;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    // What this program is in the tree of a server, and no verb of a user's.
    let first: Vec<_> = std::env::args_os().skip(1).take(2).collect();
    match first.first().and_then(|first| first.to_str()) {
        Some("__sandbox") => return gathering_sandbox::launcher_main(),
        Some("__worker") if first.get(1).is_some_and(|kind| kind == "native") => {
            return gathering::serve_worker();
        }
        _ => {}
    }
    let cli = Cli::parse();
    let (as_json, verbose) = (cli.command.wants_json(), cli.global.verbose);
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(as_json, verbose),
    }
}
