//! Runs what the documentation shows: each page's code blocks, in order, in a folder with nothing in it but `examples`.
//!
//! A block says in its opening line what is done with it:
//! * `bash` is run, with the `gathering` program on the path and `:8000` standing for a free port;
//!   `bash background` starts a server and goes on when it answers;
//! * `python` is run with the SDK; `python file=NAME`, or any other language with `file=NAME`, is written to that file;
//! * `json output` and `text output` must be what the block before them printed, where `...` stands for anything;
//! * what stands between the comments `<!-- needs PROGRAM -->` and `<!-- needs nothing -->` is run where that program is
//!   on the path; `4010` stands for a free port;
//! * `json` and `toml` must parse; `no-run` on any block leaves it alone; other languages are left alone.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

mod compare;
mod page;

use page::Page;

/// The longest that one page may take, in seconds: it may install packages.
const LIMIT: &str = "600";

/// Sourced before a page: stops at the first command that fails, says in which line, and ends what still runs. What is
/// put in the background is a shell that waits for the program, so with `set -m` each is a group, and is ended as one.
const PROLOGUE: &str = r#"
set -eEum
trap 'echo "$LINENO" >"$DOCS_OUT/failed"' ERR
trap 'for job in $(jobs -p); do kill -- "-$job" 2>/dev/null || :; done; wait' EXIT
unset BASH_ENV
answers() {
  until curl --silent --fail --output "$DOCS_OUT/health" "http://localhost:$DOCS_PORT/health"; do
    kill -0 "$1" || return 1
    sleep 0.1
  done
}
"#;

/// Runs README.md and docs/*.md, or one page; what failed.
pub(crate) fn run(root: &Path, only: Option<&str>) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for name in pages(root, only)? {
        let text = fs::read_to_string(root.join(&name)).map_err(|error| format!("{name}: {error}"))?;
        let mut page = Page::parse(&text).map_err(|(line, error)| format!("{name}:{line}: {error}"))?;
        let path = search_path(root)?;
        let there = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
        for program in page.leave_out(there) {
            println!(
                "docs: NOT RUN: what needs `{program}` in {name}: `make mock` installs it, and needs npm"
            );
        }
        let before = problems.len();
        problems.extend(
            page.blocks
                .iter()
                .filter_map(|block| block.parse_error())
                .map(|(line, e)| format!("{name}:{line}: {e}")),
        );
        if problems.len() == before {
            problems.extend(run_page(root, &name, &page)?);
        }
        println!("docs: {name}, {} of {} blocks run", page.run_count(), page.blocks.len());
    }
    Ok(problems)
}

fn pages(root: &Path, only: Option<&str>) -> Result<Vec<String>, String> {
    if let Some(only) = only {
        return Ok(vec![only.to_owned()]);
    }
    let entries = fs::read_dir(root.join("docs")).map_err(|error| format!("docs: {error}"))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    names.push("README.md".into());
    names.sort();
    Ok(names)
}

fn run_page(root: &Path, name: &str, page: &Page) -> Result<Vec<String>, String> {
    if page.run_count() == 0 {
        return Ok(Vec::new());
    }
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let folder = tempfile::tempdir().map_err(failed)?;
    let (work, out) = (folder.path().join("home"), folder.path().join("out"));
    fs::create_dir(&work).and_then(|()| fs::create_dir(&out)).map_err(failed)?;
    symlink(root.join("examples"), work.join("examples")).map_err(failed)?;
    let port = free_port().map_err(failed)?;
    // The script has the page's line numbers, so that what bash says of it leads to the page.
    let script = folder.path().join("page");
    fs::write(&script, page.script(port, free_port().map_err(failed)?)).map_err(failed)?;
    let prologue = folder.path().join("prologue");
    fs::write(&prologue, PROLOGUE).map_err(failed)?;
    let errors = out.join("errors");
    let log = File::create(&errors).map_err(failed)?;
    let status = Command::new("timeout")
        .args(["--kill-after=5", LIMIT, "bash"])
        .arg(&script)
        .current_dir(&work)
        .env("BASH_ENV", &prologue)
        .env("DOCS_OUT", &out)
        .env("DOCS_PORT", port.to_string())
        .env("GATHERING_SERVER__PORT", port.to_string())
        .env("HOME", &work)
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .env("PATH", search_path(root)?)
        .env("PYTHONPATH", root.join("python"))
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log)
        .status()
        .map_err(|error| format!("`timeout` and `bash` are needed to run {name}: {error}"))?;
    if !status.success() {
        let line = fs::read_to_string(out.join("failed")).unwrap_or_default();
        let said = fs::read_to_string(&errors).unwrap_or_default();
        let printed = line.trim().parse().ok().and_then(|line| page.block_at(line));
        let printed =
            printed.map(|block| fs::read_to_string(out.join(block.line.to_string())).unwrap_or_default());
        return Ok(vec![format!(
            "{name}:{}: a command failed ({status})\n{}\n{}",
            line.trim(),
            tail(&said, 20),
            tail(&printed.unwrap_or_default(), 20)
        )]);
    }
    Ok(outputs(name, page, &out))
}

/// What a block printed that is not what the page shows.
fn outputs(name: &str, page: &Page, out: &Path) -> Vec<String> {
    let pairs = page.blocks.windows(2).filter(|pair| pair[1].is_output());
    pairs
        .filter_map(|pair| {
            let printed = fs::read_to_string(out.join(pair[0].line.to_string())).unwrap_or_default();
            let printed = printed.trim();
            let shown = pair[1].text.trim();
            let same = if pair[1].language == "json" {
                compare::json(shown, printed)
            } else {
                compare::text(shown, printed)
            };
            same.err()
                .map(|error| format!("{name}:{}: {error}\nprinted:\n{}", pair[1].line, tail(printed, 60)))
        })
        .collect()
}

/// The program that was built beside this one, and what `make setup` installed, come first.
fn search_path(root: &Path) -> Result<std::ffi::OsString, String> {
    let here = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let built: PathBuf = here.parent().expect("a program lies in a folder").to_owned();
    if !built.join("gathering").is_file() {
        return Err(format!("{} is missing: run `cargo build` first", built.join("gathering").display()));
    }
    let of_npm = built.parent().unwrap_or(&built).join("npm/node_modules/.bin");
    let before = [built, root.join(".venv/bin"), of_npm];
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(before.into_iter().chain(std::env::split_paths(&path)))
        .map_err(|error| error.to_string())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
