//! Every crate of ours inherits what the workspace settles: version, edition, licence and lints.

use std::fs;

use toml::{Table, Value};

use crate::metadata::Metadata;

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];

/// What a manifest sets by itself, or leaves out.
pub(crate) fn check(metadata: &Metadata) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for package in metadata.members() {
        let path = &package.manifest_path;
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        problems.extend(check_text(&package.name, &text)?);
    }
    Ok(problems)
}

fn check_text(name: &str, text: &str) -> Result<Vec<String>, String> {
    let manifest: Table = text.parse().map_err(|error| format!("manifest of `{name}`: {error}"))?;
    let is_inherited =
        |value: Option<&Value>| value.and_then(|v| v.get("workspace")) == Some(&Value::Boolean(true));
    let package = manifest.get("package");
    let mut problems: Vec<String> = INHERITED
        .iter()
        .filter(|key| !is_inherited(package.and_then(|package| package.get(key))))
        .map(|key| format!("manifests: `{name}` sets its own {key}: write `{key}.workspace = true`"))
        .collect();
    if !is_inherited(manifest.get("lints")) {
        problems.push(format!(
            "manifests: `{name}` has lints of its own: write `[lints]` and `workspace = true`"
        ));
    }
    if package.and_then(|package| package.get("description")).is_none() {
        problems.push(format!("manifests: `{name}` has no description: say in one line what is in it"));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_inherits_or_is_told_what_to_write() {
        let good = "[package]\nname = 'a'\ndescription = 'A'\nversion.workspace = true\nedition.workspace = true\n\
                    rust-version.workspace = true\nlicense.workspace = true\n[lints]\nworkspace = true\n";

        assert_eq!(check_text("a", good), Ok(vec![]));
        assert_eq!(
            check_text("a", &good.replace("edition.workspace = true", "edition = '2021'")),
            Ok(vec!["manifests: `a` sets its own edition: write `edition.workspace = true`".to_owned()])
        );
        assert_eq!(
            check_text("a", &good.replace("[lints]\nworkspace = true\n", "")),
            Ok(vec![
                "manifests: `a` has lints of its own: write `[lints]` and `workspace = true`".to_owned()
            ])
        );
        assert!(check_text("a", "[package").is_err());
    }
}
