//! How Markdown looks: headings, paragraphs, lists, quotations, tables and code, as many as there is room for.

use super::{CODE, CODE_LINE, CODE_WIDTH, Canvas, Ink, MARGIN, WIDTH, fitted};
use crate::documents::format::{FormatError, Previewing};

const BODY: f32 = 16.0;
const LEFT: f32 = MARGIN + 16.0;
const WORDS: f32 = WIDTH - 2.0 * LEFT;

/// A picture of a text in Markdown.
pub(in crate::documents) fn markdown(text: &str, wanted: &Previewing) -> Result<Vec<u8>, FormatError> {
    let mut page = Page { canvas: Canvas::new(wanted), y: MARGIN };
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if page.is_full() {
            break;
        }
        let trimmed = line.trim_start();
        let level = trimmed.bytes().take_while(|byte| *byte == b'#').count();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            let fence = &trimmed[..3];
            let code: Vec<&str> =
                lines.by_ref().take_while(|line| !line.trim_start().starts_with(fence)).collect();
            page.code(&code, trimmed[3..].trim() == "output");
        } else if (1..=6).contains(&level) && trimmed[level..].starts_with(' ') {
            page.heading(level, trimmed[level..].trim());
        } else if trimmed.is_empty() {
            page.y += BODY * 0.55;
        } else if trimmed.starts_with('|') {
            let mut rows = vec![trimmed];
            while let Some(next) = lines.next_if(|next| next.trim_start().starts_with('|')) {
                rows.push(next.trim_start());
            }
            page.rows(&rows);
        } else if matches!(trimmed, "---" | "***" | "___" | "* * *" | "- - -") {
            page.canvas.rectangle([LEFT, page.y + 6.0, WORDS, 1.0], "#d0d7de");
            page.y += 14.0;
        } else if let Some(quoted) = trimmed.strip_prefix('>') {
            let top = page.y;
            page.words(quoted.trim(), LEFT + 16.0, &Ink { colour: "#57606a", ..BODY_INK });
            page.canvas.rectangle([LEFT, top + 2.0, 3.0, page.y - top], "#d0d7de");
        } else if let Some((mark, item)) = item(trimmed) {
            let indent = LEFT + 8.0 + (line.len() - trimmed.len()).min(24) as f32 * 8.0;
            page.canvas.text(indent, page.y + BODY, &BODY_INK, &mark);
            page.words(item, indent + 10.0 + mark.chars().count() as f32 * 8.0, &BODY_INK);
        } else {
            let mut paragraph = trimmed.to_owned();
            while let Some(next) = lines.next_if(|next| goes_on(next)) {
                paragraph.push(' ');
                paragraph.push_str(next.trim());
            }
            page.words(&paragraph, LEFT, &BODY_INK);
        }
    }
    page.canvas.paint()
}

const BODY_INK: Ink = Ink { family: "Ubuntu", size: BODY, colour: "#1f2328", bold: false };

