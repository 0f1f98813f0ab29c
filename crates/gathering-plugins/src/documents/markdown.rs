//! Markdown: its text as it is, its headings, and how it looks.

use serde_json::{Map, Value, json};

use super::decode::{may_be_text, whole};
use super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::picture;
use super::text::Text;

/// The largest file whose headings are looked for, in bytes.
const LARGEST: usize = 32 << 20;
/// The most headings that are told.
const MOST_HEADINGS: usize = 100;

/// The format.
pub(super) struct Markdown;

impl Format for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn description(&self) -> &'static str {
        "Markdown as it is, with its headings"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["md", "markdown", "mdown", "mkd", "mdx", "qmd", "rmd"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["text/markdown"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        may_be_text(head)
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        Text.read(source, options)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let mut facts = Text.info(source)?;
        let text = whole(source, None, LARGEST)?;
        facts.insert("headings".into(), outline(&text));
        facts.insert("words".into(), text.split_whitespace().count().into());
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let reading = Reading { limit: Some(400), max_bytes: Some(64 << 10), ..Reading::default() };
        picture::markdown(&self.read(source, &reading)?.text.unwrap_or_default(), options)
    }
}

/// A part of a text that was made, by lines.
pub(super) fn part(text: &str, options: &Reading) -> Result<Content, FormatError> {
    let offset = options.offset.unwrap_or(0);
    let (begin, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), options.limit.unwrap_or(u64::MAX));
    let total = text.lines().count();
    if begin > 0 && begin >= total {
        return Err(FormatError::not_there(format!("it has only {total} lines, and `offset` is {offset}")));
    }
    let (mut taken, mut lines) = (String::new(), 0u64);
    for line in text.split_inclusive('\n').skip(begin) {
        if lines == limit || taken.len() + line.len() > options.most() && lines > 0 {
            break;
        }
        taken.push_str(line);
        lines += 1;
    }
    taken.truncate(taken.floor_char_boundary(options.most()));
    let end = offset + lines;
    let more = (end < total as u64).then(|| json!({"offset": end}));
    Ok(Content { text: Some(taken), more, ..Content::default() })
}

/// The headings of a text, outside of code: level and title.
pub(super) fn outline(text: &str) -> Value {
    let mut in_code = false;
    let heading = |line: &str| {
        if line.starts_with("```") || line.starts_with("~~~") {
            in_code = !in_code;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        let title = line[level..].strip_prefix(' ').filter(|_| !in_code && (1..=6).contains(&level))?;
        Some(json!({"level": level, "title": title.trim().trim_end_matches('#').trim_end()}))
    };
    text.lines().filter_map(heading).take(MOST_HEADINGS).collect()
}
