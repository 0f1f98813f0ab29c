//! The rows of a table, one after the other, wherever the file is begun.

use std::io::{Read, Seek, SeekFrom};

use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::UTF_8;

use super::super::decode::Utf8;
use super::super::format::{FormatError, Source};
use super::dialect::Dialect;

/// The longest row, in bytes.
const LONGEST: usize = 16 << 20;

/// The rows of a table.
pub(super) struct Rows<'a> {
    reader: csv::Reader<Bounded<'a>>,
    record: ByteRecord,
    /// Whether the bytes of the file are what is read, so that places in it can be gone back to.
    is_plain: bool,
    /// Where in the file the reader began.
    begin: u64,
    header: bool,
    delimiter: u8,
}

impl<'a> Rows<'a> {
    /// Stands before the first row, whether that names the columns or not.
    pub(super) fn open(source: &'a mut Source, dialect: &Dialect) -> Result<Self, FormatError> {
        let is_plain = dialect.encoding == UTF_8;
        source.file.rewind()?;
        let begin = if is_plain { skip_mark(source)? } else { 0 };
        let input: Box<dyn ReadOn + 'a> = match is_plain {
            true => Box::new(&mut source.file),
            false => Box::new(Utf8::new(&mut source.file, dialect.encoding)),
        };
        let reader = reader(Bounded { input, since_row: 0 }, dialect.delimiter);
        let (record, header, delimiter) = (ByteRecord::new(), dialect.header, dialect.delimiter);
        Ok(Self { reader, record, is_plain, begin, header, delimiter })
    }

    /// Goes to the row after the first `offset` ones, the names aside. `position` is where it begins, as `more` said.
    pub(super) fn go_to(&mut self, offset: u64, position: Option<u64>) -> Result<(), FormatError> {
        match position.filter(|_| self.is_plain && offset > 0) {
            Some(position) => {
                let Bounded { input, .. } = self.reader.get_mut();
                input.go_to(position)?;
                let input = std::mem::replace(input, Box::new(std::io::empty()));
                self.begin = position;
                self.reader = reader(Bounded { input, since_row: 0 }, self.delimiter);
                Ok(())
            }
            None => {
                for _ in 0..offset + u64::from(self.header) {
                    if self.next()?.is_none() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Where the next row begins in the file, if it can be gone back to.
    pub(super) fn position(&self) -> Option<u64> {
        self.is_plain.then(|| self.begin + self.reader.position().byte())
    }

    pub(super) fn next(&mut self) -> Result<Option<&ByteRecord>, FormatError> {
        self.reader.get_mut().since_row = 0;
        let more = self.reader.read_byte_record(&mut self.record).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => FormatError::too_large(
                format!("a row has more than {LONGEST} bytes: is a quotation mark left open, or the file no table?"),
            ),
            csv::ErrorKind::Io(error) => error.into(),
            other => FormatError::corrupt(format!("it is no table: {other:?}")),
        })?;
        Ok(more.then_some(&self.record))
    }

    /// How many rows there are, the names aside, in the first `most` bytes; and whether these are all.
    pub(super) fn count(mut self, most: u64) -> Result<(u64, bool), FormatError> {
        let mut count = 0u64;
        while self.reader.position().byte() < most {
            if self.next()?.is_none() {
                return Ok((count.saturating_sub(u64::from(self.header)), true));
            }
            count += 1;
        }
        Ok((count.saturating_sub(u64::from(self.header)), false))
    }
}

fn reader(input: Bounded<'_>, delimiter: u8) -> csv::Reader<Bounded<'_>> {
    let mut builder = ReaderBuilder::new();
    builder
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(256 << 10)
        .from_reader(input)
}

/// Goes past a byte order mark. How long that is.
fn skip_mark(source: &mut Source) -> Result<u64, FormatError> {
    let mut mark = [0; 3];
    let read = source.file.read(&mut mark)?;
    let length = if mark[..read] == *b"\xef\xbb\xbf" { 3 } else { 0 };
    source.file.seek(SeekFrom::Start(length))?;
    Ok(length)
}

/// What rows are read from.
trait ReadOn: Read {
    fn go_to(&mut self, position: u64) -> std::io::Result<()>;
}
impl ReadOn for &mut std::fs::File {
    fn go_to(&mut self, position: u64) -> std::io::Result<()> {
        self.seek(SeekFrom::Start(position)).map(drop)
    }
}
impl ReadOn for Utf8<'_> {
    fn go_to(&mut self, _: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::NotSeekable.into())
    }
}
impl ReadOn for std::io::Empty {
    fn go_to(&mut self, _: u64) -> std::io::Result<()> {
        Ok(())
    }
}

/// Ends rows that never end: the reader of CSV holds a whole one in memory.
struct Bounded<'a> {
    input: Box<dyn ReadOn + 'a>,
    since_row: usize,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.since_row > LONGEST {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let read = self.input.read(buffer)?;
        self.since_row += read;
        Ok(read)
    }
}
