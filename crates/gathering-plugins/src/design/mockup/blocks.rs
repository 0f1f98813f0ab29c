//! Elements of many parts: navigation, forms, tables, lists, progress.

use super::elements::{avatar, badge, button, framed, titled};
use super::icon::icon;
use super::node::{Align, Edge, Justify, Node};
use super::spec::{
    Button, Cell, Entry, Field, FieldKind, Form, Item, List, Navigation, NavigationKind, Progress, Table,
    Variant,
};
use super::theme::{Theme, Tone};

pub(super) fn navigation(spec: &Navigation, theme: &Theme, is_phone: bool) -> Node {
    match spec.kind {
        NavigationKind::Side => side(spec, theme),
        NavigationKind::Bottom => bottom(spec, theme),
        NavigationKind::Tabs => tabs(spec, theme),
        NavigationKind::Top => top(spec, theme, is_phone),
    }
}

fn parts(item: &Item) -> (&str, Option<&str>) {
    match item {
        Item::Text(text) => (text, None),
        Item::WithIcon { text, icon } => (text, Some(icon)),
    }
}

fn brand(name: &str, theme: &Theme) -> Node {
    let letter: String = name.chars().take(1).flat_map(char::to_uppercase).collect();
    let mark = Node::row(0.0, vec![Node::line(&letter, 15.0, true, theme.on_primary).keep()])
        .justify(Justify::Center);
    let mark = mark.size(Some(30.0), Some(30.0)).fill(theme.primary).round(theme.radius * 0.8).keep();
    Node::row(10.0, vec![mark, Node::line(name, 16.0, true, theme.text).keep()]).keep()
}

fn search_field(theme: &Theme) -> Node {
    let words = vec![icon("search", 18.0, theme.muted), Node::line("Search", 14.0, false, theme.muted)];
    Node::row(8.0, words)
        .pad(0.0, 12.0)
        .size(Some(240.0), Some(36.0))
        .fill(theme.sunken)
        .round(theme.radius * 0.8)
}

fn top(spec: &Navigation, theme: &Theme, is_phone: bool) -> Node {
    let mut row = Vec::new();
    row.extend(spec.brand.as_ref().map(|name| brand(name, theme)));
    if is_phone {
        row.push(Node::spacer());
        row.push(icon(if spec.search { "search" } else { "bell" }, 22.0, theme.text));
        row.push(icon("menu", 24.0, theme.text));
    } else {
        let items = spec.items.iter().enumerate().map(|(i, item)| {
            let is_active = i == spec.active;
            let ink = if is_active { theme.link } else { theme.muted };
            let fill = is_active.then_some(theme.primary_soft);
            let mut node = Node::row(0.0, vec![Node::line(parts(item).0, 14.0, true, ink).keep()]);
            node.look.fill = fill;
            node.pad(7.0, 12.0).round(theme.radius * 0.8).keep()
        });
        row.push(Node::row(4.0, items.collect()).pad(0.0, 16.0).keep());
        row.push(Node::spacer());
        if spec.search {
            row.push(search_field(theme));
        }
        if let Some(user) = &spec.user {
            row.push(icon("bell", 20.0, theme.muted));
            row.push(avatar(user, 34.0, theme));
        }
    }
    let side = if is_phone { 16.0 } else { 28.0 };
    let row = Node::row(16.0, row).pad(0.0, side).size(None, Some(if is_phone { 56.0 } else { 64.0 }));
    row.keep().fill(theme.surface).edge(Edge::Bottom, theme.border)
}

