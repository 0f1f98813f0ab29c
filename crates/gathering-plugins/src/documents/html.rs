//! HTML, as Markdown.

use serde_json::{Map, Value, json};

use super::decode::{may_be_text, whole};
use super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::markdown::{outline, part};
use super::picture;

/// The largest file, in bytes.
const LARGEST: usize = 16 << 20;

/// How deep elements may be nested: parsing takes the square of that.
const DEEPEST: usize = 1000;
/// Elements that hold nothing, or end where the next one begins.
const NOT_NESTED: &[&str] = &[
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option",
    "p", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr", "!doctype", "!--",
];

/// The format.
pub(super) struct Html;

impl Format for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn description(&self) -> &'static str {
        "HTML pages as Markdown, without their scripts and styles"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["html", "htm"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["text/html", "application/xhtml+xml"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        may_be_text(head) && is_html(head)
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        part(&markdown(source, options.encoding.as_deref())?, options)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let html = text(source, None)?;
        let markdown = to_markdown(&html)?;
        let title = between(&html, "<title", "</title>")
            .map(|title| title.split_whitespace().collect::<Vec<_>>().join(" "));
        let Value::Object(facts) = json!({
            "title": title,
            "headings": outline(&markdown),
            "links": markdown.matches("](").count(),
            "words": markdown.split_whitespace().count(),
        }) else {
            unreachable!("it is an object");
        };
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        picture::markdown(&markdown(source, None)?, options)
    }
}

/// Whether a text begins as a page does.
pub(super) fn is_html(head: &[u8]) -> bool {
    let begin = String::from_utf8_lossy(&head[..head.len().min(2048)]).to_lowercase();
    let begin = begin.trim_start().trim_start_matches('\u{feff}');
    begin.starts_with('<')
        && ["<!doctype html", "<html", "<head", "<body", "<div", "<p>", "<table"]
            .iter()
            .any(|tag| begin.contains(tag))
}

fn text(source: &mut Source, encoding: Option<&str>) -> Result<String, FormatError> {
    // A page says itself in which encoding it is (HTML, section 13.2.3.2).
    let head = source.head()?;
    let head = String::from_utf8_lossy(&head[..head.len().min(1024)]).to_lowercase();
    let said = head.split_once("charset=").map(|(_, rest)| {
        let name = rest.trim_start_matches(['"', '\'', ' ']);
        name[..name.find(['"', '\'', ' ', '>', ';', '/']).unwrap_or(name.len())].to_owned()
    });
    let said = said.filter(|name| encoding_rs::Encoding::for_label(name.as_bytes()).is_some());
    whole(source, encoding.or(said.as_deref()), LARGEST)
}

fn markdown(source: &mut Source, encoding: Option<&str>) -> Result<String, FormatError> {
    to_markdown(&text(source, encoding)?)
}

fn to_markdown(html: &str) -> Result<String, FormatError> {
    if deepest(html) > DEEPEST {
        return Err(FormatError::too_large(format!("its elements are nested more than {DEEPEST} deep")));
    }
    htmd::HtmlToMarkdown::builder()
        .skip_tags(vec!["script", "style", "noscript", "template", "head", "svg", "iframe"])
        .build()
        .convert(html)
        .map_err(|error| FormatError::corrupt(format!("it cannot be read as HTML: {error}")))
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    let (_, rest) = rest.split_once('>')?;
    rest.split_once(end).map(|(inside, _)| inside)
}

/// How deep elements are nested, about.
fn deepest(html: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for tag in html.split('<').skip(1) {
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
            continue;
        }
        let end = tag
            .find(|letter: char| letter.is_whitespace() || matches!(letter, '>' | '/'))
            .unwrap_or(tag.len());
        let name = tag[..end].to_ascii_lowercase();
        if name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && !NOT_NESTED.contains(&name.as_str())
        {
            depth += 1;
            deepest = deepest.max(depth);
        }
    }
    deepest
}
