//! Charts: bars, lines, areas and donuts, with axes that end at round numbers.

use std::fmt::Write;

use super::super::color::Color;
use super::super::draw::{Font, escape, number};
use super::elements::framed;
use super::node::{Align, Node};
use super::spec::{Chart, ChartKind, Series};
use super::theme::Theme;

pub(super) fn chart(spec: &Chart, theme: &Theme) -> Node {
    let mut head = Vec::new();
    head.extend(spec.title.as_ref().map(|title| Node::text(title, 16.0, true, theme.text).grow()));
    let names: Vec<String> = match spec.kind {
        ChartKind::Donut => spec.labels.clone(),
        _ => spec.series.iter().map(|series| series.name.clone()).collect(),
    };
    if names.len() > 1 || spec.kind == ChartKind::Donut {
        let keys = names.iter().enumerate().map(|(i, name)| {
            let dot =
                Node::default().size(Some(10.0), Some(10.0)).fill(theme.series[i % 6]).round(5.0).keep();
            Node::row(6.0, vec![dot, Node::line(name, 13.0, false, theme.muted).keep()]).keep()
        });
        let mut keys = Node::row(14.0, keys.collect());
        keys.flow.wraps = true;
        head.push(keys);
    }
    let height = spec.height.unwrap_or(240.0).max(80.0);
    let painter = Painter {
        kind: spec.kind,
        labels: spec.labels.clone(),
        series: spec.series.clone(),
        colors: theme.series,
        text: theme.muted,
        grid: theme.border,
        behind: theme.surface,
        font: theme.font.clone(),
    };
    let mut column = Vec::new();
    if !head.is_empty() {
        let mut row = Node::row(16.0, head);
        row.flow.wraps = true;
        column.push(row);
    }
    column.push(
        Node::vector(None, height, move |width, height| painter.paint(width, height)).align(Align::Stretch),
    );
    framed(Node::column(16.0, column), theme).pad(20.0, 20.0)
}

/// All that drawing a chart takes.
struct Painter {
    kind: ChartKind,
    labels: Vec<String>,
    series: Vec<Series>,
    colors: [Color; 6],
    text: Color,
    grid: Color,
    behind: Color,
    font: Font,
}

impl Painter {
    fn paint(&self, width: f32, height: f32) -> String {
        if self.kind == ChartKind::Donut { self.donut(width, height) } else { self.axes(width, height) }
    }

