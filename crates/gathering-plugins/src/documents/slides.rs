//! PowerPoint presentations (pptx), as Markdown by slide.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::package::{Package, names_in, parse};
use super::picture;
use super::word::as_markdown;

/// How deep groups of shapes may be nested.
const DEEPEST: usize = 32;
/// The most slides.
const MOST_SLIDES: usize = 5000;

/// PowerPoint presentations.
pub(crate) struct Slides;

impl Format for Slides {
    fn name(&self) -> &'static str {
        "slides"
    }

    fn description(&self) -> &'static str {
        "PowerPoint presentations (pptx): text, tables and speaker notes as Markdown, slide by slide"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["pptx", "pptm", "ppsx", "potx"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/vnd.openxmlformats-officedocument.presentationml.presentation"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        names_in(head).any(|part| part.starts_with(b"ppt/"))
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let mut package = Package::open(source)?;
        let slides = slides(&mut package)?;
        let not_there = |slide: u64| {
            FormatError::not_there(format!("there is no slide {slide}: it has {} slides", slides.len()))
        };
        let (first, end) = match options.page {
            Some(page) => (u64::from(page).saturating_sub(1), u64::from(page)),
            None => {
                let first = options.offset.unwrap_or(0);
                (first, first.saturating_add(options.limit.unwrap_or(u64::MAX)))
            }
        };
        if options.page == Some(0) || (first > 0 && first >= slides.len() as u64) {
            return Err(not_there(if options.page.is_some() { end } else { first + 1 }));
        }
        let mut content = Content::default();
        let mut text = String::new();
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(slides.len());
        for (index, part) in slides.iter().enumerate().take(end).skip(first as usize) {
            let slide = slide(&mut package, part, index + 1)?.text;
            if text.len() + slide.len() > options.most() {
                if text.is_empty() {
                    text = slide[..slide.floor_char_boundary(options.most())].to_owned();
                    content.notes.push(format!(
                        "slide {} has more text than {} bytes: this is its beginning",
                        index + 1,
                        options.most()
                    ));
                    content.more = (index + 1 < slides.len()).then(|| json!({"offset": index + 1}));
                } else {
                    content.more = Some(json!({"offset": index}));
                }
                break;
            }
            text.push_str(&slide);
            let is_last = options.page.is_none() && index + 1 == end && end < slides.len();
            content.more = is_last.then(|| json!({"offset": end}));
        }
        content.text = Some(text.trim_end().to_owned());
        Ok(content)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let mut package = Package::open(source)?;
        let mut facts = package.properties()?;
        let slides = slides(&mut package)?;
        let (mut titles, mut notes, mut tables, mut pictures) = (Vec::new(), 0, 0, 0);
        for (index, part) in slides.iter().enumerate() {
            let slide = slide(&mut package, part, index + 1)?;
            titles.push(json!(slide.title));
            notes += usize::from(slide.has_notes);
            tables += slide.tables;
            pictures += slide.pictures;
        }
        facts.insert("slides".to_owned(), json!(slides.len()));
        facts.insert("titles".to_owned(), Value::Array(titles));
        facts.insert("slides_with_notes".to_owned(), json!(notes));
        facts.insert("tables".to_owned(), json!(tables));
        facts.insert("pictures".to_owned(), json!(pictures));
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let reading = Reading { page: Some(options.page), ..Reading::default() };
        picture::markdown(&self.read(source, &reading)?.text.unwrap_or_default(), options)
    }
}

/// A slide as it was read.
#[derive(Default)]
struct Slide {
    title: Option<String>,
    text: String,
    has_notes: bool,
    tables: usize,
    pictures: usize,
}

/// The parts of the slides, in their order.
fn slides(package: &mut Package<'_>) -> Result<Vec<String>, FormatError> {
    let text = package.needed("ppt/presentation.xml")?;
    let relations = package.relations("ppt/presentation.xml")?;
    let document = parse(&text, "ppt/presentation.xml")?;
    let list = document.descendants().filter(|node| node.tag_name().name() == "sldId");
    // An `id` of its own, and one with a namespace that names the relation.
    let ids = list.filter_map(|node| {
        node.attributes().find(|attribute| attribute.name() == "id" && attribute.namespace().is_some())
    });
    let slides: Vec<_> =
        ids.filter_map(|id| relations.get(id.value())).map(|relation| relation.target.clone()).collect();
    if slides.len() > MOST_SLIDES {
        return Err(FormatError::too_large(format!("it has more than {MOST_SLIDES} slides")));
    }
    Ok(slides)
}

fn slide(package: &mut Package<'_>, part: &str, number: usize) -> Result<Slide, FormatError> {
    let xml = package.needed(part)?;
    let document = parse(&xml, part)?;
    let mut slide = Slide::default();
    let mut body = String::new();
    if let Some(tree) = document.descendants().find(|node| node.tag_name().name() == "spTree") {
        shapes(tree, &mut slide, &mut body, 0)?;
    }
    let hidden = if document.root_element().attribute("show") == Some("0") { " (hidden)" } else { "" };
    let title = slide.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
    slide.text = format!("## Slide {number}{title}{hidden}\n\n{body}");
    let relations = package.relations(part)?;
    if let Some(notes) = relations.values().find(|relation| relation.kind == "notesSlide") {
        let xml = package.needed(&notes.target)?;
        let said = spoken(&parse(&xml, &notes.target)?);
        if !said.is_empty() {
            slide.has_notes = true;
            slide.text.push_str(&format!("Notes:\n\n> {}\n\n", said.join("\n>\n> ")));
        }
    }
    Ok(slide)
}

