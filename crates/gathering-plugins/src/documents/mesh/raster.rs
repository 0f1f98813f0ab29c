//! A shaded picture of a mesh: a depth buffer with normals, lit by three lamps, with shaded corners and drawn edges.

use image::{DynamicImage, Rgb, RgbImage};

use super::super::bitmap;
use super::super::format::{FormatError, Previewing};
use super::Mesh;

/// From where it is seen: turned to the left, and from above, in degrees.
const TURN: f32 = 35.0;
const ABOVE: f32 = 25.0;
/// White around it, as a part of the picture.
const MARGIN: f32 = 0.06;
/// The longest side of the picture, in pixels.
const LONGEST_SIDE: u32 = 2048;
/// How many samples of a side make a pixel, and for how many pixels that is affordable.
const SAMPLES: u32 = 2;
const MOST_SAMPLED: u32 = 1 << 21;

/// Lamps: from where they shine (x to the right, y up, z to the viewer), and how brightly.
const LAMPS: [([f32; 3], f32); 3] =
    [([-0.45, 0.65, 0.62], 0.92), ([0.80, 0.10, 0.58], 0.22), ([0.10, -0.80, 0.30], 0.08)];
/// Of the material, linear.
const COLOUR: [f32; 3] = [0.28, 0.43, 0.64];
const PAPER: [[f32; 3]; 2] = [[0.955, 0.965, 0.975], [0.855, 0.88, 0.91]];

/// The picture as PNG. The mesh is gone through twice, and none of it is held.
pub(super) fn picture(mesh: &mut dyn Mesh, wanted: &Previewing) -> Result<Vec<u8>, FormatError> {
    let view = View::of(mesh)?;
    let side = |side: u32| side.clamp(16, LONGEST_SIDE);
    let (width, height) = (side(wanted.width), side(wanted.height));
    let samples = if width * height > MOST_SAMPLED { 1 } else { SAMPLES };
    let mut canvas = Canvas::new(width * samples, height * samples, &view);
    mesh.each(&mut |triangle| canvas.draw(triangle.map(|corner| view.seen(&corner))))?;
    bitmap::png(&DynamicImage::from(canvas.lit(samples)))
}

/// How the mesh lies before the viewer.
struct View {
    right: [f32; 3],
    above: [f32; 3],
    near: [f32; 3],
    least: [f32; 3],
    greatest: [f32; 3],
}

impl View {
    fn of(mesh: &mut dyn Mesh) -> Result<Self, FormatError> {
        let (turn, above) = (TURN.to_radians(), ABOVE.to_radians());
        // With z up and y away from the viewer; then with the axis up that the format has.
        let right = [turn.cos(), turn.sin(), 0.0];
        let near = [turn.sin() * above.cos(), -turn.cos() * above.cos(), above.sin()];
        let up = cross(near, right);
        let turned = |[x, y, z]: [f32; 3]| if mesh.up() == 2 { [x, y, z] } else { [x, z, -y] };
        let (right, above, near) = (turned(right), turned(up), turned(near));
        let mut view = Self { right, above, near, least: [f32::MAX; 3], greatest: [f32::MIN; 3] };
        let (mut least, mut greatest, mut finite) = (view.least, view.greatest, true);
        mesh.each(&mut |triangle| {
            for corner in triangle {
                let seen = view.seen(corner);
                for axis in 0..3 {
                    least[axis] = least[axis].min(seen[axis]);
                    greatest[axis] = greatest[axis].max(seen[axis]);
                    finite &= seen[axis].is_finite();
                }
            }
        })?;
        if !finite || least[0] > greatest[0] {
            return Err(FormatError::unsupported(
                "there is nothing to draw: it has no triangles with finite corners",
            ));
        }
        (view.least, view.greatest) = (least, greatest);
        Ok(view)
    }

    /// A place as it is seen: x to the right, y up, z to the viewer.
    fn seen(&self, place: &[f32; 3]) -> [f32; 3] {
        [dot(*place, self.right), dot(*place, self.above), dot(*place, self.near)]
    }
}

/// Samples: how near each is, and where its surface faces.
struct Canvas {
    width: usize,
    height: usize,
    scale: f32,
    shift: [f32; 2],
    depth: Vec<f32>,
    normals: Vec<[f32; 3]>,
}

impl Canvas {
    fn new(width: u32, height: u32, view: &View) -> Self {
        let size = [view.greatest[0] - view.least[0], view.greatest[1] - view.least[1]];
        let room = 1.0 - 2.0 * MARGIN;
        let across = size[0].max(size[1]).max(f32::MIN_POSITIVE) * 1e-6;
        let scale =
            (width as f32 * room / size[0].max(across)).min(height as f32 * room / size[1].max(across));
        let shift = [
            width as f32 / 2.0 - scale * (view.least[0] + size[0] / 2.0),
            height as f32 / 2.0 + scale * (view.least[1] + size[1] / 2.0),
        ];
        let (width, height) = (width as usize, height as usize);
        let samples = width * height;
        Self { width, height, scale, shift, depth: vec![f32::MIN; samples], normals: vec![[0.0; 3]; samples] }
    }