fn side(spec: &Navigation, theme: &Theme) -> Node {
    let mut column = Vec::new();
    if let Some(name) = &spec.brand {
        let mut brand = Node::row(0.0, vec![brand(name, theme)]);
        brand.flow.padding = [4.0, 12.0, 20.0, 8.0];
        column.push(brand);
    }
    for (i, item) in spec.items.iter().enumerate() {
        let (text, name) = parts(item);
        let is_active = i == spec.active;
        let ink = if is_active { theme.link } else { theme.muted };
        let mut row = Vec::new();
        row.extend(name.map(|name| icon(name, 20.0, ink)));
        row.push(Node::line(text, 14.0, true, ink));
        let mut row =
            Node::row(12.0, row).pad(0.0, 12.0).size(None, Some(40.0)).round(theme.radius * 0.8).keep();
        row.look.fill = is_active.then_some(theme.primary_soft);
        column.push(row);
    }
    if let Some(user) = &spec.user {
        column.push(Node::spacer());
        let row = vec![avatar(user, 36.0, theme), Node::line(user, 14.0, true, theme.text)];
        column.push(Node::row(10.0, row).pad(8.0, 8.0).keep());
    }
    let column = Node::column(4.0, column).pad(20.0, 14.0).size(Some(236.0), None).keep();
    column.fill(theme.surface).edge(Edge::Right, theme.border)
}

fn bottom(spec: &Navigation, theme: &Theme) -> Node {
    let items = spec.items.iter().enumerate().map(|(i, item)| {
        let (text, name) = parts(item);
        let ink = if i == spec.active { theme.link } else { theme.muted };
        let mut column = Vec::new();
        column.extend(name.map(|name| icon(name, 24.0, ink)));
        column.push(Node::line(text, 11.0, true, ink));
        Node::column(2.0, column).align(Align::Center).grow()
    });
    let row = Node::row(0.0, items.collect()).pad(9.0, 8.0).size(None, Some(68.0)).keep();
    row.fill(theme.surface).edge(Edge::Top, theme.border)
}

fn tabs(spec: &Navigation, theme: &Theme) -> Node {
    let items = spec.items.iter().enumerate().map(|(i, item)| {
        let is_active = i == spec.active;
        let ink = if is_active { theme.link } else { theme.muted };
        let mut line = Node::default().size(None, Some(2.0)).keep();
        line.look.fill = is_active.then_some(theme.primary);
        let label = Node::row(0.0, vec![Node::line(parts(item).0, 14.0, true, ink).keep()]).pad(9.0, 2.0);
        Node::column(0.0, vec![label, line]).keep()
    });
    Node::row(22.0, items.collect()).edge(Edge::Bottom, theme.border)
}

pub(super) fn form(spec: &Form, theme: &Theme) -> Node {
    let mut column = Vec::new();
    column.extend(spec.title.as_ref().map(|title| Node::text(title, 18.0, true, theme.text)));
    column.extend(spec.fields.iter().map(|spec| field(spec, theme)));
    let mut actions = Vec::new();
    let mut action = |text: &Option<String>, variant| {
        let made = text.as_ref().map(|text| Button { text: text.clone(), variant, icon: None, full: false });
        actions.extend(made.map(|spec| button(&spec, theme)));
    };
    action(&spec.submit, Variant::Primary);
    action(&spec.cancel, Variant::Secondary);
    if !actions.is_empty() {
        column.push(Node::row(10.0, actions).pad(4.0, 0.0));
    }
    Node::column(16.0, column)
}

fn field(spec: &Field, theme: &Theme) -> Node {
    match spec.kind {
        FieldKind::Checkbox | FieldKind::Radio | FieldKind::Toggle => return choice(spec, theme),
        _ => {}
    }
    let danger = theme.tone(Tone::Danger).0;
    let mut column = vec![Node::text(&spec.label, 13.0, true, theme.text)];
    if spec.kind == FieldKind::Slider {
        let value =
            spec.value.as_deref().and_then(|value| value.parse().ok()).unwrap_or(50.0_f32).clamp(0.0, 100.0);
        let (track, part) = (theme.border, theme.primary);
        column.push(Node::vector(None, 20.0, move |width, _| {
            slider(width, value / 100.0, track.hex(), part.hex())
        }));
    } else {
        let shown = match (&spec.value, &spec.placeholder) {
            (Some(value), _) if spec.kind == FieldKind::Password => {
                ("•".repeat(value.chars().count().min(24)), theme.text)
            }
            (Some(value), _) => (value.clone(), theme.text),
            (None, Some(placeholder)) => (placeholder.clone(), theme.muted),
            (None, None) => (String::new(), theme.muted),
        };
        let is_area = spec.kind == FieldKind::Textarea;
        let mut row = Vec::new();
        if spec.kind == FieldKind::Search {
            row.push(icon("search", 18.0, theme.muted));
        }
        let words = if is_area {
            Node::text(&shown.0, 14.0, false, shown.1)
        } else {
            Node::line(&shown.0, 14.0, false, shown.1)
        };
        row.push(words.grow());
        match spec.kind {
            FieldKind::Select => row.push(icon("chevron_down", 18.0, theme.muted)),
            FieldKind::Date => row.push(icon("calendar", 18.0, theme.muted)),
            _ => {}
        }
        let mut row = Node::row(8.0, row).pad(if is_area { 10.0 } else { 0.0 }, 12.0).keep();
        row.flow.align = if is_area { Align::Start } else { Align::Center };
        row.flow.min_height = Some(if is_area { 92.0 } else { 42.0 });
        let border = if spec.error.is_some() { danger } else { theme.border };
        column.push(row.fill(theme.surface).border(border).round(theme.radius * 0.8));
    }
    if let Some(error) = &spec.error {
        column.push(Node::text(error, 12.0, false, danger));
    } else if let Some(help) = &spec.help {
        column.push(Node::text(help, 12.0, false, theme.muted));
    }
    Node::column(6.0, column)
}

