//! glTF 2.0, as JSON with buffers inside, and as GLB.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gltf::buffer::Source as BufferSource;
use gltf::mesh::Mode;
use gltf::{Document, Node, Primitive};
use serde_json::{Map, Value, json};

use super::super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::{Mesh, Triangle, content, info, raster};

/// The largest file that is taken, in bytes: its parts refer to each other by position.
const MOST_BYTES: usize = 256 << 20;
/// The most triangles of a scene, each as often as it is placed.
const MOST_TRIANGLES: usize = 4_000_000;
/// The most nodes of a scene, each as often as it is placed, and how deep they may be nested.
const MOST_NODES: usize = 100_000;
const DEEPEST: usize = 64;
/// The most names that are told.
const MOST_NAMES: usize = 100;

/// glTF.
pub(crate) struct Gltf;

impl Format for Gltf {
    fn name(&self) -> &'static str {
        "gltf"
    }

    fn description(&self) -> &'static str {
        "glTF and GLB scenes: meshes, materials and animations by name, bounds, area, volume where closed, a shaded picture"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["glb", "gltf"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["model/gltf-binary", "model/gltf+json"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        let has = |name: &[u8]| head.windows(name.len()).any(|bytes| bytes == name);
        let parts: [&[u8]; 4] = [b"\"scenes\"", b"\"meshes\"", b"\"accessors\"", b"\"buffers\""];
        head.starts_with(b"glTF")
            || head.trim_ascii_start().starts_with(b"{") && has(b"\"asset\"") && parts.into_iter().any(has)
    }

    fn read(&self, source: &mut Source, _options: &Reading) -> Result<Content, FormatError> {
        let mut scene = Scene::open(source)?;
        let known = scene.known.clone();
        let mut content = content(&mut scene, known)?;
        if let Some(missing) = scene.known.get("missing") {
            content.notes.push(format!("what is in other files is not read: {missing}"));
        }
        Ok(content)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let mut scene = Scene::open(source)?;
        let known = scene.known.clone();
        info(&mut scene, known)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        raster::picture(&mut Scene::open(source)?, options)
    }
}

struct Scene {
    triangles: Vec<Triangle>,
    known: Map<String, Value>,
}

impl Mesh for Scene {
    fn each(&mut self, visit: &mut dyn FnMut(&Triangle)) -> Result<(), FormatError> {
        self.triangles.iter().for_each(visit);
        Ok(())
    }

    fn up(&self) -> usize {
        1
    }
}

impl Scene {
    fn open(source: &mut Source) -> Result<Self, FormatError> {
        let bytes = source.read_all(MOST_BYTES)?;
        let parsed = gltf::Gltf::from_slice(&bytes)
            .map_err(|error| FormatError::corrupt(format!("it is no valid glTF 2.0: {error}")))?;
        let (document, blob) = (parsed.document, parsed.blob);
        let mut known = known(&document);
        let (buffers, missing) = buffers(&document, blob)?;
        if !missing.is_empty() {
            known.insert("missing".to_owned(), json!(missing));
        }
        let mut builder = Builder { buffers, triangles: Vec::new(), nodes: 0, others: 0 };
        let scene = document.default_scene().or_else(|| document.scenes().next());
        for node in scene.iter().flat_map(gltf::Scene::nodes) {
            builder.node(&node, &IDENTITY, 0)?;
        }
        if builder.others > 0 {
            known.insert("points_and_lines".to_owned(), json!(builder.others));
        }
        Ok(Self { triangles: builder.triangles, known })
    }
}

fn known(document: &Document) -> Map<String, Value> {
    let names =
        |names: Vec<Option<&str>>| json!(names.into_iter().flatten().take(MOST_NAMES).collect::<Vec<_>>());
    let asset = &document.as_json().asset;
    let mut known = Map::new();
    let mut put = |name: &str, value: Value| known.insert(name.to_owned(), value);
    put("version", json!(asset.version));
    if let Some(generator) = &asset.generator {
        put("generator", json!(generator));
    }
    put("unit", json!("metre"));
    put("nodes", json!(document.nodes().len()));
    put("meshes", names(document.meshes().map(|mesh| mesh.name()).collect()));
    put("materials", names(document.materials().map(|material| material.name()).collect()));
    put("textures", json!(document.textures().len()));
    put("animations", names(document.animations().map(|animation| animation.name()).collect()));
    known
}