    fn draw(&mut self, corners: [[f32; 3]; 3]) {
        let normal = cross(minus(corners[1], corners[0]), minus(corners[2], corners[0]));
        let length = dot(normal, normal).sqrt();
        if !(length.is_finite() && length > 0.0) {
            return;
        }
        // Both sides are seen: what faces away is turned to the viewer.
        let normal = normal.map(|part| if normal[2] < 0.0 { -part / length } else { part / length });
        let [a, b, c] = corners.map(|corner| {
            [
                corner[0] * self.scale + self.shift[0],
                self.shift[1] - corner[1] * self.scale,
                corner[2] * self.scale,
            ]
        });
        let double = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if double == 0.0 {
            return;
        }
        let ends = |axis: usize, most: usize| {
            let least = a[axis].min(b[axis]).min(c[axis]).floor().max(0.0) as usize;
            let greatest = a[axis].max(b[axis]).max(c[axis]).ceil().clamp(0.0, most as f32) as usize;
            least..greatest.min(most)
        };
        let across = ends(0, self.width);
        for y in ends(1, self.height) {
            for x in across.clone() {
                let [px, py] = [x as f32 + 0.5, y as f32 + 0.5];
                let u = ((b[0] - px) * (c[1] - py) - (b[1] - py) * (c[0] - px)) / double;
                let v = ((c[0] - px) * (a[1] - py) - (c[1] - py) * (a[0] - px)) / double;
                let w = 1.0 - u - v;
                if u < -1e-5 || v < -1e-5 || w < -1e-5 {
                    continue;
                }
                let depth = u * a[2] + v * b[2] + w * c[2];
                let at = y * self.width + x;
                if depth > self.depth[at] {
                    self.depth[at] = depth;
                    self.normals[at] = normal;
                }
            }
        }
    }

    /// The picture, several samples to a pixel.
    fn lit(&self, samples: u32) -> RgbImage {
        let (width, height) = (self.width as u32 / samples, self.height as u32 / samples);
        RgbImage::from_fn(width, height, |x, y| {
            let mut sum = [0.0f32; 3];
            for index in 0..samples * samples {
                let (x, y) =
                    ((x * samples + index % samples) as usize, (y * samples + index / samples) as usize);
                let light = self.sample(x, y);
                sum = [0, 1, 2].map(|part| sum[part] + light[part]);
            }
            Rgb(sum.map(|part| srgb(part / (samples * samples) as f32)))
        })
    }

    fn sample(&self, x: usize, y: usize) -> [f32; 3] {
        let at = y * self.width + x;
        if self.depth[at] == f32::MIN {
            let down = y as f32 / self.height as f32;
            let paper = [0, 1, 2].map(|part| PAPER[0][part] * (1.0 - down) + PAPER[1][part] * down);
            return paper.map(|part| part.powf(2.2));
        }
        let normal = self.normals[at];
        let mut light = 0.17 + 0.10 * (normal[1] * 0.5 + 0.5);
        for (from, strength) in LAMPS {
            light += strength * dot(normal, from).max(0.0);
        }
        // Blinn's highlight of the first lamp, half-way to the viewer.
        let half = normalised([LAMPS[0].0[0], LAMPS[0].0[1], LAMPS[0].0[2] + 1.0]);
        let shine = 0.10 * dot(normal, half).max(0.0).powi(28);
        let shade = self.openness(x, y) * if self.is_edge(x, y) { 0.4 } else { 1.0 };
        COLOUR.map(|part| (part * light + shine) * shade)
    }

    /// How much of the surroundings is open: corners and creases get less light.
    fn openness(&self, x: usize, y: usize) -> f32 {
        const AROUND: [(f32, f32); 8] = [
            (1.0, 0.0),
            (0.707, 0.707),
            (0.0, 1.0),
            (-0.707, 0.707),
            (-1.0, 0.0),
            (-0.707, -0.707),
            (0.0, -1.0),
            (0.707, -0.707),
        ];
        let at = y * self.width + x;
        let (here, normal) = (self.depth[at], self.normals[at]);
        let reach = self.width.max(self.height) as f32 / 48.0;
        let mut hidden = 0.0;
        for (step, (dx, dy)) in AROUND.into_iter().enumerate() {
            let far = reach * if step % 2 == 0 { 1.0 } else { 0.5 };
            let (x, y) = (x as f32 + dx * far, y as f32 + dy * far);
            if x < 0.0 || y < 0.0 || x >= self.width as f32 || y >= self.height as f32 {
                continue;
            }
            let there = self.depth[y as usize * self.width + x as usize];
            if there == f32::MIN {
                continue;
            }
            // How far what is there rises over the plane of what is here, by the distance.
            let step = [dx * far, -dy * far, there - here];
            let rise = dot(step, normal) / far;
            if (0.05..4.0).contains(&rise) {
                hidden += rise.min(1.0);
            }
        }
        1.0 - 0.55 * hidden / AROUND.len() as f32
    }

    /// Whether the surface breaks here: another one begins, or it turns by more than 30 degrees.
    fn is_edge(&self, x: usize, y: usize) -> bool {
        let at = y * self.width + x;
        let differs = |other: usize| {
            let (step, normal) = (self.depth[other] - self.depth[at], self.normals[at]);
            // On one plane, a step aside changes the depth by what its slope says.
            let steep = (1.0 / normal[2].max(0.15)) * 2.0;
            self.depth[other] == f32::MIN
                || step.abs() > 1.5 + steep
                || dot(normal, self.normals[other]) < 0.866
        };
        (x + 1 < self.width && differs(at + 1)) || (y + 1 < self.height && differs(at + self.width))
    }
}

/// Linear light as a level of sRGB (IEC 61966-2-1).
fn srgb(light: f32) -> u8 {
    let light = light.clamp(0.0, 1.0);
    let level = if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (level * 255.0).round() as u8
}

fn minus(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn normalised(a: [f32; 3]) -> [f32; 3] {
    let length = dot(a, a).sqrt();
    a.map(|part| part / length)
}