/// The mark of an item of a list, and its text.
fn item(line: &str) -> Option<(String, &str)> {
    if let Some(item) = ["- ", "* ", "+ "].iter().find_map(|mark| line.strip_prefix(mark)) {
        return Some(("•".to_owned(), item));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line[digits..].strip_prefix(". ").filter(|_| (1..=4).contains(&digits))?;
    Some((line[..=digits].to_owned(), rest))
}

/// Whether a line belongs to the paragraph above it.
fn goes_on(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with(['#', '|', '>', '`', '~']) && item(line).is_none()
}

/// What is being laid out, from the top down.
struct Page {
    canvas: Canvas,
    y: f32,
}

impl Page {
    fn is_full(&self) -> bool {
        self.y > self.canvas.height - MARGIN
    }

    fn heading(&mut self, level: usize, text: &str) {
        let size = [30.0, 24.0, 20.0, 17.0, 16.0, 15.0][level - 1];
        self.y += size * 0.5;
        self.words(text, LEFT, &Ink { size, bold: true, ..BODY_INK });
        if level <= 2 {
            self.canvas.rectangle([LEFT, self.y + 3.0, WORDS, 1.0], "#d0d7de");
            self.y += 8.0;
        }
        self.y += size * 0.2;
    }

    /// Words in lines that are filled from the left.
    fn words(&mut self, text: &str, left: f32, ink: &Ink) {
        let room = LEFT + WORDS - left;
        let text = plain(text);
        let (mut line, mut used) = (String::new(), 0.0);
        for word in text.split_whitespace() {
            let wide = width(word, ink.size);
            if used + wide > room && !line.is_empty() {
                self.line(&line, left, ink);
                (line, used) = (String::new(), 0.0);
            }
            line.push_str(word);
            line.push(' ');
            used += wide + ink.size * 0.25;
        }
        self.line(&line, left, ink);
    }

    fn line(&mut self, text: &str, left: f32, ink: &Ink) {
        if !text.trim().is_empty() && !self.is_full() {
            let columns = (2.5 * WORDS / ink.size) as usize;
            self.canvas.text(left, self.y + ink.size, ink, &fitted(text.trim_end(), columns));
            self.y += ink.size * 1.45;
            self.canvas.used(self.y);
        }
    }

    fn code(&mut self, lines: &[&str], is_output: bool) {
        let room = ((self.canvas.height - MARGIN - self.y) / CODE_LINE).max(1.0) as usize;
        let shown = lines.len().min(room);
        let height = shown as f32 * CODE_LINE + 14.0;
        let (ground, colour) = if is_output { ("#ffffff", "#57606a") } else { ("#f3f5f7", "#24292f") };
        self.y += 4.0;
        self.canvas.rectangle([LEFT, self.y, WORDS, height], ground);
        for (number, line) in lines.iter().take(shown).enumerate() {
            let y = self.y + 7.0 + CODE_LINE * (number as f32 + 0.75);
            let text = fitted(line, ((WORDS - 24.0) / CODE_WIDTH) as usize);
            self.canvas.text(LEFT + 12.0, y, &Ink { size: CODE, colour, ..Ink::CODE }, &text);
        }
        self.y += height + 6.0;
        self.canvas.used(self.y);
    }

    /// A table.
    fn rows(&mut self, rows: &[&str]) {
        let cells = |row: &str| -> Vec<String> {
            let inside = row.trim().trim_start_matches('|').trim_end_matches('|');
            inside.split('|').map(|cell| plain(cell.trim())).collect()
        };
        let is_rule = |row: &&&str| !row.chars().all(|letter| matches!(letter, '|' | '-' | ':' | ' '));
        let rows: Vec<Vec<String>> = rows.iter().filter(is_rule).map(|row| cells(row)).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0).min(12);
        let widest = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell, 14.0) + 20.0);
            cells.fold(30.0, f32::max).min(360.0)
        };
        let mut widths: Vec<f32> = (0..columns).map(widest).collect();
        let sum: f32 = widths.iter().sum();
        if sum > WORDS {
            widths.iter_mut().for_each(|width| *width *= WORDS / sum);
        }
        for (number, row) in rows.iter().enumerate() {
            if self.is_full() {
                break;
            }
            let ink = Ink { size: 14.0, bold: number == 0, ..BODY_INK };
            let ground = if number == 0 {
                "#eaeef2"
            } else if number % 2 == 0 {
                "#f6f8fa"
            } else {
                "#ffffff"
            };
            self.canvas.rectangle([LEFT, self.y, widths.iter().sum(), 25.0], ground);
            let mut x = LEFT;
            for (cell, width) in row.iter().zip(&widths) {
                let columns = ((width - 14.0) / 7.0).max(1.0) as usize;
                self.canvas.text(x + 10.0, self.y + 17.0, &ink, &fitted(cell, columns));
                x += width;
            }
            self.y += 25.0;
            self.canvas.used(self.y);
        }
        self.y += 6.0;
    }
}

/// A text without the marks of emphasis, code and links.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['*', '`', '[', '!', '\\']) {
        plain.push_str(&rest[..at]);
        let tail = &rest[at..];
        rest = match tail.as_bytes() {
            [b'!', b'[', ..] => &tail[1..],
            [b'!', ..] => {
                plain.push('!');
                &tail[1..]
            }
            [b'\\', ..] => {
                let mut letters = tail[1..].chars();
                plain.extend(letters.next());
                letters.as_str()
            }
            [b'[', ..] => match tail[1..]
                .split_once("](")
                .and_then(|(label, rest)| Some((label, rest.split_once(')')?.1)))
            {
                Some((label, rest)) => {
                    plain.push_str(label);
                    rest
                }
                None => {
                    plain.push('[');
                    &tail[1..]
                }
            },
            // A star between spaces is one.
            [b'*', b' ', ..] if plain.is_empty() || plain.ends_with(' ') => {
                plain.push('*');
                &tail[1..]
            }
            _ => &tail[1..],
        };
    }
    plain.push_str(rest);
    plain
}

/// About how wide a text is in the font Ubuntu Light.
fn width(text: &str, size: f32) -> f32 {
    let letter = |letter: char| match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '!' | '|' => 0.25,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | ' ' => 0.35,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.84,
        letter if letter.is_ascii_uppercase() => 0.65,
        letter if letter > '\u{2e80}' => 1.0,
        _ => 0.54,
    };
    text.chars().map(letter).sum::<f32>() * size
}
