//! Scaling pictures, and writing them as PNG.

use fast_image_resize::{ResizeAlg, ResizeOptions, Resizer};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageEncoder};

use super::super::format::FormatError;

/// The picture, made smaller if it does not fit. It keeps its shape, and is never enlarged.
pub(in super::super) fn fitting(
    picture: &DynamicImage,
    width: u32,
    height: u32,
) -> Result<DynamicImage, FormatError> {
    let scale =
        (f64::from(width) / f64::from(picture.width())).min(f64::from(height) / f64::from(picture.height()));
    if scale >= 1.0 {
        return Ok(picture.clone());
    }
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    let mut small = DynamicImage::new(side(picture.width()), side(picture.height()), picture.color());
    let options =
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(fast_image_resize::FilterType::Lanczos3));
    Resizer::new()
        .resize(picture, &mut small, &options)
        .map_err(|error| FormatError::unsupported(format!("it cannot be scaled: {error}")))?;
    Ok(small)
}

/// The bytes of a PNG file.
pub(in super::super) fn png(picture: &DynamicImage) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(picture.as_bytes(), picture.width(), picture.height(), picture.color().into())
        .map_err(|error| FormatError::unsupported(format!("it cannot be written as PNG: {error}")))?;
    Ok(bytes)
}
