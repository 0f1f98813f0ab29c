//! `gathering completions`: a completion script for a shell.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  gathering completions bash > ~/.local/share/bash-completion/completions/gathering
  gathering completions zsh > ~/.zfunc/_gathering
  gathering completions fish > ~/.config/fish/completions/gathering.fish";

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "gathering", &mut script);
        Ok(std::io::stdout().write_all(&script)?)
    }
}
