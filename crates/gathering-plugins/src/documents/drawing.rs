//! DXF drawings: what is in them, their text, and how they look from above.

mod picture;
mod shapes;

use std::collections::BTreeMap;
use std::io::{BufReader, Seek};

use dxf::Drawing;
use dxf::entities::EntityType;
use dxf::enums::Units;
use serde_json::{Map, Value, json};

use super::format::{Content, Format, FormatError, Png, Previewing, Reading, Source};
use shapes::Shapes;

/// The largest file that is taken, in bytes: its reader holds all of it, several times as large.
const MOST_BYTES: u64 = 48 << 20;
/// The most layers and blocks that are told by name.
const MOST_NAMES: usize = 200;

/// DXF drawings.
pub(crate) struct Dxf;

impl Format for Dxf {
    fn name(&self) -> &'static str {
        "dxf"
    }

    fn description(&self) -> &'static str {
        "DXF drawings: entities by kind and layer, bounds, units, texts, and the drawing as seen from above"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["dxf"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["image/vnd.dxf", "application/dxf"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        let text = head.trim_ascii_start();
        let after =
            |word: &[u8], text: &[u8]| text.strip_prefix(word).map(|rest| rest.trim_ascii_start().to_vec());
        head.starts_with(b"AutoCAD Binary DXF")
            || after(b"0", text).is_some_and(|rest| rest.starts_with(b"SECTION"))
            || text.starts_with(b"999") && text.windows(7).any(|word| word == b"SECTION")
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let drawing = open(source)?;
        let shapes = Shapes::of(&drawing)?;
        let mut content =
            Content { value: Some(Value::Object(facts(&drawing, &shapes))), ..Content::default() };
        let mut text = shapes.labels.iter().map(|label| label.text.as_str()).collect::<Vec<_>>().join("\n");
        if text.len() > options.most() {
            text.truncate(text.floor_char_boundary(options.most()));
            content
                .notes
                .push(format!("its texts have more than {} bytes: this is their beginning", options.most()));
        }
        if !text.is_empty() {
            content.text = Some(text);
        }
        if shapes.bounds().is_some() {
            let wanted = Previewing { width: 1024, height: 768, page: 1 };
            content.images.push(Png(picture::of(&shapes, &wanted)?));
        }
        Ok(content)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let drawing = open(source)?;
        let shapes = Shapes::of(&drawing)?;
        Ok(facts(&drawing, &shapes))
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        picture::of(&Shapes::of(&open(source)?)?, options)
    }
}

fn open(source: &mut Source) -> Result<Drawing, FormatError> {
    if source.size > MOST_BYTES {
        return Err(FormatError::too_large(format!("a drawing may have {} MiB here", MOST_BYTES >> 20)));
    }
    if !Dxf.recognises(&source.head()?) {
        return Err(FormatError::not_this_format("it does not begin with a `SECTION`, as DXF does"));
    }
    source.file.rewind()?;
    Drawing::load(&mut BufReader::new(&mut source.file))
        .map_err(|error| FormatError::corrupt(format!("the drawing is damaged or was cut off: {error}")))
}

fn facts(drawing: &Drawing, shapes: &Shapes) -> Map<String, Value> {
    let (mut kinds, mut layers) = (BTreeMap::<&str, usize>::new(), BTreeMap::<&str, usize>::new());
    for layer in drawing.layers() {
        layers.insert(&layer.name, 0);
    }
    for entity in drawing.entities() {
        *kinds.entry(kind(&entity.specific)).or_default() += 1;
        *layers.entry(&entity.common.layer).or_default() += 1;
    }
    let blocks =
        drawing.blocks().map(|block| block.name.as_str()).filter(|name| !name.starts_with(['*', '_']));
    let mut facts = Map::new();
    let mut put = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    put("version", json!(drawing.header.version.to_string()));
    put("unit", unit(drawing.header.default_drawing_units));
    put("entities", json!(drawing.entities().count()));
    put("kinds", json!(kinds));
    put("layers", json!(layers.into_iter().take(MOST_NAMES).collect::<BTreeMap<_, _>>()));
    put("blocks", json!(blocks.take(MOST_NAMES).collect::<Vec<_>>()));
    if let Some((least, greatest)) = shapes.bounds() {
        put("bounds", json!({"min": least, "max": greatest}));
        put("size", json!([greatest[0] - least[0], greatest[1] - least[1]]));
    }
    if shapes.not_drawn > 0 {
        put("not_drawn", json!(shapes.not_drawn));
    }
    facts
}

/// The unit that the drawing is in; nothing if it does not say.
fn unit(unit: Units) -> Value {
    match unit {
        Units::Unitless => Value::Null,
        Units::Millimeters => json!("millimetre"),
        Units::Centimeters => json!("centimetre"),
        Units::Meters => json!("metre"),
        Units::Kilometers => json!("kilometre"),
        Units::Inches => json!("inch"),
        Units::Feet => json!("foot"),
        other => json!(format!("{other:?}").to_lowercase()),
    }
}

/// The name of a kind of entity, as DXF has it.
fn kind(entity: &EntityType) -> &'static str {
    match entity {
        EntityType::Line(_) => "LINE",
        EntityType::Arc(_) => "ARC",
        EntityType::Circle(_) => "CIRCLE",
        EntityType::Ellipse(_) => "ELLIPSE",
        EntityType::LwPolyline(_) => "LWPOLYLINE",
        EntityType::Polyline(_) => "POLYLINE",
        EntityType::Spline(_) => "SPLINE",
        EntityType::Text(_) => "TEXT",
        EntityType::MText(_) => "MTEXT",
        EntityType::Insert(_) => "INSERT",
        EntityType::Solid(_) => "SOLID",
        EntityType::Trace(_) => "TRACE",
        EntityType::Face3D(_) => "3DFACE",
        EntityType::Solid3D(_) => "3DSOLID",
        EntityType::ModelPoint(_) => "POINT",
        EntityType::Image(_) => "IMAGE",
        EntityType::Leader(_) => "LEADER",
        EntityType::Ray(_) => "RAY",
        EntityType::XLine(_) => "XLINE",
        EntityType::RotatedDimension(_)
        | EntityType::RadialDimension(_)
        | EntityType::DiameterDimension(_)
        | EntityType::AngularThreePointDimension(_)
        | EntityType::OrdinateDimension(_) => "DIMENSION",
        _ => "OTHER",
    }
}
