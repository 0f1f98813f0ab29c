//! Elements as nodes: what each looks like.

use super::blocks;
use super::chart;
use super::icon::icon;
use super::node::{Align, Content, Edge, Justify, Node};
use super::spec::{
    Alert, Badge, Button, Card, Dialog, Element, Group, Image, Stat, TextSpec, TextStyle, Variant,
};
use super::theme::{Theme, Tone};

/// Makes nodes of elements. Dialogs are set aside: they lie over the screen.
pub(super) struct Maker<'a> {
    pub(super) theme: &'a Theme,
    pub(super) is_phone: bool,
    pub(super) dialogs: Vec<Node>,
}

impl Maker<'_> {
    pub(super) fn nodes(&mut self, elements: &[Element]) -> Vec<Node> {
        elements.iter().filter_map(|element| self.node(element)).collect()
    }

    fn node(&mut self, element: &Element) -> Option<Node> {
        let theme = self.theme;
        Some(match element {
            Element::Row(group, children) => self.group(group, children, true),
            Element::Column(group, children) => self.group(group, children, false),
            Element::Card(card, children) => self.card(card, children),
            Element::Dialog(spec, children) => {
                let children = self.nodes(children);
                let dialog = dialog(spec, children, theme, self.is_phone);
                self.dialogs.push(dialog);
                return None;
            }
            Element::Navigation(navigation) => blocks::navigation(navigation, theme, self.is_phone),
            Element::Form(form) => blocks::form(form, theme),
            Element::Table(table) => blocks::table(table, theme),
            Element::Chart(chart) => chart::chart(chart, theme),
            Element::List(list) => blocks::list(list, theme),
            Element::Text(spec) => text(spec, theme),
            Element::Button(spec) => button(spec, theme),
            Element::Image(spec) => image(spec, theme),
            Element::Stat(spec) => stat(spec, theme),
            Element::Alert(spec) => alert(spec, theme),
            Element::Badge(Badge { text, tone }) => badge(text, *tone, theme),
            Element::Progress(spec) => blocks::progress(spec, theme),
            Element::Divider(_) => Node::default().size(None, Some(1.0)).keep().fill(theme.border),
            Element::Spacer(_) => Node::spacer(),
        })
    }

    fn group(&mut self, group: &Group, children: &[Element], is_row: bool) -> Node {
        let nodes = self.nodes(children);
        // On a phone, parts that share a row lie below one another.
        let is_row = is_row && !(self.is_phone && children.iter().any(takes_room));
        let gap = group.gap.unwrap_or(if is_row { 20.0 } else { 16.0 });
        let mut node = if is_row { Node::row(gap, nodes) } else { Node::column(gap, nodes) };
        if is_row && children.iter().any(takes_room) {
            node.flow.align = Align::Stretch;
            share(&mut node, children);
        }
        if group.align != Align::Stretch {
            node.flow.align = group.align;
        }
        node.flow.justify = group.justify;
        node.flow.wraps = group.wrap;
        node.flow.padding = [group.padding.unwrap_or(0.0); 4];
        if !self.is_phone {
            node.flow.width = group.width;
            node.flow.keeps_size = group.width.is_some();
        }
        if group.grow { node.grow() } else { node }
    }

    fn card(&mut self, card: &Card, children: &[Element]) -> Node {
        let theme = self.theme;
        let mut inside = Vec::new();
        if let Some(title) = &card.title {
            let mut head = vec![Node::text(title, 16.0, true, theme.text)];
            head.extend(card.subtitle.as_ref().map(|line| Node::text(line, 13.0, false, theme.muted)));
            inside.push(Node::column(2.0, head));
        }
        inside.extend(self.nodes(children));
        let mut node = framed(Node::column(16.0, inside), theme).pad(20.0, 20.0);
        if !self.is_phone {
            node.flow.width = card.width;
            node.flow.keeps_size = card.width.is_some();
        }
        if card.grow { node.grow() } else { node }
    }
}

