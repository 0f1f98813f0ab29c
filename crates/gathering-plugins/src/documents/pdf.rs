//! PDF: text by page, facts, outline, and pictures of pages.

mod layout;
mod outline;
mod strings;
mod text;

use std::sync::Arc;

use hayro::hayro_interpret::InterpreterCache;
use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::object::DateTime;
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf as Parsed, page::Page};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use image::RgbaImage;
use serde_json::{Map, Value, json};

use super::bitmap;
use super::format::{Content, Format, FormatError, Previewing, Reading, Source};

/// The largest file that is taken, in bytes. It is held in memory, since its parts refer to each other by position.
const MOST_BYTES: usize = 256 << 20;
/// The longest side of a page's picture, in pixels.
const LONGEST_SIDE: u32 = 4096;

/// PDF.
pub(crate) struct Pdf;

impl Format for Pdf {
    fn name(&self) -> &'static str {
        "pdf"
    }

    fn description(&self) -> &'static str {
        "PDF: text by page in reading order, metadata, outline, pictures of pages; not the text of scans"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["pdf"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/pdf"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        // Readers take a file whose mark comes within the first 1024 bytes (ISO 32000-1, implementation note 13).
        head[..head.len().min(1024)].windows(5).any(|bytes| bytes == b"%PDF-")
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let pdf = open(source)?;
        let pages: &[Page<'_>] = pdf.pages();
        let (first, end) = wanted(pages.len(), options)?;
        let alone = options.page.is_some();
        let mut reader = Reader { cache: InterpreterCache::new(), settings: settings() };
        let mut content = Content::default();
        let (mut text, mut empty, mut unknown) = (String::new(), Vec::new(), 0);
        for (index, page) in pages.iter().enumerate().take(end).skip(first) {
            let read = reader.text(page);
            if read.text.is_empty() {
                empty.push(index + 1);
            }
            unknown += read.unknown;
            let piece = if alone { read.text } else { format!("## Page {}\n\n{}\n\n", index + 1, read.text) };
            if text.len() + piece.len() > options.most() {
                if text.is_empty() {
                    text = cut(&piece, options.most()).to_owned();
                    content.notes.push(format!(
                        "page {} has more text than {} bytes: this is its beginning",
                        index + 1,
                        options.most()
                    ));
                    content.more = (index + 1 < pages.len()).then(|| json!({"offset": index + 1}));
                } else {
                    content.more = Some(json!({"offset": index}));
                }
                break;
            }
            text.push_str(&piece);
            content.more = (!alone && index + 1 == end && end < pages.len()).then(|| json!({"offset": end}));
        }
        content.text = Some(text.trim_end().to_owned());
        if !empty.is_empty() {
            content.notes.push(format!(
                "no text on page {}: a scan has none; `preview` shows the page as a picture",
                ranges(&empty)
            ));
        }
        if unknown > 0 {
            content.notes.push(format!(
                "{unknown} letters are shown as \u{fffd}: the file does not say what they mean, only how they look"
            ));
        }
        Ok(content)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let pdf = open(source)?;
        let metadata = pdf.metadata();
        let mut facts = Map::new();
        facts.insert("version".to_owned(), json!(version(&pdf)));
        facts.insert("pages".to_owned(), json!(pdf.pages().len()));
        let texts = [
            ("title", &metadata.title),
            ("author", &metadata.author),
            ("subject", &metadata.subject),
            ("keywords", &metadata.keywords),
            ("creator", &metadata.creator),
            ("producer", &metadata.producer),
        ];
        for (name, bytes) in texts {
            if let Some(bytes) = bytes {
                facts.insert(name.to_owned(), json!(strings::decoded(bytes)));
            }
        }
        for (name, date) in [("created", metadata.creation_date), ("modified", metadata.modification_date)] {
            if let Some(date) = date {
                facts.insert(name.to_owned(), json!(iso(date)));
            }
        }
        if let Some(page) = pdf.pages().first() {
            let (width, height) = page.render_dimensions();
            let millimetres = |points: f32| (f64::from(points) * 25.4 / 72.0 * 10.0).round() / 10.0;
            let size = json!({
                "points": [rounded(width), rounded(height)],
                "millimetres": [millimetres(width), millimetres(height)],
            });
            facts.insert("page_size".to_owned(), size);
        }
        let outline = outline::of(&pdf);
        if !outline.is_empty() {
            facts.insert("outline".to_owned(), Value::Array(outline));
        }
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let pdf = open(source)?;
        let pages = pdf.pages();
        let page = page(pages, options.page)?;
        let (width, height) = page.render_dimensions();
        let side = |side: u32| side.clamp(1, LONGEST_SIDE) as f32;
        let scale = (side(options.width) / width).min(side(options.height) / height);
        if !scale.is_finite() || width * scale < 1.0 || height * scale < 1.0 {
            return Err(FormatError::unsupported(format!(
                "page {} measures {width} x {height} points, which cannot be drawn",
                options.page
            )));
        }
        let sized = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
        let drawn = hayro::render(page, &RenderCache::new(), &settings(), &RenderSettings::default(), &sized);
        let (width, height) = (u32::from(drawn.width()), u32::from(drawn.height()));
        let pixels = RgbaImage::from_raw(width, height, drawn.data_as_u8_slice().to_vec())
            .ok_or_else(|| FormatError::unsupported("the page has no pixels"))?;
        // The paper is opaque, so every pixel is.
        bitmap::png(&image::DynamicImage::from(pixels).into_rgb8().into())
    }
}

