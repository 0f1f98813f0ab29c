//! What elements are made of: boxes that flow, text, and vectors.

use std::fmt;
use std::sync::Arc;

use super::super::color::Color;

/// A box: how it flows, how it looks, and what is in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) flow: Flow,
    pub(super) look: Look,
    pub(super) content: Content,
}

/// The flexbox of a node, in the words of CSS Flexible Box Layout Module Level 1.
#[derive(Debug, Clone, Default)]
pub(super) struct Flow {
    pub(super) is_row: bool,
    pub(super) gap: f32,
    /// Top, right, bottom, left.
    pub(super) padding: [f32; 4],
    pub(super) align: Align,
    pub(super) justify: Justify,
    pub(super) width: Option<f32>,
    pub(super) height: Option<f32>,
    pub(super) min_height: Option<f32>,
    /// Takes its share of the room that is left; nodes with the same share have the same size.
    pub(super) grow: f32,
    pub(super) keeps_size: bool,
    pub(super) wraps: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Align {
    #[default]
    Stretch,
    Start,
    Center,
    End,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Justify {
    #[default]
    Start,
    Center,
    End,
    Between,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    pub(super) fill: Option<Color>,
    pub(super) border: Option<Color>,
    /// A line on one side only.
    pub(super) edge: Option<(Edge, Color)>,
    pub(super) radius: f32,
    pub(super) has_shadow: bool,
    pub(super) is_dashed: bool,
    /// What stands out of its corners is cut off.
    pub(super) clips: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Edge {
    Right,
    Bottom,
    Top,
}

#[derive(Debug, Clone, Default)]
pub(super) enum Content {
    #[default]
    Nothing,
    Children(Vec<Node>),
    Text(Text),
    Vector(Vector),
}

#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) size: f32,
    pub(super) is_bold: bool,
    pub(super) color: Color,
    pub(super) align: Align,
    /// One line that ends with an ellipsis where there is no room.
    pub(super) is_one_line: bool,
}

impl Text {
    pub(super) fn line_height(&self) -> f32 {
        (self.size * 1.45).round()
    }
}

/// Draws itself in SVG, for a width and a height.
#[derive(Clone)]
pub(super) struct Vector(pub(super) Arc<dyn Fn(f32, f32) -> String + Send + Sync>);

impl fmt::Debug for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vector")
    }
}

impl Node {
    pub(super) fn row(gap: f32, children: Vec<Self>) -> Self {
        let flow = Flow { is_row: true, gap, align: Align::Center, ..Flow::default() };
        Self { flow, content: Content::Children(children), ..Self::default() }
    }

    pub(super) fn column(gap: f32, children: Vec<Self>) -> Self {
        Self {
            flow: Flow { gap, ..Flow::default() },
            content: Content::Children(children),
            ..Self::default()
        }
    }

    pub(super) fn text(text: &str, size: f32, is_bold: bool, color: Color) -> Self {
        let text = text.to_owned();
        let content =
            Content::Text(Text { text, size, is_bold, color, align: Align::Start, is_one_line: false });
        Self { content, ..Self::default() }
    }

    /// Text on one line.
    pub(super) fn line(text: &str, size: f32, is_bold: bool, color: Color) -> Self {
        let mut node = Self::text(text, size, is_bold, color);
        if let Content::Text(text) = &mut node.content {
            text.is_one_line = true;
        }
        node
    }

    pub(super) fn vector(
        width: Option<f32>,
        height: f32,
        draw: impl Fn(f32, f32) -> String + Send + Sync + 'static,
    ) -> Self {
        let flow = Flow { width, height: Some(height), keeps_size: true, ..Flow::default() };
        Self { flow, content: Content::Vector(Vector(Arc::new(draw))), ..Self::default() }
    }

    pub(super) fn spacer() -> Self {
        Self::default().grow()
    }

    pub(super) fn grow(mut self) -> Self {
        self.flow.grow = 1.0;
        self
    }
    pub(super) fn keep(mut self) -> Self {
        self.flow.keeps_size = true;
        self
    }
    pub(super) fn pad(mut self, vertical: f32, horizontal: f32) -> Self {
        self.flow.padding = [vertical, horizontal, vertical, horizontal];
        self
    }
    pub(super) fn size(mut self, width: Option<f32>, height: Option<f32>) -> Self {
        (self.flow.width, self.flow.height) = (width, height);
        self
    }
    pub(super) fn align(mut self, align: Align) -> Self {
        if let Content::Text(text) = &mut self.content {
            text.align = align;
        } else {
            self.flow.align = align;
        }
        self
    }
    pub(super) fn justify(mut self, justify: Justify) -> Self {
        self.flow.justify = justify;
        self
    }
    pub(super) fn fill(mut self, color: Color) -> Self {
        self.look.fill = Some(color);
        self
    }
    pub(super) fn border(mut self, color: Color) -> Self {
        self.look.border = Some(color);
        self
    }
    pub(super) fn edge(mut self, edge: Edge, color: Color) -> Self {
        self.look.edge = Some((edge, color));
        self
    }
    pub(super) fn round(mut self, radius: f32) -> Self {
        self.look.radius = radius;
        self
    }
    pub(super) fn shadow(mut self) -> Self {
        self.look.has_shadow = true;
        self
    }
}
