//! Pictures of text: laid out here, drawn as SVG, and painted with the fonts that come with the program.

mod markdown;

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use serde_json::Value;

use super::convert::plain;
use super::format::{FormatError, Previewing, Table};

pub(super) use self::markdown::markdown;

/// The width in which everything is laid out; the picture is scaled from it to what is wanted.
const WIDTH: f32 = 960.0;
const MARGIN: f32 = 28.0;
/// The size of a letter of code, and how wide it is: the font Hack has one width.
const CODE: f32 = 13.0;
const CODE_WIDTH: f32 = CODE * 0.602;
const CODE_LINE: f32 = 18.0;
/// The height of a row of a table.
const ROW: f32 = 24.0;
/// The largest picture, in pixels of a side.
const LARGEST: u32 = 4096;

/// A picture of lines of code or plain text, numbered, as many as there is room for.
pub(super) fn code(text: &str, wanted: &Previewing) -> Result<Vec<u8>, FormatError> {
    let mut canvas = Canvas::new(wanted);
    let columns = ((WIDTH - 2.0 * MARGIN - 48.0) / CODE_WIDTH) as usize;
    let room = ((canvas.height - 2.0 * MARGIN) / CODE_LINE) as usize;
    for (number, line) in text.lines().take(room.max(1)).enumerate() {
        let y = MARGIN + CODE_LINE * (number as f32 + 0.75);
        let label = (number + 1).to_string();
        canvas.text(MARGIN + 36.0 - label.len() as f32 * CODE_WIDTH, y, &Ink::FAINT, &label);
        canvas.text(MARGIN + 48.0, y, &Ink::CODE, &fitted(line, columns));
        canvas.used(y + CODE_LINE / 2.0);
    }
    canvas.paint()
}

/// A picture of the first rows and columns of a table, numbered.
pub(super) fn table(table: &Table, wanted: &Previewing) -> Result<Vec<u8>, FormatError> {
    const PADDING: f32 = 10.0;
    let mut canvas = Canvas::new(wanted);
    let rows: Vec<Vec<String>> =
        table.rows.iter().take(200).map(|row| row.iter().map(plain).collect()).collect();
    let letters = |text: &str| fitted(text, 32).chars().count();
    let (mut x, mut columns) = (MARGIN + 44.0, Vec::new());
    for (at, name) in table.columns.iter().enumerate() {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| letters(cell));
        let width =
            cells.chain([letters(name)]).max().unwrap_or(1).clamp(3, 32) as f32 * CODE_WIDTH + 2.0 * PADDING;
        if x + width > WIDTH - MARGIN && at > 0 {
            break;
        }
        columns.push((at, x, width));
        x += width;
    }
    let right = x.min(WIDTH - MARGIN);
    let header = Ink { bold: true, ..Ink::CODE };
    canvas.rectangle([MARGIN, MARGIN, right - MARGIN, ROW], "#eaeef2");
    let shown = ((canvas.height - 2.0 * MARGIN) / ROW) as usize;
    for (number, row) in rows.iter().take(shown.saturating_sub(1)).enumerate() {
        let top = MARGIN + ROW * (number + 1) as f32;
        if number % 2 == 1 {
            canvas.rectangle([MARGIN, top, right - MARGIN, ROW], "#f6f8fa");
        }
        let label = (number + 1).to_string();
        canvas.text(MARGIN + 36.0 - label.len() as f32 * CODE_WIDTH, top + ROW * 0.68, &Ink::FAINT, &label);
        canvas.used(top + ROW);
        for (at, x, width) in &columns {
            let Some(value) = table.rows[number].get(*at) else { continue };
            let text = fitted(&row[*at], ((width - 2.0 * PADDING) / CODE_WIDTH + 0.5) as usize);
            // Numbers end where they can be compared.
            let left = match value {
                Value::Number(_) => x + width - PADDING - text.chars().count() as f32 * CODE_WIDTH,
                _ => x + PADDING,
            };
            canvas.text(left, top + ROW * 0.68, &Ink::CODE, &text);
        }
    }
    canvas.used(MARGIN + ROW);
    for (at, x, width) in &columns {
        let text = fitted(&table.columns[*at], ((width - 2.0 * PADDING) / CODE_WIDTH + 0.5) as usize);
        canvas.text(x + PADDING, MARGIN + ROW * 0.68, &header, &text);
        canvas.rectangle([*x, MARGIN, 1.0, canvas.end - MARGIN], "#d8dee4");
    }
    let hidden = table.columns.len() - columns.len();
    let total = table.total.map_or(String::new(), |total| format!("{total} rows"));
    let more = if hidden > 0 { format!("{hidden} more columns") } else { String::new() };
    let note = [total, more].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    if !note.is_empty() {
        let y = canvas.end + ROW;
        canvas.text(MARGIN, y, &Ink::FAINT, &note);
        canvas.used(y);
    }
    canvas.paint()
}

