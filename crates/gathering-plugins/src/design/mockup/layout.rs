//! Laying nodes out: flexbox by `taffy`, with text measured by the font that draws it.

use taffy::prelude::*;

use super::super::draw::Font;
use super::node::{self, Content, Flow, Node, Text};
use crate::Failure;

/// A node at its place on the screen, in pixels.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) node: &'a Node,
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
    /// The lines of a text.
    pub(super) lines: Vec<String>,
    pub(super) children: Vec<Placed<'a>>,
}

/// Lays `root` out in `width` pixels, as high as it is.
pub(super) fn lay_out<'a>(root: &'a Node, width: f32, font: &Font) -> Result<Placed<'a>, Failure> {
    let failed = |error: taffy::TaffyError| Failure::new(format!("the mockup cannot be laid out: {error}"));
    let mut tree: TaffyTree<Text> = TaffyTree::new();
    let id = add(&mut tree, root, false).map_err(failed)?;
    let room = Size { width: AvailableSpace::Definite(width), height: AvailableSpace::MaxContent };
    tree.compute_layout_with_measure(id, room, |inputs, _, text, style| {
        taffy::compute_leaf_layout(
            inputs,
            style,
            |_, _| 0.0,
            |known, room| match text {
                Some(text) => measure(text, known, room, font),
                None => Size { width: known.width.unwrap_or(0.0), height: known.height.unwrap_or(0.0) },
            },
        )
    })
    .map_err(failed)?;
    placed(&tree, id, root, [0.0, 0.0], font).map_err(failed)
}

fn add(tree: &mut TaffyTree<Text>, node: &Node, in_row: bool) -> Result<NodeId, taffy::TaffyError> {
    let style = style(&node.flow, in_row);
    match &node.content {
        Content::Children(children) => {
            let children: Result<Vec<_>, _> =
                children.iter().map(|child| add(tree, child, node.flow.is_row)).collect();
            tree.new_with_children(style, &children?)
        }
        Content::Text(text) => tree.new_leaf_with_context(style, text.clone()),
        Content::Nothing | Content::Vector(_) => tree.new_leaf(style),
    }
}

fn style(flow: &Flow, in_row: bool) -> Style {
    let size = |given: Option<f32>| given.map_or(auto(), length);
    let [top, right, bottom, left] = flow.padding;
    Style {
        display: Display::Flex,
        flex_direction: if flow.is_row { FlexDirection::Row } else { FlexDirection::Column },
        flex_wrap: if flow.wraps { FlexWrap::Wrap } else { FlexWrap::NoWrap },
        gap: Size { width: length(flow.gap), height: length(flow.gap) },
        padding: Rect { top: length(top), right: length(right), bottom: length(bottom), left: length(left) },
        align_items: match flow.align {
            node::Align::Stretch => AlignItems::STRETCH,
            node::Align::Start => AlignItems::FLEX_START,
            node::Align::Center => AlignItems::CENTER,
            node::Align::End => AlignItems::FLEX_END,
        },
        justify_content: match flow.justify {
            node::Justify::Start => JustifyContent::FLEX_START,
            node::Justify::Center => JustifyContent::CENTER,
            node::Justify::End => JustifyContent::FLEX_END,
            node::Justify::Between => JustifyContent::SPACE_BETWEEN,
        },
        size: Size { width: size(flow.width), height: size(flow.height) },
        min_size: Size {
            width: if flow.keeps_size { auto() } else { length(0.0_f32) },
            height: flow.min_height.map_or(auto(), length),
        },
        flex_grow: flow.grow,
        flex_shrink: if flow.keeps_size { 0.0 } else { 1.0 },
        flex_basis: if flow.grow > 0.0 && in_row { length(0.0_f32) } else { auto() },
        ..Style::default()
    }
}

fn measure(text: &Text, known: Size<Option<f32>>, room: Size<AvailableSpace>, font: &Font) -> Size<f32> {
    let natural = || {
        let widths = text.text.lines().map(|line| font.width(line, text.size, text.is_bold));
        widths.fold(0.0, f32::max).ceil()
    };
    let most = known.width.or(match room.width {
        AvailableSpace::Definite(width) => Some(width),
        AvailableSpace::MinContent => Some(0.0),
        AvailableSpace::MaxContent => None,
    });
    let (width, count) = match most {
        None => (natural(), text.text.lines().count().max(1)),
        Some(most) if text.is_one_line => (natural().min(most), 1),
        Some(most) => {
            let lines = font.wrap(&text.text, text.size, text.is_bold, most);
            let widths = lines.iter().map(|line| font.width(line, text.size, text.is_bold));
            (widths.fold(0.0, f32::max).ceil(), lines.len())
        }
    };
    Size {
        width: known.width.unwrap_or(width),
        height: known.height.unwrap_or(count as f32 * text.line_height()),
    }
}

fn placed<'a>(
    tree: &TaffyTree<Text>,
    id: NodeId,
    node: &'a Node,
    [x, y]: [f32; 2],
    font: &Font,
) -> Result<Placed<'a>, taffy::TaffyError> {
    let layout = tree.layout(id)?;
    let (x, y) = (x + layout.location.x, y + layout.location.y);
    let (width, height) = (layout.size.width, layout.size.height);
    let mut children = Vec::new();
    if let Content::Children(nodes) = &node.content {
        for (child, id) in nodes.iter().zip(tree.children(id)?) {
            children.push(placed(tree, id, child, [x, y], font)?);
        }
    }
    // Positions are rounded to whole pixels, which may take a part of one.
    let lines = match &node.content {
        Content::Text(text) if text.is_one_line => {
            vec![font.fitted(&text.text, text.size, text.is_bold, width + 1.0)]
        }
        Content::Text(text) => font.wrap(&text.text, text.size, text.is_bold, width + 1.0),
        _ => Vec::new(),
    };
    Ok(Placed { node, x, y, width, height, lines, children })
}
