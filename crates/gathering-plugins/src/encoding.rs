//! Text encodings by name: reading never replaces characters in silence, writing never leaves any out.

use std::io::Read;

use encoding_rs::{DecoderResult, EncoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::base::shown;
use crate::{Cancel, Failure};

/// Names that Python has and the web does not: <https://encoding.spec.whatwg.org/#names-and-labels>.
const PYTHON_NAMES: [(&str, &str); 5] = [
    ("utf-8-sig", "utf-8"),
    ("utf-16-le", "utf-16le"),
    ("utf-16-be", "utf-16be"),
    ("latin-1", "latin1"),
    ("cp932", "shift_jis"),
];

/// The encoding of this name. `latin-1` and `ascii` are read as windows-1252, as browsers do.
pub(super) fn named(name: &str) -> Result<&'static Encoding, Failure> {
    let plain = name.trim().to_ascii_lowercase().replace('_', "-");
    let label =
        PYTHON_NAMES.iter().find(|(python, _)| *python == plain).map_or(plain.as_str(), |(_, web)| *web);
    Encoding::for_label_no_replacement(label.as_bytes())
        .or_else(|| Encoding::for_label_no_replacement(name.trim().as_bytes()))
        .ok_or_else(|| {
            let known =
                "utf-8, utf-8-sig, utf-16, utf-16le, utf-16be, windows-1252, iso-8859-15, shift_jis, gb18030";
            Failure::new(format!("there is no encoding `{}`: use one such as {known}", shown(name)))
        })
}

/// Decodes `source` piece by piece, as long as `take` says to go on. `auto` goes by the byte order mark, and is UTF-8
/// without one. `path` is named in errors.
pub(super) fn decode(
    path: &str,
    encoding: &str,
    source: &mut impl Read,
    cancel: &Cancel,
    mut take: impl FnMut(&str) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let is_auto = encoding.eq_ignore_ascii_case("auto");
    let mut buffer = vec![0; 64 * 1024];
    let mut fill = |buffer: &mut [u8]| -> Result<usize, Failure> {
        cancel.check()?;
        source.read(buffer).map_err(|error| crate::base::io_failure(path, &error))
    };
    let mut length = fill(&mut buffer)?;
    let encoding = match Encoding::for_bom(&buffer[..length]) {
        Some((found, _)) if is_auto => found,
        _ if is_auto => UTF_8,
        _ => named(encoding)?,
    };
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut before = 0;
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(length).unwrap_or(4 * length + 16);
        let mut text = String::with_capacity(room);
        let is_last = length == 0;
        let (result, read) =
            decoder.decode_to_string_without_replacement(&buffer[..length], &mut text, is_last);
        if let DecoderResult::Malformed(bad, after) = result {
            let at = (before + read as u64).saturating_sub(u64::from(bad) + u64::from(after));
            return Err(not_text(path, encoding, at));
        }
        if let Some(at) = text.find('\0') {
            return Err(binary(path, before + at as u64));
        }
        if !take(&text)? || is_last {
            return Ok(());
        }
        before += length as u64;
        length = fill(&mut buffer)?;
    }
}

fn not_text(path: &str, encoding: &'static Encoding, at: u64) -> Failure {
    format!(
        "`{}` is not {} at byte {at}: if it is text, give its `encoding`, such as windows-1252; \
         if it is binary, this tool does not read it",
        shown(path),
        encoding.name()
    )
    .into()
}

fn binary(path: &str, at: u64) -> Failure {
    format!(
        "`{}` is binary (there is a NUL near byte {at}), and this tool reads text: if it is UTF-16, \
         give `encoding` as utf-16le or utf-16be",
        shown(path)
    )
    .into()
}

/// The bytes of `text`. `utf-8-sig` and `utf-16` begin with a byte order mark, as in Python.
pub(super) fn encode(text: &str, name: &str) -> Result<Vec<u8>, Failure> {
    let encoding = if name.eq_ignore_ascii_case("auto") { UTF_8 } else { named(name)? };
    let plain = name.trim().to_ascii_lowercase().replace('_', "-");
    if encoding == UTF_8 {
        let mark: &[u8] = if plain == "utf-8-sig" { b"\xef\xbb\xbf" } else { b"" };
        return Ok([mark, text.as_bytes()].concat());
    }
    if encoding == UTF_16LE || encoding == UTF_16BE {
        let mark = (plain == "utf-16").then_some(0xfeff);
        let order = if encoding == UTF_16LE { u16::to_le_bytes } else { u16::to_be_bytes };
        return Ok(mark.into_iter().chain(text.encode_utf16()).flat_map(order).collect());
    }
    let mut encoder = encoding.new_encoder();
    let room =
        encoder.max_buffer_length_from_utf8_without_replacement(text.len()).unwrap_or(4 * text.len() + 16);
    let mut bytes = Vec::with_capacity(room);
    match encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true) {
        (EncoderResult::Unmappable(character), read) => {
            let at = text[..read].chars().count();
            Err(format!(
                "{} has no `{}` (character {at} of the content): write utf-8 instead, or leave it out",
                encoding.name(),
                shown(&character.to_string())
            )
            .into())
        }
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time.
    struct Drips<'a>(&'a [u8], usize);

    impl Read for Drips<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn decoded(bytes: &[u8], encoding: &str, drip: usize) -> Result<String, Failure> {
        let mut text = String::new();
        decode("f", encoding, &mut Drips(bytes, drip), &Cancel::default(), |piece| {
            text.push_str(piece);
            Ok(true)
        })?;
        Ok(text)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_wherever_the_pieces_end(text in "[a-zé€😀\n]{0,60}", drip in 4usize..12) {
            for encoding in ["utf-8", "utf-8-sig", "utf-16", "utf-16le", "utf-16be", "gb18030"] {
                let bytes = encode(&text, encoding).unwrap();
                let read = decoded(&bytes, encoding, drip);
                prop_assert_eq!(read.as_deref(), Ok(text.as_str()), "{}", encoding);
            }
        }

        #[test]
        fn bytes_that_are_no_utf_8_are_refused_where_they_are(bytes in prop::collection::vec(1u8..=255, 0..60), drip in 4usize..12) {
            prop_assume!(encoding_rs::Encoding::for_bom(&bytes).is_none());
            match (std::str::from_utf8(&bytes), decoded(&bytes, "utf-8", drip)) {
                (Ok(text), read) => prop_assert_eq!(read.as_deref(), Ok(text)),
                (Err(error), Err(Failure::Message(message))) => {
                    let place = format!("is not UTF-8 at byte {}:", error.valid_up_to());
                    prop_assert!(message.contains(&place), "{} {}", message, place);
                }
                (Err(_), other) => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
