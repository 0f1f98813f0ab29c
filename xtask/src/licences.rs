//! Every dependency may be given on under a licence that we accept.

use crate::metadata::Metadata;

/// What we accept. MPL-2.0 asks for nothing beyond the files that are under it; OFL-1.1 and Ubuntu-font-1.0 let fonts be
/// given on with programs, CDLA-Permissive-2.0 certificates.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OFL-1.1",
    "Ubuntu-font-1.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The crates whose licence we do not accept, or cannot read.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    metadata
        .packages
        .iter()
        .filter_map(|package| {
            let reason = match &package.license {
                None => "names no licence".to_owned(),
                Some(expression) => match is_accepted(expression) {
                    Ok(true) => return None,
                    Ok(false) => format!("is under `{expression}`"),
                    Err(error) => format!("is under `{expression}`, which cannot be read: {error}"),
                },
            };
            Some(format!(
                "licences: `{} {}` {reason}: take another crate, or accept it in xtask/src/licences.rs",
                package.name, package.version
            ))
        })
        .collect()
}

/// Whether the SPDX expression lets us choose accepted licences only. `a/b` is the old way to write `a OR b`.
fn is_accepted(expression: &str) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    let accepted = any_of(&mut words)?;
    match words {
        [] => Ok(accepted),
        [word, ..] => Err(format!("`{word}` was not expected")),
    }
}

/// `AND` binds tighter than `OR`.
fn any_of(words: &mut &[&str]) -> Result<bool, String> {
    let mut accepted = all_of(words)?;
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        accepted |= all_of(words)?;
    }
    Ok(accepted)
}

fn all_of(words: &mut &[&str]) -> Result<bool, String> {
    let mut accepted = one(words)?;
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        accepted &= one(words)?;
    }
    Ok(accepted)
}

fn one(words: &mut &[&str]) -> Result<bool, String> {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let accepted = any_of(words)?;
            let [")", rest @ ..] = *words else { return Err("a `)` is missing".into()) };
            *words = rest;
            Ok(accepted)
        }
        [] | ["OR" | "AND" | "WITH" | ")", ..] => Err("a licence is missing".into()),
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            // An exception gives more rights; it is accepted with a licence that is accepted anyway.
            Ok(accepts(licence) || ACCEPTED.contains(&format!("{licence} WITH {exception}").as_str()))
        }
        [licence, rest @ ..] => {
            *words = rest;
            Ok(accepts(licence))
        }
    }
}

/// `MPL-2.0+` is MPL-2.0 or later.
fn accepts(licence: &str) -> bool {
    ACCEPTED.contains(&licence.trim_end_matches('+').trim_end_matches("-or-later"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::workspace;

    #[test]
    fn an_expression_is_accepted_when_a_choice_of_accepted_licences_fulfils_it() {
        for (expression, accepted) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only AND AGPL-3.0", true),
            ("(MIT OR GPL-3.0-only) AND AGPL-3.0", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("MIT/Apache-2.0", true),
            ("MPL-2.0+", true),
        ] {
            assert_eq!(is_accepted(expression), Ok(accepted), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "AND MIT", "MIT Apache-2.0"] {
            assert!(is_accepted(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_crate_without_a_licence_is_named() {
        let mut house = workspace(&[("thing", &[], &[])]);
        house.packages[0].license = None;

        let problems = check(&house);

        assert!(problems[0].starts_with("licences: `thing 1.0.0` names no licence"), "{problems:?}");
    }
}
