//! Doing an operation: from a picture to a picture, all of them with 8 bits a channel.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, GenericImage, Rgba, RgbaImage, imageops};

use super::super::color::Color;
use super::super::picture::check_size;
use super::operation::{Border, Crop, Direction, Flip, Mode, Operation, Position, Resize, Rotate};
use super::{filter, rotate};
use crate::Failure;

/// Does one operation; `layer` is the picture that an overlay or a text lays on.
pub(super) fn apply(
    pixels: DynamicImage,
    operation: &Operation,
    layer: Option<DynamicImage>,
) -> Result<DynamicImage, String> {
    Ok(match operation {
        Operation::Resize(wanted) => resize(&pixels, wanted)?,
        Operation::Crop(part) => crop(&pixels, part)?,
        Operation::Rotate(Rotate { degrees, color: corners }) => {
            let corners = match corners {
                Some(text) => Some(color(text)?),
                None => None,
            };
            rotate::rotate(pixels, *degrees, corners)?
        }
        Operation::Flip(Flip { direction: Direction::Horizontal }) => pixels.fliph(),
        Operation::Flip(Flip { direction: Direction::Vertical }) => pixels.flipv(),
        Operation::Blur(blur) => filter::blur(&pixels, blur.radius),
        Operation::Sharpen(sharpen) => filter::sharpen(&pixels, sharpen.radius, sharpen.amount),
        Operation::Brightness(by) => filter::brightness(pixels, by.factor),
        Operation::Contrast(by) => filter::contrast(pixels, by.factor),
        Operation::Saturation(by) => filter::saturation(pixels, by.factor),
        Operation::Grayscale(_) => filter::saturation(pixels, 0.0),
        Operation::Overlay(overlay) => {
            let layer = layer.ok_or("its picture is missing")?;
            let layer = match (overlay.width, overlay.height) {
                (None, None) => layer,
                (width, height) => resize(&layer, &Resize { width, height, mode: both(width, height) })?,
            };
            let at = (overlay.x, overlay.y, overlay.position, overlay.margin);
            lay(pixels, layer.into_rgba8(), at, overlay.opacity)
        }
        Operation::Text(text) => {
            let layer = layer.ok_or("its picture is missing")?;
            lay(pixels, layer.into_rgba8(), (text.x, text.y, text.position, text.margin), 1.0)
        }
        Operation::Border(border) => framed(&pixels, border)?,
        // The result as a whole is written in the format.
        Operation::Convert(_) => pixels,
    })
}

fn both(width: Option<u32>, height: Option<u32>) -> Mode {
    if width.is_some() && height.is_some() { Mode::Exact } else { Mode::Fit }
}

/// A colour of an operation, which was looked at before.
pub(super) fn color(text: &str) -> Result<Color, String> {
    Color::parse(text).map_err(|failure| match failure {
        Failure::Message(message) => message,
        Failure::Error(error) => error.to_string(),
    })
}

/// The picture inside of a size, in its proportions.
pub(super) fn fit(pixels: &DynamicImage, width: u32, height: u32) -> Result<DynamicImage, String> {
    resize(pixels, &Resize { width: Some(width), height: Some(height), mode: Mode::Fit })
}

fn resize(pixels: &DynamicImage, wanted: &Resize) -> Result<DynamicImage, String> {
    let own = (f64::from(pixels.width()), f64::from(pixels.height()));
    let scaled = |scale: f64| {
        let side = |own: f64| (own * scale).round().clamp(1.0, f64::from(u32::MAX)) as u32;
        (side(own.0), side(own.1))
    };
    let (width, height) = match (wanted.width, wanted.height, wanted.mode) {
        (Some(width), Some(height), Mode::Fit) => {
            scaled((f64::from(width) / own.0).min(f64::from(height) / own.1))
        }
        (Some(width), Some(height), _) => (width, height),
        (Some(width), None, _) => (width, scaled(f64::from(width) / own.0).1),
        (None, Some(height), _) => (scaled(f64::from(height) / own.1).0, height),
        (None, None, _) => return Err("expected a `width`, a `height`, or both".to_owned()),
    };
    check_size(width, height)?;
    let kind =
        fast_image_resize::IntoImageView::pixel_type(pixels).ok_or("its kind of pixels is not supported")?;
    let mut made = Image::new(width, height, kind);
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    if wanted.mode == Mode::Fill {
        options = options.fit_into_destination(Some((0.5, 0.5)));
    }
    Resizer::new().resize(pixels, &mut made, &options).map_err(|error| error.to_string())?;
    let buffer = made.into_vec();
    let made = match pixels {
        DynamicImage::ImageRgba8(_) => {
            RgbaImage::from_raw(width, height, buffer).map(DynamicImage::ImageRgba8)
        }
        _ => image::RgbImage::from_raw(width, height, buffer).map(DynamicImage::ImageRgb8),
    };
    made.ok_or_else(|| "the resized picture is not as large as it should be".to_owned())
}

