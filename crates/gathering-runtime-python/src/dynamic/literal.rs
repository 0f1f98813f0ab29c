//! Values and texts as literals of Python, exact whatever is in them.

use serde_json::Value;

/// The longest that a line with a literal gets before it is broken.
const WIDTH: usize = 110;

/// A text as a literal on one line.
pub(super) fn text(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\t' => literal.push_str("\\t"),
            character => push(&mut literal, character),
        }
    }
    literal.push('"');
    literal
}

/// Code as a literal over as many lines as it has. The reader of the file and Python see the same lines.
pub(super) fn source(code: &str) -> String {
    let mut literal = String::with_capacity(code.len() + code.len() / 16 + 16);
    literal.push_str("\"\"\"\\\n");
    let mut quotes = 0;
    let mut rest = code;
    while let Some(character) = rest.chars().next() {
        // A line that begins a block for packages (PEP 723) would be one of the whole file.
        if rest.starts_with("# ///") && literal.ends_with('\n') {
            literal.push_str("\\x23");
            rest = &rest[1..];
            quotes = 0;
            continue;
        }
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => {
                quotes += 1;
                if quotes == 3 || rest.is_empty() {
                    literal.push('\\');
                    quotes = 0;
                }
                literal.push('"');
                continue;
            }
            '\\' => literal.push_str("\\\\"),
            '\n' | '\t' => literal.push(character),
            character => push(&mut literal, character),
        }
        quotes = 0;
    }
    literal.push_str("\"\"\"");
    literal
}

/// Writes a character as it is, unless nobody would see it or Python would read something else.
fn push(literal: &mut String, character: char) {
    if !is_invisible(character) {
        literal.push(character);
        return;
    }
    let number = u32::from(character);
    literal.push_str(&match number {
        0..=0xff => format!("\\x{number:02x}"),
        0x100..=0xffff => format!("\\u{number:04x}"),
        _ => format!("\\U{number:08x}"),
    });
}

/// Control characters, other ends of lines, and what changes the order or the width of what is shown.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            u32::from(character),
            0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb
                | 0xe0000..=0xe007f
        )
}

/// A value as a literal whose first line begins somewhere in a line that is indented by `indent`.
pub(super) fn indented(value: &Value, indent: usize) -> String {
    let short = flat(value);
    if indent + short.chars().count() <= WIDTH {
        return short;
    }
    let inner = indent + 4;
    let (open, close, lines): (_, _, Vec<String>) = match value {
        Value::Array(items) if !items.is_empty() => {
            ('[', ']', items.iter().map(|item| indented(item, inner)).collect())
        }
        Value::Object(fields) if !fields.is_empty() => {
            let line =
                |(name, field): (&String, &Value)| format!("{}: {}", text(name), indented(field, inner));
            ('{', '}', fields.iter().map(line).collect())
        }
        _ => return short,
    };
    let mut literal = String::from(open);
    literal.push('\n');
    for line in lines {
        literal.push_str(&format!("{:inner$}{line},\n", ""));
    }
    literal.push_str(&format!("{:indent$}{close}", ""));
    literal
}

fn flat(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => text(string),
        Value::Array(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{}: {}", text(name), flat(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_shows_what_is_in_it_and_nothing_hidden() {
        assert_eq!(
            text("a \"b\" \\ \n\t\r é \u{202e} \u{1f600} \u{7f}"),
            r#""a \"b\" \\ \n\t\x0d é \u202e 😀 \x7f""#
        );
    }

    #[test]
    fn code_ends_where_it_ends() {
        assert_eq!(source("x = \"\"\"y\"\"\""), "\"\"\"\\\nx = \"\"\\\"y\"\"\\\"\"\"\"");
        assert_eq!(source("a\r\n\\"), "\"\"\"\\\na\\x0d\n\\\\\"\"\"");
        assert_eq!(source("# /// script\nx # ///\n"), "\"\"\"\\\n\\x23 /// script\nx # ///\n\"\"\"");
    }

    #[test]
    fn a_value_is_broken_into_lines_when_it_is_long() {
        let short = json!({"a": [1, 2.5, null, true, "x"]});
        let long = json!({"name": "x".repeat(60), "list": ["y".repeat(60)]});

        assert_eq!(indented(&short, 4), r#"{"a": [1, 2.5, None, True, "x"]}"#);
        assert_eq!(
            indented(&long, 0),
            format!("{{\n    \"name\": \"{}\",\n    \"list\": [\"{}\"],\n}}", "x".repeat(60), "y".repeat(60))
        );
    }
}
