//! Reading what `cargo test` prints.

use std::collections::BTreeMap;

use super::{Report, TestFailure};

/// The report of all test programs; none if no program came to its end.
pub(super) fn read(text: &str) -> Option<Report> {
    let mut report = Report::default();
    let mut is_seen = false;
    let mut failures: BTreeMap<String, TestFailure> = BTreeMap::new();
    // The test whose output is being shown.
    let mut shown: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            shown = Some(name.to_owned());
            continue;
        }
        if line == "failures:" || line.starts_with("test result: ") {
            shown = None;
        }
        if line.starts_with("test result: ") {
            is_seen = true;
            report.failures.extend(std::mem::take(&mut failures).into_values());
        } else if let Some(name) = &shown {
            let failure = failures.entry(name.clone()).or_default();
            match panicked_at(line) {
                Some((file, line)) if failure.file.is_none() => {
                    (failure.file, failure.line) = (Some(file), Some(line));
                    failure.message.clear();
                }
                _ if line.starts_with("note: run with `RUST_BACKTRACE=1`") => {}
                _ => {
                    failure.message.push_str(line);
                    failure.message.push('\n');
                }
            }
        } else if let Some((name, outcome)) =
            line.strip_prefix("test ").and_then(|line| line.rsplit_once(" ... "))
        {
            let name = name.strip_suffix(" - should panic").unwrap_or(name);
            match outcome {
                "ok" => report.passed += 1,
                "FAILED" => {
                    failures.entry(name.to_owned()).or_default().name = name.to_owned();
                }
                _ if outcome.starts_with("ignored") => report.skipped += 1,
                _ => {}
            }
        }
    }
    is_seen.then_some(report)
}

/// `thread 'a::b' (123) panicked at src/lib.rs:10:5:`
fn panicked_at(line: &str) -> Option<(String, u64)> {
    let (_, place) = line.strip_prefix("thread '")?.split_once(" panicked at ")?;
    let mut parts = place.trim_end_matches(':').rsplitn(3, ':');
    let (_column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    Some((file.to_owned(), line.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const LIBRARY: &str = r#"
#[cfg(test)]
mod tests {
    #[test]
    fn adds() {
        assert_eq!(1 + 1, 2);
    }

    #[test]
    fn fails_with_a_message() {
        println!("seen before");
        assert_eq!(1 + 1, 3, "arithmetic\nbroke");
    }

    #[test]
    #[should_panic]
    fn does_not_panic() {}

    #[test]
    #[ignore = "slow"]
    fn is_ignored() {}
}
"#;

    #[test]
    fn what_cargo_prints_becomes_counts_and_places() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
        std::fs::write(folder.path().join("Cargo.toml"), manifest).expect("it can be written");
        std::fs::create_dir_all(folder.path().join("src")).expect("it can be made");
        std::fs::create_dir_all(folder.path().join("tests")).expect("it can be made");
        std::fs::write(folder.path().join("src/lib.rs"), LIBRARY).expect("it can be written");
        std::fs::write(folder.path().join("tests/other.rs"), "#[test]\nfn passes() {}\n")
            .expect("it can be written");
        let output = Command::new(std::env::var_os("CARGO").expect("cargo runs this test"))
            .args(["test", "--no-fail-fast", "--offline"])
            .current_dir(folder.path())
            .env("CARGO_TARGET_DIR", folder.path().join("target"))
            .env_remove("RUST_BACKTRACE")
            .output()
            .expect("cargo runs");

        let report = read(&String::from_utf8_lossy(&output.stdout)).expect("tests ran");

        assert_eq!((report.passed, report.skipped, report.failures.len()), (2, 1, 2), "{report:?}");
        let silent = &report.failures[0];
        assert_eq!(silent.name, "tests::does_not_panic");
        let told = &report.failures[1];
        assert_eq!(
            (told.name.as_str(), told.file.as_deref(), told.line),
            ("tests::fails_with_a_message", Some("src/lib.rs"), Some(12))
        );
        assert!(told.message.contains("arithmetic") && told.message.contains("right: 3"), "{}", told.message);
    }

    #[test]
    fn what_does_not_compile_is_no_report() {
        assert_eq!(read("error: could not compile"), None);
    }
}
