//! A walk through folders that counts what is in them, and can be interrupted.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;

use super::taken;

/// A folder that the tree may write, with all that is in it.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    /// Whether the program has it for itself, so that all that is in it counts, and not only what was changed.
    pub(super) own: bool,
}

/// How many entries are counted between two looks at the clock.
const STRIDE: u32 = 64;

#[derive(Debug)]
pub(super) struct Walk {
    /// Roots that are yet to be walked.
    roots: Vec<Root>,
    root: Option<(OwnedFd, bool)>,
    /// Folders below the present root that are yet to be read: each by what is above it, and its name.
    folders: Vec<(Arc<Path>, CString)>,
    reading: Option<(Arc<Path>, Dir)>,
    began: i64,
    /// What the file systems had lost when it began.
    pub(super) begun_at: u64,
    /// Bytes in folders of the program's own.
    pub(super) own: u64,
    /// Bytes in files elsewhere that were changed since the program began.
    pub(super) changed: u64,
    /// Whether a folder that was changed since cannot be read.
    pub(super) unseen: bool,
    /// Whether it goes through all folders, and not only the program's own.
    pub(super) everywhere: bool,
}

impl Walk {
    pub(super) fn begin(roots: Vec<Root>, everywhere: bool, began: i64, begun_at: u64) -> Self {
        Self {
            roots,
            root: None,
            folders: Vec::new(),
            reading: None,
            began,
            begun_at,
            own: 0,
            changed: 0,
            unseen: false,
            everywhere,
        }
    }

    /// Goes on for at most `slice`, or until more than `budget` is found; whether nothing is left to be walked.
    pub(super) fn go_on(&mut self, slice: Duration, budget: u64) -> bool {
        let until = Instant::now() + slice;
        let mut count = 0_u32;
        loop {
            if !self.step() {
                return true;
            }
            count += 1;
            if self.own.saturating_add(self.changed) > budget
                || (count.is_multiple_of(STRIDE) && Instant::now() >= until)
            {
                return false;
            }
        }
    }

    /// Counts one entry or opens one folder; whether there was one.
    fn step(&mut self) -> bool {
        if let Some((path, folder)) = &mut self.reading {
            let path = path.clone();
            match folder.read() {
                Some(Ok(entry)) => {
                    let name = entry.file_name();
                    if name != c"." && name != c".." {
                        self.count(&path, name.to_owned());
                    }
                }
                // It was removed, or the file system fails: there is nothing more to be learnt here.
                Some(Err(_)) | None => self.reading = None,
            }
            return true;
        }
        if let Some((above, name)) = self.folders.pop() {
            let path = above.join(std::ffi::OsStr::from_bytes(name.as_bytes()));
            self.open(&path);
            return true;
        }
        let Some(root) = self.roots.pop() else { return false };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // A root that is gone holds nothing.
        if let Ok(place) = rustix::fs::open(&root.path, flags, Mode::empty()) {
            self.root = Some((place, root.own));
            self.open(Path::new("."));
        }
        true
    }

    /// The tree may put links in the place of folders at any time; none is followed, wherever it lies on the way.
    fn open(&mut self, path: &Path) {
        let Some((root, own)) = &self.root else { return };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).and_then(Dir::new);
        match opened {
            Ok(folder) => self.reading = Some((path.into(), folder)),
            // It is gone, or no folder any more: then it was changed, and whoever did that is found elsewhere.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            // One that nobody touched has nothing new in it; closing a folder is touching it.
            Err(Errno::ACCESS | Errno::PERM) => {
                let found = rustix::fs::statat(root, path, AtFlags::SYMLINK_NOFOLLOW);
                self.unseen |= *own || found.is_ok_and(|found| found.st_ctime >= self.began);
            }
            // Such as a path too long, which takes some doing.
            Err(_) => self.unseen = true,
        }
    }

    fn count(&mut self, above: &Arc<Path>, name: CString) {
        let Some((_, folder)) = &self.reading else { return };
        let Ok(folder) = folder.fd() else { return };
        let (link, wanted) = (AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS);
        let Ok(found) = rustix::fs::statx(folder.as_fd(), &name, link, wanted) else { return };
        let own = self.root.as_ref().is_some_and(|(_, own)| *own);
        let is_folder = FileType::from_raw_mode(found.stx_mode.into()) == FileType::Directory;
        if own {
            self.own = self.own.saturating_add(weight(&found, is_folder));
        } else if found.stx_ctime.tv_sec >= self.began {
            self.changed = self.changed.saturating_add(weight(&found, is_folder));
        }
        if is_folder {
            self.folders.push((above.clone(), name));
        }
    }
}

/// What an entry takes. A file with several names is found under each of them, and counts for each in part.
fn weight(found: &Statx, is_folder: bool) -> u64 {
    let taken = taken(found.stx_blocks);
    if is_folder { taken } else { taken.div_ceil(u64::from(found.stx_nlink).max(1)) }
}
