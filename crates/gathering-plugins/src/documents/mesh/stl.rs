//! STL, binary and ASCII. Triangles are read as they are visited, so files of any size cost the same memory.

use std::io::{BufReader, Read, Seek, SeekFrom};

use serde_json::{Map, Value, json};

use super::super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::{Mesh, Triangle, content, info, raster};

/// What comes before the triangles of a binary file: 80 bytes of text and their number.
const HEADER: u64 = 84;
/// A normal, three corners, and two bytes that mean nothing.
const RECORD: u64 = 50;

/// STL.
pub(crate) struct Stl;

impl Format for Stl {
    fn name(&self) -> &'static str {
        "stl"
    }

    fn description(&self) -> &'static str {
        "STL meshes, binary and ASCII: bounds, area, volume where closed, and a shaded picture"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["stl"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["model/stl", "application/sla", "application/vnd.ms-pki.stl"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        is_ascii(head)
    }

    fn read(&self, source: &mut Source, _options: &Reading) -> Result<Content, FormatError> {
        let mut file = StlFile::open(source)?;
        let known = file.known();
        content(&mut file, known)
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let mut file = StlFile::open(source)?;
        let known = file.known();
        info(&mut file, known)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        raster::picture(&mut StlFile::open(source)?, options)
    }
}

/// `solid`, and soon a `facet`: binary files may begin with the same word.
fn is_ascii(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    head.starts_with(b"solid")
        && (head.windows(5).any(|word| word == b"facet") || head.windows(8).any(|word| word == b"endsolid"))
}

struct StlFile<'a> {
    source: &'a mut Source,
    /// How many triangles a binary file has; nothing for ASCII.
    binary: Option<u64>,
}

impl<'a> StlFile<'a> {
    fn open(source: &'a mut Source) -> Result<Self, FormatError> {
        let head = source.head()?;
        let count =
            head.get(80..84).and_then(|bytes| Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?))));
        let fits = count.is_some_and(|count| HEADER + RECORD * count == source.size);
        if !fits && is_ascii(&head) {
            return Ok(Self { source, binary: None });
        }
        let Some(count) = count else {
            return Err(FormatError::not_this_format(
                "it is neither binary STL, which has at least 84 bytes, nor ASCII STL",
            ));
        };
        let needed = HEADER + RECORD * count;
        if needed > source.size {
            return Err(FormatError::corrupt(format!(
                "it says that it has {count} triangles, which take {needed} bytes, and has {} bytes: it was cut off, or is \
                 no STL",
                source.size
            )));
        }
        Ok(Self { source, binary: Some(count) })
    }

    fn known(&self) -> Map<String, Value> {
        let kind = if self.binary.is_some() { "binary" } else { "ascii" };
        let unit = "STL names no unit; most programs mean millimetres";
        let mut known =
            Map::from_iter([("kind".to_owned(), json!(kind)), ("unit_note".to_owned(), json!(unit))]);
        let left = self.binary.map_or(0, |count| self.source.size - HEADER - RECORD * count);
        if left > 0 {
            known.insert("bytes_after_the_triangles".to_owned(), json!(left));
        }
        known
    }
}

impl Mesh for StlFile<'_> {
    fn each(&mut self, visit: &mut dyn FnMut(&Triangle)) -> Result<(), FormatError> {
        let Some(count) = self.binary else { return self.each_of_text(visit) };
        const AT_ONCE: u64 = 4096;
        let mut buffer = vec![0; (AT_ONCE * RECORD) as usize];
        self.source.file.seek(SeekFrom::Start(HEADER))?;
        let mut left = count;
        while left > 0 {
            let now = left.min(AT_ONCE);
            let bytes = &mut buffer[..(now * RECORD) as usize];
            self.source.file.read_exact(bytes)?;
            for record in bytes.chunks_exact(RECORD as usize) {
                let number = |index: usize| {
                    let at = 12 + 4 * index;
                    f32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
                };
                visit(&[0, 3, 6].map(|corner| [number(corner), number(corner + 1), number(corner + 2)]));
            }
            left -= now;
        }
        Ok(())
    }

    fn up(&self) -> usize {
        2
    }
}

impl StlFile<'_> {
    fn each_of_text(&mut self, visit: &mut dyn FnMut(&Triangle)) -> Result<(), FormatError> {
        self.source.file.rewind()?;
        let mut reader = BufReader::new(&mut self.source.file);
        let broken =
            |error: std::io::Error| FormatError::corrupt(format!("a triangle cannot be read: {error}"));
        for triangle in stl_io::create_stl_reader(&mut reader).map_err(broken)? {
            visit(&triangle.map_err(broken)?.vertices.map(|corner| corner.0));
        }
        Ok(())
    }
}
