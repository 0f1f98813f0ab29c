//! Letters of a page with their places: what would be drawn is written down instead.

use hayro::hayro_interpret::font::{Glyph, GlyphRun};
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, TransformExt, interpret_page,
};
use hayro::hayro_syntax::object::{Dict, String as PdfString};
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Affine, BezPath, Point, Rect, Vec2};

use super::layout::Span;
use super::strings;

/// The most letters of a page that are kept.
const MOST_LETTERS: usize = 500_000;
/// The gap between two letters from which on there is a space between them, as a part of the size of the type.
const SPACE: f64 = 0.14;
/// The gap from which on what follows is a piece of its own, such as the next column.
const APART: f64 = 0.9;

/// The text of a page.
pub(super) struct PageText {
    pub(super) text: String,
    /// How many letters the file does not explain.
    pub(super) unknown: usize,
}

/// What was found on a page.
#[derive(Default)]
pub(super) struct Glyphs {
    pub(super) spans: Vec<Span>,
    pub(super) unknown: usize,
    letters: usize,
    /// Where the last letter ended; nothing where there is none to continue.
    pen: Option<Point>,
    /// The first letter of the last run and its place, by which a run that is drawn twice is known.
    last_run: Option<(u32, Point)>,
    /// For each marked part that is open, the text that stands for it, until it was used.
    marks: Vec<Option<Mark>>,
}

enum Mark {
    Waiting(String),
    Used,
}

/// The letters of a page in the order in which they are drawn, joined where they touch.
pub(super) fn glyphs<'a>(
    page: &'a Page<'a>,
    cache: &InterpreterCache<'a>,
    settings: &InterpreterSettings,
) -> Glyphs {
    let (width, height) = page.render_dimensions();
    let area = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let transform = page.initial_transform(true).to_kurbo();
    let mut context = Context::new(transform, area, cache, page.xref(), settings.clone());
    let mut glyphs = Glyphs::default();
    interpret_page(page, &mut context, &mut glyphs);
    glyphs
}

impl Glyphs {
    fn letter(&mut self, glyph: &Glyph<'_>, transform: Affine) {
        self.letters += 1;
        let [a, b, c, d, x, y] = transform.as_coeffs();
        let origin = Point::new(x, y);
        let along = Vec2::new(a, b);
        let size = Vec2::new(c, d).hypot() * 1000.0;
        let advance = match glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(drawn) => drawn.advance_width(),
        };
        let end = origin + along * f64::from(advance.unwrap_or(500.0));
        if !(size.is_finite() && size > 0.0 && origin.is_finite() && end.is_finite()) {
            return;
        }
        let direction = if along.hypot() > 0.0 { along / along.hypot() } else { Vec2::new(1.0, 0.0) };
        let known = self.meaning(glyph);
        let gap = self.pen.zip(self.spans.last()).and_then(|(pen, span)| {
            let step = origin - pen;
            let (ahead, aside) = (step.dot(direction), step.cross(direction).abs());
            let joins = span.direction.dot(direction) > 0.99
                && aside < 0.3 * size
                && ahead.abs() < APART * size.max(span.size);
            joins.then_some(ahead)
        });
        self.pen = Some(end);
        match (gap, self.spans.last_mut()) {
            (Some(gap), Some(span)) => {
                if gap > SPACE * size
                    && !span.text.ends_with(char::is_whitespace)
                    && !known.starts_with(char::is_whitespace)
                {
                    span.text.push(' ');
                }
                span.text.push_str(&known);
                span.end = end;
                span.size = span.size.max(size);
            }
            _ => self.spans.push(Span { text: known, start: origin, end, size, direction }),
        }
    }

    /// What a letter means: what stands for the marked part, else what its font says.
    fn meaning(&mut self, glyph: &Glyph<'_>) -> String {
        if let Some(mark) = self.marks.iter_mut().flatten().next() {
            return match std::mem::replace(mark, Mark::Used) {
                Mark::Waiting(text) => text,
                Mark::Used => String::new(),
            };
        }
        let text = match glyph.as_unicode() {
            Some(BfString::Char(letter)) => plain(letter),
            Some(BfString::String(text)) => text.chars().map(plain).collect(),
            None => "\u{fffd}".to_owned(),
        };
        self.unknown += text.matches('\u{fffd}').count();
        text
    }
}

/// Ligatures as the letters that they are, and nothing for what cannot be written.
fn plain(letter: char) -> String {
    match letter {
        '\u{fb00}' => "ff".to_owned(),
        '\u{fb01}' => "fi".to_owned(),
        '\u{fb02}' => "fl".to_owned(),
        '\u{fb03}' => "ffi".to_owned(),
        '\u{fb04}' => "ffl".to_owned(),
        '\u{fb05}' | '\u{fb06}' => "st".to_owned(),
        '\u{a0}' | '\t' | '\n' | '\r' => " ".to_owned(),
        letter if letter.is_control() => String::new(),
        letter => letter.to_string(),
    }
}

impl<'a> Device<'a> for Glyphs {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _mode: &DrawMode) {
        let Some(first) = run.glyphs().first() else { return };
        let transform = props.transform * first.transform();
        let place = Point::new(transform.as_coeffs()[4], transform.as_coeffs()[5]);
        // Bold type is often the same run twice, filled and outlined or a hair's breadth aside.
        let hair = transform.determinant().abs().sqrt() * 60.0;
        let again = self
            .last_run
            .is_some_and(|(code, last)| code == first.char_code() && (place - last).hypot() < hair);
        self.last_run = Some((first.char_code(), place));
        if again {
            return;
        }
        for glyph in run.glyphs() {
            if self.letters >= MOST_LETTERS {
                return;
            }
            self.letter(glyph, props.transform * glyph.transform());
        }
    }

    fn begin_marked_content(&mut self, _tag: &[u8], properties: Option<&Dict<'_>>) {
        let text = properties.and_then(|properties| properties.get::<PdfString<'_>>("ActualText"));
        self.marks.push(text.map(|text| Mark::Waiting(strings::decoded(text.as_bytes()))));
    }

    fn end_marked_content(&mut self) {
        self.marks.pop();
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
