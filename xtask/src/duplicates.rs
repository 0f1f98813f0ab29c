//! The heavy crates come in one version each: two cost build time, size, and types that do not fit.

use std::collections::BTreeMap;

use crate::metadata::Metadata;

/// Crates that are large, or whose types cross our own borders.
const HEAVY: &[&str] = &[
    "axum",
    "cap-std",
    "clap",
    "git2",
    "hyper",
    "hyper-util",
    "imbl",
    "jsonschema",
    "libgit2-sys",
    "libsqlite3-sys",
    "notify",
    "num-bigint",
    "regex",
    "rusqlite",
    "rustix",
    "serde",
    "serde_json",
    "tokio",
    "toml",
    "tower",
    "tracing",
    "tracing-subscriber",
    "utoipa",
];

/// The heavy crates that come in several versions.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in metadata.packages.iter().filter(|package| HEAVY.contains(&package.name.as_str())) {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions
        .into_iter()
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, versions)| {
            format!(
                "duplicates: `{name}` comes as {}: see who asks with `cargo tree --duplicates --invert {name}`",
                versions.join(" and ")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::workspace;

    #[test]
    fn a_heavy_crate_in_two_versions_is_named_and_a_light_one_is_not() {
        let mut house = workspace(&[
            ("serde", &[], &[]),
            ("serde", &[], &[]),
            ("either", &[], &[]),
            ("either", &[], &[]),
        ]);
        house.packages[1].version = "2.0.0".into();

        let problems = check(&house);

        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("duplicates: `serde` comes as 1.0.0 and 2.0.0"), "{problems:?}");
    }
}
