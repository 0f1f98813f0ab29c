//! The probe says what holds.

use gathering_sandbox::{Confinement, Holds, Prober, Report, Tier, ToolUser, probe};

use crate::harness::*;

#[test]
fn every_attack_of_the_probe_is_stopped_in_each_tier_that_there_is() {
    let report = probe(launcher(), ToolUser::default(), None);
    println!("{report}");

    for found in &report.tiers {
        if has(found.tier) {
            assert!(found.holds && found.failure.is_none() && found.checks.len() == 9, "{report}");
        }
    }
    assert_eq!(report.best, available().first().copied());
}

#[test]
fn a_tier_that_is_named_is_tried_alone_and_never_exchanged_for_another() {
    let nowhere = std::path::PathBuf::from("/nowhere/gathering");
    for tier in available() {
        let prober = Prober::new(confinement(launcher().to_owned(), tier));
        let stuck = Prober::new(confinement(nowhere.clone(), tier));

        assert_eq!(prober.holds().word(), tier.to_string());
        assert_eq!(prober.holds().report().unwrap().tiers.len(), 1);
        let Holds::Nothing(report) = stuck.holds() else { panic!("{tier}: {:?}", stuck.holds()) };
        let refusal = report.refusal();
        assert!(refusal.starts_with(&format!("the tier `{tier}`, which `sandbox.tier` names")), "{refusal}");
    }
}

fn confinement(launcher: std::path::PathBuf, tier: Tier) -> Confinement {
    Confinement::Sandbox { launcher, tier: Some(tier), or_unconfined: true }
}

#[test]
fn a_report_survives_being_written_down() {
    let report = probe(launcher(), ToolUser::default(), None);

    let text = serde_json::to_string(&report).unwrap();

    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn a_probe_removes_what_a_launcher_that_was_killed_has_left_and_nothing_that_is_in_use() {
    for tier in tiers().filter(|tier| *tier == Tier::Confined) {
        let write = "pwd -P; mkdir d; echo x > d/f; exec sleep 60";
        let (killed, running) = (start(tier, &policy(), shell(write)), start(tier, &policy(), shell(write)));
        let place = |child: &gathering_sandbox::Child| child.applied().private.clone().unwrap();
        let (left, used) = (place(&killed), place(&running));
        rustix::process::kill_process(killed.launcher(), rustix::process::Signal::KILL).unwrap();
        killed.wait().unwrap();
        assert!(left.exists());

        probe(launcher(), ToolUser::default(), None);

        assert!(!left.exists() && used.exists(), "{left:?} {used:?}");
    }
}

#[test]
fn a_probe_leaves_nothing_behind() {
    probe(launcher(), ToolUser::default(), None);

    let left = std::fs::read_dir(std::env::temp_dir())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let mine = format!("gathering-probe-{}-", std::process::id());
    // Other tests of this process may be probing.
    assert!(left.filter(|name| name.starts_with(&mine)).count() <= 3);
    assert!(Tier::Isolated.to_string() == "isolated");
}
