//! A mockup as HTML: the same boxes as flexboxes, with the same lines of text.

use std::fmt::Write;

use super::super::draw::{escape, number};
use super::layout::Placed;
use super::node::{Align, Content, Edge, Flow, Justify, Look, Node, Text};
use super::svg::dialog_top;
use super::theme::Theme;

/// The screen, and a dialog over it, as a page by itself.
pub(super) fn html(screen: &Placed<'_>, dialog: Option<&Placed<'_>>, theme: &Theme, title: &str) -> String {
    let mut body = String::new();
    element(&mut body, screen, theme, true);
    if let Some(dialog) = dialog {
        let (left, top) = ((screen.width - dialog.width) / 2.0, dialog_top(screen, dialog));
        // Writing to a string does not fail.
        let _ = write!(
            body,
            "<div style=\"position:absolute;inset:0;background:rgba(11,16,32,.45)\"></div>\n\
             <div role=\"dialog\" style=\"position:absolute;left:{}px;top:{}px\">\n",
            number(left),
            number(top)
        );
        element(&mut body, dialog, theme, true);
        body.push_str("</div>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width={}\">\n<title>{}</title>\n<style>\n\
         body{{margin:0;font-family:\"{}\",system-ui,sans-serif;background:{};color:{}}}\n\
         main{{position:relative;width:{}px;height:{}px;margin:0 auto;overflow:hidden}}\n\
         div{{box-sizing:border-box;display:flex;flex-direction:column;min-width:0}}\n\
         p{{margin:0;white-space:pre;flex:none}}\nsvg{{display:block;flex:none}}\n</style>\n</head>\n<body>\n<main>\n\
         {body}</main>\n</body>\n</html>\n",
        number(screen.width),
        escape(title),
        escape(&theme.font.family),
        theme.background.hex(),
        theme.text.hex(),
        number(screen.width),
        number(screen.height),
    )
}

fn element(html: &mut String, placed: &Placed<'_>, theme: &Theme, is_root: bool) {
    let Node { flow, look, content } = placed.node;
    match content {
        Content::Text(text) => paragraph(html, placed, text, flow),
        Content::Vector(vector) => {
            let [width, height] = [placed.width, placed.height].map(number);
            let drawn = (vector.0)(placed.width, placed.height);
            // Writing to a string does not fail.
            let _ = writeln!(
                html,
                "<svg width=\"{width}\" height=\"{height}\" aria-hidden=\"true\">{drawn}</svg>"
            );
        }
        Content::Children(_) | Content::Nothing => {
            let size = if is_root {
                format!("width:{}px;height:{}px;", number(placed.width), number(placed.height))
            } else {
                sizes(flow)
            };
            let _ = writeln!(html, "<div style=\"{}{size}{}\">", flowing(flow), looking(look, theme));
            placed.children.iter().for_each(|child| element(html, child, theme, false));
            html.push_str("</div>\n");
        }
    }
}

fn paragraph(html: &mut String, placed: &Placed<'_>, text: &Text, flow: &Flow) {
    let lines: Vec<_> = placed.lines.iter().map(|line| escape(line)).collect();
    let align = match text.align {
        Align::Center => "text-align:center;",
        Align::End => "text-align:right;",
        Align::Start | Align::Stretch => "",
    };
    let weight = if text.is_bold { "font-weight:600;" } else { "" };
    let grow = if flow.grow > 0.0 { "flex:1 1 0;" } else { "" };
    // Writing to a string does not fail.
    let _ = writeln!(
        html,
        "<p style=\"{grow}width:{}px;font-size:{}px;line-height:{}px;{weight}{align}color:{}\">{}</p>",
        number(placed.width),
        number(text.size),
        number(text.line_height()),
        text.color.hex(),
        lines.join("\n")
    );
}

fn sizes(flow: &Flow) -> String {
    let mut css = String::new();
    for (name, size) in [("width", flow.width), ("height", flow.height), ("min-height", flow.min_height)] {
        if let Some(size) = size {
            let _ = write!(css, "{name}:{}px;", number(size));
        }
    }
    if flow.grow > 0.0 {
        css.push_str("flex:1 1 0;");
    } else if flow.keeps_size {
        css.push_str("flex-shrink:0;");
    }
    css
}

fn flowing(flow: &Flow) -> String {
    let mut css = String::new();
    if flow.is_row {
        css.push_str("flex-direction:row;");
    }
    if flow.wraps {
        css.push_str("flex-wrap:wrap;");
    }
    if flow.gap > 0.0 {
        let _ = write!(css, "gap:{}px;", number(flow.gap));
    }
    if flow.padding != [0.0; 4] {
        let [top, right, bottom, left] = flow.padding.map(number);
        let _ = write!(css, "padding:{top}px {right}px {bottom}px {left}px;");
    }
    css.push_str(match flow.align {
        Align::Stretch => "",
        Align::Start => "align-items:flex-start;",
        Align::Center => "align-items:center;",
        Align::End => "align-items:flex-end;",
    });
    css.push_str(match flow.justify {
        Justify::Start => "",
        Justify::Center => "justify-content:center;",
        Justify::End => "justify-content:flex-end;",
        Justify::Between => "justify-content:space-between;",
    });
    css
}

/// Borders lie over what is inside and take no room, as they take none where the mockup is laid out.
fn looking(look: &Look, theme: &Theme) -> String {
    let mut css = String::new();
    if let Some(color) = look.fill {
        let _ = write!(css, "background:{};", color.hex());
    }
    if look.radius > 0.0 {
        let _ = write!(css, "border-radius:{}px;", number(look.radius));
    }
    let mut shadows = Vec::new();
    if let Some(color) = look.border {
        let style = if look.is_dashed { "dashed" } else { "solid" };
        let _ = write!(css, "outline:1px {style} {};outline-offset:-1px;", color.hex());
    }
    if look.clips {
        css.push_str("overflow:hidden;");
    }
    if let Some((edge, color)) = look.edge {
        let offset = match edge {
            Edge::Right => "-1px 0",
            Edge::Bottom => "0 -1px",
            Edge::Top => "0 1px",
        };
        shadows.push(format!("inset {offset} 0 {}", color.hex()));
    }
    if look.has_shadow && !theme.is_wireframe {
        shadows.push("0 2px 10px rgba(16,24,40,.09)".to_owned());
    }
    if !shadows.is_empty() {
        let _ = write!(css, "box-shadow:{};", shadows.join(","));
    }
    css
}
