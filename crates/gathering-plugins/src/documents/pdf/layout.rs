//! Reading order: pieces of text by their places become columns, lines and paragraphs.
//!
//! The page is cut where white goes all the way through it, first from top to bottom (columns), then from left to right
//! (blocks), and so on in each part: the recursive XY cut of Nagy and Seth, "Hierarchical representation of optically
//! scanned documents" (1984). Tables have such gaps as well; so a cut makes columns only where both sides are running
//! text.

use hayro::kurbo::{Point, Vec2};

/// How deep a page is cut.
const DEEPEST: usize = 24;
/// The white between two columns, as a part of the size of the type.
const GUTTER: f64 = 0.9;
/// How wide a line of running text is at least, in sizes of its type; what is narrower may be a cell of a table.
const COLUMN: f64 = 11.0;
/// How many lines make a column.
const LINES: usize = 3;
/// The white between two blocks, as a part of the size of the type.
const BLOCKS: f64 = 0.5;
/// The white between two pieces of a line from which on they are cells, as a part of the size of the type.
const CELLS: f64 = 0.9;

/// A piece of text whose letters touch, in points from the top left corner of the page.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) start: Point,
    pub(super) end: Point,
    /// Of the type.
    pub(super) size: f64,
    /// Where its line runs to, of length 1.
    pub(super) direction: Vec2,
}

/// A piece in the frame of its own direction: lines run along `x`, and the next is at a greater `y`.
struct Piece {
    text: String,
    left: f64,
    right: f64,
    base: f64,
    size: f64,
}

impl Piece {
    fn top(&self) -> f64 {
        self.base - 0.75 * self.size
    }

    fn bottom(&self) -> f64 {
        self.base + 0.2 * self.size
    }
}

/// The text of a page. What stands upright comes first, then what is turned, direction by direction.
pub(super) fn in_reading_order(spans: Vec<Span>) -> String {
    let mut turned: [Vec<Piece>; 4] = Default::default();
    for span in spans.into_iter().filter(|span| !span.text.trim().is_empty()) {
        let quarter = (span.direction.atan2() / std::f64::consts::FRAC_PI_2).round() as i32;
        let quarter = quarter.rem_euclid(4) as usize;
        // The axes of the frame: along the line, and down to the next.
        let (along, down) = [
            (Vec2::new(1.0, 0.0), Vec2::new(0.0, 1.0)),
            (Vec2::new(0.0, 1.0), Vec2::new(-1.0, 0.0)),
            (Vec2::new(-1.0, 0.0), Vec2::new(0.0, -1.0)),
            (Vec2::new(0.0, -1.0), Vec2::new(1.0, 0.0)),
        ][quarter];
        let (start, end) = (span.start.to_vec2(), span.end.to_vec2());
        turned[quarter].push(Piece {
            left: start.dot(along).min(end.dot(along)),
            right: start.dot(along).max(end.dot(along)),
            base: start.dot(down),
            size: span.size,
            text: span.text,
        });
    }
    let mut writer = Writer::default();
    for pieces in turned.into_iter().filter(|pieces| !pieces.is_empty()) {
        writer.block(pieces, 0);
    }
    writer.text.truncate(writer.text.trim_end().len());
    writer.text
}

#[derive(Default)]
struct Writer {
    text: String,
    /// Whether the last block was one line of several pieces: perhaps a row of a table.
    after_row: bool,
}

impl Writer {
    fn block(&mut self, mut pieces: Vec<Piece>, depth: usize) {
        if depth < DEEPEST {
            if let Some(gutter) = column_gutter(&mut pieces) {
                let (left, right) = pieces.into_iter().partition(|piece| piece.right <= gutter);
                self.block(left, depth + 1);
                self.block(right, depth + 1);
                return;
            }
            let blocks = with_columns_joined(split_blocks(pieces));
            if blocks.len() > 1 {
                for block in blocks {
                    self.block(block, depth + 1);
                }
                return;
            }
            pieces = blocks.into_iter().flatten().collect();
        }
        self.lines(pieces);
    }

