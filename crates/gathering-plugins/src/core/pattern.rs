//! Patterns for names, as shells and Python's `fnmatch` have them.

/// Whether `name` matches `pattern`: `*` is any text, `?` one character, `[a-z]` one of these, `[!a-z]` none of these.
///
/// Takes steps in the order of the product of both lengths at most.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` does not fit.
    let mut again: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            again = Some((p + 1, n));
            p += 1;
            continue;
        }
        match one(&pattern[p..], name[n]) {
            Some(length) => {
                p += length;
                n += 1;
            }
            None => match &mut again {
                Some((after, from)) => {
                    *from += 1;
                    (p, n) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|left| *left == '*')
}

/// How many characters of the pattern stand for `character`, if its beginning does.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match set(pattern) {
            Some((members, length)) => is_member(members, character).then_some(length),
            None => (character == '[').then_some(1),
        },
        other => (*other == character).then_some(1),
    }
}

/// What stands between the brackets, and how long the set is with them; none if it is not closed.
fn set(pattern: &[char]) -> Option<(&[char], usize)> {
    // A `]` right at the beginning is a member.
    let first = if pattern.get(1) == Some(&'!') { 2 } else { 1 };
    let end = pattern.iter().skip(first + 1).position(|c| *c == ']')? + first + 1;
    Some((&pattern[1..end], end + 1))
}

fn is_member(members: &[char], character: char) -> bool {
    let (is_wanted, mut members) = match members.split_first() {
        Some(('!', rest)) => (false, rest),
        _ => (true, members),
    };
    let mut is_found = false;
    while let Some((first, rest)) = members.split_first() {
        match rest {
            ['-', last, rest @ ..] => {
                is_found |= (*first..=*last).contains(&character);
                members = rest;
            }
            rest => {
                is_found |= *first == character;
                members = rest;
            }
        }
    }
    is_found == is_wanted
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_mean_what_they_mean_in_a_shell() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*.py", "a.py", true),
            ("*.py", "a.pyc", false),
            ("a*b*c", "a-b-b-c", true),
            ("?é", "xé", true),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[", "[", true),
            ("[a-", "[a-", true),
            ("*[0-9].log", "x7.log", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!matches(&"*a".repeat(128), &("a".repeat(127) + &"b".repeat(20_000))));
    }
}