/// Takes the text out of pages, with the fonts that were read once.
struct Reader<'a> {
    cache: InterpreterCache<'a>,
    settings: InterpreterSettings,
}

impl<'a> Reader<'a> {
    fn text(&mut self, page: &'a Page<'a>) -> text::PageText {
        let glyphs = text::glyphs(page, &self.cache, &self.settings);
        text::PageText { unknown: glyphs.unknown, text: layout::in_reading_order(glyphs.spans) }
    }
}

fn settings() -> InterpreterSettings {
    InterpreterSettings { warning_sink: Arc::new(|_| {}), ..InterpreterSettings::default() }
}

fn open(source: &mut Source) -> Result<Parsed, FormatError> {
    let bytes = source.read_all(MOST_BYTES)?;
    if !Pdf.recognises(&bytes) {
        return Err(FormatError::not_this_format("it does not begin with `%PDF-`"));
    }
    let pdf = Parsed::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            FormatError::encrypted("it opens only with a password: save it without one and try again")
        }
        LoadPdfError::Decryption(DecryptionError::UnsupportedAlgorithm) => FormatError::encrypted(
            "it is encrypted in a way that is not known here: save it without encryption",
        ),
        LoadPdfError::Decryption(_) => {
            FormatError::corrupt("its encryption is broken: what is needed to open it is missing")
        }
        LoadPdfError::Invalid => FormatError::corrupt(
            "its table of contents cannot be read or rebuilt: it is damaged or was cut off",
        ),
    })?;
    if pdf.pages().is_empty() {
        return Err(FormatError::corrupt("it has no pages"));
    }
    Ok(pdf)
}

/// The pages that are wanted, the first and the one after the last, counted from 0.
fn wanted(pages: usize, options: &Reading) -> Result<(usize, usize), FormatError> {
    let not_there =
        |page: u64| FormatError::not_there(format!("there is no page {page}: it has {pages} pages"));
    if let Some(page) = options.page {
        let index = (page as usize).checked_sub(1).filter(|index| *index < pages);
        let index = index.ok_or_else(|| not_there(page.into()))?;
        return Ok((index, index + 1));
    }
    let offset = options.offset.unwrap_or(0);
    let first = usize::try_from(offset).ok().filter(|first| *first < pages);
    let first = first.ok_or_else(|| not_there(offset.saturating_add(1)))?;
    let limit = options.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    Ok((first, first.saturating_add(limit).min(pages)))
}

fn page<'a, 'b>(pages: &'b [Page<'a>], number: u32) -> Result<&'b Page<'a>, FormatError> {
    (number as usize).checked_sub(1).and_then(|index| pages.get(index)).ok_or_else(|| {
        FormatError::not_there(format!("there is no page {number}: it has {} pages", pages.len()))
    })
}

fn version(pdf: &Parsed) -> String {
    let digits = format!("{:?}", pdf.version());
    let digits = digits.trim_start_matches("Pdf");
    let (major, minor) = digits.split_at(digits.len().min(1));
    format!("{major}.{minor}")
}

fn iso(date: DateTime) -> String {
    let DateTime { year, month, day, hour, minute, second, utc_offset_hour, utc_offset_minute } = date;
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{utc_offset_hour:+03}:{utc_offset_minute:02}"
    )
}

fn rounded(points: f32) -> f64 {
    (f64::from(points) * 100.0).round() / 100.0
}

/// As much of a text as fits, whole letters only.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Numbers in ascending order, such as `1-3, 7`.
fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown =
        ranges.iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    shown.collect::<Vec<_>>().join(", ")
}