fn slider(width: f32, part: f32, track: String, filled: String) -> String {
    let (end, rest) = (9.0 + (width - 18.0) * part, width);
    format!(
        "<rect y=\"8\" width=\"{rest:.0}\" height=\"4\" rx=\"2\" fill=\"{track}\"/><rect y=\"8\" width=\"{end:.0}\" height=\"4\" \
         rx=\"2\" fill=\"{filled}\"/><circle cx=\"{end:.0}\" cy=\"10\" r=\"8\" fill=\"#ffffff\" stroke=\"{filled}\" \
         stroke-width=\"2\"/>"
    )
}

/// A box, a circle or a switch before its label.
fn choice(spec: &Field, theme: &Theme) -> Node {
    let is_on = spec.checked;
    let fill = if is_on { theme.primary } else { theme.surface };
    let mark = match spec.kind {
        FieldKind::Toggle => {
            let knob = Node::default()
                .size(Some(18.0), Some(18.0))
                .fill(if is_on { theme.on_primary } else { theme.surface })
                .round(9.0)
                .keep();
            let track = if is_on { theme.primary } else { theme.muted.mix(theme.surface, 0.45) };
            let side = if is_on { Justify::End } else { Justify::Start };
            Node::row(0.0, vec![knob])
                .justify(side)
                .pad(0.0, 3.0)
                .size(Some(42.0), Some(24.0))
                .fill(track)
                .round(12.0)
                .keep()
        }
        FieldKind::Radio => {
            let dot = Node::default()
                .size(Some(8.0), Some(8.0))
                .fill(if is_on { theme.on_primary } else { theme.surface })
                .round(4.0)
                .keep();
            let mark =
                Node::row(0.0, vec![dot]).justify(Justify::Center).size(Some(20.0), Some(20.0)).fill(fill);
            mark.border(if is_on { theme.primary } else { theme.border }).round(10.0).keep()
        }
        _ => {
            let inside = if is_on { vec![icon("check", 16.0, theme.on_primary)] } else { Vec::new() };
            let mark =
                Node::row(0.0, inside).justify(Justify::Center).size(Some(20.0), Some(20.0)).fill(fill);
            mark.border(if is_on { theme.primary } else { theme.border }).round(5.0).keep()
        }
    };
    let mut words = vec![Node::text(&spec.label, 14.0, spec.help.is_some(), theme.text)];
    words.extend(spec.help.as_ref().map(|help| Node::text(help, 12.0, false, theme.muted)));
    Node::row(10.0, vec![mark, Node::column(1.0, words).grow()])
}