/// The buffers that are in the file, and the addresses of those that are not.
fn buffers(document: &Document, blob: Option<Vec<u8>>) -> Result<(Vec<Vec<u8>>, Vec<String>), FormatError> {
    let (mut buffers, mut missing, mut blob) = (Vec::new(), Vec::new(), blob);
    for buffer in document.buffers() {
        buffers.push(match buffer.source() {
            BufferSource::Bin => blob.take().unwrap_or_default(),
            BufferSource::Uri(uri) => {
                match uri.strip_prefix("data:").and_then(|data| data.split_once(";base64,")) {
                    Some((_, data)) => STANDARD.decode(data).map_err(|error| {
                        FormatError::corrupt(format!("buffer {} is no valid base64: {error}", buffer.index()))
                    })?,
                    None => {
                        missing.push(uri.chars().take(200).collect());
                        Vec::new()
                    }
                }
            }
        });
    }
    Ok((buffers, missing))
}

/// Columns of a matrix, as glTF has them.
type Matrix = [[f32; 4]; 4];

const IDENTITY: Matrix =
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];

struct Builder {
    buffers: Vec<Vec<u8>>,
    triangles: Vec<Triangle>,
    nodes: usize,
    /// Primitives that have no surface.
    others: usize,
}

impl Builder {
    fn node(&mut self, node: &Node<'_>, parent: &Matrix, depth: usize) -> Result<(), FormatError> {
        self.nodes += 1;
        if depth > DEEPEST || self.nodes > MOST_NODES {
            return Err(FormatError::too_large(format!(
                "its scene has more than {MOST_NODES} nodes, or is nested more than {DEEPEST} deep"
            )));
        }
        let matrix = times(parent, &node.transform().matrix());
        for primitive in node.mesh().iter().flat_map(gltf::Mesh::primitives) {
            self.primitive(&primitive, &matrix)?;
        }
        for child in node.children() {
            self.node(&child, &matrix, depth + 1)?;
        }
        Ok(())
    }

    fn primitive(&mut self, primitive: &Primitive<'_>, matrix: &Matrix) -> Result<(), FormatError> {
        if !matches!(primitive.mode(), Mode::Triangles | Mode::TriangleStrip | Mode::TriangleFan) {
            self.others += 1;
            return Ok(());
        }
        let largest = self.buffers.iter().map(Vec::len).max().unwrap_or(0);
        let counts = primitive.get(&gltf::Semantic::Positions).into_iter().chain(primitive.indices());
        for accessor in counts {
            if accessor.count() > largest {
                // Its buffer is in another file, or it lies.
                return Ok(());
            }
        }
        let (places, corners) = {
            let reader = primitive.reader(|buffer| self.buffers.get(buffer.index()).map(Vec::as_slice));
            let Some(places) = reader.read_positions() else { return Ok(()) };
            let places: Vec<[f32; 3]> = places.map(|place| moved(matrix, place)).collect();
            let corners: Vec<u32> = match reader.read_indices() {
                Some(indices) => indices.into_u32().collect(),
                None => (0..u32::try_from(places.len()).unwrap_or(u32::MAX)).collect(),
            };
            (places, corners)
        };
        let count = corners.len();
        let faces: Box<dyn Iterator<Item = [usize; 3]>> = match primitive.mode() {
            Mode::TriangleStrip => Box::new(
                (2..count).map(|at| if at % 2 == 0 { [at - 2, at - 1, at] } else { [at - 1, at - 2, at] }),
            ),
            Mode::TriangleFan => Box::new((2..count).map(|at| [0, at - 1, at])),
            _ => Box::new((2..count).step_by(3).map(|at| [at - 2, at - 1, at])),
        };
        let mirrored = determinant(matrix) < 0.0;
        for face in faces {
            if self.triangles.len() >= MOST_TRIANGLES {
                return Err(FormatError::too_large(format!(
                    "its scene has more than {MOST_TRIANGLES} triangles"
                )));
            }
            let corner = |at: usize| places.get(corners[at] as usize).copied();
            let (Some(a), Some(b), Some(c)) = (corner(face[0]), corner(face[1]), corner(face[2])) else {
                return Err(FormatError::corrupt("a triangle has a corner that is not in the file"));
            };
            self.triangles.push(if mirrored { [a, c, b] } else { [a, b, c] });
        }
        Ok(())
    }
}

fn times(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|column| {
        std::array::from_fn(|row| (0..4).map(|inner| a[inner][row] * b[column][inner]).sum())
    })
}

fn moved(matrix: &Matrix, place: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|row| {
        matrix[0][row] * place[0] + matrix[1][row] * place[1] + matrix[2][row] * place[2] + matrix[3][row]
    })
}

fn determinant([a, b, c, _]: &Matrix) -> f32 {
    a[0] * (b[1] * c[2] - b[2] * c[1]) - b[0] * (a[1] * c[2] - a[2] * c[1])
        + c[0] * (a[1] * b[2] - a[2] * b[1])
}
