//! Reading reports in JUnit's XML, as pytest and Node write them.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Report, TestFailure};

/// The report in a text; none if it is no such XML, or was cut.
pub(super) fn read(text: &str) -> Option<Report> {
    let mut reader = Reader::from_str(&text[text.find("<?xml")?..]);
    let (mut report, mut case, mut is_seen) = (Report::default(), None::<Case>, false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) if start.name().into_inner() == "testcase" => case = Some(Case::of(&start)),
            Event::Empty(start) if start.name().into_inner() == "testcase" => {
                Case::of(&start).count(&mut report);
            }
            Event::Start(start) | Event::Empty(start) => {
                is_seen |= start.name().into_inner() == "testsuites";
                if let Some(case) = &mut case {
                    case.outcome(&start);
                }
            }
            Event::End(end) if end.name().into_inner() == "testcase" => {
                if let Some(case) = case.take() {
                    case.count(&mut report);
                }
            }
            Event::End(end) if end.name().into_inner() == "testsuites" => return Some(report),
            Event::Text(text) => {
                if let Some(case) = &mut case {
                    case.text.push_str(&text.into_inner());
                }
            }
            Event::CData(text) => {
                if let Some(case) = &mut case {
                    case.text.push_str(&text.into_inner());
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(case) = &mut case {
                    let escaped = format!("&{};", reference.into_inner());
                    case.text.push_str(&quick_xml::escape::unescape(&escaped).unwrap_or_default());
                }
            }
            Event::Eof => return is_seen.then_some(report),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Case {
    name: String,
    file: Option<String>,
    line: Option<u64>,
    is_failed: bool,
    is_skipped: bool,
    message: String,
    /// What stands in it: where it failed, and how.
    text: String,
}

impl Case {
    fn of(start: &BytesStart<'_>) -> Self {
        let class = attribute(start, "classname").filter(|class| class != "test");
        let name = attribute(start, "name").unwrap_or_default();
        let name =
            class.filter(|class| !class.is_empty()).map_or(name.clone(), |class| format!("{class}::{name}"));
        // The lines of pytest begin at 0.
        let line = attribute(start, "line").and_then(|line| line.parse::<u64>().ok()).map(|line| line + 1);
        Self { name, file: attribute(start, "file"), line, ..Self::default() }
    }

    fn outcome(&mut self, start: &BytesStart<'_>) {
        match start.name().into_inner() {
            "failure" | "error" => {
                self.is_failed = true;
                self.message = attribute(start, "message").unwrap_or_default();
            }
            "skipped" => self.is_skipped = true,
            _ => {}
        }
    }

    fn count(self, report: &mut Report) {
        if self.is_failed {
            let (file, line) = match place(&self.text, self.file.as_deref()) {
                Some((file, line)) => (Some(file), Some(line)),
                None => (self.file, self.line),
            };
            let message = if self.message.is_empty() { self.text } else { self.message };
            report.failures.push(TestFailure { name: self.name, file, line, message });
        } else if self.is_skipped {
            report.skipped += 1;
        } else {
            report.passed += 1;
        }
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).ok()??;
    Some(quick_xml::escape::unescape(&attribute.value).ok()?.into_owned())
}

/// The last place in the test's own file that a failure names, or the first in any file of the project.
fn place(text: &str, own: Option<&str>) -> Option<(String, u64)> {
    let places: Vec<_> = text.lines().filter_map(place_in).collect();
    let is_own = |file: &str| own.is_some_and(|own| own.ends_with(file) || file.ends_with(own));
    places.iter().rev().find(|(file, _)| is_own(file)).or_else(|| places.first()).cloned()
}

/// `tests/test_a.py:3: AssertionError`, or `at TestContext.<anonymous> (file:///project/a.test.js:5:10)`.
fn place_in(line: &str) -> Option<(String, u64)> {
    let line = line.trim();
    let named = match line.strip_prefix("at ") {
        Some(frame) => {
            let named = frame.rsplit('(').next()?.trim_end_matches(')');
            let named = named.strip_prefix("file://").unwrap_or(named);
            // The engine's own frames.
            if named.starts_with("node:") {
                return None;
            }
            named
        }
        None => line,
    };
    let (file, rest) = named.split_once(':')?;
    let is_file = [".py", ".js", ".mjs", ".cjs", ".ts"].iter().any(|ending| file.ends_with(ending));
    let line = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    (is_file && !file.contains(' ')).then(|| (file.to_owned(), line))
}
