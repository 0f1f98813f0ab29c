//! A mockup as SVG.

use std::fmt::Write;

use super::super::draw::{escape, number};
use super::layout::Placed;
use super::node::{Align, Content, Edge, Look, Text};
use super::theme::Theme;

/// The screen, and a dialog over it.
pub(super) fn svg(screen: &Placed<'_>, dialog: Option<&Placed<'_>>, theme: &Theme, title: &str) -> String {
    let (width, height) = (number(screen.width), number(screen.height));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"{}, system-ui, sans-serif\">\n<title>{}</title>\n<defs><filter id=\"shadow\" x=\"-20%\" y=\"-20%\" \
         width=\"140%\" height=\"150%\"><feDropShadow dx=\"0\" dy=\"2\" stdDeviation=\"5\" flood-color=\"#101828\" \
         flood-opacity=\"0.09\"/></filter></defs>\n",
        escape(&theme.font.family),
        escape(title)
    );
    draw(&mut svg, screen, theme);
    if let Some(dialog) = dialog {
        line(
            &mut svg,
            format_args!(
                "<rect width=\"{width}\" height=\"{height}\" fill=\"#0b1020\" fill-opacity=\"0.45\"/>"
            ),
        );
        let (x, y) = (number((screen.width - dialog.width) / 2.0), number(dialog_top(screen, dialog)));
        line(&mut svg, format_args!("<g transform=\"translate({x} {y})\">"));
        draw(&mut svg, dialog, theme);
        line(&mut svg, format_args!("</g>"));
    }
    svg.push_str("</svg>\n");
    svg
}

/// How far from the top of the screen a dialog lies.
pub(super) fn dialog_top(screen: &Placed<'_>, dialog: &Placed<'_>) -> f32 {
    ((screen.height.min(1200.0) - dialog.height) * 0.42).max(24.0).round()
}

/// Writing to a string does not fail.
fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = svg.write_fmt(text);
    svg.push('\n');
}

fn draw(svg: &mut String, placed: &Placed<'_>, theme: &Theme) {
    let look = &placed.node.look;
    background(svg, placed, look, theme);
    match &placed.node.content {
        Content::Text(text) => words(svg, placed, text, theme),
        Content::Vector(vector) => {
            let [x, y] = [placed.x, placed.y].map(number);
            let drawn = (vector.0)(placed.width, placed.height);
            line(svg, format_args!("<g transform=\"translate({x} {y})\">{drawn}</g>"));
        }
        Content::Children(_) | Content::Nothing => {}
    }
    if look.clips {
        // The length is different at each place, and so a name for it.
        let id = svg.len();
        let rect = rectangle(placed, look, 0.0);
        line(
            svg,
            format_args!("<clipPath id=\"c{id}\"><rect {rect}/></clipPath><g clip-path=\"url(#c{id})\">"),
        );
    }
    placed.children.iter().for_each(|child| draw(svg, child, theme));
    if look.clips {
        line(svg, format_args!("</g>"));
    }
    outline(svg, placed, look);
}

fn rectangle(placed: &Placed<'_>, look: &Look, inset: f32) -> String {
    let Placed { x, y, width, height, .. } = placed;
    let radius = number((look.radius - inset).max(0.0).min(width / 2.0).min(height / 2.0));
    let [x, y, width, height] = [x + inset, y + inset, width - 2.0 * inset, height - 2.0 * inset].map(number);
    format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\"")
}

fn background(svg: &mut String, placed: &Placed<'_>, look: &Look, theme: &Theme) {
    let Some(fill) = look.fill else { return };
    let shadow = if look.has_shadow && !theme.is_wireframe { " filter=\"url(#shadow)\"" } else { "" };
    line(svg, format_args!("<rect {} fill=\"{}\"{shadow}/>", rectangle(placed, look, 0.0), fill.hex()));
}

/// Lines lie over what is inside, on whole pixels.
fn outline(svg: &mut String, placed: &Placed<'_>, look: &Look) {
    if let Some(color) = look.border {
        let dashes = if look.is_dashed { " stroke-dasharray=\"6 5\"" } else { "" };
        let rect = rectangle(placed, look, 0.5);
        line(svg, format_args!("<rect {rect} fill=\"none\" stroke=\"{}\"{dashes}/>", color.hex()));
    }
    let Some((edge, color)) = look.edge else { return };
    let Placed { x, y, width, height, .. } = *placed;
    let (left, top, wide, high) = match edge {
        Edge::Right => (x + width - 1.0, y, 1.0, height),
        Edge::Bottom => (x, y + height - 1.0, width, 1.0),
        Edge::Top => (x, y, width, 1.0),
    };
    let [left, top, wide, high] = [left, top, wide, high].map(number);
    let rect = format!("x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{high}\"");
    line(svg, format_args!("<rect {rect} fill=\"{}\"/>", color.hex()));
}

fn words(svg: &mut String, placed: &Placed<'_>, text: &Text, theme: &Theme) {
    let (above, below) = theme.font.reach(text.size);
    let line_height = text.line_height();
    let color = text.color.hex();
    let bold = if text.is_bold { theme.font.bold(text.size, &color) } else { String::new() };
    let (anchor, x) = match text.align {
        Align::Center => (" text-anchor=\"middle\"", placed.x + placed.width / 2.0),
        Align::End => (" text-anchor=\"end\"", placed.x + placed.width),
        Align::Start | Align::Stretch => ("", placed.x),
    };
    for (i, words) in placed.lines.iter().enumerate() {
        // The letters stand in the middle of their line (CSS 2.2, section 10.8.1).
        let y = placed.y + i as f32 * line_height + (line_height - above - below) / 2.0 + above;
        line(
            svg,
            format_args!(
                "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{color}\"{bold}{anchor}>{}</text>",
                number(x),
                number(y),
                number(text.size),
                escape(words)
            ),
        );
    }
}