/// What takes its share of a row.
fn takes_room(element: &Element) -> bool {
    match element {
        Element::Card(card, _) => card.width.is_none(),
        Element::Column(group, _) | Element::Row(group, _) => group.grow,
        Element::Table(_) | Element::Chart(_) | Element::List(_) | Element::Form(_) | Element::Stat(_) => {
            true
        }
        _ => false,
    }
}

fn share(row: &mut Node, children: &[Element]) {
    let Content::Children(nodes) = &mut row.content else { return };
    let shown = children.iter().filter(|child| !matches!(child, Element::Dialog(..)));
    for (node, element) in nodes.iter_mut().zip(shown) {
        if takes_room(element) {
            node.flow.grow = 1.0;
        }
    }
}

/// A surface with a line around it.
pub(super) fn framed(node: Node, theme: &Theme) -> Node {
    let mut node = node.fill(theme.surface).border(theme.border).round(theme.radius * 1.2).shadow();
    node.look.clips = true;
    node
}

fn text(spec: &TextSpec, theme: &Theme) -> Node {
    let (size, is_bold, color) = match spec.style {
        TextStyle::Title => (28.0, true, theme.text),
        TextStyle::Heading => (20.0, true, theme.text),
        TextStyle::Subheading => (16.0, true, theme.text),
        TextStyle::Body => (15.0, false, theme.text),
        TextStyle::Caption => (13.0, false, theme.muted),
        TextStyle::Label => (13.0, true, theme.muted),
        TextStyle::Link => (15.0, true, theme.link),
    };
    Node::text(&spec.text, size, is_bold, if spec.muted { theme.muted } else { color }).align(spec.align)
}

pub(super) fn button(spec: &Button, theme: &Theme) -> Node {
    let danger = theme.tone(Tone::Danger).0;
    let (ink, fill, border) = match spec.variant {
        Variant::Primary => (theme.on_primary, Some(theme.primary), None),
        Variant::Secondary => (theme.text, Some(theme.surface), Some(theme.border)),
        Variant::Ghost => (theme.link, None, None),
        Variant::Danger => (danger.text(), Some(danger), None),
    };
    let mut inside = Vec::new();
    inside.extend(spec.icon.as_ref().map(|name| icon(name, 18.0, ink)));
    inside.push(Node::line(&spec.text, 14.0, true, ink).keep());
    let mut node =
        Node::row(8.0, inside).justify(Justify::Center).pad(0.0, 16.0).round(theme.radius * 0.8).keep();
    node.flow.height = Some(40.0);
    (node.look.fill, node.look.border) = (fill, border);
    if spec.full { node } else { Node::row(0.0, vec![node]).keep() }
}

pub(super) fn badge(text: &str, tone: Tone, theme: &Theme) -> Node {
    let (ink, fill) = theme.tone(tone);
    let node = Node::row(0.0, vec![Node::line(text, 12.0, true, ink).keep()]).pad(0.0, 9.0);
    let mut node = node.size(None, Some(23.0)).fill(fill).round(12.0).keep();
    if theme.is_wireframe {
        node = node.border(theme.border);
    }
    Node::row(0.0, vec![node]).keep()
}

/// A circle with the first letters of a name.
pub(super) fn avatar(name: &str, size: f32, theme: &Theme) -> Node {
    let letters: String = name
        .split_whitespace()
        .filter_map(|word| word.chars().next())
        .take(2)
        .flat_map(char::to_uppercase)
        .collect();
    let letters = Node::line(&letters, (size * 0.38).round(), true, theme.link).keep();
    let node = Node::row(0.0, vec![letters]).justify(Justify::Center);
    node.size(Some(size), Some(size)).fill(theme.primary_soft).round(size / 2.0).keep()
}