fn shapes(
    parent: Node<'_, '_>,
    slide: &mut Slide,
    body: &mut String,
    depth: usize,
) -> Result<(), FormatError> {
    if depth > DEEPEST {
        return Err(FormatError::too_large(format!("its shapes are grouped more than {DEEPEST} deep")));
    }
    for shape in parent.children().filter(Node::is_element) {
        match shape.tag_name().name() {
            "grpSp" => shapes(shape, slide, body, depth + 1)?,
            // The older of two ways to write the same is left out.
            "AlternateContent" => {
                if let Some(choice) = shape.children().find(|node| node.tag_name().name() == "Choice") {
                    shapes(choice, slide, body, depth + 1)?;
                }
            }
            "sp" => text_shape(shape, slide, body),
            "graphicFrame" => {
                if let Some(table) = shape.descendants().find(|node| node.tag_name().name() == "tbl") {
                    slide.tables += 1;
                    body.push_str(&as_markdown(rows(table)));
                    body.push('\n');
                }
            }
            "pic" => {
                slide.pictures += 1;
                let named = shape.descendants().find(|node| node.tag_name().name() == "cNvPr");
                let name = named.and_then(|node| {
                    node.attribute("descr").filter(|text| !text.is_empty()).or_else(|| node.attribute("name"))
                });
                let name = name.unwrap_or("picture").replace(['[', ']', '\n'], " ");
                body.push_str(&format!("![{name}]()\n\n"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn text_shape(shape: Node<'_, '_>, slide: &mut Slide, body: &mut String) {
    let lines = paragraphs(shape);
    if lines.is_empty() {
        return;
    }
    let placeholder = shape.descendants().find(|node| node.tag_name().name() == "ph");
    match placeholder.map(|node| node.attribute("type").unwrap_or("obj")) {
        Some("title" | "ctrTitle") if slide.title.is_none() => {
            slide.title = Some(lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" "));
        }
        // Every slide repeats them.
        Some("dt" | "ftr" | "sldNum") => {}
        Some("obj" | "body") => {
            for (level, text) in lines {
                body.push_str(&format!("{}- {text}\n", "    ".repeat(level)));
            }
            body.push('\n');
        }
        _ => {
            for (_, text) in lines {
                body.push_str(&format!("{text}\n\n"));
            }
        }
    }
}

/// What the speaker notes say.
fn spoken(document: &roxmltree::Document<'_>) -> Vec<String> {
    let shapes = document.descendants().filter(|node| node.tag_name().name() == "sp");
    let is_body = |shape: &Node<'_, '_>| {
        let placeholder = shape.descendants().find(|node| node.tag_name().name() == "ph");
        placeholder.is_some_and(|node| node.attribute("type") == Some("body"))
    };
    shapes.filter(is_body).flatten_paragraphs()
}

trait Paragraphs {
    fn flatten_paragraphs(self) -> Vec<String>;
}

impl<'a, 'i: 'a, I: Iterator<Item = Node<'a, 'i>>> Paragraphs for I {
    fn flatten_paragraphs(self) -> Vec<String> {
        self.flat_map(paragraphs).map(|(_, text)| text).collect()
    }
}

/// The paragraphs of a shape or a cell that are not empty, with their levels.
fn paragraphs(shape: Node<'_, '_>) -> Vec<(usize, String)> {
    let found = shape.descendants().filter(|node| node.tag_name().name() == "p" && node.is_element());
    let lines = found.map(|paragraph| {
        let properties = paragraph.children().find(|node| node.tag_name().name() == "pPr");
        let level =
            properties.and_then(|node| node.attribute("lvl")?.parse::<usize>().ok()).unwrap_or(0).min(8);
        let mut text = String::new();
        for run in paragraph.children().filter(Node::is_element) {
            match run.tag_name().name() {
                "br" => text.push(' '),
                "r" | "fld" => {
                    let said = run
                        .children()
                        .find(|node| node.tag_name().name() == "t")
                        .and_then(|node| node.text());
                    text.push_str(said.unwrap_or_default());
                }
                _ => {}
            }
        }
        (level, text.trim().replace('<', "\\<"))
    });
    lines.filter(|(_, text)| !text.is_empty()).collect()
}

fn rows(table: Node<'_, '_>) -> Vec<Vec<String>> {
    let named = |node: &Node<'_, '_>, name: &str| node.tag_name().name() == name;
    let rows = table.children().filter(|node| named(node, "tr"));
    rows.map(|row| {
        let cells = row.children().filter(|node| named(node, "tc"));
        cells.map(|cell| std::iter::once(cell).flatten_paragraphs().join("<br>")).collect()
    })
    .collect()
}
