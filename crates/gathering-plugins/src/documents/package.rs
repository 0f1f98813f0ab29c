//! Office packages: the parts in their zip container, within limits, and what relates them to each other.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use roxmltree::{Document, ParsingOptions};
use serde_json::{Map, Value, json};
use zip::ZipArchive;
use zip::result::ZipError;

use super::format::{FormatError, Source};

/// The most parts.
const MOST_PARTS: usize = 20_000;
/// The most that all parts may have together, unpacked, in bytes.
const MOST_UNPACKED: u64 = 1 << 30;
/// The most that one part may have that is held in memory, unpacked, in bytes.
const MOST_PART: u64 = 64 << 20;
/// The most elements, attributes and texts of one part.
const MOST_NODES: u32 = 4_000_000;
/// How much larger than its packed form a part can be: the most that deflate reaches.
const MOST_RATIO: u64 = 1032;

/// The first bytes of a compound file (MS-CFB): Office files before 2007, and those with a password.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// A zip container with parts.
pub(super) struct Package<'a> {
    zip: ZipArchive<BufReader<&'a mut File>>,
}

impl<'a> Package<'a> {
    /// Opens a package and makes sure that it unpacks to no more than is taken, whatever it says of itself.
    pub(super) fn open(source: &'a mut Source) -> Result<Self, FormatError> {
        if is_compound(&source.head()?) {
            return Err(FormatError::encrypted(
                "it is locked with a password, or is a file of Office 97-2003 with the name of a newer one: save it \
                 anew without a password, in a format of Office 2007 or later",
            ));
        }
        source.file.rewind()?;
        let zip = ZipArchive::new(BufReader::new(&mut source.file)).map_err(told)?;
        let mut package = Self { zip };
        package.check()?;
        Ok(package)
    }

    fn check(&mut self) -> Result<(), FormatError> {
        let too_large = || {
            FormatError::too_large(format!(
                "its parts unpack to more than {} MiB, the most that is taken",
                MOST_UNPACKED >> 20
            ))
        };
        if self.zip.len() > MOST_PARTS {
            return Err(FormatError::too_large(format!(
                "it has {} parts, and up to {MOST_PARTS} are taken",
                self.zip.len()
            )));
        }
        let (mut said, mut possible) = (0u64, 0u64);
        for index in 0..self.zip.len() {
            let part = self.zip.by_index_raw(index).map_err(told)?;
            said = said.saturating_add(part.size());
            possible = possible.saturating_add(part.compressed_size().saturating_mul(MOST_RATIO));
        }
        if said > MOST_UNPACKED {
            return Err(too_large());
        }
        if possible > MOST_UNPACKED {
            // It may lie: unpack it once, keeping nothing.
            let mut left = MOST_UNPACKED;
            for index in 0..self.zip.len() {
                let part = self.zip.by_index(index).map_err(told)?;
                // What is broken in a part is told when the part is wanted.
                left -= io::copy(&mut part.take(left), &mut io::sink()).unwrap_or(0);
                if left == 0 {
                    return Err(too_large());
                }
            }
        }
        Ok(())
    }

    /// Whether there is a part of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// Makes sure that a part, if there is one, has no more than `most` bytes, whatever it says of itself.
    pub(super) fn check_part(&mut self, name: &str, most: u64) -> Result<(), FormatError> {
        let part = match self.zip.by_name(name) {
            Err(ZipError::FileNotFound) => return Ok(()),
            part => part.map_err(told)?,
        };
        let possible = part.compressed_size().saturating_mul(MOST_RATIO);
        if part.size() <= most && possible <= most {
            return Ok(());
        }
        let size = io::copy(&mut part.take(most + 1), &mut io::sink()).map_err(|error| {
            FormatError::corrupt(format!("its part `{name}` cannot be unpacked: {error}"))
        })?;
        if size > most {
            return Err(FormatError::too_large(format!(
                "its part `{name}` has more than {} MiB, the most that is taken",
                most >> 20
            )));
        }
        Ok(())
    }

