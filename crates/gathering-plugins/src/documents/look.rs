//! The job of the worker: finds out of which format a file is, and does with it what is wanted.

use std::fs::File;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::convert::{Target, convert};
use super::format::{Content, Format, FormatError, Png, Previewing, Reading, Source, all};
use crate::worker::Job;

/// What is to be done with a file. It is handed over first; after it, the file to be written, if one is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Look {
    /// The last part of its path.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) wanted: Wanted,
}

/// What is wanted of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Wanted {
    Content(Reading),
    Facts,
    Picture(Previewing),
    Conversion(Target, Reading),
}

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Looked {
    /// The format of the file.
    pub(super) format: String,
    /// What its name says, if that is another.
    pub(super) named_like: Option<String>,
    pub(super) found: Found,
}

/// What was found, in the order of [`Wanted`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Found {
    Content(Box<Content>),
    Facts(Map<String, Value>),
    Picture(Png),
    Conversion(Vec<String>),
}

/// Why nothing was, and of which format the file was taken to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NotLooked {
    pub(super) format: Option<String>,
    pub(super) error: FormatError,
}

impl Job for Look {
    const NAME: &'static str = "documents.look";
    type Output = Result<Looked, NotLooked>;

    fn run(self, files: Vec<File>) -> Self::Output {
        let Self { name, size, wanted } = self;
        let unknown = |error| NotLooked { format: None, error };
        let mut files = files.into_iter();
        let Some(file) = files.next() else {
            return Err(unknown(FormatError::unsupported("no file was handed over")));
        };
        let mut source = Source { file, name, size };
        let (format, named_like) = recognise(&mut source).map_err(unknown)?;
        let found = match wanted {
            Wanted::Content(reading) => {
                format.read(&mut source, &reading).map(|content| Found::Content(Box::new(content)))
            }
            Wanted::Facts => format.info(&mut source).map(Found::Facts),
            Wanted::Picture(picture) => {
                format.preview(&mut source, &picture).map(|png| Found::Picture(Png(png)))
            }
            Wanted::Conversion(target, reading) => match files.next() {
                Some(to) => convert(format, &mut source, target, &reading, to).map(Found::Conversion),
                None => Err(FormatError::unsupported("no file to write was handed over")),
            },
        };
        match found {
            Ok(found) => Ok(Looked {
                format: format.name().to_owned(),
                named_like: named_like.map(str::to_owned),
                found,
            }),
            Err(error) => Err(NotLooked { format: Some(format.name().to_owned()), error }),
        }
    }
}

/// The format of a file, and what its name says if that is another. Marks that no other format has are believed most,
/// then the name, then the likeliest format.
fn recognise(source: &mut Source) -> Result<(&'static dyn Format, Option<&'static str>), FormatError> {
    let head = source.head()?;
    let lower = source.name.to_lowercase();
    let extension = lower.rsplit_once('.').map_or(lower.as_str(), |(_, extension)| extension);
    let by_name = all().iter().find(|format| format.extensions().contains(&extension)).copied();
    let by_content = all().iter().find(|format| format.recognises(&head)).copied();
    let (found, named) = match (by_name, by_content) {
        (Some(named), Some(found)) if found.has_marks() && !named.has_marks() => (found, Some(named)),
        (Some(named), _) if named.recognises(&head) => (named, None),
        // There is nothing that could say more than its name.
        (Some(named), _) if head.is_empty() => (named, None),
        (Some(named), Some(found)) => (found, Some(named)),
        (Some(named), None) => (named, None),
        (None, Some(found)) => (found, None),
        (None, None) => {
            return Err(FormatError::unsupported(
                "neither its name nor its content is of a format that is known here; `gathering files list` lists them",
            ));
        }
    };
    Ok((found, named.map(|named| named.name()).filter(|name| *name != found.name())))
}