fn crop(pixels: &DynamicImage, part: &Crop) -> Result<DynamicImage, String> {
    let Crop { x, y, width, height } = *part;
    let is_inside = u64::from(x) + u64::from(width) <= u64::from(pixels.width())
        && u64::from(y) + u64::from(height) <= u64::from(pixels.height());
    if !is_inside {
        return Err(format!(
            "{width} x {height} pixels at {x}, {y} stand out of the picture, which has {} x {} here",
            pixels.width(),
            pixels.height()
        ));
    }
    check_size(width, height)?;
    Ok(pixels.crop_imm(x, y, width, height))
}

type Place = (Option<i64>, Option<i64>, Option<Position>, u32);

fn lay(below: DynamicImage, mut layer: RgbaImage, at: Place, opacity: f32) -> DynamicImage {
    if opacity < 1.0 {
        layer.pixels_mut().for_each(|pixel| pixel[3] = (f32::from(pixel[3]) * opacity).round() as u8);
    }
    let (x, y) = place((below.width(), below.height()), layer.dimensions(), at);
    let has_alpha = below.color().has_alpha();
    let mut made = below.into_rgba8();
    imageops::overlay(&mut made, &layer, x, y);
    let made = DynamicImage::ImageRgba8(made);
    if has_alpha { made } else { DynamicImage::ImageRgb8(made.into_rgb8()) }
}

fn place(own: (u32, u32), layer: (u32, u32), (x, y, position, margin): Place) -> (i64, i64) {
    if x.is_some() || y.is_some() {
        return (x.unwrap_or(0), y.unwrap_or(0));
    }
    let along = |own: u32, layer: u32, third: usize| {
        let rest = i64::from(own) - i64::from(layer);
        match third {
            0 => i64::from(margin),
            1 => rest / 2,
            _ => rest - i64::from(margin),
        }
    };
    let (column, row) = match position.unwrap_or(Position::Center) {
        Position::TopLeft => (0, 0),
        Position::Top => (1, 0),
        Position::TopRight => (2, 0),
        Position::Left => (0, 1),
        Position::Center => (1, 1),
        Position::Right => (2, 1),
        Position::BottomLeft => (0, 2),
        Position::Bottom => (1, 2),
        Position::BottomRight => (2, 2),
    };
    (along(own.0, layer.0, column), along(own.1, layer.1, row))
}

fn framed(pixels: &DynamicImage, border: &Border) -> Result<DynamicImage, String> {
    let (width, height) = (
        pixels.width().saturating_add(border.size.saturating_mul(2)),
        pixels.height().saturating_add(border.size.saturating_mul(2)),
    );
    check_size(width, height)?;
    let color = color(&border.color)?;
    let mut made = RgbaImage::from_pixel(width, height, rgba(color));
    made.copy_from(&pixels.to_rgba8(), border.size, border.size).map_err(|error| error.to_string())?;
    let made = DynamicImage::ImageRgba8(made);
    Ok(if pixels.color().has_alpha() { made } else { DynamicImage::ImageRgb8(made.into_rgb8()) })
}

/// The picture without transparency, on a colour.
pub(super) fn opaque(pixels: &DynamicImage, behind: Color) -> DynamicImage {
    if !pixels.color().has_alpha() {
        return pixels.clone();
    }
    let mut made = RgbaImage::from_pixel(pixels.width(), pixels.height(), rgba(behind));
    imageops::overlay(&mut made, &pixels.to_rgba8(), 0, 0);
    DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(made).into_rgb8())
}

pub(super) fn rgba(color: Color) -> Rgba<u8> {
    Rgba([color.0.red, color.0.green, color.0.blue, 255])
}