pub(super) fn table(spec: &Table, theme: &Theme) -> Node {
    let is_number = |column: usize| {
        let mut cells = spec.rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some() && cells.all(looks_like_a_number)
    };
    let sides: Vec<_> =
        (0..spec.columns.len()).map(|i| if is_number(i) { Align::End } else { Align::Start }).collect();
    let mut column = Vec::new();
    column.extend(titled(spec.title.as_ref(), theme));
    let heads = spec.columns.iter().zip(&sides);
    let head = heads.map(|(text, side)| Node::line(text, 12.0, true, theme.muted).align(*side).grow());
    let head = Node::row(24.0, head.collect()).pad(0.0, 20.0).size(None, Some(40.0));
    column.push(head.fill(theme.sunken).edge(Edge::Bottom, theme.border).keep());
    for (i, row) in spec.rows.iter().enumerate() {
        let cells = sides.iter().enumerate().map(|(i, side)| match row.get(i) {
            Some(Cell::Badge { badge: text, tone }) => badge(text, *tone, theme).grow(),
            Some(Cell::Text(text)) => Node::line(text, 14.0, i == 0, theme.text).align(*side).grow(),
            Some(Cell::Number(number)) => {
                Node::line(&number.to_string(), 14.0, false, theme.text).align(*side).grow()
            }
            None => Node::spacer(),
        });
        let mut cells = Node::row(24.0, cells.collect()).pad(0.0, 20.0).size(None, Some(50.0)).keep();
        if i + 1 < spec.rows.len() {
            cells = cells.edge(Edge::Bottom, theme.border);
        }
        column.push(cells);
    }
    framed(Node::column(0.0, column), theme)
}

fn looks_like_a_number(cell: &Cell) -> bool {
    match cell {
        Cell::Number(_) => true,
        Cell::Badge { .. } => false,
        Cell::Text(text) => {
            text.chars().any(|c| c.is_ascii_digit())
                && text.chars().all(|c| c.is_ascii_digit() || " .,-+%$€£¥−".contains(c))
        }
    }
}

pub(super) fn list(spec: &List, theme: &Theme) -> Node {
    let mut column = Vec::new();
    column.extend(titled(spec.title.as_ref(), theme));
    for (i, entry) in spec.items.iter().enumerate() {
        let mut row = Vec::new();
        match entry {
            Entry::Text(text) => row.push(Node::text(text, 14.0, false, theme.text).grow()),
            Entry::Rich { title, subtitle, meta, icon: name, avatar: who, badge: word, tone } => {
                if let Some(who) = who {
                    row.push(avatar(who, 40.0, theme));
                } else if let Some(name) = name {
                    let tile = Node::row(0.0, vec![icon(name, 20.0, theme.link)]).justify(Justify::Center);
                    row.push(
                        tile.size(Some(40.0), Some(40.0)).fill(theme.primary_soft).round(theme.radius).keep(),
                    );
                }
                let mut words = vec![Node::line(title, 14.0, true, theme.text)];
                words.extend(subtitle.as_ref().map(|line| Node::line(line, 13.0, false, theme.muted)));
                row.push(Node::column(1.0, words).grow());
                row.extend(word.as_ref().map(|word| badge(word, *tone, theme)));
                row.extend(meta.as_ref().map(|meta| Node::line(meta, 13.0, false, theme.muted).keep()));
            }
        }
        let mut row = Node::row(14.0, row).pad(12.0, 20.0).keep();
        if i + 1 < spec.items.len() {
            row = row.edge(Edge::Bottom, theme.border);
        }
        column.push(row);
    }
    framed(Node::column(0.0, column), theme)
}

pub(super) fn progress(spec: &Progress, theme: &Theme) -> Node {
    let value = spec.value.clamp(0.0, 100.0);
    let (track, part) = (theme.border.hex(), theme.primary.hex());
    let bar = Node::vector(None, 8.0, move |width, _| {
        let filled = width * value / 100.0;
        format!(
            "<rect width=\"{width:.0}\" height=\"8\" rx=\"4\" fill=\"{track}\"/><rect width=\"{filled:.0}\" height=\"8\" rx=\"4\" \
             fill=\"{part}\"/>"
        )
    });
    let mut column = Vec::new();
    if let Some(label) = &spec.label {
        let percent = Node::line(&format!("{value:.0} %"), 13.0, false, theme.muted).keep();
        column.push(Node::row(8.0, vec![Node::line(label, 13.0, true, theme.text).grow(), percent]));
    }
    column.push(bar);
    Node::column(6.0, column)
}
