//! Zip and tar archives: what is in them, and single members as text. Nothing is ever unpacked to disk.

use std::io::{self, Read, Seek};

use encoding_rs::UTF_8;
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value, json};
use zip::ZipArchive;
use zip::result::ZipError;

use super::format::{Content, Format, FormatError, Previewing, Reading, Source, Table};
use super::picture;

/// The most members that are listed at once, unless more or fewer are wanted.
const USUAL_MEMBERS: u64 = 1000;
/// The most that a compressed tar unpacks to, in bytes: its list is only known by unpacking all of it.
const MOST_UNPACKED: u64 = 4 << 30;
/// What unpacks to so many times its size is said to be suspicious.
const SUSPICIOUS: u64 = 1000;

/// An archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archive {
    Zip,
    Tar,
}

/// A member of an archive.
struct Member {
    name: String,
    size: u64,
    packed: Option<u64>,
    modified: Option<String>,
    kind: &'static str,
    encrypted: bool,
}

impl Format for Archive {
    fn name(&self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
        }
    }

    fn description(&self) -> &'static str {
        match self {
            Self::Zip => "Zip archives: what is in them, and single members as text (`entry`)",
            Self::Tar => {
                "Tar archives, plain or gzipped: what is in them, and single members as text (`entry`)"
            }
        }
    }

    fn extensions(&self) -> &'static [&'static str] {
        match self {
            Self::Zip => &["zip", "jar", "whl", "apk", "epub", "vsix", "nupkg"],
            Self::Tar => &["tar", "tgz", "gz"],
        }
    }

    fn media_types(&self) -> &'static [&'static str] {
        match self {
            Self::Zip => &["application/zip"],
            Self::Tar => &["application/x-tar", "application/gzip"],
        }
    }

    fn recognises(&self, head: &[u8]) -> bool {
        let is_tar = |head: &[u8]| head.get(257..262) == Some(b"ustar");
        match self {
            Self::Zip => head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06"),
            Self::Tar if is_gzip(head) => {
                let mut block = Vec::new();
                // A head that is cut off is no error here.
                let _ = MultiGzDecoder::new(head).take(512).read_to_end(&mut block);
                is_tar(&block)
            }
            Self::Tar => is_tar(head),
        }
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        if let Some(entry) = &options.entry {
            return self.member(source, entry, options);
        }
        let members = self.members(source)?;
        let total = members.len() as u64;
        let (offset, limit) = (options.offset.unwrap_or(0), options.limit.unwrap_or(USUAL_MEMBERS));
        if offset > 0 && offset >= total {
            return Err(FormatError::not_there(format!(
                "it has only {total} members, and `offset` is {offset}"
            )));
        }
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let (mut rows, mut size) = (Vec::new(), 0);
        for member in members.iter().skip(begin) {
            size += member.name.len() + 64;
            if rows.len() as u64 == limit || size > options.most() {
                break;
            }
            let Member { name, size, packed, modified, kind, encrypted } = member;
            rows.push(vec![
                json!(name),
                json!(size),
                json!(packed),
                json!(modified),
                json!(kind),
                json!(encrypted),
                json!(warning(member)),
            ]);
        }
        let end = offset + rows.len() as u64;
        let columns =
            ["name", "size", "packed", "modified", "kind", "encrypted", "warning"].map(str::to_owned);
        let more = (end < total).then(|| json!({"offset": end}));
        let table = Some(Table { columns: columns.into(), rows, total: Some(total) });
        Ok(Content { table, more, ..Content::default() })
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let packed = source.size;
        let members = self.members(source)?;
        let unpacked: u64 = members.iter().map(|member| member.size).fold(0, u64::saturating_add);
        let count = |kind: &str| members.iter().filter(|member| member.kind == kind).count();
        let Value::Object(mut facts) = json!({
            "members": members.len(),
            "files": count("file"),
            "folders": count("folder"),
            "links": count("link"),
            "unpacked_bytes": unpacked,
            "encrypted": members.iter().any(|member| member.encrypted),
            "warnings": members.iter().filter(|member| warning(member).is_some()).count(),
        }) else {
            unreachable!("it is an object");
        };
        if unpacked / packed.max(1) > SUSPICIOUS {
            let note = format!(
                "it says to unpack to {} times its size, as archive bombs do",
                unpacked / packed.max(1)
            );
            facts.insert("note".into(), note.into());
        }
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let reading = Reading { limit: Some(120), ..Reading::default() };
        let mut table = self.read(source, &reading)?.table.unwrap_or_default();
        // What is nowhere in it takes no room.
        for at in (1..table.columns.len()).rev() {
            let is_plain = |row: &Vec<Value>| matches!(row[at], Value::Null | Value::Bool(false));
            if table.rows.iter().all(is_plain) {
                table.columns.remove(at);
                table.rows.iter_mut().for_each(|row| drop(row.remove(at)));
            }
        }
        picture::table(&table, options)
    }
}

impl Archive {
    fn members(self, source: &mut Source) -> Result<Vec<Member>, FormatError> {
        match self {
            Self::Zip => {
                let mut archive = ZipArchive::new(&mut source.file).map_err(zip_error)?;
                (0..archive.len()).map(|at| zip_member(&mut archive, at)).collect()
            }
            Self::Tar => {
                let mut members = Vec::new();
                each_of_tar(source, |member, _| {
                    members.push(member);
                    Ok(true)
                })?;
                Ok(members)
            }
        }
    }

