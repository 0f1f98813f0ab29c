//! Writing pictures in the formats that can be written.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat};
use serde::{Deserialize, Serialize};

use super::super::color::{Color, WHITE};
use super::apply;
use super::operation::Convert;

/// The quality of a JPEG of which nothing else is said.
const QUALITY: u8 = 85;

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    Png,
    #[serde(alias = "jpg")]
    Jpeg,
    Webp,
    Gif,
    Bmp,
    #[serde(alias = "tif")]
    Tiff,
}

impl Format {
    /// The word for it, such as `jpeg`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
        }
    }

    /// What the ending of a path says.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" | "jpe" => Some(Self::Jpeg),
            "webp" => Some(Self::Webp),
            "gif" => Some(Self::Gif),
            "bmp" => Some(Self::Bmp),
            "tif" | "tiff" => Some(Self::Tiff),
            _ => None,
        }
    }

    pub(super) fn of(format: ImageFormat) -> Option<Self> {
        match format {
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::WebP => Some(Self::Webp),
            ImageFormat::Gif => Some(Self::Gif),
            ImageFormat::Bmp => Some(Self::Bmp),
            ImageFormat::Tiff => Some(Self::Tiff),
            _ => None,
        }
    }
}

/// How a picture is to be written.
pub(super) struct Target {
    pub(super) format: Format,
    quality: u8,
    /// What lies behind a transparent picture where the format has no transparency.
    behind: Color,
}

impl Target {
    pub(super) fn new(format: Format) -> Self {
        Self { format, quality: QUALITY, behind: WHITE }
    }

    pub(super) fn of(convert: &Convert) -> Result<Self, String> {
        let behind = apply::color(&convert.color)?;
        Ok(Self { format: convert.format, quality: convert.quality.unwrap_or(QUALITY), behind })
    }
}

/// The bytes of a picture as a file, with its colour profile where the format can hold one.
pub(super) fn write(
    pixels: &DynamicImage,
    target: &Target,
    profile: Option<Vec<u8>>,
) -> Result<Vec<u8>, String> {
    let failed = |error: image::ImageError| {
        format!("the result cannot be written as {}: {error}", target.format.word())
    };
    let mut bytes = Vec::new();
    match target.format {
        Format::Jpeg => {
            let opaque = apply::opaque(pixels, target.behind);
            encode(JpegEncoder::new_with_quality(&mut bytes, target.quality), &opaque, profile)
        }
        Format::Png => {
            let encoder =
                PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
            encode(encoder, pixels, profile)
        }
        Format::Webp => encode(WebPEncoder::new_lossless(&mut bytes), pixels, profile),
        Format::Tiff => encode(TiffEncoder::new(Cursor::new(&mut bytes)), pixels, profile),
        Format::Bmp => {
            apply::opaque(pixels, target.behind).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Bmp)
        }
        Format::Gif => pixels.to_rgba8().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Gif),
    }
    .map_err(failed)?;
    Ok(bytes)
}

fn encode(
    mut encoder: impl ImageEncoder,
    pixels: &DynamicImage,
    profile: Option<Vec<u8>>,
) -> image::ImageResult<()> {
    if let Some(profile) = profile {
        // A format that holds no profile shows the picture in sRGB, as nearly everything does.
        let _ = encoder.set_icc_profile(profile);
    }
    pixels.write_with_encoder(encoder)
}
