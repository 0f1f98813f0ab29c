//! The entities of a drawing as lines and labels in its plane, with blocks put where they are inserted.

use std::collections::HashMap;
use std::f64::consts::TAU;

use dxf::entities::{Entity, EntityType, Spline};
use dxf::{Drawing, Point, Vector};

use super::super::format::FormatError;

/// The most entities, each as often as its block is inserted, and how deep blocks may be nested.
const MOST_ENTITIES: usize = 500_000;
const DEEPEST: usize = 16;
/// The most points of all lines.
const MOST_POINTS: usize = 4_000_000;
/// How many pieces a full circle is drawn with.
const PIECES: f64 = 96.0;

/// Points in the plane of the drawing, joined by lines.
pub(super) struct Line {
    pub(super) points: Vec<[f64; 2]>,
    pub(super) filled: bool,
    /// Of AutoCAD's colour index.
    pub(super) colour: u8,
}

/// A text in the drawing.
pub(super) struct Label {
    pub(super) text: String,
    pub(super) at: [f64; 2],
    pub(super) height: f64,
    /// In degrees, counter-clockwise.
    pub(super) angle: f64,
}

/// What is seen from above.
#[derive(Default)]
pub(super) struct Shapes {
    pub(super) lines: Vec<Line>,
    pub(super) labels: Vec<Label>,
    /// Entities of kinds that are not drawn.
    pub(super) not_drawn: usize,
    points: usize,
    entities: usize,
}

impl Shapes {
    pub(super) fn of(drawing: &Drawing) -> Result<Self, FormatError> {
        let mut shapes = Self::default();
        let blocks = drawing.blocks().map(|block| (block.name.as_str(), block)).collect();
        let layers =
            drawing.layers().map(|layer| (layer.name.as_str(), layer.color.index().unwrap_or(7))).collect();
        let world = World { blocks, layers };
        let visible = drawing.entities().filter(|entity| !entity.common.is_in_paper_space);
        shapes.entities(visible, &world, &Placing::AS_IS, 7, 0)?;
        Ok(shapes)
    }

    /// The corners of what is drawn, without the texts, whose width depends on their font.
    pub(super) fn bounds(&self) -> Option<([f64; 2], [f64; 2])> {
        let labels = self.labels.iter().map(|label| label.at);
        let points = self.lines.iter().flat_map(|line| line.points.iter().copied()).chain(labels);
        points.filter(|point| point[0].is_finite() && point[1].is_finite()).fold(None, |bounds, [x, y]| {
            let ([left, low], [right, high]) = bounds.unwrap_or(([x, y], [x, y]));
            Some(([left.min(x), low.min(y)], [right.max(x), high.max(y)]))
        })
    }

