//! Filters: blur, sharpen, and the changes of colour that CSS names (Filter Effects Module Level 1, section 12.1).

use image::DynamicImage;

pub(super) fn blur(pixels: &DynamicImage, deviation: f32) -> DynamicImage {
    pixels.fast_blur(deviation)
}

/// Unsharp masking: the difference to the blurred picture, added `amount` times. Transparency stays as it is.
pub(super) fn sharpen(pixels: &DynamicImage, deviation: f32, amount: f32) -> DynamicImage {
    let soft = blur(pixels, deviation);
    let mut sharp = pixels.clone();
    let channels = if pixels.color().has_alpha() { 4 } else { 3 };
    let soft = soft.as_bytes();
    each(&mut sharp, |i, value| {
        if i % channels == 3 {
            return value;
        }
        let own = f32::from(value);
        byte(own + amount * (own - f32::from(soft[i])))
    });
    sharp
}

/// Multiplies all channels.
pub(super) fn brightness(pixels: DynamicImage, factor: f32) -> DynamicImage {
    mapped(pixels, |value| value * factor)
}

/// Stretches all channels from the middle.
pub(super) fn contrast(pixels: DynamicImage, factor: f32) -> DynamicImage {
    mapped(pixels, |value| (value - 127.5) * factor + 127.5)
}

/// Moves each pixel from the grey of its luminance (0) to itself (1) and beyond.
pub(super) fn saturation(mut pixels: DynamicImage, factor: f32) -> DynamicImage {
    let change = |pixel: &mut [u8]| {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
        let grey = 0.213 * r + 0.715 * g + 0.072 * b;
        for (channel, own) in pixel.iter_mut().zip([r, g, b]) {
            *channel = byte(grey + (own - grey) * factor);
        }
    };
    match &mut pixels {
        DynamicImage::ImageRgba8(rgba) => rgba.chunks_exact_mut(4).for_each(change),
        DynamicImage::ImageRgb8(rgb) => rgb.chunks_exact_mut(3).for_each(change),
        _ => {}
    }
    pixels
}

/// The colours through a table; transparency stays as it is.
fn mapped(mut pixels: DynamicImage, change: impl Fn(f32) -> f32) -> DynamicImage {
    let mut table = [0; 256];
    (0..=255_u8).for_each(|value| table[usize::from(value)] = byte(change(f32::from(value))));
    let channels = if pixels.color().has_alpha() { 4 } else { 3 };
    each(&mut pixels, |i, value| if i % channels == 3 { value } else { table[usize::from(value)] });
    pixels
}

fn each(pixels: &mut DynamicImage, change: impl Fn(usize, u8) -> u8) {
    let bytes: &mut [u8] = match pixels {
        DynamicImage::ImageRgba8(rgba) => rgba,
        DynamicImage::ImageRgb8(rgb) => rgb,
        _ => return,
    };
    bytes.iter_mut().enumerate().for_each(|(i, value)| *value = change(i, *value));
}

fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}