    /// The bytes of a part; `None` if there is none of this name.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, FormatError> {
        let part = match self.zip.by_name(name) {
            Err(ZipError::FileNotFound) => return Ok(None),
            part => part.map_err(told)?,
        };
        let mut bytes = Vec::new();
        part.take(MOST_PART + 1).read_to_end(&mut bytes).map_err(|error| {
            FormatError::corrupt(format!("its part `{name}` cannot be unpacked: {error}"))
        })?;
        if bytes.len() as u64 > MOST_PART {
            return Err(FormatError::too_large(format!(
                "its part `{name}` has more than {} MiB, the most that is taken",
                MOST_PART >> 20
            )));
        }
        Ok(Some(bytes))
    }

    /// The text of an XML part; `None` if there is none of this name.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, FormatError> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        let (text, _, _) = encoding_rs::UTF_8.decode(&bytes);
        Ok(Some(text.into_owned()))
    }

    /// The text of an XML part that must be there.
    pub(super) fn needed(&mut self, name: &str) -> Result<String, FormatError> {
        self.text(name)?.ok_or_else(|| {
            FormatError::not_this_format(format!(
                "it has no part `{name}`, which every file of this format has"
            ))
        })
    }

    /// The targets of a part's relationships by their ids: parts by their names, and addresses outside as they are.
    pub(super) fn relations(&mut self, part: &str) -> Result<HashMap<String, Relation>, FormatError> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let name = format!("{folder}/_rels/{file}.rels");
        let Some(text) = self.text(name.trim_start_matches('/'))? else { return Ok(HashMap::new()) };
        let document = parse(&text, &name)?;
        let relations = document.root_element().children().filter_map(|relation| {
            let target = relation.attribute("Target")?;
            let outside = relation.attribute("TargetMode") == Some("External");
            let target = if outside { target.to_owned() } else { resolved(folder, target) };
            let kind =
                relation.attribute("Type").and_then(|kind| kind.rsplit('/').next()).unwrap_or_default();
            Some((relation.attribute("Id")?.to_owned(), Relation { kind: kind.to_owned(), target }))
        });
        Ok(relations.collect())
    }

    /// Title, author and the like, where the file tells them.
    pub(super) fn properties(&mut self) -> Result<Map<String, Value>, FormatError> {
        let mut facts = Map::new();
        let Some(text) = self.text("docProps/core.xml")? else { return Ok(facts) };
        let document = parse(&text, "docProps/core.xml")?;
        for property in document.root_element().children().filter(|node| node.is_element()) {
            let name = match property.tag_name().name() {
                name @ ("title" | "subject" | "keywords" | "description" | "created" | "modified") => name,
                "creator" => "author",
                "lastModifiedBy" => "last_modified_by",
                _ => continue,
            };
            if let Some(text) = property.text().map(str::trim).filter(|text| !text.is_empty()) {
                facts.insert(name.to_owned(), json!(text.chars().take(1000).collect::<String>()));
            }
        }
        Ok(facts)
    }
}

/// What a part refers to.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// The last word of its type, such as `slide` or `hyperlink`.
    pub(super) kind: String,
    /// The name of a part, or an address outside.
    pub(super) target: String,
}

/// Parses a part. Entities are not expanded: a part that declares some is refused.
pub(super) fn parse<'a>(text: &'a str, part: &str) -> Result<Document<'a>, FormatError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => FormatError::too_large(format!(
            "its part `{part}` has more than {MOST_NODES} elements and texts, the most that is taken"
        )),
        roxmltree::Error::DtdDetected => FormatError::unsupported(format!(
            "its part `{part}` declares a document type, which may hide entities: no program writes that into \
             documents, and it is not expanded"
        )),
        error => FormatError::corrupt(format!("its part `{part}` is no valid XML: {error}")),
    })
}

/// The names of the parts whose beginnings are in the first bytes of a zip container.
pub(super) fn names_in(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_zip = head.starts_with(b"PK\x03\x04");
    let headers = head.windows(4).enumerate().filter(move |(_, bytes)| is_zip && *bytes == b"PK\x03\x04");
    headers.filter_map(|(at, _)| {
        let length = head.get(at + 26..at + 28)?;
        head.get(at + 30..at + 30 + usize::from(u16::from_le_bytes([length[0], length[1]])))
    })
}

/// Whether the file is a compound file (MS-CFB).
pub(super) fn is_compound(head: &[u8]) -> bool {
    head.starts_with(COMPOUND)
}

/// The name of a part that is given relative to a folder.
fn resolved(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/') {
        match step {
            ".." => drop(path.pop()),
            "." | "" => {}
            step => path.push(step),
        }
    }
    path.join("/")
}

fn told(error: ZipError) -> FormatError {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => error.into(),
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            FormatError::encrypted("its parts are locked with a password")
        }
        ZipError::UnsupportedArchive(what) => FormatError::unsupported(format!("its zip container: {what}")),
        error => FormatError::corrupt(format!(
            "its zip container is damaged or was cut off ({error}): ask for the file again"
        )),
    }
}
