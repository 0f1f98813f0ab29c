//! What a file format knows: how to recognise it, read it, tell its facts and draw it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How much of the beginning of a file is looked at to recognise its format, in bytes.
pub(crate) const HEAD: usize = 64 << 10;

/// A file to look into. The server opened it; the worker in which formats run has no other.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file, at its beginning.
    pub file: File,
    /// The last part of its path, for what depends on it; who wrote it is a stranger.
    pub name: String,
    /// Its size in bytes, when it was opened.
    pub size: u64,
}

/// What of a file is wanted. Everything may be left out; a format ignores what means nothing to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reading {
    /// One page or slide, counted from 1.
    pub page: Option<u32>,
    /// A sheet by its name, or by its number, counted from 1.
    pub sheet: Option<String>,
    /// Cells such as `B2:D10`.
    pub range: Option<String>,
    /// What is inside of the file and meant alone: the path of a member of an archive.
    pub entry: Option<String>,
    /// How many lines, rows, pages, slides, cells of a notebook or members are left out at the beginning.
    pub offset: Option<u64>,
    /// The most of them that are wanted.
    pub limit: Option<u64>,
    /// The most text that is wanted, in bytes of UTF-8; see [`Reading::most`].
    pub max_bytes: Option<usize>,
    /// The encoding of a text, such as `windows-1252`; found out if left out.
    pub encoding: Option<String>,
    /// What separates the fields of a table in a text file, such as `;`; found out if left out.
    pub delimiter: Option<String>,
    /// Whether the first row of a table names its columns; found out if left out.
    pub header: Option<bool>,
    /// Where in the file what `offset` leaves out ends, as `more` said: it is quicker to go on there.
    pub position: Option<u64>,
    /// Whether facts about each column of a table are wanted in place of its rows.
    pub statistics: bool,
}

impl Reading {
    /// The most text that is wanted, in bytes: what the caller said, within what one answer may hold.
    pub(crate) fn most(&self) -> usize {
        self.max_bytes.unwrap_or(MOST_TEXT).clamp(1, MOST_TEXT)
    }
}

/// The most text that one answer holds, in bytes.
pub(crate) const MOST_TEXT: usize = 1 << 20;

/// The picture that is wanted: at most this large, and smaller where the shape of the content asks for it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Previewing {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The page, slide or sheet, counted from 1.
    pub page: u32,
}

impl Default for Previewing {
    fn default() -> Self {
        Self { width: 1024, height: 1024, page: 1 }
    }
}

/// What was read. Most formats fill one of these; none fills what its content does not have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Content {
    /// Text: Markdown, where the format has structure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Rows and columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    /// Data of any other shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Pictures, PNG.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Png>,
    /// The options that give what follows, such as `{"offset": 1000}`; nothing if all was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<Value>,
    /// What the reader should know: what was left out, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Rows and columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`: numbers, booleans, strings and nulls.
    pub rows: Vec<Vec<Value>>,
    /// How many rows there are in all, if that is known.
    pub total: Option<u64>,
}

/// The bytes of a PNG. Travels as base64 (RFC 4648, section 4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Png(#[serde(with = "as_base64")] pub Vec<u8>);

/// Why nothing can be said of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub(crate) struct FormatError {
    /// What kind of thing is wrong.
    pub code: FormatErrorCode,
    /// What was expected, what was found, and what to do; the file is named by who reports it.
    pub message: String,
}

/// What kind of thing is wrong with a file, or with what is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FormatErrorCode {
    /// It breaks the rules of its format, or ends too early.
    Corrupt,
    /// It is locked with a password.
    Encrypted,
    /// It, or what it unpacks to, is larger than is taken.
    TooLarge,
    /// It has what this program does not know, or is asked for what its format does not have.
    Unsupported,
    /// It is no file of this format at all.
    NotThisFormat,
    /// It has no such page, sheet, range or entry.
    NotThere,
    /// It could not be read from disk, or the result not be written.
    Io,
}

impl FormatErrorCode {
    /// The stable code.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::Encrypted => "encrypted",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::NotThisFormat => "not_this_format",
            Self::NotThere => "not_there",
            Self::Io => "io",
        }
    }
}