    fn entities<'a>(
        &mut self,
        entities: impl Iterator<Item = &'a Entity>,
        world: &World<'_>,
        placing: &Placing,
        inherited: u8,
        depth: usize,
    ) -> Result<(), FormatError> {
        for entity in entities {
            self.entities += 1;
            if self.entities > MOST_ENTITIES || self.points > MOST_POINTS || depth > DEEPEST {
                return Err(FormatError::too_large(format!(
                    "with its blocks inserted it has more than {MOST_ENTITIES} entities or {MOST_POINTS} points, or blocks \
                     are nested more than {DEEPEST} deep"
                )));
            }
            let colour = match entity.common.color.index() {
                Some(index) => index,
                // What a block has on layer 0 takes the layer of where it is inserted.
                None if depth > 0 && entity.common.layer == "0" => inherited,
                None if entity.common.color.is_by_layer() => {
                    world.layers.get(entity.common.layer.as_str()).copied().unwrap_or(7)
                }
                None => inherited,
            };
            self.entity(entity, world, placing, colour, depth)?;
        }
        Ok(())
    }

    fn entity(
        &mut self,
        entity: &Entity,
        world: &World<'_>,
        placing: &Placing,
        colour: u8,
        depth: usize,
    ) -> Result<(), FormatError> {
        let plane = |point: &Point| [point.x, point.y];
        match &entity.specific {
            EntityType::Line(line) => self.line(placing, [plane(&line.p1), plane(&line.p2)], colour),
            EntityType::Circle(circle) => {
                let points = round(plane(&circle.center), circle.radius, 0.0, TAU);
                self.line(&placing.facing(&circle.normal), points, colour);
            }
            EntityType::Arc(arc) => {
                let (start, end) = (arc.start_angle.to_radians(), arc.end_angle.to_radians());
                let points =
                    round(plane(&arc.center), arc.radius, start, start + (end - start).rem_euclid(TAU));
                self.line(&placing.facing(&arc.normal), points, colour);
            }
            EntityType::Ellipse(ellipse) => {
                let (x, y) = (ellipse.major_axis.x, ellipse.major_axis.y);
                let span = (ellipse.end_parameter - ellipse.start_parameter).rem_euclid(TAU);
                let span = if span < 1e-9 { TAU } else { span };
                let ratio =
                    if ellipse.normal.z < 0.0 { -ellipse.minor_axis_ratio } else { ellipse.minor_axis_ratio };
                let points = round([0.0, 0.0], 1.0, ellipse.start_parameter, ellipse.start_parameter + span);
                let center = plane(&ellipse.center);
                let points = points.into_iter().map(|[along, aside]| {
                    [center[0] + along * x - aside * ratio * y, center[1] + along * y + aside * ratio * x]
                });
                self.line(placing, points, colour);
            }
            EntityType::LwPolyline(polyline) => {
                let corners =
                    polyline.vertices.iter().map(|vertex| ([vertex.x, vertex.y], vertex.bulge)).collect();
                let points = bulged(corners, polyline.flags & 1 != 0);
                self.line(&placing.facing(&polyline.extrusion_direction), points, colour);
            }
            EntityType::Polyline(polyline) => {
                let corners =
                    polyline.vertices().map(|vertex| (plane(&vertex.location), vertex.bulge)).collect();
                let points = bulged(corners, polyline.flags & 1 != 0);
                self.line(&placing.facing(&polyline.normal), points, colour);
            }
            EntityType::Spline(spline) => self.line(placing, curve(spline), colour),
            EntityType::Face3D(face) => {
                let corners = [
                    &face.first_corner,
                    &face.second_corner,
                    &face.third_corner,
                    &face.fourth_corner,
                    &face.first_corner,
                ];
                self.line(placing, corners.map(plane), colour);
            }
            EntityType::Solid(solid) => {
                // The last two corners are crossed.
                let corners =
                    [&solid.first_corner, &solid.second_corner, &solid.fourth_corner, &solid.third_corner];
                self.line(&placing.facing(&solid.extrusion_direction), corners.map(plane), colour);
                if let Some(line) = self.lines.last_mut() {
                    line.filled = true;
                }
            }
            EntityType::ModelPoint(point) => {
                let [x, y] = plane(&point.location);
                self.line(placing, [[x, y], [x, y]], colour);
            }
            EntityType::Text(text) => {
                self.label(
                    &placing.facing(&text.normal),
                    &text.value,
                    plane(&text.location),
                    text.text_height,
                    text.rotation,
                );
            }
            EntityType::MText(text) => {
                let whole = text.extended_text.concat() + &text.text;
                let angle = text.x_axis_direction.y.atan2(text.x_axis_direction.x).to_degrees();
                let angle = if text.rotation_angle == 0.0 { angle } else { text.rotation_angle.to_degrees() };
                self.label(
                    placing,
                    &plain(&whole),
                    plane(&text.insertion_point),
                    text.initial_text_height,
                    angle,
                );
            }
            EntityType::Insert(insert) => {
                let Some(block) = world.blocks.get(insert.name.as_str()) else { return Ok(()) };
                let (columns, rows) = (insert.column_count.max(1), insert.row_count.max(1));
                let facing = placing.facing(&insert.extrusion_direction);
                for cell in 0..i32::from(columns) * i32::from(rows) {
                    let (column, row) = (cell % i32::from(columns), cell / i32::from(columns));
                    let turn = Placing::turned(insert.rotation.to_radians());
                    let step = turn
                        .at([f64::from(column) * insert.column_spacing, f64::from(row) * insert.row_spacing]);
                    let place = Placing::moved([insert.location.x + step[0], insert.location.y + step[1]]);
                    let size = Placing::scaled(insert.x_scale_factor, insert.y_scale_factor);
                    let base = Placing::moved([-block.base_point.x, -block.base_point.y]);
                    let inner = facing.then(&place).then(&turn).then(&size).then(&base);
                    self.entities(block.entities.iter(), world, &inner, colour, depth + 1)?;
                }
            }
            _ => self.not_drawn += 1,
        }
        Ok(())
    }

    fn line(&mut self, placing: &Placing, points: impl IntoIterator<Item = [f64; 2]>, colour: u8) {
        let points: Vec<_> = points.into_iter().map(|point| placing.at(point)).collect();
        self.points += points.len();
        if !points.is_empty() {
            self.lines.push(Line { points, filled: false, colour });
        }
    }

    fn label(&mut self, placing: &Placing, text: &str, at: [f64; 2], height: f64, angle: f64) {
        if text.trim().is_empty() {
            return;
        }
        let turn = placing.0[1].atan2(placing.0[0]).to_degrees();
        let scale = placing.0[2].hypot(placing.0[3]);
        self.labels.push(Label {
            text: text.trim().to_owned(),
            at: placing.at(at),
            height: height * scale,
            angle: angle + turn,
        });
    }
}

struct World<'a> {
    blocks: HashMap<&'a str, &'a dxf::Block>,
    layers: HashMap<&'a str, u8>,
}

/// An affine map of the plane: where x goes, where y goes, and where the origin goes.
#[derive(Clone, Copy)]
struct Placing([f64; 6]);

