//! The picture of a palette: its swatches with names, values and contrasts.

use std::fmt::Write;

use super::super::color::{Color, WHITE, level, rounded};
use super::super::draw::{Font, number};

const WIDTH: f32 = 1200.0;
const MARGIN: f32 = 40.0;
const GAP: f32 = 16.0;
const SWATCH: f32 = 220.0;
const LABELS: f32 = 96.0;
const MOST_IN_A_ROW: usize = 6;

/// The palette as SVG.
pub(super) fn svg(title: &str, colors: &[(Color, String)]) -> String {
    let font = Font::choose(None);
    let rows = colors.len().div_ceil(MOST_IN_A_ROW).max(1);
    let in_a_row = colors.len().div_ceil(rows).max(1);
    let width = (WIDTH - 2.0 * MARGIN - GAP * (in_a_row - 1) as f32) / in_a_row as f32;
    let height = 2.0 * MARGIN + 44.0 + rows as f32 * (SWATCH + LABELS) + (rows - 1) as f32 * GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"{}, system-ui, sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fbfbfc\"/>\n",
        font.family
    );
    text(&mut svg, [MARGIN, MARGIN + 18.0], 24.0, "#18181b", true, title);
    for (i, (color, share)) in colors.iter().enumerate() {
        let x = MARGIN + (i % in_a_row) as f32 * (width + GAP);
        let y = MARGIN + 44.0 + (i / in_a_row) as f32 * (SWATCH + LABELS + GAP);
        let outline = if color.contrast(WHITE) < 1.2 { " stroke=\"#d4d4d8\"" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{SWATCH}\" rx=\"14\" fill=\"{}\"{outline}/>",
            number(x),
            number(y),
            number(width),
            color.hex()
        );
        let ink = color.text();
        let contrast = color.contrast(ink);
        let inside = |line: &str| font.fitted(line, 14.0, false, width - 32.0);
        text(&mut svg, [x + 16.0, y + 38.0], 24.0, &ink.hex(), true, "Aa");
        let ratio = format!("{}:1 {}", rounded(contrast, 1), level(contrast));
        text(&mut svg, [x + 16.0, y + SWATCH - 18.0], 14.0, &ink.hex(), false, &inside(&ratio));
        if !share.is_empty() {
            text(&mut svg, [x + 16.0, y + SWATCH - 40.0], 14.0, &ink.hex(), false, &inside(share));
        }
        let oklch = color.oklch();
        let label = |line: &str, size| font.fitted(line, size, false, width);
        let name = font.fitted(color.name(), 16.0, true, width);
        text(&mut svg, [x, y + SWATCH + 28.0], 16.0, "#18181b", true, &name);
        text(&mut svg, [x, y + SWATCH + 50.0], 14.0, "#3f3f46", false, &label(&color.hex(), 14.0));
        let values = format!(
            "oklch {} {} {}",
            rounded(oklch.l, 2),
            rounded(oklch.chroma, 2),
            rounded(oklch.hue.into_positive_degrees(), 0)
        );
        text(&mut svg, [x, y + SWATCH + 70.0], 13.0, "#71717a", false, &label(&values, 13.0));
    }
    svg.push_str("</svg>\n");
    svg
}

fn text(svg: &mut String, [x, y]: [f32; 2], size: f32, color: &str, is_bold: bool, text: &str) {
    let weight = if is_bold { " font-weight=\"600\"" } else { "" };
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" font-size=\"{size}\" fill=\"{color}\"{weight}>{}</text>",
        number(x),
        number(y),
        super::super::draw::escape(text)
    );
}
