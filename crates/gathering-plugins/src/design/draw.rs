//! Drawing: SVG to PNG, with the fonts of the system and those that are part of the program.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Family, ID, Query, Stretch, Style, Weight};
use resvg::usvg::{ImageHrefResolver, Options, Tree};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use crate::Failure;

/// The most pixels of a drawing.
const MAX_PIXELS: f32 = 64e6;
/// The font that is always there.
const BUILT_IN: &str = "Ubuntu";
/// The families that are looked for, best first, where none is asked for.
const PREFERRED: [&str; 9] = [
    "Inter",
    "SF Pro Text",
    "Segoe UI",
    "Roboto",
    "Helvetica Neue",
    "Arial",
    "Liberation Sans",
    "Noto Sans",
    "DejaVu Sans",
];

/// The fonts of this machine, read once.
fn fonts() -> &'static Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    FONTS.get_or_init(|| {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        for built_in in [epaint_default_fonts::UBUNTU_LIGHT, epaint_default_fonts::HACK_REGULAR] {
            fonts.load_font_data(built_in.to_vec());
        }
        Arc::new(fonts)
    })
}

/// A family of fonts that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Font {
    pub(super) family: String,
}

impl Font {
    /// The family called `wanted`, else the best that is there.
    pub(super) fn choose(wanted: Option<&str>) -> Self {
        let is_there = |family: &&str| find(family, false).is_some();
        let family =
            wanted.filter(is_there).or_else(|| PREFERRED.into_iter().find(is_there)).unwrap_or(BUILT_IN);
        Self { family: family.to_owned() }
    }

    /// The attributes of SVG that make text bold: its weight, or an outline where the family has no letters for it.
    pub(super) fn bold(&self, size: f32, color: &str) -> String {
        let found = find(&self.family, true).and_then(|id| fonts().face(id));
        match found.is_some_and(|face| face.weight >= Weight::SEMIBOLD) {
            true => " font-weight=\"600\"".to_owned(),
            false => format!(" stroke=\"{color}\" stroke-width=\"{}\"", number(size * 0.035)),
        }
    }

    /// How wide a line of text is at `size` pixels, by the advances of its glyphs. A character that the font lacks counts
    /// as 0.6 of the size.
    pub(super) fn width(&self, text: &str, size: f32, is_bold: bool) -> f32 {
        let Some(id) = find(&self.family, is_bold) else { return text.chars().count() as f32 * size * 0.6 };
        let width = fonts().with_face_data(id, |data, index| {
            let font = FontRef::from_index(data, index).ok()?;
            let (characters, metrics) =
                (font.charmap(), font.glyph_metrics(Size::new(size), LocationRef::default()));
            let advance = |character: char| {
                characters.map(character).and_then(|glyph| metrics.advance_width(glyph)).unwrap_or(size * 0.6)
            };
            Some(text.chars().map(advance).sum())
        });
        width.flatten().unwrap_or(text.chars().count() as f32 * size * 0.6)
    }

    /// The text in as many lines as it takes, none wider than `most` where words let that be.
    pub(super) fn wrap(&self, text: &str, size: f32, is_bold: bool, most: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
                if !line.is_empty() && self.width(&longer, size, is_bold) > most + 0.01 {
                    lines.push(std::mem::replace(&mut line, word.to_owned()));
                } else {
                    line = longer;
                }
            }
            lines.push(line);
        }
        if lines.is_empty() { vec![String::new()] } else { lines }
    }

    /// How far the letters reach above and below their base line, at `size` pixels.
    pub(super) fn reach(&self, size: f32) -> (f32, f32) {
        let usual = (size * 0.9, size * 0.22);
        let Some(id) = find(&self.family, false) else { return usual };
        let reach = fonts().with_face_data(id, |data, index| {
            let metrics =
                FontRef::from_index(data, index).ok()?.metrics(Size::new(size), LocationRef::default());
            Some((metrics.ascent, -metrics.descent))
        });
        reach.flatten().unwrap_or(usual)
    }

    /// The text, shortened with an ellipsis to what fits into `most`.
    pub(super) fn fitted(&self, text: &str, size: f32, is_bold: bool, most: f32) -> String {
        if self.width(text, size, is_bold) <= most + 0.01 {
            return text.to_owned();
        }
        let mut shortened: Vec<char> = text.chars().collect();
        while shortened.pop().is_some() {
            let candidate = format!("{}…", shortened.iter().collect::<String>().trim_end());
            if self.width(&candidate, size, is_bold) <= most {
                return candidate;
            }
        }
        String::new()
    }
}

fn find(family: &str, is_bold: bool) -> Option<ID> {
    let weight = if is_bold { Weight::SEMIBOLD } else { Weight::NORMAL };
    let query =
        Query { families: &[Family::Name(family)], weight, stretch: Stretch::Normal, style: Style::Normal };
    fonts().query(&query)
}

/// Draws an SVG, `scale` pixels for each of its units. It refers to nothing outside of itself: what does is left out.
pub(super) fn png(svg: &str, scale: f32) -> Result<Vec<u8>, Failure> {
    let options = Options {
        fontdb: fonts().clone(),
        font_family: Font::choose(None).family,
        image_href_resolver: ImageHrefResolver {
            resolve_data: ImageHrefResolver::default_data_resolver(),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    let tree =
        Tree::from_str(svg, &options).map_err(|error| format!("the drawing is no good SVG: {error}"))?;
    let (width, height) = (tree.size().width() * scale, tree.size().height() * scale);
    if width * height > MAX_PIXELS {
        return Err(
            format!("the drawing would have {width:.0} x {height:.0} pixels, more than 64 million").into()
        );
    }
    let mut pixels = Pixmap::new(width.ceil() as u32, height.ceil() as u32)
        .ok_or("the drawing has no size: give it a width and a height")?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| format!("the drawing cannot be written as PNG: {error}").into())
}

/// A text as it stands in SVG and HTML, in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no control characters (XML 1.0, section 2.2).
            other if other.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A number as short as it can be written with two decimals.
pub(super) fn number(value: f32) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(text, "{value:.2}");
    let shorter = text.trim_end_matches('0').trim_end_matches('.');
    if shorter == "-0" { "0".to_owned() } else { shorter.to_owned() }
}
