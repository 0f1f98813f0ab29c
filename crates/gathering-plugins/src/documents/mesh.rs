//! Meshes of triangles: their facts and their picture, whatever file they come from.

mod facts;
mod gltf;
mod obj;
mod raster;
mod stl;

use serde_json::{Map, Value, json};

use super::format::{Content, FormatError, Png, Previewing};
pub(crate) use gltf::Gltf;
pub(crate) use obj::Obj;
pub(crate) use stl::Stl;

/// The corners of a triangle, counter-clockwise as seen from outside.
type Triangle = [[f32; 3]; 3];

/// What gives its triangles, as often as it is asked: it need not hold them all.
trait Mesh {
    /// Visits every triangle in the same order each time.
    fn each(&mut self, visit: &mut dyn FnMut(&Triangle)) -> Result<(), FormatError>;

    /// Which axis points up: 1 is y, 2 is z.
    fn up(&self) -> usize;
}

/// The facts of a mesh, with what is known of it besides, such as its unit.
fn info(mesh: &mut dyn Mesh, known: Map<String, Value>) -> Result<Map<String, Value>, FormatError> {
    let mut facts = known;
    facts.extend(facts::of(mesh)?.told());
    Ok(facts)
}

/// The facts and a picture.
fn content(mesh: &mut dyn Mesh, known: Map<String, Value>) -> Result<Content, FormatError> {
    const SIDE: u32 = 768;
    let facts = info(mesh, known)?;
    let mut content = Content::default();
    if facts.get("triangles") != Some(&json!(0)) {
        content.images.push(Png(raster::picture(mesh, &Previewing { width: SIDE, height: SIDE, page: 1 })?));
    }
    content.value = Some(Value::Object(facts));
    Ok(content)
}
