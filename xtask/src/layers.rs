//! The floors of the house: nothing imports upwards or sideways.

use crate::metadata::{Metadata, Package};

/// Each crate once, bottom floor first. Crates on one floor are strangers to each other.
const FLOORS: &[&[&str]] = &[
    &["gathering-core", "gathering-sandbox"],
    &[
        "gathering-host",
        "gathering-store",
        "gathering-models",
        "gathering-plugins",
        "gathering-runtime-python",
    ],
    &["gathering-agents"],
    &["gathering"],
    &["gathering-server", "gathering-py"],
    &["gathering-cli"],
];
/// The one crate that may name those of its own choosing: runtimes, built-in plugins and the store. A front door sees
/// the words and the host, and works with whatever was assembled.
const ASSEMBLY: &str = "gathering";
const CHOSEN_BY_ASSEMBLY: &[&str] = &["gathering-store", "gathering-plugins", "gathering-runtime-python"];
/// Beside the house: they may look at all of it, and nothing but tests may use them.
const BESIDE: &[&str] = &["gathering-testkit", "gathering-bench", "xtask"];
/// All that the bottom floor may take from outside, so that it stays free of an async runtime, and the core of I/O.
const CORE_TAKES: &[&str] = &["serde", "serde_json", "thiserror"];
const SANDBOX_TAKES: &[&str] = &["libc", "rustix", "serde", "serde_json", "thiserror"];

/// What breaks the rule.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    metadata.members().flat_map(check_one).collect()
}

fn check_one(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let mut problems = Vec::new();
    if BESIDE.contains(&name) {
        return problems;
    }
    let Some(floor) = floor_of(name) else {
        return vec![format!("layers: `{name}` is on no floor: add it to FLOORS in xtask/src/layers.rs")];
    };
    for needed in package.needs() {
        if BESIDE.contains(&needed) {
            problems.push(format!(
                "layers: `{name}` uses `{needed}` outside its tests: make it a dev-dependency"
            ));
        }
        let takes = if name == "gathering-sandbox" { SANDBOX_TAKES } else { CORE_TAKES };
        if floor == 0 && !takes.contains(&needed) && floor_of(needed).is_none() {
            problems.push(format!(
                "layers: `{name}` takes `{needed}`: it has only {}; move what needs it up",
                takes.join(", ")
            ));
        }
        let Some(below) = floor_of(needed) else { continue };
        if below >= floor {
            let direction = if below == floor { "beside" } else { "above" };
            problems.push(format!(
                "layers: `{name}` imports `{needed}`, which lies {direction} it: \
                 move the shared part down, or pass it in through a trait of gathering-core"
            ));
        } else if name != ASSEMBLY && CHOSEN_BY_ASSEMBLY.contains(&needed) {
            problems.push(format!(
                "layers: `{name}` imports `{needed}`, which only `{ASSEMBLY}` names: re-export what it needs from there"
            ));
        }
    }
    problems
}

fn floor_of(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::workspace;

    #[test]
    fn a_house_in_which_everything_points_down_is_in_order() {
        let house = workspace(&[
            ("gathering-core", &["serde"], &["proptest"]),
            ("gathering-host", &["gathering-core", "tokio"], &["gathering-testkit"]),
            ("gathering", &["gathering-core", "gathering-host"], &[]),
            ("gathering-server", &["gathering-host"], &[]),
            ("gathering-cli", &["gathering", "gathering-server"], &[]),
            ("gathering-testkit", &["gathering-host"], &[]),
        ]);

        assert_eq!(check(&house), Vec::<String>::new());
    }

    #[test]
    fn what_points_up_or_sideways_or_takes_the_assemblys_choice_is_named() {
        for (name, needs, expected) in [
            ("gathering-core", "gathering-host", "`gathering-host`, which lies above it"),
            ("gathering-host", "gathering-store", "`gathering-store`, which lies beside it"),
            (
                "gathering-server",
                "gathering-store",
                "imports `gathering-store`, which only `gathering` names",
            ),
            ("gathering-host", "gathering-testkit", "make it a dev-dependency"),
            ("gathering-core", "tokio", "takes `tokio`"),
            ("gathering-core", "rustix", "takes `rustix`"),
            ("gathering-sandbox", "tokio", "takes `tokio`"),
            ("gathering-sandbox", "gathering-core", "`gathering-core`, which lies beside it"),
        ] {
            let problems = check(&workspace(&[(name, &[needs], &[])]));

            assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:?}");
        }
    }

    #[test]
    fn a_crate_that_is_on_no_floor_is_an_error() {
        let problems = check(&workspace(&[("gathering-extra", &[], &[])]));

        assert_eq!(
            problems,
            ["layers: `gathering-extra` is on no floor: add it to FLOORS in xtask/src/layers.rs"]
        );
    }
}