/// How something is written.
pub(super) struct Ink {
    pub(super) family: &'static str,
    pub(super) size: f32,
    pub(super) colour: &'static str,
    /// The bundled fonts have one weight: a bold letter is one with a seam.
    pub(super) bold: bool,
}

impl Ink {
    const CODE: Self = Self { family: "Hack", size: CODE, colour: "#24292f", bold: false };
    const FAINT: Self = Self { family: "Hack", size: CODE, colour: "#afb8c1", bold: false };
}

/// What is drawn on.
pub(super) struct Canvas {
    svg: String,
    width: u32,
    /// In units of the layout.
    pub(super) height: f32,
    end: f32,
}

impl Canvas {
    pub(super) fn new(wanted: &Previewing) -> Self {
        let (width, height) = within(wanted);
        Self { svg: String::new(), width, height: WIDTH * height as f32 / width as f32, end: MARGIN }
    }

    /// Notes that something reaches down to `y`.
    pub(super) fn used(&mut self, y: f32) {
        self.end = self.end.max(y);
    }

    pub(super) fn text(&mut self, x: f32, y: f32, ink: &Ink, text: &str) {
        let Ink { family, size, colour, bold } = ink;
        let seam =
            if *bold { format!(" stroke='{colour}' stroke-width='{}'", size / 28.0) } else { String::new() };
        let _ = write!(
            self.svg,
            "<text x='{x:.1}' y='{y:.1}' font-family='{family}' font-size='{size}' fill='{colour}'{seam} \
             xml:space='preserve'>{}</text>",
            escaped(text)
        );
    }

    pub(super) fn rectangle(&mut self, [x, y, width, height]: [f32; 4], colour: &str) {
        let _ = write!(
            self.svg,
            "<rect x='{x:.1}' y='{y:.1}' width='{width:.1}' height='{height:.1}' fill='{colour}'/>"
        );
    }

    /// The picture, as tall as what was drawn.
    pub(super) fn paint(self) -> Result<Vec<u8>, FormatError> {
        let height = (self.end + MARGIN).min(self.height);
        let scale = self.width as f32 / WIDTH;
        svg(&self.svg, [WIDTH, height], scale)
    }
}

/// The largest picture that may become of what is wanted, in pixels.
pub(super) fn within(wanted: &Previewing) -> (u32, u32) {
    (wanted.width.clamp(16, LARGEST), wanted.height.clamp(16, LARGEST))
}

/// What is inside of an SVG of this width and height, on white, so many pixels to a unit.
pub(super) fn svg(inside: &str, [width, height]: [f32; 2], scale: f32) -> Result<Vec<u8>, FormatError> {
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'>\
         <rect width='100%' height='100%' fill='#ffffff'/>{inside}</svg>"
    );
    let failed = |error: String| FormatError::unsupported(format!("its picture cannot be drawn: {error}"));
    let options = Options { fontdb: fonts(inside), font_family: "Ubuntu".to_owned(), ..Options::default() };
    let tree = Tree::from_str(&svg, &options).map_err(|error| failed(error.to_string()))?;
    let side = |side: f32| ((side * scale).ceil() as u32).max(1);
    let mut pixels =
        Pixmap::new(side(width), side(height)).ok_or_else(|| failed("it is too large".to_owned()))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}

/// The bundled fonts; with the system's, if there are letters that are hardly in them.
fn fonts(text: &str) -> Arc<fontdb::Database> {
    static BUNDLED: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    static ALL: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let bundled = || {
        let mut fonts = fontdb::Database::new();
        for font in [epaint_default_fonts::UBUNTU_LIGHT, epaint_default_fonts::HACK_REGULAR] {
            fonts.load_font_data(font.to_vec());
        }
        fonts
    };
    // Beyond Latin, Greek, Cyrillic, punctuation and symbols.
    if text.chars().any(|letter| matches!(letter, '\u{530}'..='\u{1dff}' | '\u{2e80}'..='\u{1f2ff}')) {
        let all = || {
            let mut fonts = bundled();
            fonts.load_system_fonts();
            Arc::new(fonts)
        };
        return ALL.get_or_init(all).clone();
    }
    BUNDLED.get_or_init(|| Arc::new(bundled())).clone()
}

/// What of a line fits into so many columns, with tabs as spaces and without what cannot be drawn.
pub(super) fn fitted(line: &str, columns: usize) -> String {
    let mut fitted = String::new();
    for letter in line.chars() {
        if fitted.chars().count() >= columns {
            fitted.pop();
            fitted.push('…');
            break;
        }
        match letter {
            '\t' => fitted.push_str("    "),
            letter if letter.is_control() => {}
            letter => fitted.push(letter),
        }
    }
    fitted
}

/// Text as it is written in XML.
pub(super) fn escaped(text: &str) -> String {
    text.chars()
        // What XML cannot hold at all.
        .filter(|letter| !matches!(letter, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'))
        .flat_map(|letter| match letter {
            '<' => "&lt;".chars().collect::<Vec<_>>(),
            '>' => "&gt;".chars().collect(),
            '&' => "&amp;".chars().collect(),
            letter => vec![letter],
        })
        .collect()
}