    fn axes(&self, width: f32, height: f32) -> String {
        let values = || self.series.iter().flat_map(|series| series.values.iter().copied());
        let (least, most) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
        let step = round_step((most - least).max(1e-9) / 4.0);
        let (bottom, top) = ((least / step).floor() * step, (most / step).ceil() * step);
        let label = |value: f64| shortened(value, step);
        let ticks: Vec<f64> =
            (0..=((top - bottom) / step).round() as usize).map(|i| bottom + step * i as f64).collect();
        let widest = ticks.iter().map(|tick| self.font.width(&label(*tick), 12.0, false)).fold(0.0, f32::max);
        let (left, low) = (widest.ceil() + 12.0, height - 26.0);
        let y = |value: f64| low - ((value - bottom) / (top - bottom)) as f32 * (low - 8.0);
        let count = self.series.iter().map(|series| series.values.len()).max().unwrap_or(0).max(1);
        let slot = (width - left) / count as f32;
        let mut svg = String::new();
        for tick in &ticks {
            let at = y(*tick).round() + 0.5;
            // Writing to a string does not fail.
            let _ = write!(
                svg,
                "<path d=\"M{left} {at}H{}\" stroke=\"{}\"/><text x=\"{}\" y=\"{}\" font-size=\"12\" text-anchor=\"end\" \
                 fill=\"{}\">{}</text>",
                number(width),
                self.grid.hex(),
                number(left - 10.0),
                number(at + 4.0),
                self.text.hex(),
                label(*tick)
            );
        }
        // As many labels as there is room for.
        let longest = self.labels.iter().map(|label| self.font.width(label, 12.0, false)).fold(1.0, f32::max);
        let every = ((longest + 10.0) / slot).ceil().max(1.0) as usize;
        for (i, label) in self.labels.iter().take(count).enumerate().step_by(every) {
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\" font-size=\"12\" text-anchor=\"middle\" fill=\"{}\">{}</text>",
                number(left + slot * (i as f32 + 0.5)),
                number(height - 6.0),
                self.text.hex(),
                escape(label)
            );
        }
        match self.kind {
            ChartKind::Bar => self.bars(&mut svg, left, slot, y),
            _ => self.lines(&mut svg, left, slot, y),
        }
        svg
    }

    fn bars(&self, svg: &mut String, left: f32, slot: f32, y: impl Fn(f64) -> f32) {
        let count = self.series.len() as f32;
        let width = ((slot * 0.62 - 4.0 * (count - 1.0)) / count).clamp(2.0, 44.0);
        let group = width * count + 4.0 * (count - 1.0);
        for (s, series) in self.series.iter().enumerate() {
            for (i, value) in series.values.iter().enumerate() {
                let x = left + slot * (i as f32 + 0.5) - group / 2.0 + s as f32 * (width + 4.0);
                let (high, low) = (y(value.max(0.0)), y(value.min(0.0)));
                let radius = (width / 4.0).min(5.0).min((low - high) / 2.0);
                let _ = write!(
                    svg,
                    "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" fill=\"{}\"/>",
                    number(x),
                    number(high),
                    number(width),
                    number((low - high).max(0.0)),
                    number(radius),
                    self.colors[s % 6].hex()
                );
            }
        }
    }

    fn lines(&self, svg: &mut String, left: f32, slot: f32, y: impl Fn(f64) -> f32) {
        for (s, series) in self.series.iter().enumerate() {
            let color = self.colors[s % 6].hex();
            let at = |(i, value): (usize, &f64)| (left + slot * (i as f32 + 0.5), y(*value));
            let points: Vec<_> = series.values.iter().enumerate().map(at).collect();
            let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
            let path: Vec<_> = points.iter().map(|(x, y)| format!("{} {}", number(*x), number(*y))).collect();
            let path = format!("M{}", path.join("L"));
            // Areas that lie over one another would hide each other.
            if self.kind == ChartKind::Area && s == 0 {
                let zero = number(y(0.0));
                let _ = write!(
                    svg,
                    "<path d=\"{path}L{} {zero}L{} {zero}Z\" fill=\"{color}\" fill-opacity=\"0.14\"/>",
                    number(last.0),
                    number(first.0)
                );
            }
            let _ = write!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2.5\" stroke-linejoin=\"round\" \
                 stroke-linecap=\"round\"/><circle cx=\"{}\" cy=\"{}\" r=\"4.5\" fill=\"{}\" stroke=\"{color}\" \
                 stroke-width=\"2.5\"/>",
                number(last.0),
                number(last.1),
                self.behind.hex()
            );
        }
    }

    fn donut(&self, width: f32, height: f32) -> String {
        let values: Vec<f64> = self.series.first().map(|series| series.values.clone()).unwrap_or_default();
        let total: f64 = values.iter().map(|value| value.max(0.0)).sum();
        let (x, y) = (width / 2.0, height / 2.0);
        let thickness = (height * 0.15).min(34.0);
        let radius = (width.min(height) - thickness) / 2.0 - 2.0;
        let around = std::f32::consts::TAU * radius;
        let (mut svg, mut before) = (String::new(), 0.0);
        for (i, value) in values.iter().enumerate().filter(|_| total > 0.0) {
            let part = (value.max(0.0) / total) as f32 * around;
            // A gap between parts; a dash pattern draws arcs of a circle without sums of sines.
            let (dash, turn) = ((part - 3.0).max(0.5), before / around * 360.0 - 90.0);
            let _ = write!(
                svg,
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" \
                 stroke-dasharray=\"{} {}\" transform=\"rotate({} {x} {y})\"/>",
                number(radius),
                self.colors[i % 6].hex(),
                number(thickness),
                number(dash),
                number(around),
                number(turn)
            );
            before += part;
        }
        svg
    }
}

/// 1, 2 or 5 times a power of ten, not less than `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= least * 0.999).unwrap_or(10.0 * power)
}

/// A number of an axis: thousands and millions with a letter.
fn shortened(value: f64, step: f64) -> String {
    let (divisor, unit) = match step.abs() {
        step if step >= 1e6 => (1e6, "M"),
        step if step >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    };
    if value == 0.0 {
        return "0".to_owned();
    }
    let value = value / divisor;
    let places = if step / divisor < 1.0 { 1 - ((step / divisor).log10().floor() as i32 + 1) } else { 0 };
    format!("{value:.*}{unit}", places.clamp(0, 6) as usize)
}
