//! The Python package in its own process, beside what Python offers for the same.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::table::Row;
use crate::{Failure, check};

/// Measures with `python`, which finds the package, built for release.
pub(crate) fn rows(python: &Path) -> Result<Vec<Row>, Failure> {
    let calls = measure(python, "calls")?;
    let frameworks = measure(python, "frameworks")?;
    let importing = measure(python, "importing")?;
    let registering = measure(python, "registering")?;
    let listing = measure(python, "listing")?;
    let life = measure(python, "life")?;
    let memory = measure(python, "memory")?;
    let ratio = |of: &HashMap<String, f64>, name: &str| of[name] / of["execute"];
    Ok(vec![
        Row::beside("python: a plain call of add(x=1, y=2)", calls["plain"] * 1e9, "ns"),
        Row::beside("python: execute(\"add\", x=1, y=2), checked", calls["execute"] * 1e9, "ns"),
        Row::at_least("  pydantic validate_call takes", 1.0, ratio(&calls, "pydantic"), "x"),
        Row::at_least("  a precompiled jsonschema validator takes", 5.0, ratio(&calls, "jsonschema"), "x"),
        Row::at_least("  LangChain StructuredTool.invoke takes", 100.0, ratio(&frameworks, "langchain"), "x"),
        Row::at_least("  an in-memory FastMCP call takes", 200.0, ratio(&frameworks, "fastmcp"), "x"),
        Row::at_most("  unchecked, of the plain call", 4.0, calls["unchecked"] / calls["plain"], "x"),
        Row::at_most("python: import gathering.plugins, over pass", 40.0, importing["import"] * 1e3, "ms"),
        Row::beside("  with the plugin manager", importing["import_manager"] * 1e3, "ms"),
        Row::at_most(
            "python: register + unregister 100,000 tools in one category",
            2.0,
            registering["register"],
            "s",
        ),
        Row::at_most("  growth beyond linear, from 10,000 on", 1.5, registering["register_growth"], "x"),
        Row::at_most("python: list_by_category with 10,000 tools in it", 1.0, listing["list"] * 1e3, "ms"),
        Row::at_most(
            "python: load, enable, disable, unload 10 tools beside 10,000",
            300.0,
            life["life"] * 1e6,
            "us",
        ),
        Row::at_most("python: memory of a tool beside the user's objects", 1024.0, memory["memory"], "B"),
    ])
}

/// Each part has a process of its own, so that none finds the memory of another.
fn measure(python: &Path, part: &str) -> Result<HashMap<String, f64>, Failure> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/package.py");
    let output = Command::new(python).args([script, part]).stderr(Stdio::inherit()).output()?;
    check(output.status.success(), "the package runs, and what it is compared with is installed")?;
    Ok(serde_json::from_slice(&output.stdout)?)
}
