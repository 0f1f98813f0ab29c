//! `cargo xtask tidy` checks the shape of the tree, `cargo xtask docs` runs what the documentation shows.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod docs;
mod duplicates;
mod layers;
mod licences;
mod manifests;
mod metadata;
mod sources;

const USAGE: &str = "usage: cargo xtask tidy         layers, licences, duplicate crates, source files
       cargo xtask docs [FILE]  runs the code blocks of README.md and docs/*.md, or of FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["tidy"] => tidy(&root()),
        ["docs"] => docs::run(&root(), None),
        ["docs", file] => docs::run(&root(), Some(file)),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            eprintln!("\n{} to mend", problems.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Everything that is wrong with the tree, each with how to mend it.
fn tidy(root: &Path) -> Result<Vec<String>, String> {
    let metadata = metadata::read(root)?;
    let files = sources::tracked(root)?;
    let mut problems = layers::check(&metadata);
    problems.extend(licences::check(&metadata));
    problems.extend(duplicates::check(&metadata));
    problems.extend(manifests::check(&metadata)?);
    problems.extend(sources::check(root, &files)?);
    println!(
        "tidy: {} crates of ours, {} in all, {} files",
        metadata.members().count(),
        metadata.packages.len(),
        files.len()
    );
    Ok(problems)
}

/// The workspace. Asked of cargo and not compiled in: checkouts may share a target directory, and so this program.
fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().expect("xtask lies in the workspace").to_owned()
}
