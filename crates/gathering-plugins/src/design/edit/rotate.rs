//! Turning a picture by any angle.

use image::{DynamicImage, Rgba, RgbaImage};

use super::super::color::Color;
use super::super::picture::check_size;
use super::apply::rgba;

/// The picture turned clockwise. Right angles keep every pixel; others grow the picture to hold its corners, and mix
/// pixels (bilinear). What is not covered is `corners`, or transparent.
pub(super) fn rotate(
    pixels: DynamicImage,
    degrees: f64,
    corners: Option<Color>,
) -> Result<DynamicImage, String> {
    let turns = degrees.rem_euclid(360.0);
    if turns == 0.0 {
        return Ok(pixels);
    }
    if turns == 90.0 {
        return Ok(pixels.rotate90());
    }
    if turns == 180.0 {
        return Ok(pixels.rotate180());
    }
    if turns == 270.0 {
        return Ok(pixels.rotate270());
    }
    let (sin, cos) = turns.to_radians().sin_cos();
    let (own_width, own_height) = (f64::from(pixels.width()), f64::from(pixels.height()));
    // A hair less, so that rounding makes no column of nothing.
    let grown = |a: f64, b: f64| (a.abs() + b.abs() - 1e-6).ceil() as u32;
    let width = grown(own_width * cos, own_height * sin);
    let height = grown(own_width * sin, own_height * cos);
    check_size(width, height)?;
    let is_opaque = corners.is_some() && !pixels.color().has_alpha();
    let behind = corners.map_or(Rgba([0; 4]), rgba);
    let source = pixels.into_rgba8();
    let middle = (f64::from(width) / 2.0, f64::from(height) / 2.0);
    let made = RgbaImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (f64::from(x) + 0.5 - middle.0, f64::from(y) + 0.5 - middle.1);
        let from_x = dx * cos + dy * sin + own_width / 2.0 - 0.5;
        let from_y = dy * cos - dx * sin + own_height / 2.0 - 0.5;
        mixed(&source, from_x, from_y, behind)
    });
    let made = DynamicImage::ImageRgba8(made);
    Ok(if is_opaque { DynamicImage::ImageRgb8(made.into_rgb8()) } else { made })
}

/// The colour between four pixels, each counting by its transparency, too.
fn mixed(source: &RgbaImage, x: f64, y: f64, behind: Rgba<u8>) -> Rgba<u8> {
    let (left, top) = (x.floor(), y.floor());
    let (right_part, bottom_part) = (x - left, y - top);
    let (mut sum, mut alpha) = ([0.0; 3], 0.0);
    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let (column, row) = (left as i64 + dx, top as i64 + dy);
        let inside = u32::try_from(column).ok().zip(u32::try_from(row).ok());
        let pixel = inside.and_then(|(x, y)| source.get_pixel_checked(x, y)).unwrap_or(&behind);
        let part = (if dx == 1 { right_part } else { 1.0 - right_part })
            * (if dy == 1 { bottom_part } else { 1.0 - bottom_part })
            * f64::from(pixel[3]);
        alpha += part;
        (0..3).for_each(|i| sum[i] += f64::from(pixel[i]) * part);
    }
    if alpha <= 0.0 {
        return Rgba([0; 4]);
    }
    let [r, g, b] = sum.map(|channel| (channel / alpha).round() as u8);
    Rgba([r, g, b, alpha.round() as u8])
}
