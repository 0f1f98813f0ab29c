//! The work on a picture as a job of a confined worker: decoded, changed and written there.

use std::fs::File;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat};
use serde::{Deserialize, Serialize};

use super::super::picture;
use super::Problem;
use super::apply;
use super::operation::{Mode, Operation, Resize};
use super::write::{Format, Target, write};
use crate::worker::Job;

/// The longest side of the preview, in pixels.
const PREVIEW: u32 = 640;

/// Changes a picture. The files are the picture, one for each overlay and text among the operations, and the one that the
/// result is written to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Edit {
    pub(super) operations: Vec<Operation>,
    /// The format that the name of the result says.
    pub(super) named: Option<Format>,
    /// Whether the result takes the place of the picture.
    pub(super) is_replaced: bool,
    pub(super) most_bytes: usize,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Edited {
    pub(in super::super) width: u32,
    pub(in super::super) height: u32,
    pub(super) format: Format,
    pub(super) bytes: usize,
    /// A smaller PNG of it, base64.
    pub(super) preview: String,
}

impl Job for Edit {
    const NAME: &'static str = "design.edit";
    type Output = Result<Edited, Problem>;

    fn run(self, mut files: Vec<File>) -> Self::Output {
        let unwritable =
            |error: std::io::Error| Problem::Unwritable(format!("no room for the result: {error}"));
        let mut result = files
            .pop()
            .ok_or_else(|| Problem::Unwritable("no file for the result was handed over".to_owned()))?;
        let mut inputs = Vec::new();
        for file in files {
            inputs.push(read(file, self.most_bytes).map_err(Problem::Unreadable)?);
        }
        let (edited, bytes) = self.edit(&inputs)?;
        result.write_all(&bytes).map_err(unwritable)?;
        Ok(edited)
    }
}

impl Edit {
    /// Brings a picture to a size, cutting off what stands out, and writes it as PNG.
    pub(in super::super) fn to_png(width: u32, height: u32, most_bytes: usize) -> Self {
        let resize = Resize { width: Some(width), height: Some(height), mode: Mode::Fill };
        let operations = vec![Operation::Resize(resize)];
        Self { operations, named: Some(Format::Png), is_replaced: false, most_bytes }
    }

    /// The same from bytes to bytes: the picture first among `inputs`, then a layer for each operation that has one.
    fn edit(&self, inputs: &[Vec<u8>]) -> Result<(Edited, Vec<u8>), Problem> {
        let (first, layers) =
            inputs.split_first().ok_or_else(|| Problem::Unreadable("it was not handed over".to_owned()))?;
        let mut opened = picture::decode(first).map_err(Problem::Unreadable)?;
        let profile = opened.profile.take();
        let target = self.target(opened.format)?;
        let mut pixels = eight_bits(opened.pixels);
        let mut layers = layers.iter();
        for (index, operation) in self.operations.iter().enumerate() {
            let told = |reason| Problem::Operation { index, word: operation.word().to_owned(), reason };
            let layer = match operation {
                Operation::Overlay(_) | Operation::Text(_) => {
                    let bytes =
                        layers.next().ok_or_else(|| told("its picture was not handed over".to_owned()))?;
                    Some(eight_bits(picture::decode(bytes).map_err(told)?.pixels))
                }
                _ => None,
            };
            pixels = apply::apply(pixels, operation, layer).map_err(told)?;
        }
        let bytes = write(&pixels, &target, profile).map_err(Problem::Unwritable)?;
        if bytes.len() > self.most_bytes {
            let (count, most) = (bytes.len(), self.most_bytes);
            return Err(Problem::Unwritable(format!(
                "the result has {count} bytes, more than the {most} of the setting `max_file_bytes`; nothing was written"
            )));
        }
        let preview = preview(&pixels).map_err(Problem::Unwritable)?;
        let (width, height) = (pixels.width(), pixels.height());
        let edited = Edited { width, height, format: target.format, bytes: bytes.len(), preview };
        Ok((edited, bytes))
    }

    /// The format of the result: what the last `convert` says, else its name, else what the picture had.
    fn target(&self, own: ImageFormat) -> Result<Target, Problem> {
        let own = Format::of(own)
            .ok_or_else(|| Problem::Unreadable("its format can be read and not written".to_owned()))?;
        let last = self.operations.iter().enumerate().rev().find_map(|(index, operation)| match operation {
            Operation::Convert(convert) => Some((index, convert)),
            _ => None,
        });
        let Some((index, convert)) = last else {
            return Ok(Target::new(self.named.filter(|_| !self.is_replaced).unwrap_or(own)));
        };
        let wrong = |reason: String| Problem::Operation { index, word: "convert".to_owned(), reason };
        let kept = if self.is_replaced { Some(self.named.unwrap_or(own)) } else { self.named };
        match kept {
            Some(named) if named != convert.format => Err(wrong(format!(
                "the result would be {} under a name of {}: give an `output` that ends in .{}",
                convert.format.word(),
                named.word(),
                convert.format.word()
            ))),
            _ => Target::of(convert).map_err(wrong),
        }
    }
}

fn read(file: File, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let count = file.take(most as u64 + 1).read_to_end(&mut bytes);
    match count {
        Ok(count) if count > most => Err(format!("it has more than the {most} bytes of `max_file_bytes`")),
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

/// The picture with 8 bits a channel, in colour, with transparency if it has any: what all operations take.
fn eight_bits(pixels: DynamicImage) -> DynamicImage {
    match pixels {
        own @ (DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_)) => own,
        other if other.color().has_alpha() => DynamicImage::ImageRgba8(other.into_rgba8()),
        other => DynamicImage::ImageRgb8(other.into_rgb8()),
    }
}

fn preview(pixels: &DynamicImage) -> Result<String, String> {
    let longest = pixels.width().max(pixels.height());
    let small = match longest > PREVIEW {
        true => apply::fit(pixels, PREVIEW, PREVIEW)?,
        false => pixels.clone(),
    };
    let png = write(&small, &Target::new(Format::Png), None)?;
    Ok(STANDARD.encode(png))
}
