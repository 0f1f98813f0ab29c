//! Pictures made of pixels: PNG, JPEG, WebP, GIF, BMP and TIFF.

mod exif;
mod scale;

use std::io::{BufReader, Read, Seek};

use image::{
    AnimationDecoder, ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader,
};
use serde_json::{Map, Value, json};

use super::format::{Content, Format, FormatError, Png, Previewing, Reading, Source};
pub(super) use scale::{fitting, png};

/// The longest side of the picture that `read` gives: what the models that see take without scaling it themselves.
const FOR_MODELS: u32 = 1568;
/// The most memory that the pixels of one picture may take, in bytes: 100 megapixels of 8-bit RGB.
const MOST_PIXELS: u64 = 300 << 20;
/// The longest side that is taken, in pixels: the most that JPEG can say.
const LONGEST_SIDE: u32 = 65_535;

/// Pictures made of pixels.
pub(crate) struct Bitmap;

impl Format for Bitmap {
    fn name(&self) -> &'static str {
        "image"
    }

    fn description(&self) -> &'static str {
        "Pictures (PNG, JPEG, WebP, GIF, BMP, TIFF): `read` gives the picture as a model can see it, upright and scaled \
         down; facts are its size, colours and EXIF data"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "dib", "tif", "tiff"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        kind(head).is_some()
    }

    fn read(&self, source: &mut Source, _options: &Reading) -> Result<Content, FormatError> {
        let picture = Opened::new(source)?;
        let facts = picture.facts();
        let whole = picture.upright()?;
        let shown = fitting(&whole, FOR_MODELS, FOR_MODELS)?;
        let mut notes = Vec::new();
        if (shown.width(), shown.height()) != (whole.width(), whole.height()) {
            notes.push(format!(
                "the picture is {} x {} pixels, and is shown at {} x {}",
                whole.width(),
                whole.height(),
                shown.width(),
                shown.height()
            ));
        }
        let images = vec![Png(png(&shown)?)];
        Ok(Content { value: Some(Value::Object(facts)), images, notes, ..Content::default() })
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let (kind, mut facts) = {
            let opened = Opened::new(source)?;
            (opened.kind, opened.facts())
        };
        facts.insert("animated".to_owned(), json!(animated(kind, source)?));
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        png(&fitting(&Opened::new(source)?.upright()?, options.width, options.height)?)
    }
}

/// The kinds that are understood, by their first bytes.
fn kind(head: &[u8]) -> Option<ImageFormat> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    image::guess_format(head).ok().filter(|kind| matches!(kind, Bmp | Gif | Jpeg | Png | Tiff | WebP))
}

/// A picture whose header was read.
struct Opened<'a> {
    kind: ImageFormat,
    decoder: Box<dyn ImageDecoder + 'a>,
    exif: Option<Vec<u8>>,
    width: u32,
    height: u32,
}

impl<'a> Opened<'a> {
    fn new(source: &'a mut Source) -> Result<Self, FormatError> {
        let kind = kind(&source.head()?).ok_or_else(|| {
            FormatError::not_this_format("it does not begin like a PNG, JPEG, WebP, GIF, BMP or TIFF file")
        })?;
        // TIFF is EXIF's own container, and the decoder keeps its tags to itself.
        let exif = (kind == ImageFormat::Tiff).then(|| exif::of_tiff(source)).transpose()?.flatten();
        source.file.rewind()?;
        let mut reader = ImageReader::with_format(BufReader::new(&mut source.file), kind);
        reader.limits(limits());
        let mut decoder = reader.into_decoder().map_err(told)?;
        let exif = exif.or(decoder.exif_metadata().map_err(told)?);
        let (width, height) = decoder.dimensions();
        if decoder.total_bytes() > MOST_PIXELS {
            return Err(too_large(&format!("it has {width} x {height} pixels")));
        }
        Ok(Self { kind, decoder: Box::new(decoder), exif, width, height })
    }

