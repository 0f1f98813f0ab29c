//! The probe says what holds.

use gathering_sandbox::{Report, Tier, ToolUser, probe};

use crate::harness::*;

#[test]
fn every_attack_of_the_probe_is_stopped_in_each_tier_that_there_is() {
    let report = probe(launcher(), ToolUser::default());
    println!("{report}");

    for found in &report.tiers {
        if has(found.tier) {
            assert!(found.holds && found.failure.is_none() && found.checks.len() == 9, "{report}");
        }
    }
    assert_eq!(report.best, available().first().copied());
}

#[test]
fn a_report_survives_being_written_down() {
    let report = probe(launcher(), ToolUser::default());

    let text = serde_json::to_string(&report).unwrap();

    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn a_probe_leaves_nothing_behind() {
    probe(launcher(), ToolUser::default());

    let left = std::fs::read_dir(std::env::temp_dir())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let mine = format!("gathering-probe-{}-", std::process::id());
    // Other tests of this process may be probing.
    assert!(left.filter(|name| name.starts_with(&mine)).count() <= 3);
    assert!(Tier::Isolated.to_string() == "isolated");
}
