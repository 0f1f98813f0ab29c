//! Bounds, area, volume, and whether a mesh is closed, in one pass that holds no triangle.

use serde_json::{Map, Value, json};

use super::super::format::FormatError;
use super::{Mesh, Triangle};

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Facts {
    triangles: u64,
    flat: u64,
    least: [f32; 3],
    greatest: [f32; 3],
    area: f64,
    volume: f64,
    origin: [f64; 3],
    /// The sum of a hash of every edge, less that of the same edge the other way round. It is zero if every edge is met by
    /// its opposite, which is what makes a volume: the boundary of the surface is empty.
    oriented: u64,
    /// As a sum without signs: zero if every edge belongs to an even number of triangles, whichever way they face.
    paired: u64,
    not_finite: bool,
}

/// Looks at every triangle once.
pub(super) fn of(mesh: &mut dyn Mesh) -> Result<Facts, FormatError> {
    let mut facts = Facts::default();
    mesh.each(&mut |triangle| facts.take(triangle))?;
    if facts.not_finite {
        return Err(FormatError::corrupt(
            "a corner of a triangle is at a place that is no number, or is infinite",
        ));
    }
    Ok(facts)
}

impl Facts {
    fn take(&mut self, triangle: &Triangle) {
        if self.triangles == 0 {
            (self.least, self.greatest) = (triangle[0], triangle[0]);
            self.origin = triangle[0].map(f64::from);
        }
        self.triangles += 1;
        for corner in triangle {
            for (axis, &place) in corner.iter().enumerate() {
                self.least[axis] = self.least[axis].min(place);
                self.greatest[axis] = self.greatest[axis].max(place);
                self.not_finite |= !place.is_finite();
            }
        }
        // Relative to the first corner, so that a mesh far from the origin keeps its digits.
        let [a, b, c] =
            triangle.map(|corner| [0, 1, 2].map(|axis| f64::from(corner[axis]) - self.origin[axis]));
        let normal = cross(minus(b, a), minus(c, a));
        let twice = dot(normal, normal).sqrt();
        self.area += twice / 2.0;
        self.flat += u64::from(twice == 0.0);
        self.volume += dot(a, cross(b, c)) / 6.0;
        let [a, b, c] = triangle.map(|corner| place(&corner));
        for (from, to) in [(a, b), (b, c), (c, a)] {
            let (there, back) = (edge(from, to), edge(to, from));
            self.oriented = self.oriented.wrapping_add(there).wrapping_sub(back);
            self.paired ^= there.wrapping_add(back);
        }
    }

    /// As facts for the reader. Lengths are in the unit of the file.
    pub(super) fn told(&self) -> Map<String, Value> {
        let mut facts = Map::new();
        let mut put = |name: &str, value: Value| facts.insert(name.to_owned(), value);
        put("triangles", json!(self.triangles));
        if self.triangles == 0 {
            return facts;
        }
        put("bounds", json!({"min": self.least, "max": self.greatest}));
        put(
            "size",
            json!([0, 1, 2].map(|axis| f64::from(self.greatest[axis]) - f64::from(self.least[axis]))),
        );
        put("area", json!(self.area));
        let closed = self.paired == 0;
        put("closed", json!(closed));
        match (closed, self.oriented == 0) {
            (true, true) => {
                put("volume", json!(self.volume.abs()));
                if self.volume < 0.0 {
                    put("volume_note", json!("the triangles face inwards"));
                }
            }
            (true, false) => {
                put("volume_note", json!("no volume: some triangles face inwards and others outwards"));
            }
            (false, _) => {
                put(
                    "volume_note",
                    json!(
                        "no volume: the surface is not closed, since some edges belong to one triangle only"
                    ),
                );
            }
        }
        if self.flat > 0 {
            put("triangles_without_area", json!(self.flat));
        }
        facts
    }
}

/// A hash of a place. Zero has two signs, and one place.
fn place(corner: &[f32; 3]) -> u64 {
    let [x, y, z] = corner.map(|part| u64::from((part + 0.0).to_bits()));
    mixed((x | y << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mixed(z.wrapping_add(0x2545_f491_4f6c_dd1d)))
}

fn edge(from: u64, to: u64) -> u64 {
    mixed(from.rotate_left(23).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ to)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
