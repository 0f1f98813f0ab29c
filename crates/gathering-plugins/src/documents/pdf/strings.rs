//! Text strings of PDF: UTF-16 or UTF-8 with a mark, else PDFDocEncoding (ISO 32000-2, 7.9.2.2 and annex D.3).

use encoding_rs::{UTF_16BE, UTF_16LE};

/// The most characters of one string that are taken.
const MOST: usize = 4000;

/// What PDFDocEncoding has from 0x18 on in place of control characters, and from 0x80 on.
const ACCENTS: [char; 8] = ['˘', 'ˇ', 'ˆ', '˙', '˝', '˛', '˚', '˜'];
const SIGNS: [char; 33] = [
    '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ',
    'Ł', 'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}', '€',
];

/// The text that the bytes of a string stand for, without what cannot be shown.
pub(super) fn decoded(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xfe, 0xff, rest @ ..] => UTF_16BE.decode_without_bom_handling(rest).0.into_owned(),
        [0xff, 0xfe, rest @ ..] => UTF_16LE.decode_without_bom_handling(rest).0.into_owned(),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().copied().map(letter).collect(),
    };
    text.chars().filter(|letter| !letter.is_control() || *letter == '\n').take(MOST).collect()
}

fn letter(byte: u8) -> char {
    match byte {
        0x18..=0x1f => ACCENTS[usize::from(byte - 0x18)],
        0x80..=0xa0 => SIGNS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}