macro_rules! constructors {
    ($($(#[$meta:meta])* $name:ident => $code:ident),*) => { $(
        $(#[$meta])*
        pub(crate) fn $name(message: impl Into<String>) -> Self {
            Self { code: FormatErrorCode::$code, message: message.into() }
        }
    )* };
}

impl FormatError {
    constructors! {
        /// It breaks the rules of its format: say which and where.
        corrupt => Corrupt,
        /// It is locked with a password.
        encrypted => Encrypted,
        /// It is larger than is taken: say the limit.
        too_large => TooLarge,
        /// It has, or is asked for, what there is no support for.
        unsupported => Unsupported,
        /// It is no file of this format at all.
        not_this_format => NotThisFormat,
        /// It has no such part: say which there are.
        not_there => NotThere
    }
}

impl From<io::Error> for FormatError {
    fn from(error: io::Error) -> Self {
        Self { code: FormatErrorCode::Io, message: format!("it could not be read: {error}") }
    }
}

/// A file format. Its functions run in a confined worker, one call at a time: what they are given was written by a
/// stranger, and what they do not bound themselves, the limits of the worker end.
pub(crate) trait Format: Sync {
    /// What it is called by, such as `csv`: the name of its file handler.
    fn name(&self) -> &'static str;

    /// What the format is, and what of it is understood, in one sentence.
    fn description(&self) -> &'static str;

    /// File name endings, in lower case, without the dot.
    fn extensions(&self) -> &'static [&'static str];

    /// Media types, in lower case.
    fn media_types(&self) -> &'static [&'static str];

    /// Whether a file that begins with these bytes (up to [`HEAD`]) is of this format, or for one without marks of its
    /// own may be.
    fn recognises(&self, head: &[u8]) -> bool;

    /// Whether [`Format::recognises`] goes by marks that no other kind of file has. Then it is believed more than the
    /// name of the file.
    fn has_marks(&self) -> bool {
        true
    }

    /// Content that an agent can use, within [`Reading::most`].
    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError>;

    /// Facts that are cheap to find out.
    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError>;

    /// A picture of the content, as PNG.
    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError>;
}

/// Every format: one line each. The surest come first, since a file is of the first format that recognises it.
pub(crate) fn all() -> &'static [&'static dyn Format] {
    &[
        &super::bitmap::Bitmap,
        &super::pdf::Pdf,
        &super::spreadsheet::Spreadsheet,
        &super::word::Word,
        &super::slides::Slides,
        &super::mesh::Stl,
        &super::mesh::Gltf,
        &super::drawing::Dxf,
        &super::archive::Archive::Zip,
        &super::archive::Archive::Tar,
        &super::notebook::Notebook,
        &super::html::Html,
        &super::xml::Xml,
        &super::data::Data::Json,
        // From here on, what may be any text: a file without a name is of the first.
        &super::text::Text,
        &super::markdown::Markdown,
        &super::mesh::Obj,
        &super::table::CSV,
        &super::table::TSV,
        &super::data::Data::JsonLines,
        &super::data::Data::Yaml,
        &super::data::Data::Toml,
    ]
}

impl Source {
    /// The beginning of the file, up to [`HEAD`]. The file stands at its beginning afterwards.
    pub(crate) fn head(&mut self) -> Result<Vec<u8>, FormatError> {
        let mut head = Vec::new();
        self.file.rewind()?;
        self.file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        self.file.rewind()?;
        Ok(head)
    }

    /// The whole file, if it has at most `most` bytes.
    pub(crate) fn read_all(&mut self, most: usize) -> Result<Vec<u8>, FormatError> {
        let too_large = || {
            FormatError::too_large(format!(
                "it has more than the {most} bytes that a file of this format may have here"
            ))
        };
        if self.size > most as u64 {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or_default());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.by_ref().take(most as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > most { Err(too_large()) } else { Ok(bytes) }
    }
}

/// Bytes as base64.
mod as_base64 {
    use base64::Engine;
    use base64::display::Base64Display;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Base64Display::new(bytes, &STANDARD))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}
