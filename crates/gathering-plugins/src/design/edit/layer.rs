//! Text as a picture that is laid on another, drawn where the fonts are: outside of the worker.

use std::fmt::Write;

use super::super::color::Color;
use super::super::draw::{self, Font, escape, number};
use super::operation::Text;
use crate::Failure;

/// The text as PNG, as large as it is.
pub(super) fn text(text: &Text) -> Result<Vec<u8>, Failure> {
    let font = Font::choose(text.font.as_deref());
    if let Some(wanted) = text.font.as_deref().filter(|wanted| *wanted != font.family) {
        return Err(format!(
            "there is no font `{}` on this machine: leave `font` out for `{}`",
            crate::base::shown(wanted),
            font.family
        )
        .into());
    }
    let (size, color) = (text.size, Color::parse(&text.color)?);
    let padding = if text.background.is_some() { size * 0.4 } else { size * 0.1 };
    let most = text.max_width.map_or(f32::MAX, |width| (width as f32 - 2.0 * padding).max(1.0));
    let lines = font.wrap(&text.text, size, text.bold, most);
    let widest = lines.iter().map(|line| font.width(line, size, text.bold)).fold(0.0, f32::max);
    let line_height = size * 1.3;
    let (width, height) =
        ((widest + 2.0 * padding).ceil(), (lines.len() as f32 * line_height + 2.0 * padding).ceil());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"{}\" \
         font-size=\"{size}\" fill=\"{}\"{}>",
        escape(&font.family),
        color.hex(),
        if text.bold { font.bold(size, &color.hex()) } else { String::new() }
    );
    if let Some(background) = &text.background {
        let (color, radius) = (Color::parse(background)?.hex(), number(size * 0.25));
        // Writing to a string does not fail.
        let _ = write!(
            svg,
            "<rect width=\"{width}\" height=\"{height}\" rx=\"{radius}\" fill=\"{color}\" stroke=\"none\"/>"
        );
    }
    for (i, line) in lines.iter().enumerate() {
        let y = number(padding + line_height * i as f32 + size * 0.98);
        let _ = write!(svg, "<text x=\"{}\" y=\"{y}\">{}</text>", number(padding), escape(line));
    }
    svg.push_str("</svg>");
    draw::png(&svg, 1.0)
}