    fn facts(&self) -> Map<String, Value> {
        let (mode, bits) = mode(self.decoder.original_color_type());
        let tags = self.exif.as_deref().map(exif::tags).unwrap_or_default();
        let orientation = tags.get("Orientation").and_then(Value::as_u64).unwrap_or(1);
        let turned = matches!(orientation, 5..=8);
        let (width, height) = if turned { (self.height, self.width) } else { (self.width, self.height) };
        let mut facts = Map::new();
        let kind = self.kind.to_mime_type().trim_start_matches("image/");
        facts.insert("kind".to_owned(), json!(kind));
        facts.insert("width".to_owned(), json!(width));
        facts.insert("height".to_owned(), json!(height));
        facts.insert("stored".to_owned(), json!({"width": self.width, "height": self.height}));
        facts.insert("orientation".to_owned(), json!(exif::orientation(orientation)));
        facts.insert("mode".to_owned(), json!(mode));
        facts.insert("bits_per_channel".to_owned(), json!(bits));
        facts.insert("has_alpha".to_owned(), json!(self.decoder.color_type().has_alpha()));
        if let Some(place) = self.exif.as_deref().and_then(exif::place) {
            facts.insert("place".to_owned(), place);
        }
        if !tags.is_empty() {
            facts.insert("exif".to_owned(), Value::Object(tags));
        }
        facts
    }

    /// The pixels, the way up that the camera noted.
    fn upright(mut self) -> Result<DynamicImage, FormatError> {
        let orientation = self.decoder.orientation().map_err(told)?;
        let mut pixels = DynamicImage::from_decoder(self.decoder).map_err(told)?;
        pixels.apply_orientation(orientation);
        Ok(match pixels.color() {
            ColorType::Rgb16 | ColorType::Rgb32F | ColorType::L16 => pixels.into_rgb8().into(),
            ColorType::Rgba16 | ColorType::Rgba32F | ColorType::La16 | ColorType::La8 => {
                pixels.into_rgba8().into()
            }
            _ => pixels,
        })
    }
}

/// The colours of a picture, and how many bits each of their parts has.
fn mode(colour: ExtendedColorType) -> (&'static str, u16) {
    use ExtendedColorType as Type;
    let bits = colour.bits_per_pixel() / u16::from(colour.channel_count()).max(1);
    let mode = match colour {
        Type::A8 => "alpha",
        Type::L1 | Type::L2 | Type::L4 | Type::L8 | Type::L16 => "gray",
        Type::La1 | Type::La2 | Type::La4 | Type::La8 | Type::La16 => "gray_alpha",
        Type::Rgb1 | Type::Rgb2 | Type::Rgb4 | Type::Rgb8 | Type::Rgb16 | Type::Rgb32F | Type::Bgr8 => "rgb",
        Type::Rgba1
        | Type::Rgba2
        | Type::Rgba4
        | Type::Rgba8
        | Type::Rgba16
        | Type::Rgba32F
        | Type::Bgra8 => "rgb_alpha",
        Type::Cmyk8 | Type::Cmyk16 => "cmyk",
        _ => "palette",
    };
    (mode, bits)
}

/// Whether it moves. Looks no further than needed: a GIF says so only by its second picture.
fn animated(kind: ImageFormat, source: &mut Source) -> Result<bool, FormatError> {
    source.file.rewind()?;
    let reader = BufReader::new(&mut source.file);
    Ok(match kind {
        ImageFormat::Gif => two_frames(image::codecs::gif::GifDecoder::new(reader).map_err(told)?),
        ImageFormat::Png => {
            image::codecs::png::PngDecoder::new(reader).and_then(|png| png.is_apng()).map_err(told)?
        }
        ImageFormat::WebP => image::codecs::webp::WebPDecoder::new(reader).map_err(told)?.has_animation(),
        _ => false,
    })
}

fn two_frames<R: Read + Seek>(mut gif: image::codecs::gif::GifDecoder<BufReader<R>>) -> bool {
    gif.set_limits(limits()).is_ok() && gif.into_frames().take(2).flatten().count() == 2
}

fn limits() -> image::Limits {
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_PIXELS);
    limits
}

fn too_large(what: &str) -> FormatError {
    FormatError::too_large(format!(
        "{what}: a picture may have sides of up to {LONGEST_SIDE} pixels, and {} MiB of pixels in all",
        MOST_PIXELS >> 20
    ))
}

fn told(error: image::ImageError) -> FormatError {
    use image::ImageError;
    match error {
        ImageError::Limits(limit) => too_large(&limit.to_string()),
        ImageError::Unsupported(what) => FormatError::unsupported(what.to_string()),
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            FormatError::corrupt("the picture ends too early: it was cut off")
        }
        ImageError::IoError(error) => error.into(),
        error => FormatError::corrupt(format!(
            "the picture is damaged or was cut off: {}",
            error.to_string().trim_end()
        )),
    }
}
