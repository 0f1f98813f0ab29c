//! What a camera or an editor noted in a picture: EXIF.

use std::io::BufReader;

use exif::{Exif, Field, In, Reader, Tag, Value as Raw};
use serde_json::{Map, Value, json};

use super::super::format::{FormatError, Source};

/// TIFF files larger than this are not searched for EXIF data, in bytes: the reader takes the whole file.
const MOST_TIFF: u64 = 64 << 20;
/// The most text that one tag gives, in characters.
const MOST_TEXT: usize = 500;
/// The most numbers that one tag gives: more are a table for programs.
const MOST_NUMBERS: usize = 16;
/// The most tags.
const MOST_TAGS: usize = 200;

/// The EXIF data of a TIFF file, which are its own tags.
pub(super) fn of_tiff(source: &mut Source) -> Result<Option<Vec<u8>>, FormatError> {
    if source.size > MOST_TIFF {
        return Ok(None);
    }
    let bytes = source.read_all(MOST_TIFF as usize)?;
    let found = Reader::new().read_from_container(&mut BufReader::new(std::io::Cursor::new(bytes)));
    Ok(found.ok().map(|exif| exif.buf().to_vec()))
}

/// The tags of the picture itself (not of its thumbnail) by their names in the EXIF standard.
pub(super) fn tags(exif: &[u8]) -> Map<String, Value> {
    let Some(exif) = parsed(exif) else { return Map::new() };
    let fields =
        exif.fields().filter(|field| field.ifd_num == In::PRIMARY && field.tag.description().is_some());
    fields.filter_map(|field| Some((field.tag.to_string(), value(field)?))).take(MOST_TAGS).collect()
}

/// Where it was taken, in decimal degrees (WGS 84) and metres above the sea.
pub(super) fn place(exif: &[u8]) -> Option<Value> {
    let exif = parsed(exif)?;
    let latitude = degrees(&exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, "S")?;
    let longitude = degrees(&exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, "W")?;
    let mut place = json!({"latitude": latitude, "longitude": longitude});
    if let Some(Raw::Rational(altitude)) =
        exif.get_field(Tag::GPSAltitude, In::PRIMARY).map(|field| &field.value)
    {
        let below =
            exif.get_field(Tag::GPSAltitudeRef, In::PRIMARY).and_then(|field| field.value.get_uint(0));
        let metres =
            altitude.first().map(|altitude| altitude.to_f64()).filter(|metres| metres.is_finite())?;
        place["altitude"] = json!(if below == Some(1) { -metres } else { metres });
    }
    Some(place)
}

/// What is to be done to a picture so that it is upright, by EXIF's number for it.
pub(super) fn orientation(number: u64) -> &'static str {
    match number {
        2 => "mirrored",
        3 => "turned by 180 degrees",
        4 => "mirrored and turned by 180 degrees",
        5 => "mirrored and turned by 90 degrees to the left",
        6 => "turned by 90 degrees to the right",
        7 => "mirrored and turned by 90 degrees to the right",
        8 => "turned by 90 degrees to the left",
        _ => "upright",
    }
}

fn parsed(exif: &[u8]) -> Option<Exif> {
    // What is broken is left out: a picture with a bad tag is still a picture.
    Reader::new()
        .continue_on_error(true)
        .read_raw(exif.to_vec())
        .or_else(|error| error.distill_partial_result(|_| {}))
        .ok()
}

fn degrees(exif: &Exif, tag: Tag, side: Tag, negative: &str) -> Option<f64> {
    let Raw::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let [degrees, minutes, seconds] = parts.as_slice() else { return None };
    let degrees = degrees.to_f64() + minutes.to_f64() / 60.0 + seconds.to_f64() / 3600.0;
    let side = exif.get_field(side, In::PRIMARY)?.display_value().to_string();
    let signed = if side == negative { -degrees } else { degrees };
    signed.is_finite().then(|| (signed * 1e7).round() / 1e7)
}

fn value(field: &Field) -> Option<Value> {
    let text = |text: &str| Some(json!(text.trim().chars().take(MOST_TEXT).collect::<String>()));
    match &field.value {
        Raw::Ascii(lines) => {
            text(&lines.iter().map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>().join(", "))
        }
        Raw::Rational(numbers) => list(numbers.iter().map(|number| number.to_f64())),
        Raw::SRational(numbers) => list(numbers.iter().map(|number| number.to_f64())),
        Raw::Float(numbers) => list(numbers.iter().copied()),
        Raw::Double(numbers) => list(numbers.iter().copied()),
        Raw::Byte(numbers) => list(numbers.iter().copied()),
        Raw::Short(numbers) => list(numbers.iter().copied()),
        Raw::Long(numbers) => list(numbers.iter().copied()),
        Raw::SByte(numbers) => list(numbers.iter().copied()),
        Raw::SShort(numbers) => list(numbers.iter().copied()),
        Raw::SLong(numbers) => list(numbers.iter().copied()),
        // Notes of the maker and the like: bytes that only its programs understand.
        Raw::Undefined(bytes, _) if bytes.len() > 64 => None,
        Raw::Undefined(..) => text(&field.display_value().to_string()),
        Raw::Unknown(..) => None,
    }
}

fn list<T: Into<Value>>(numbers: impl ExactSizeIterator<Item = T>) -> Option<Value> {
    match numbers.len() {
        0 | MOST_NUMBERS.. => None,
        1 => numbers.map(Into::into).next(),
        _ => Some(Value::Array(numbers.map(Into::into).collect())),
    }
}
