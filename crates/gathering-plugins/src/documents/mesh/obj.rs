//! Wavefront OBJ.

use std::io::{BufReader, Seek};

use serde_json::{Map, Value, json};
use tobj::{LoadError, LoadOptions};

use super::super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::{Mesh, Triangle, content, info, raster};

/// The largest file that is taken, in bytes: its faces refer to places anywhere in it, so all of it is held.
const MOST_BYTES: u64 = 128 << 20;
/// The most objects whose names are told.
const MOST_NAMES: usize = 100;

/// Wavefront OBJ.
pub(crate) struct Obj;

impl Format for Obj {
    fn name(&self) -> &'static str {
        "obj"
    }

    fn description(&self) -> &'static str {
        "Wavefront OBJ meshes: objects, bounds, area, volume where closed, and a shaded picture; not their materials"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["obj"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["model/obj"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
        first.is_some_and(|line| {
            [&b"v "[..], b"mtllib ", b"o ", b"g "].iter().any(|word| line.starts_with(word))
        }) && head.windows(3).any(|bytes| bytes == b"\nv " || bytes.starts_with(b"v "))
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, _options: &Reading) -> Result<Content, FormatError> {
        let mut model = Model::open(source)?;
        let (known, missing) = (model.known(), model.missing.clone());
        let mut content = content(&mut model, known)?;
        if !missing.is_empty() {
            content.notes.push(format!(
                "its materials are in other files, which are not read: {}",
                missing.join(", ")
            ));
        }
        Ok(content)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let mut model = Model::open(source)?;
        let known = model.known();
        info(&mut model, known)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        raster::picture(&mut Model::open(source)?, options)
    }
}

struct Model {
    models: Vec<tobj::Model>,
    /// The files with its materials, which are somebody else's.
    missing: Vec<String>,
}

impl Model {
    fn open(source: &mut Source) -> Result<Self, FormatError> {
        if source.size > MOST_BYTES {
            return Err(FormatError::too_large(format!(
                "an OBJ file may have {} MiB here",
                MOST_BYTES >> 20
            )));
        }
        source.file.rewind()?;
        let missing = std::cell::RefCell::new(Vec::new());
        let options =
            LoadOptions { triangulate: true, single_index: false, ignore_points: true, ignore_lines: true };
        let loaded = tobj::load_obj_buf(&mut BufReader::new(&mut source.file), &options, |path| {
            missing.borrow_mut().push(path.display().to_string());
            Err(LoadError::OpenFileFailed)
        });
        let (models, _) =
            loaded.map_err(|error| FormatError::corrupt(format!("the model is damaged: {error}")))?;
        Ok(Self { models, missing: missing.into_inner() })
    }

    fn known(&self) -> Map<String, Value> {
        let names: Vec<_> = self.models.iter().take(MOST_NAMES).map(|model| model.name.as_str()).collect();
        let vertices: usize = self.models.iter().map(|model| model.mesh.positions.len() / 3).sum();
        let mut known = Map::new();
        known.insert("objects".to_owned(), json!(self.models.len()));
        known.insert("names".to_owned(), json!(names));
        known.insert("vertices".to_owned(), json!(vertices));
        known.insert("unit_note".to_owned(), json!("OBJ names no unit"));
        if !self.missing.is_empty() {
            known.insert("missing".to_owned(), json!(self.missing));
        }
        known
    }
}

impl Mesh for Model {
    fn each(&mut self, visit: &mut dyn FnMut(&Triangle)) -> Result<(), FormatError> {
        for model in &self.models {
            let mesh = &model.mesh;
            for face in mesh.indices.chunks_exact(3) {
                let corner = |index: u32| {
                    let at = (index as usize).checked_mul(3)?;
                    mesh.positions.get(at..at + 3).map(|place| [place[0], place[1], place[2]])
                };
                let (Some(a), Some(b), Some(c)) = (corner(face[0]), corner(face[1]), corner(face[2])) else {
                    return Err(FormatError::corrupt("a face has a corner that is not in the file"));
                };
                visit(&[a, b, c]);
            }
        }
        Ok(())
    }

    fn up(&self) -> usize {
        1
    }
}
