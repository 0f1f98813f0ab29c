//! `create_mockup`: a screen from a declaration, drawn as SVG and PNG and written as HTML.

mod blocks;
mod chart;
mod elements;
mod html;
mod icon;
mod layout;
mod node;
mod schema;
mod spec;
mod svg;
mod theme;

use gathering_core::ToolOutput;
use serde::Deserialize;
use serde_json::{Value, json};

use self::elements::Maker;
use self::layout::lay_out;
use self::node::{Align, Node};
use self::spec::{Element, NavigationKind};
use self::theme::{Fidelity, Theme, ThemeSpec};
use super::{Design, draw, with_picture};
use crate::Failure;

pub(super) use self::schema::definition;

/// The highest screen, in pixels.
const MAX_HEIGHT: f32 = 8_000.0;

#[derive(Deserialize)]
pub(super) struct Arguments {
    spec: Spec,
    output: Option<String>,
    overwrite: bool,
    scale: f32,
}

#[derive(Deserialize)]
struct Spec {
    title: Option<String>,
    #[serde(default)]
    device: Device,
    #[serde(default)]
    fidelity: Fidelity,
    #[serde(default)]
    theme: Value,
    children: Vec<Value>,
}

/// What the screen is of.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Device {
    #[default]
    Desktop,
    Tablet,
    Phone,
}

impl Device {
    /// Its width and height in pixels of CSS.
    fn size(self) -> (f32, f32) {
        match self {
            Self::Desktop => (1440.0, 900.0),
            Self::Tablet => (820.0, 1180.0),
            Self::Phone => (390.0, 844.0),
        }
    }
}

pub(super) fn create_mockup(design: &Design, arguments: &Arguments) -> Result<ToolOutput, Failure> {
    let Arguments { spec, output, overwrite, scale } = arguments;
    let theme: ThemeSpec = match &spec.theme {
        Value::Null => ThemeSpec::default(),
        theme => serde_json::from_value(theme.clone())
            .map_err(|error| Failure::new(format!("spec.theme: {error}")))?,
    };
    let theme = Theme::new(&theme, spec.fidelity)?;
    let elements = spec::read(&spec.children, "spec.children")?;
    let (width, height) = spec.device.size();
    let mut maker = Maker { theme: &theme, is_phone: spec.device == Device::Phone, dialogs: Vec::new() };
    let screen = screen(&mut maker, &elements, spec.device).size(Some(width), None);
    let screen = Node { flow: node::Flow { min_height: Some(height), ..screen.flow }, ..screen };
    let dialogs = maker.dialogs;
    let placed = lay_out(&screen, width, &theme.font)?;
    if placed.height > MAX_HEIGHT {
        return Err(
            format!("the screen would be {} pixels high, more than {MAX_HEIGHT}", placed.height).into()
        );
    }
    let dialog = dialogs.last().map(|dialog| lay_out(dialog, width, &theme.font)).transpose()?;
    let title = spec.title.as_deref().unwrap_or("Mockup");
    let svg = svg::svg(&placed, dialog.as_ref(), &theme, title);
    let html = html::html(&placed, dialog.as_ref(), &theme, title);
    let png = draw::png(&svg, *scale)?;
    let mut files = Vec::new();
    if let Some(stem) = output {
        let wanted = [("png", png.as_slice()), ("svg", svg.as_bytes()), ("html", html.as_bytes())];
        files = design.save_all(stem, &wanted, *overwrite)?;
    }
    let mut value = json!({"width": placed.width, "height": placed.height, "files": files});
    if files.is_empty() {
        (value["svg"], value["html"]) = (svg.into(), html.into());
    }
    Ok(with_picture(value, &png, "image/png"))
}

/// The whole screen: navigation along its edges, the rest inside with a margin.
fn screen(maker: &mut Maker<'_>, elements: &[Element], device: Device) -> Node {
    let of_kind = |wanted: &[NavigationKind]| -> Vec<Element> {
        let is_wanted = |element: &&Element| matches!(element, Element::Navigation(navigation) if wanted.contains(&navigation.kind));
        elements.iter().filter(is_wanted).cloned().collect()
    };
    let is_edge = |element: &&Element| matches!(element, Element::Navigation(navigation) if navigation.kind != NavigationKind::Tabs);
    let inside: Vec<Element> = elements.iter().filter(|element| !is_edge(element)).cloned().collect();
    let (margin, gap) = match device {
        Device::Desktop => (32.0, 24.0),
        Device::Tablet => (24.0, 20.0),
        Device::Phone => (16.0, 16.0),
    };
    let tops = maker.nodes(&of_kind(&[NavigationKind::Top]));
    let sides = maker.nodes(&of_kind(&[NavigationKind::Side]));
    let bottoms = maker.nodes(&of_kind(&[NavigationKind::Bottom]));
    let content = Node::column(gap, maker.nodes(&inside)).pad(margin, margin).grow();
    let middle = match sides.is_empty() {
        true => content,
        false => Node::row(0.0, [sides, vec![content]].concat()).align(Align::Stretch).grow(),
    };
    Node::column(0.0, [tops, vec![middle], bottoms].concat()).fill(maker.theme.background)
}