impl Placing {
    const AS_IS: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    fn moved([x, y]: [f64; 2]) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y])
    }

    fn turned(angle: f64) -> Self {
        Self([angle.cos(), angle.sin(), -angle.sin(), angle.cos(), 0.0, 0.0])
    }

    fn scaled(x: f64, y: f64) -> Self {
        Self([x, 0.0, 0.0, y, 0.0, 0.0])
    }

    fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [a, b, c, d, e, f] = self.0;
        [a * x + c * y + e, b * x + d * y + f]
    }

    fn then(&self, inner: &Self) -> Self {
        let [e, f] = self.at([inner.0[4], inner.0[5]]);
        let along = |x: f64, y: f64| [self.0[0] * x + self.0[2] * y, self.0[1] * x + self.0[3] * y];
        let ([a, b], [c, d]) = (along(inner.0[0], inner.0[1]), along(inner.0[2], inner.0[3]));
        Self([a, b, c, d, e, f])
    }

    /// What is drawn on the back of the plane is mirrored (the arbitrary axis algorithm for the normal 0, 0, -1).
    fn facing(&self, normal: &Vector) -> Self {
        if normal.z < 0.0 { self.then(&Self::scaled(-1.0, 1.0)) } else { *self }
    }
}

fn round(center: [f64; 2], radius: f64, from: f64, to: f64) -> Vec<[f64; 2]> {
    let pieces = ((to - from).abs() / TAU * PIECES).ceil().clamp(2.0, PIECES) as usize;
    let angle = |index: usize| from + (to - from) * index as f64 / pieces as f64;
    (0..=pieces)
        .map(angle)
        .map(|angle| [center[0] + radius * angle.cos(), center[1] + radius * angle.sin()])
        .collect()
}

/// The corners of a polyline with arcs between them: the bulge is the tangent of a quarter of an arc's angle.
fn bulged(corners: Vec<([f64; 2], f64)>, closed: bool) -> Vec<[f64; 2]> {
    let mut points = Vec::new();
    let count = corners.len();
    for (index, &(from, bulge)) in corners.iter().enumerate() {
        points.push(from);
        let next = if index + 1 < count { index + 1 } else { 0 };
        if next == 0 && !closed {
            break;
        }
        let to = corners[next].0;
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        if bulge.is_finite() && bulge.abs() > 1e-9 && dx.hypot(dy) > 0.0 {
            let offset = (1.0 - bulge * bulge) / (4.0 * bulge);
            let center = [from[0] + dx / 2.0 - dy * offset, from[1] + dy / 2.0 + dx * offset];
            let start = (from[1] - center[1]).atan2(from[0] - center[0]);
            let radius = (from[0] - center[0]).hypot(from[1] - center[1]);
            points.extend(round(center, radius, start, start + 4.0 * bulge.atan()));
        }
        if next == 0 {
            points.push(to);
        }
    }
    points
}

/// Points of a spline, by de Boor's algorithm in homogeneous coordinates; without valid knots, its control points.
fn curve(spline: &Spline) -> Vec<[f64; 2]> {
    let control: Vec<_> = spline.control_points.iter().map(|point| [point.x, point.y]).collect();
    let (degree, count) = (usize::try_from(spline.degree_of_curve).unwrap_or(0), control.len());
    let knots = &spline.knot_values;
    if !(1..=10).contains(&degree)
        || count <= degree
        || knots.len() != count + degree + 1
        || !knots.is_sorted()
    {
        let fit = spline.fit_points.iter().map(|point| [point.x, point.y]);
        return if control.is_empty() { fit.collect() } else { control };
    }
    let weight = |index: usize| spline.weight_values.get(index).copied().unwrap_or(1.0);
    let (from, to) = (knots[degree], knots[count]);
    let pieces = (count * 8).min(2000);
    let at = |piece: usize| {
        let place = from + (to - from) * piece as f64 / pieces as f64;
        let span = (degree..count - 1).rev().find(|span| knots[*span] <= place).unwrap_or(degree);
        let mut around: Vec<[f64; 3]> = (span - degree..=span)
            .map(|index| {
                [control[index][0] * weight(index), control[index][1] * weight(index), weight(index)]
            })
            .collect();
        for level in 1..=degree {
            for index in (level..=degree).rev() {
                let left = knots[index + span - degree];
                let width = knots[index + 1 + span - level] - left;
                let part = if width > 0.0 { (place - left) / width } else { 0.0 };
                let before = around[index - 1];
                for (here, before) in around[index].iter_mut().zip(before) {
                    *here = (1.0 - part) * before + part * *here;
                }
            }
        }
        let [x, y, weight] = around[degree];
        [x / weight, y / weight]
    };
    (0..=pieces).map(at).collect()
}

/// The text of an MTEXT without its codes for fonts, heights and colours.
fn plain(text: &str) -> String {
    let (mut plain, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '{' | '}' => {}
            '\\' => match letters.next() {
                Some('P' | 'X') => plain.push('\n'),
                Some('~') => plain.push(' '),
                Some(escaped @ ('\\' | '{' | '}')) => plain.push(escaped),
                Some('A' | 'C' | 'c' | 'F' | 'f' | 'H' | 'Q' | 'T' | 'W' | 'p' | 'S') => {
                    letters.by_ref().find(|letter| *letter == ';');
                }
                _ => {}
            },
            letter => plain.push(letter),
        }
    }
    plain
}
