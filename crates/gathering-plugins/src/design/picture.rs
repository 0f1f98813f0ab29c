//! Pictures of strangers: decoded within limits, and turned as their camera meant.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::Failure;
use crate::base::shown;

/// The longest side of a picture, in pixels.
pub(super) const MAX_SIDE: u32 = 20_000;
/// The most pixels of a picture: 100 million.
pub(super) const MAX_PIXELS: u64 = 100_000_000;
/// The most memory that decoding may take, in bytes.
const MAX_MEMORY: u64 = 1 << 30;

/// A decoded picture, upright.
pub(super) struct Picture {
    pub(super) format: ImageFormat,
    pub(super) pixels: DynamicImage,
    /// Its colour profile (ICC), if it has one.
    pub(super) profile: Option<Vec<u8>>,
}

/// Decodes a picture whose format is known by its content. A picture of several frames gives its first.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let (format, mut decoder, orientation) = open(bytes)?;
    decoder.set_limits(limits()).map_err(|error| too_large_or_bad(&error))?;
    // A profile that cannot be read is as good as none.
    let profile = decoder.icc_profile().unwrap_or_default();
    let mut pixels = DynamicImage::from_decoder(decoder).map_err(|error| too_large_or_bad(&error))?;
    pixels.apply_orientation(orientation);
    Ok(Picture { format, pixels, profile })
}

/// The decoder of a picture whose size has been found to be within the limits, and how the picture is to be turned.
pub(super) fn open(bytes: &[u8]) -> Result<(ImageFormat, Box<dyn ImageDecoder + '_>, Orientation), String> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format!("it cannot be read: {error}"))?;
    let format = reader
        .format()
        .ok_or("it is no picture that is known: expected PNG, JPEG, WebP, GIF, BMP or TIFF")?;
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(|error| too_large_or_bad(&error))?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    // What cannot be read about its orientation is as good as nothing said.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((format, Box::new(decoder), orientation))
}

/// Refuses a size that no picture here may have.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), String> {
    let is_fine = (1..=MAX_SIDE).contains(&width)
        && (1..=MAX_SIDE).contains(&height)
        && u64::from(width) * u64::from(height) <= MAX_PIXELS;
    let rule = "at most 20000 a side and 100 million in all";
    if is_fine { Ok(()) } else { Err(format!("a picture of {width} x {height} pixels is not taken: {rule}")) }
}

/// The failure of a tool that was given a picture that cannot be decoded.
pub(super) fn unreadable(path: &str, reason: &str) -> Failure {
    format!("`{}` is no picture that can be used: {reason}", shown(path)).into()
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    limits
}

fn too_large_or_bad(error: &image::ImageError) -> String {
    match error {
        image::ImageError::Limits(_) => {
            "it is too large: at most 20000 pixels a side, and 1 GiB in memory".to_owned()
        }
        other => format!("it is broken, or of a kind that is not supported ({other})"),
    }
}