fn image(spec: &Image, theme: &Theme) -> Node {
    let height = spec.height.unwrap_or(180.0);
    let (line, fill) =
        if theme.is_wireframe { (theme.border, theme.sunken) } else { (theme.link, theme.primary_soft) };
    let mut inside = Vec::new();
    if height >= 56.0 {
        inside.push(icon("image", (height * 0.2).clamp(22.0, 40.0), line));
    }
    if let Some(label) = spec.label.as_ref().filter(|_| height >= 96.0) {
        inside.push(Node::line(label, 13.0, false, theme.muted));
    }
    let mut node = Node::column(8.0, inside).align(Align::Center).justify(Justify::Center).pad(0.0, 12.0);
    node = node.size(spec.width, Some(height)).fill(fill).keep();
    node.look.radius = if spec.round { height / 2.0 } else { theme.radius };
    if theme.is_wireframe {
        node.look.border = Some(theme.border);
        node.look.is_dashed = true;
    }
    if spec.width.is_some() { Node::row(0.0, vec![node]).keep() } else { node }
}

fn stat(spec: &Stat, theme: &Theme) -> Node {
    let mut head = vec![Node::line(&spec.label, 13.0, false, theme.muted).grow()];
    if let Some(name) = &spec.icon {
        let tile = Node::row(0.0, vec![icon(name, 18.0, theme.link)]).justify(Justify::Center);
        head.push(
            tile.size(Some(32.0), Some(32.0)).fill(theme.primary_soft).round(theme.radius * 0.8).keep(),
        );
    }
    let mut row = Node::row(8.0, head);
    row.flow.min_height = Some(32.0);
    let mut foot = vec![Node::line(&spec.value, 26.0, true, theme.text)];
    if let Some(change) = &spec.change {
        let is_down = change.trim_start().starts_with(['-', '−']);
        foot.push(badge(change, if is_down { Tone::Danger } else { Tone::Success }, theme));
    }
    framed(Node::column(6.0, vec![row, Node::row(10.0, foot)]), theme).pad(16.0, 20.0)
}

fn alert(spec: &Alert, theme: &Theme) -> Node {
    let (ink, fill) = theme.tone(spec.tone);
    let mut words = Vec::new();
    words.extend(spec.title.as_ref().map(|title| Node::text(title, 14.0, true, ink)));
    words.push(Node::text(&spec.text, 14.0, false, theme.text));
    let name = if spec.tone == Tone::Success { "check" } else { "info" };
    let mut row = Node::row(12.0, vec![icon(name, 20.0, ink), Node::column(2.0, words).grow()]);
    row.flow.align = Align::Start;
    row = row.pad(14.0, 16.0).fill(fill).round(theme.radius);
    if theme.is_wireframe { row.border(theme.border) } else { row }
}

fn dialog(spec: &Dialog, children: Vec<Node>, theme: &Theme, is_phone: bool) -> Node {
    let mut inside = vec![Node::text(&spec.title, 18.0, true, theme.text)];
    inside.extend(spec.text.as_ref().map(|text| Node::text(text, 14.0, false, theme.muted)));
    inside.extend(children);
    if !spec.actions.is_empty() {
        let actions = spec.actions.iter().map(|action| button(action, theme)).collect();
        inside.push(Node::row(10.0, actions).justify(Justify::End).pad(6.0, 0.0));
    }
    let width = if is_phone { 342.0 } else { spec.width.unwrap_or(460.0).clamp(240.0, 720.0) };
    let node = Node::column(12.0, inside).pad(24.0, 24.0).size(Some(width), None);
    framed(node, theme).round(theme.radius * 1.4)
}

/// A title over a block, and a line below it.
pub(super) fn titled(title: Option<&String>, theme: &Theme) -> Option<Node> {
    let title = Node::text(title?, 16.0, true, theme.text);
    Some(Node::column(0.0, vec![title]).pad(14.0, 20.0).edge(Edge::Bottom, theme.border))
}
