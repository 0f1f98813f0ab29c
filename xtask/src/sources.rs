//! The files of the tree: what each opens with, how large it is, and that none knows one person's machine.

use std::fs;
use std::path::Path;
use std::process::Command;

const MAX_BYTES: u64 = 300_000;
/// The beginnings of paths that exist on one machine only. Taken apart so that this file may be checked too.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/"), concat!("/ho", "me/")];

/// The files that git tracks, relative to the root.
pub(crate) fn tracked(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("`git ls-files` did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let names =
        String::from_utf8(output.stdout).map_err(|_| "a tracked file's name is not UTF-8".to_owned())?;
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}

/// What is wrong with them. A file that is tracked and gone is left to git.
pub(crate) fn check(root: &Path, files: &[String]) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for name in files {
        let path = root.join(name);
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if !about.is_file() {
            continue;
        }
        if about.len() > MAX_BYTES {
            problems.push(format!(
                "sources: {name} has {} bytes: build it or fetch it, do not keep it",
                about.len()
            ));
            continue;
        }
        let bytes = fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            problems.extend(check_text(name, text));
        }
    }
    Ok(problems)
}

fn check_text(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.ends_with(".rs") && !opens_with_a_sentence(text, "//! ") {
        problems
            .push(format!("sources: {name} does not open with one `//!` sentence that says what is in it"));
    }
    if name.ends_with(".py") && !text.starts_with("#!") && !opens_with_a_sentence(text, "\"\"\"") {
        problems.push(format!("sources: {name} does not open with a docstring that says what is in it"));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| has_path(line, path)) {
            problems.push(format!("sources: {name}:{} has a path of one machine, `{path}...`", number + 1));
        }
    }
    problems
}

/// Whether the first paragraph starts with `mark` and has the end of a sentence.
fn opens_with_a_sentence(text: &str, mark: &str) -> bool {
    let paragraph = text.lines().take_while(|line| !matches!(line.trim(), "" | "//!"));
    let ends_one = |line: &str| line.ends_with(['.', '?', '!']) || line.contains(". ");
    text.starts_with(mark) && paragraph.map(|line| line.trim().trim_end_matches("\"\"\"")).any(ends_one)
}

/// Whether `path` stands in the line by itself, not as the end of a longer word such as `~/home/` or `a/work/`.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].ends_with(|before: char| {
            before.is_alphanumeric() || matches!(before, '.' | '~' | '}' | '-' | '_' | '*')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rust_file_opens_with_a_sentence() {
        assert_eq!(check_text("a.rs", "//! What is in it.\nuse b;\n"), Vec::<String>::new());
        assert_eq!(
            check_text("a.rs", "//! What is in it,\n//! in two lines.\n\nuse b;\n"),
            Vec::<String>::new()
        );
        assert_eq!(check_text("a.rs", "use b;\n").len(), 1);
        assert_eq!(check_text("a.rs", "//! no end\n\nuse b;\n// over.\n").len(), 1);
    }

    #[test]
    fn a_python_file_opens_with_a_docstring() {
        assert_eq!(check_text("a.py", "\"\"\"What is in it.\"\"\"\n"), Vec::<String>::new());
        assert_eq!(check_text("a.py", "import os\n").len(), 1);
    }

    #[test]
    fn a_path_of_one_machine_is_found_and_the_like_of_one_is_not() {
        let machine = format!("see {}me/x", MACHINE_PATHS[0]);
        let other = format!("http://a{}x and ~{}x", MACHINE_PATHS[1], MACHINE_PATHS[3]);

        assert_eq!(check_text("a.md", &machine).len(), 1);
        assert_eq!(check_text("a.md", &other), Vec::<String>::new());
    }

    #[test]
    fn a_large_file_is_named_and_one_that_is_gone_is_not() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("large.bin"), vec![0; 300_001]).expect("written");

        let problems = check(root.path(), &["large.bin".into(), "gone.rs".into()]).expect("read");

        assert_eq!(problems, ["sources: large.bin has 300001 bytes: build it or fetch it, do not keep it"]);
    }
}
