//! The table that `make bench` prints: what is promised, and what was reached.

use std::fmt::Write;

/// One promise and what was measured of it.
pub(crate) struct Row {
    what: String,
    must: String,
    reached: String,
    met: Option<bool>,
}

impl Row {
    /// A figure that must not be larger than `limit`, both in `unit`.
    pub(crate) fn at_most(what: impl Into<String>, limit: f64, reached: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            must: format!("<= {} {unit}", figure(limit)),
            reached: format!("{} {unit}", figure(reached)),
            met: Some(reached <= limit),
        }
    }

    /// A figure that must not be smaller than `limit`, both in `unit`.
    pub(crate) fn at_least(what: impl Into<String>, limit: f64, reached: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            must: format!(">= {} {unit}", figure(limit)),
            reached: format!("{} {unit}", figure(reached)),
            met: Some(reached >= limit),
        }
    }

    /// A figure that nothing is promised of and that helps to read the others.
    pub(crate) fn beside(what: impl Into<String>, reached: f64, unit: &str) -> Self {
        let reached = format!("{} {unit}", figure(reached));
        Self { what: what.into(), must: String::new(), reached, met: None }
    }
}

/// Three digits that matter.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The table, in Markdown.
pub(crate) fn render(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str, heading: &str| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(heading.len())
    };
    let (what, must, reached) = (
        width(|row| &row.what, "what"),
        width(|row| &row.must, "must reach"),
        width(|row| &row.reached, "reached"),
    );
    let mut text =
        format!("| {:what$} | {:must$} | {:reached$} |             |\n", "what", "must reach", "reached");
    let _ = writeln!(text, "|-{:-<what$}-|-{:-<must$}-|-{:-<reached$}-|-------------|", "", "", "");
    for row in rows {
        let verdict = match row.met {
            Some(true) => "reached",
            Some(false) => "falls short",
            None => "",
        };
        let _ = writeln!(
            text,
            "| {:what$} | {:must$} | {:reached$} | {verdict:11} |",
            row.what, row.must, row.reached
        );
    }
    text
}

/// The middle one of `values`.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "something was measured");
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