    /// A paragraph: what has one base line is a line, from left to right.
    fn lines(&mut self, mut pieces: Vec<Piece>) {
        pieces.sort_by(|one, other| one.base.total_cmp(&other.base));
        let mut lines: Vec<Vec<Piece>> = Vec::new();
        for piece in pieces {
            match lines.last_mut() {
                Some(line) if shares_line(line, &piece) => line.push(piece),
                _ => lines.push(vec![piece]),
            }
        }
        let is_row = matches!(lines.as_slice(), [line] if line.len() > 1);
        if is_row && self.after_row {
            self.text.pop();
        }
        self.after_row = is_row;
        for line in &mut lines {
            line.sort_by(|one, other| one.left.total_cmp(&other.left));
            self.line(line);
        }
        self.text.push('\n');
    }

    fn line(&mut self, pieces: &[Piece]) {
        for (index, piece) in pieces.iter().enumerate() {
            let gap = if index == 0 { 0.0 } else { (piece.left - pieces[index - 1].right) / piece.size };
            if gap > CELLS {
                self.text.push_str("   ");
            } else if gap > 0.1 && !self.text.ends_with(' ') {
                self.text.push(' ');
            }
            self.text.push_str(&piece.text);
        }
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }
}

/// Where white runs from top to bottom between two columns of running text: the widest such place.
fn column_gutter(pieces: &mut [Piece]) -> Option<f64> {
    if pieces.len() < 2 * LINES {
        return None;
    }
    let size = typical_size(pieces);
    pieces.sort_by(|one, other| one.left.total_cmp(&other.left));
    let (mut right, mut best) = (f64::NEG_INFINITY, None::<(f64, f64)>);
    for (index, piece) in pieces.iter().enumerate() {
        let white = piece.left - right;
        if index > 0
            && white > GUTTER * size
            && best.is_none_or(|(widest, _)| white > widest)
            && is_column(&pieces[..index], size)
            && is_column(&pieces[index..], size)
        {
            best = Some((white, right + white / 2.0));
        }
        right = right.max(piece.right);
    }
    best.map(|(_, gutter)| gutter)
}

fn is_column(pieces: &[Piece], size: f64) -> bool {
    let wide = pieces.iter().filter(|piece| piece.right - piece.left > COLUMN * size).count();
    wide >= LINES && 2 * wide >= pieces.len()
}

/// The blocks from top to bottom, between which there is more white than between lines.
fn split_blocks(mut pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let size = typical_size(&pieces);
    pieces.sort_by(|one, other| one.top().total_cmp(&other.top()));
    let (mut blocks, mut bottom) = (Vec::<Vec<Piece>>::new(), f64::NEG_INFINITY);
    for piece in pieces {
        let (top, end) = (piece.top(), piece.bottom());
        match blocks.last_mut() {
            Some(block) if top - bottom < BLOCKS * size => block.push(piece),
            _ => blocks.push(vec![piece]),
        }
        bottom = bottom.max(end);
    }
    blocks
}

/// Joins blocks through which the same gutter runs: columns of unequal length, with a gap across both.
fn with_columns_joined(blocks: Vec<Vec<Piece>>) -> Vec<Vec<Piece>> {
    let mut joined: Vec<Vec<Piece>> = Vec::new();
    for mut block in blocks {
        if let Some(last) = joined.last_mut() {
            let before = last.len();
            last.append(&mut block);
            if column_gutter(last).is_some() {
                continue;
            }
            last.sort_by(|one, other| one.top().total_cmp(&other.top()));
            block = last.split_off(before);
        }
        joined.push(block);
    }
    joined
}

fn shares_line(line: &[Piece], piece: &Piece) -> bool {
    // Superscripts and subscripts are smaller than the line, and beside it.
    let largest = line.iter().map(|piece| piece.size).fold(piece.size, f64::max);
    line.iter().map(|other| piece.base - other.base).fold(f64::INFINITY, f64::min) < 0.35 * largest
}

fn typical_size(pieces: &[Piece]) -> f64 {
    let mut sizes: Vec<f64> = pieces.iter().map(|piece| piece.size).collect();
    let middle = sizes.len() / 2;
    sizes.select_nth_unstable_by(middle, f64::total_cmp);
    sizes[middle]
}
