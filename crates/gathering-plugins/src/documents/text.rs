//! Plain text and source code, in any encoding.

use serde_json::{Map, Value, json};

use super::decode::{decode, find, may_be_text, replaced_note};
use super::format::{Content, Format, FormatError, Previewing, Reading, Source};
use super::picture;

/// How much of a text its facts are taken from, in bytes of UTF-8.
const LOOKED_AT: u64 = 64 << 20;

/// The format.
pub(super) struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn description(&self) -> &'static str {
        "Plain text, source code and logs, in any encoding"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &[
            "txt",
            "text",
            "log",
            "rst",
            "adoc",
            "org",
            "tex",
            "bib",
            "srt",
            "vtt",
            "diff",
            "patch",
            "ini",
            "cfg",
            "conf",
            "env",
            "properties",
            "py",
            "pyi",
            "rs",
            "c",
            "h",
            "cc",
            "cpp",
            "hpp",
            "cs",
            "go",
            "java",
            "kt",
            "scala",
            "swift",
            "js",
            "mjs",
            "cjs",
            "jsx",
            "ts",
            "tsx",
            "vue",
            "svelte",
            "css",
            "scss",
            "less",
            "php",
            "rb",
            "pl",
            "lua",
            "r",
            "jl",
            "hs",
            "ml",
            "ex",
            "exs",
            "erl",
            "clj",
            "sql",
            "graphql",
            "proto",
            "sh",
            "bash",
            "zsh",
            "fish",
            "ps1",
            "bat",
            "cmake",
            "mk",
            "gradle",
            "dockerfile",
            "nix",
            "tf",
        ]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["text/plain"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        may_be_text(head)
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let encoding = find(source, options.encoding.as_deref())?;
        let (most, offset) = (options.most(), options.offset.unwrap_or(0));
        let end = options.limit.map_or(u64::MAX, |limit| offset.saturating_add(limit));
        let (mut text, mut line, mut begun) = (String::new(), 0, false);
        let (mut more, mut cut) = (None, false);
        let replaced = decode(source, encoding, |decoded| {
            for piece in decoded.split_inclusive('\n') {
                if line == end {
                    more = Some(json!({"offset": end}));
                    return Ok(false);
                }
                if line >= offset {
                    if text.len() + piece.len() > most {
                        cut = !break_at_line(&mut text, piece, most);
                        let lines = text.lines().count() as u64;
                        more = Some(json!({"offset": offset + lines}));
                        return Ok(false);
                    }
                    text.push_str(piece);
                }
                begun = !piece.ends_with('\n');
                line += u64::from(!begun);
            }
            Ok(true)
        })?;
        let lines = line + u64::from(begun);
        if offset > 0 && offset >= lines && more.is_none() {
            return Err(FormatError::not_there(format!(
                "it has only {lines} lines, and `offset` is {offset}"
            )));
        }
        let mut notes = Vec::new();
        if replaced {
            notes.push(replaced_note(encoding));
        }
        if cut {
            notes.push(format!("line {} is longer than {most} bytes and was cut", offset + 1));
        }
        Ok(Content { text: Some(text), more, notes, ..Content::default() })
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let encoding = find(source, None)?;
        let (mut bytes, mut lines, mut returns, mut last, mut longest, mut width) =
            (0u64, 0u64, 0u64, '\n', 0u64, 0u64);
        let mut whole = true;
        decode(source, encoding, |piece| {
            bytes += piece.len() as u64;
            let mut rest = piece;
            while let Some(at) = rest.find('\n') {
                lines += 1;
                returns += u64::from(rest[..at].ends_with('\r'));
                longest = longest.max(width + at as u64);
                width = 0;
                rest = &rest[at + 1..];
            }
            width += rest.len() as u64;
            last = piece.chars().next_back().unwrap_or(last);
            whole = bytes < LOOKED_AT;
            Ok(whole)
        })?;
        let mut facts = Map::new();
        facts.insert("encoding".into(), encoding.name().into());
        let name = if whole { "lines" } else { "lines_at_least" };
        facts.insert(name.into(), (lines + u64::from(last != '\n')).into());
        facts.insert("longest_line_bytes".into(), longest.max(width).into());
        let endings = match (lines, returns) {
            (0, _) => "none",
            (lines, returns) if lines == returns => "CRLF",
            (_, 0) => "LF",
            _ => "mixed",
        };
        facts.insert("line_endings".into(), endings.into());
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let reading = Reading { limit: Some(400), max_bytes: Some(64 << 10), ..Reading::default() };
        let text = self.read(source, &reading)?.text.unwrap_or_default();
        picture::code(&text, options)
    }
}

