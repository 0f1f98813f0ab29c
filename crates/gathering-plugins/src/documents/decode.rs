//! Text in an encoding that has to be found out first, as pieces of UTF-8.

use std::io::{Read, Seek};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::format::{FormatError, HEAD, Source};
use crate::{Failure, encoding};

/// How much of a file is looked at to find its encoding out: what is not ASCII may come late.
const LOOKED_AT: u64 = 4 << 20;

/// Whether a file that begins like this may be text: in UTF-8, in UTF-16, or without any control characters that no
/// text has.
pub(crate) fn may_be_text(head: &[u8]) -> bool {
    if Encoding::for_bom(head).is_some() || looks_like_utf_16(head).is_some() {
        return true;
    }
    let no_text = |byte: &u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
    // A few may be in a log; a binary file has many.
    !head.contains(&0) && head.iter().filter(|byte| no_text(byte)).count() * 200 <= head.len()
}

/// The encoding of a text: the one that is given, else what its byte order mark says, UTF-8 if it is that, and else the
/// likeliest.
pub(super) fn find(source: &mut Source, given: Option<&str>) -> Result<&'static Encoding, FormatError> {
    if let Some(name) = given.filter(|name| !name.eq_ignore_ascii_case("auto")) {
        return encoding::named(name).map_err(|failure| match failure {
            Failure::Message(message) => FormatError::unsupported(message),
            Failure::Error(error) => FormatError::unsupported(error.to_string()),
        });
    }
    source.file.rewind()?;
    let mut looked_at = Vec::new();
    source.file.by_ref().take(LOOKED_AT).read_to_end(&mut looked_at)?;
    source.file.rewind()?;
    let head = &looked_at[..looked_at.len().min(HEAD)];
    if let Some((found, _)) = Encoding::for_bom(head) {
        return Ok(found);
    }
    if let Some(found) = looks_like_utf_16(head) {
        return Ok(found);
    }
    match std::str::from_utf8(&looked_at) {
        Ok(_) => Ok(UTF_8),
        // A character may be cut where we stopped.
        Err(error) if error.error_len().is_none() && error.valid_up_to() + 4 > looked_at.len() => Ok(UTF_8),
        Err(_) => {
            let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
            detector.feed(&looked_at, true);
            Ok(detector.guess(None, Utf8Detection::Allow))
        }
    }
}

/// UTF-16 without a byte order mark: most of its characters have a zero byte, all in the same half.
fn looks_like_utf_16(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.len() / 2;
    let zeros = |at: usize| head.chunks_exact(2).filter(|pair| pair[at] == 0).count();
    match pairs > 1 {
        true if zeros(1) * 10 > pairs * 7 && zeros(0) == 0 => Some(UTF_16LE),
        true if zeros(0) * 10 > pairs * 7 && zeros(1) == 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// Gives the text to `take`, piece by piece, as long as that says to go on. Whether any bytes were replaced because they
/// are no text in this encoding.
pub(super) fn decode(
    source: &mut Source,
    encoding: &'static Encoding,
    mut take: impl FnMut(&str) -> Result<bool, FormatError>,
) -> Result<bool, FormatError> {
    source.file.rewind()?;
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut buffer = vec![0; 256 << 10];
    let mut text = String::with_capacity(3 * buffer.len() + 64);
    let mut replaced = false;
    loop {
        let length = source.file.read(&mut buffer)?;
        let mut rest = &buffer[..length];
        loop {
            text.clear();
            let (result, read, errors) = decoder.decode_to_string(rest, &mut text, length == 0);
            replaced |= errors;
            rest = &rest[read..];
            if text.contains('\0') {
                return Err(FormatError::not_this_format(
                    "it has NUL characters, which no text has: it is binary, or its `encoding` is another",
                ));
            }
            if !take(&text)? {
                return Ok(replaced);
            }
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        if length == 0 {
            return Ok(replaced);
        }
    }
}

/// The whole text, if it has at most `most` bytes as UTF-8.
pub(super) fn whole(source: &mut Source, given: Option<&str>, most: usize) -> Result<String, FormatError> {
    let encoding = find(source, given)?;
    let mut whole = String::new();
    decode(source, encoding, |piece| {
        if whole.len() + piece.len() > most {
            return Err(FormatError::too_large(format!("it has more than {most} bytes of text")));
        }
        whole.push_str(piece);
        Ok(true)
    })?;
    Ok(whole)
}

/// What is said where bytes were replaced.
pub(super) fn replaced_note(encoding: &'static Encoding) -> String {
    format!(
        "some bytes are no text in {}, which was taken for its encoding, and are shown as U+FFFD: give `encoding` \
         if it is another",
        encoding.name()
    )
}

/// A file in any encoding, as a stream of UTF-8. What is no text in it is replaced.
pub(super) struct Utf8<'a> {
    file: &'a mut std::fs::File,
    decoder: encoding_rs::Decoder,
    raw: Vec<u8>,
    text: String,
    /// How much of `text` was given already.
    given: usize,
    ended: bool,
}

impl<'a> Utf8<'a> {
    /// From the beginning of `file`.
    pub(super) fn new(file: &'a mut std::fs::File, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Self { file, decoder, raw: vec![0; 64 << 10], text: String::new(), given: 0, ended: false }
    }
}

impl Read for Utf8<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            let length = self.file.read(&mut self.raw)?;
            self.ended = length == 0;
            self.text.clear();
            self.given = 0;
            self.text.reserve(self.decoder.max_utf8_buffer_length(length).unwrap_or(4 * length + 16));
            let _ = self.decoder.decode_to_string(&self.raw[..length], &mut self.text, self.ended);
        }
        let rest = &self.text.as_bytes()[self.given..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}