    /// The text of one member.
    fn member(self, source: &mut Source, wanted: &str, options: &Reading) -> Result<Content, FormatError> {
        let most = options.most();
        let (mut bytes, mut found) = (Vec::new(), false);
        match self {
            Self::Zip => {
                let mut archive = ZipArchive::new(&mut source.file).map_err(zip_error)?;
                if let Some(at) = archive.index_for_name(wanted) {
                    let member = archive.by_index(at).map_err(zip_error)?;
                    member.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| corrupt(&error))?;
                    found = true;
                }
            }
            Self::Tar => each_of_tar(source, |member, content| {
                if member.name != wanted {
                    return Ok(true);
                }
                content.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| corrupt(&error))?;
                found = true;
                Ok(false)
            })?,
        }
        if !found {
            return Err(FormatError::not_there(format!(
                "it has no member `{wanted}`: read it without `entry` for the list"
            )));
        }
        if !super::decode::may_be_text(&bytes[..bytes.len().min(super::format::HEAD)]) {
            return Err(FormatError::unsupported(format!("its member `{wanted}` is no text")));
        }
        let mut notes = Vec::new();
        if bytes.len() > most {
            bytes.truncate(most);
            notes.push(format!("`{wanted}` has more than {most} bytes; this is its beginning"));
        }
        let text = UTF_8.decode(&bytes).0.into_owned();
        Ok(Content { text: Some(text), notes, ..Content::default() })
    }
}

fn zip_member<R: Read + Seek>(archive: &mut ZipArchive<R>, at: usize) -> Result<Member, FormatError> {
    let member = archive.by_index_raw(at).map_err(zip_error)?;
    let kind = match () {
        () if member.is_dir() => "folder",
        () if member.is_symlink() => "link",
        () => "file",
    };
    Ok(Member {
        name: member.name().map_or_else(
            |_| String::from_utf8_lossy(member.name_raw()).into_owned(),
            |name| name.into_owned(),
        ),
        size: member.size(),
        packed: Some(member.compressed_size()),
        modified: member.last_modified().map(|time| time.to_string()),
        kind,
        encrypted: member.encrypted(),
    })
}

/// Gives each member, and what is in it, to `take`, as long as that says to go on.
fn each_of_tar(
    source: &mut Source,
    mut take: impl FnMut(Member, &mut dyn Read) -> Result<bool, FormatError>,
) -> Result<(), FormatError> {
    let head = source.head()?;
    let file = &mut source.file;
    let input: Box<dyn Read + '_> = match is_gzip(&head) {
        true => {
            Box::new(Unpacked { inner: MultiGzDecoder::new(io::BufReader::new(file)), left: MOST_UNPACKED })
        }
        false => Box::new(io::BufReader::new(file)),
    };
    let mut archive = tar::Archive::new(input);
    for member in archive.entries().map_err(|error| corrupt(&error))? {
        let mut member = member.map_err(|error| corrupt(&error))?;
        let header = member.header();
        let kind = match header.entry_type() {
            kind if kind.is_dir() => "folder",
            kind if kind.is_symlink() || kind.is_hard_link() => "link",
            kind if kind.is_file() => "file",
            _ => "other",
        };
        let described = Member {
            name: String::from_utf8_lossy(&member.path_bytes()).into_owned(),
            size: member.size(),
            packed: None,
            modified: header.mtime().ok().map(super::time::utc),
            kind,
            encrypted: false,
        };
        if !take(described, &mut member)? {
            break;
        }
    }
    Ok(())
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(b"\x1f\x8b")
}

/// What is unpacked, up to a limit.
struct Unpacked<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

/// What whoever unpacks it should know.
fn warning(member: &Member) -> Option<&'static str> {
    let name = member.name.replace('\\', "/");
    if name.starts_with('/') || name.get(1..3) == Some(":/") || name.split('/').any(|part| part == "..") {
        return Some("its name leads out of the folder that it is unpacked in");
    }
    let packed = member.packed.filter(|_| member.size > 1 << 20)?;
    (member.size / packed.max(1) > SUSPICIOUS).then_some("it unpacks to more than 1000 times its size")
}

fn corrupt(error: &io::Error) -> FormatError {
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            FormatError::too_large(format!("it unpacks to more than {} GiB", MOST_UNPACKED >> 30))
        }
        _ => FormatError::corrupt(format!("the archive is damaged or cut off: {error}")),
    }
}

fn zip_error(error: ZipError) -> FormatError {
    match error {
        ZipError::Io(error) => corrupt(&error),
        ZipError::UnsupportedArchive(why) if why.contains("assword") => {
            FormatError::encrypted("what is wanted in it is locked with a password")
        }
        ZipError::InvalidPassword => FormatError::encrypted("what is wanted in it is locked with a password"),
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            FormatError::unsupported(format!("it is packed in a way that is not known here: {error}"))
        }
        error => FormatError::corrupt(format!("the archive is damaged or cut off: {error}")),
    }
}