/// Adds what still fits. Text that has a whole line ends with its last whole line; text that has none is cut. Whether it
/// ends with a whole line.
fn break_at_line(text: &mut String, piece: &str, most: usize) -> bool {
    if let Some(end) = text.rfind('\n') {
        text.truncate(end + 1);
        return true;
    }
    let room = piece.floor_char_boundary(most.saturating_sub(text.len()));
    text.push_str(&piece[..room]);
    false
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn source(bytes: &[u8]) -> Source {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Source { file, name: "a.txt".to_owned(), size: bytes.len() as u64 }
    }

    fn read(bytes: &[u8], options: &Reading) -> Content {
        Text.read(&mut source(bytes), options).unwrap()
    }

    #[test]
    fn the_encoding_of_a_text_is_found_out() {
        let greek =
            encoding_rs::ISO_8859_7.encode("Το γρήγορο καφέ αλεπού πήδηξε πάνω από το σκύλο").0.into_owned();
        let japanese = encoding_rs::SHIFT_JIS.encode("吾輩は猫である。名前はまだ無い。").0.into_owned();
        let wide: Vec<u8> = "plain words".encode_utf16().flat_map(u16::to_le_bytes).collect();

        let texts = [&greek, &japanese, &wide].map(|bytes| read(bytes, &Reading::default()).text.unwrap());

        assert_eq!(texts[0], "Το γρήγορο καφέ αλεπού πήδηξε πάνω από το σκύλο");
        assert_eq!(texts[1], "吾輩は猫である。名前はまだ無い。");
        assert_eq!(texts[2], "plain words");
    }

    #[test]
    fn a_text_is_read_in_parts_that_say_how_to_go_on() {
        let text = "one\ntwo\nthree\nfour\n";

        let by_lines =
            read(text.as_bytes(), &Reading { offset: Some(1), limit: Some(2), ..Reading::default() });
        let by_bytes = read(text.as_bytes(), &Reading { max_bytes: Some(9), ..Reading::default() });

        assert_eq!(by_lines.text.as_deref(), Some("two\nthree\n"));
        assert_eq!(by_lines.more, Some(json!({"offset": 3})));
        assert_eq!(by_bytes.text.as_deref(), Some("one\ntwo\n"));
        assert_eq!(by_bytes.more, Some(json!({"offset": 2})));
    }

    #[test]
    fn what_is_binary_is_no_text() {
        let error = Text.read(&mut source(b"\x7fELF\0\0\0"), &Reading::default()).unwrap_err();

        assert_eq!(error.code, super::super::format::FormatErrorCode::NotThisFormat);
        assert!(!Text.recognises(b"\x7fELF\0\0\0"));
    }

    #[test]
    fn a_picture_of_a_text_shows_it() {
        let png = Text.preview(&mut source(include_bytes!("text.rs")), &Previewing::default()).unwrap();

        let picture = image::load_from_memory(&png).unwrap().to_luma8();
        assert_eq!(picture.width(), 1024);
        let dark = picture.pixels().filter(|pixel| pixel.0[0] < 128).count();
        assert!(dark > 5_000, "{dark} dark pixels");
    }
}
