//! A drawing as a picture: lines on paper, as tall and as wide as there is room.

use std::fmt::Write;

use super::super::format::{FormatError, Previewing};
use super::super::picture;
use super::shapes::Shapes;

/// White around it, in pixels.
const MARGIN: f64 = 24.0;
/// The smallest and the largest text that is drawn, in pixels.
const TEXT: (f64, f64) = (2.0, 400.0);

/// The picture as PNG.
pub(super) fn of(shapes: &Shapes, wanted: &Previewing) -> Result<Vec<u8>, FormatError> {
    let Some((least, greatest)) = shapes.bounds() else {
        return Err(FormatError::unsupported(
            "there is nothing to draw: it has no lines and no texts in its plane",
        ));
    };
    let (width, height) = picture::within(wanted);
    let size = [greatest[0] - least[0], greatest[1] - least[1]];
    let least_size = size[0].max(size[1]).max(1e-9) * 1e-6;
    let room = [f64::from(width) - 2.0 * MARGIN, f64::from(height) - 2.0 * MARGIN].map(|room| room.max(8.0));
    let scale = (room[0] / size[0].max(least_size)).min(room[1] / size[1].max(least_size));
    let [width, height] = size.map(|size| size * scale + 2.0 * MARGIN);
    let place = |point: &[f64; 2]| {
        [MARGIN + (point[0] - least[0]) * scale, height - MARGIN - (point[1] - least[1]) * scale]
    };
    let mut svg = String::new();
    for line in &shapes.lines {
        let colour = colour(line.colour);
        let points = line.points.iter().map(place).filter(|[x, y]| x.is_finite() && y.is_finite());
        svg.push_str("<polyline points='");
        for [x, y] in points {
            let _ = write!(svg, "{x:.2},{y:.2} ");
        }
        let fill = if line.filled { colour } else { "none" };
        let _ = write!(svg, "' fill='{fill}' stroke='{colour}'/>");
    }
    for label in &shapes.labels {
        let [x, y] = place(&label.at);
        // Letters are about 0.7 of the size of their type.
        let size = label.height * scale / 0.7;
        if !(TEXT.0..=TEXT.1).contains(&size) || !x.is_finite() || !y.is_finite() {
            continue;
        }
        for (index, line) in label.text.lines().enumerate() {
            let _ = write!(
                svg,
                "<text transform='translate({x:.2} {y:.2}) rotate({:.2})' y='{:.2}' font-family='Ubuntu' \
                 font-size='{size:.2}' fill='#24292f'>{}</text>",
                -label.angle,
                index as f64 * size * 1.2,
                picture::escaped(line)
            );
        }
    }
    let svg = format!("<g stroke-width='1.3' stroke-linecap='round' stroke-linejoin='round'>{svg}</g>");
    picture::svg(&svg, [width as f32, height as f32], 1.0)
}

/// AutoCAD's first colours, as dark as paper wants them: 7 is white on a black screen, and black here.
fn colour(index: u8) -> &'static str {
    match index {
        1 => "#d1242f",
        2 => "#b08800",
        3 => "#1a7f37",
        4 => "#0f7f8c",
        5 => "#0969da",
        6 => "#a626a4",
        8 | 9 | 250..=254 => "#818b98",
        10..=39 => "#bc4c00",
        40..=69 => "#9a6700",
        70..=129 => "#2da44e",
        130..=209 => "#3b6fc9",
        210..=249 => "#9c4fa5",
        _ => "#24292f",
    }
}
