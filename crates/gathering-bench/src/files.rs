//! What it costs to look into large files, against the programs that people would use for it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::table::{Row, median};
use crate::{Failure, check};

/// Writes a table of some 100 MB, takes its statistics with pandas several times, and prints the seconds of the quickest.
const PANDAS: &str = include_str!("../python/table.py");
const TIMES: usize = 3;

/// Statistics of a CSV file of 100 MB, on the command line with all that starts, against pandas without its start.
pub(crate) fn statistics(gathering: &Path, python: &Path) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir()?;
    let run = |arguments: &[&str]| -> Result<String, Failure> {
        let output = Command::new(gathering)
            .args(arguments)
            .current_dir(folder.path())
            .env("GATHERING_DATA_DIR", folder.path().join("data"))
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        check(output.status.success(), &format!("gathering {arguments:?}: {said}"))?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let output =
        Command::new(python).args(["-c", PANDAS, "table.csv"]).current_dir(folder.path()).output()?;
    check(output.status.success(), &String::from_utf8_lossy(&output.stderr))?;
    let theirs: Value = serde_json::from_slice(&output.stdout)?;
    run(&["plugins", "load", "documents"])?;
    run(&["plugins", "enable", "documents"])?;
    let mut ours = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        let answer: Value =
            serde_json::from_str(&run(&["files", "read", "table.csv", "--statistics", "--json"])?)?;
        ours.push(started.elapsed().as_secs_f64());
        let price =
            answer["result"]["value"]["columns"].as_array().and_then(|columns| columns.get(2)).cloned();
        let mean = price.and_then(|price| price["mean"].as_f64()).unwrap_or(f64::NAN);
        let said = theirs["mean"].as_f64().unwrap_or(f64::NAN);
        check((mean - said).abs() < 1e-6, &format!("the mean is {mean}, and {said} by pandas"))?;
    }
    let (ours, theirs) = (median(ours), theirs["seconds"].as_f64().unwrap_or(f64::NAN));
    Ok(vec![
        Row::at_least("statistics of a CSV file of 100 MB, against pandas", 3.0, theirs / ours, "x"),
        Row::beside("  by GatheRing, with the start of its command line", ours, "s"),
        Row::beside("  by pandas, `read_csv` and `describe(include=\"all\")`", theirs, "s"),
    ])
}
