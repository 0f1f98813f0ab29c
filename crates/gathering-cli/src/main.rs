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
    if std::env::args_os().nth(1).is_some_and(|first| first == "__sandbox") {
        return gathering_sandbox::launcher_main();
    }
    let cli = Cli::parse();
    let (as_json, verbose) = (cli.command.wants_json(), cli.global.verbose);
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(as_json, verbose),
    }
}
