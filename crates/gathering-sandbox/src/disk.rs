//! What a tree puts on disk, in all folders that it may write together, and that it stays within a budget.
//!
//! No kernel counts that for a user without privileges, a quota in memory would lose what is written, and walking
//! large folders several times a second is too dear. So it is found out in two steps. How much free space the file
//! systems lost is one system call each: as long as that is less than what the tree has left, it cannot have taken
//! more. Only when it is, which may be the doing of others, the folders are walked, a slice of time at each look, to
//! tell whose doing it was. What counts then is what no program can forge, the time of a file's last change.
//!
//! It does not see what is taken in the very moment in which others free as much on the same file system, nor, on a
//! file system that counts by another clock, such as one over a network, what is changed.

mod lost;
mod walk;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, mem};

use self::walk::{Root, Walk};
use crate::Policy;
use crate::processes::Process;

/// What each file and folder counts for at least: even an empty one takes a place in a table and a name in a folder.
const LEAST: u64 = 4096;

/// The longest that one look may walk.
const SLICE: Duration = Duration::from_millis(50);

/// Of a budget that is nearly used up, the part that is lost before it is worth another walk.
const WORTH_A_WALK: u64 = 16;

/// What is known of what a tree puts on disk.
#[derive(Debug)]
pub(crate) struct Disk {
    roots: Vec<Root>,
    systems: Vec<FileSystem>,
    /// Since when what is changed is its doing, in seconds since 1970: some file systems know no parts of a second.
    began: i64,
    /// All that the file systems ever lost, whatever they gained meanwhile.
    fallen: u64,
    /// What was the tree's when `fallen` was `counted_at`.
    counted: u64,
    counted_at: u64,
    walk: Option<Walk>,
}

/// A file system that the tree can write to, and what is free on it, counting a file as [`LEAST`].
#[derive(Debug)]
struct FileSystem {
    path: PathBuf,
    device: u64,
    free: u64,
    free_at_first: u64,
}

impl Disk {
    /// Begins to watch all that `policy` lets a program write; to be called before the program runs.
    pub(crate) fn watch(policy: &Policy) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut disk = Self {
            roots: Vec::new(),
            systems: Vec::new(),
            began: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            fallen: 0,
            counted: 0,
            counted_at: 0,
            walk: None,
        };
        for path in &policy.write {
            // What lies in another root is counted with that one.
            if !policy.write.iter().any(|root| path != root && path.starts_with(root)) {
                let own = policy.scratch.as_ref() == Some(path);
                disk.roots.push(Root { path: path.clone(), own });
                disk.add_system(path);
            }
        }
        for mount in mounts_below(&policy.write) {
            disk.add_system(&mount);
        }
        disk.walk_own();
        disk
    }

    /// A folder that was made for the program alone counts too.
    pub(crate) fn add_own(&mut self, path: &Path) {
        self.roots.push(Root { path: path.to_owned(), own: true });
        self.add_system(path);
        self.walk_own();
    }

    /// What was left in its own folders counts from the first look on.
    fn walk_own(&mut self) {
        let own: Vec<_> = self.roots.iter().filter(|root| root.own).cloned().collect();
        self.walk = (!own.is_empty()).then(|| Walk::begin(own, false, self.began, self.fallen));
    }

    fn add_system(&mut self, path: &Path) {
        let Ok(device) = fs::metadata(path).map(|found| found.dev()) else { return };
        if !self.systems.iter().any(|system| system.device == device)
            && let Some(free) = free(path)
        {
            self.systems.push(FileSystem { path: path.to_owned(), device, free, free_at_first: free });
        }
    }

    /// What `tree` has on disk at most; exactly, as far as it can be seen, if that is more than `budget`.
    ///
    /// Takes some microseconds, and up to [`SLICE`] and a look at the tree's descriptors when the file systems have
    /// lost as much as is left of the budget.
    pub(crate) fn look(&mut self, tree: &[Process], budget: u64) -> u64 {
        self.measure();
        let left = budget.saturating_sub(self.counted).max(budget / WORTH_A_WALK);
        if self.walk.is_none() && self.fallen - self.counted_at > left {
            self.walk = Some(Walk::begin(self.roots.clone(), true, self.began, self.fallen));
        }
        if let Some(mut walk) = self.walk.take() {
            let done = walk.go_on(SLICE, budget);
            let known = walk.own.saturating_add(walk.changed.min(self.fallen));
            if known > budget {
                // What others lost meanwhile is not the tree's.
                (self.counted, self.counted_at) = (known, self.fallen);
            } else if done {
                self.counted = self.conclude(&walk, tree, budget);
                self.counted_at = walk.begun_at;
            } else {
                self.walk = Some(walk);
                return known;
            }
        }
        if self.counted > budget {
            return self.counted;
        }
        self.counted.saturating_add(self.fallen - self.counted_at).min(budget)
    }

    fn measure(&mut self) {
        for system in &mut self.systems {
            // A folder that is gone takes nothing any more.
            if let Some(now) = free(&system.path) {
                self.fallen += mem::replace(&mut system.free, now).saturating_sub(now);
            }
        }
    }

    /// The walk saw what has a name. If more than the budget is missing, this is for what has none: files that were
    /// removed and are still open, and, if something keeps us from seeing all, whatever is missing.
    fn conclude(&self, walk: &Walk, tree: &[Process], budget: u64) -> u64 {
        let known = walk.own.saturating_add(walk.changed.min(self.fallen));
        let missing: u64 =
            self.systems.iter().map(|system| system.free_at_first.saturating_sub(system.free)).sum();
        if !walk.everywhere || missing <= budget {
            return known;
        }
        let devices: Vec<_> = self.systems.iter().map(|system| system.device).collect();
        let lost = lost::of(tree, &devices);
        if walk.unseen || lost.unseen {
            return missing.max(known);
        }
        walk.own.saturating_add(walk.changed.saturating_add(lost.bytes).min(self.fallen))
    }
}

/// What a file or folder takes, in bytes.
fn taken(blocks: u64) -> u64 {
    // Blocks are of 512 bytes here, whatever the file system's own are.
    blocks.saturating_mul(512).max(LEAST)
}

/// What is free, with all files that could still be made. File systems that do not count files say 0.
fn free(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bfree.saturating_mul(found.f_frsize).saturating_add(found.f_ffree.saturating_mul(LEAST)))
}

/// Where other file systems are mounted inside of `roots`.
fn mounts_below(roots: &[PathBuf]) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    points.filter(|point| roots.iter().any(|root| point != root && point.starts_with(root))).collect()
}

/// Blanks and the like are written as `\040`.
fn unescape(text: &str) -> PathBuf {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(code) => plain.extend([char::from(code).to_string().as_str(), &part[3..]]),
            None => plain.extend(["\\", part]),
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: u64 = 1 << 20;

    fn disk(root: &Path, own: bool) -> Disk {
        let policy = Policy { write: vec![root.to_owned()], ..Policy::default() };
        Disk::watch(&Policy { scratch: own.then(|| root.to_owned()), ..policy })
    }

    /// As if the file system had lost this much since.
    fn lose(disk: &mut Disk, bytes: u64) {
        disk.systems[0].free += bytes;
        disk.systems[0].free_at_first += bytes;
    }

    #[test]
    fn what_others_take_is_not_counted() {
        let root = tempfile::tempdir().unwrap();
        let mut disk = disk(root.path(), false);
        lose(&mut disk, 4 * BUDGET);

        let known = disk.look(&[], BUDGET);

        assert!(known <= BUDGET, "{known}");
    }

    #[test]
    fn nothing_is_walked_while_the_file_system_keeps_its_space() {
        let root = tempfile::tempdir().unwrap();
        let mut disk = disk(root.path(), false);
        fs::write(root.path().join("large"), vec![1; 4 * BUDGET as usize]).unwrap();
        // As if others had freed more at the same time.
        disk.systems[0].free = 0;

        disk.look(&[], BUDGET);

        assert!(disk.walk.is_none());
        assert_eq!(disk.counted_at, 0);
    }

    #[test]
    fn what_was_changed_before_is_not_counted_but_in_a_folder_of_ones_own() {
        for (own, expected) in [(false, false), (true, true)] {
            let root = tempfile::tempdir().unwrap();
            fs::write(root.path().join("large"), vec![1; 4 * BUDGET as usize]).unwrap();
            let mut disk = disk(root.path(), own);
            disk.began += 60;
            disk.walk_own();
            lose(&mut disk, 8 * BUDGET);

            let known = disk.look(&[], BUDGET);

            assert_eq!(known > BUDGET, expected, "{known}");
        }
    }

    #[test]
    fn files_count_though_they_are_empty_and_links_to_one_file_count_once() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..300 {
            fs::write(root.path().join(format!("empty{number}")), "").unwrap();
        }
        let mut with_empty = disk(root.path(), true);
        let linked = tempfile::tempdir().unwrap();
        fs::write(linked.path().join("file"), vec![1; (BUDGET / 2) as usize]).unwrap();
        for number in 0..9 {
            fs::hard_link(linked.path().join("file"), linked.path().join(number.to_string())).unwrap();
        }
        let mut with_links = disk(linked.path(), true);

        let empty = with_empty.look(&[], BUDGET);
        with_links.look(&[], BUDGET);

        assert!(empty > BUDGET, "{empty}");
        // Not what it has at most, to which is added what others write meanwhile.
        assert!((BUDGET / 2..BUDGET).contains(&with_links.counted), "{}", with_links.counted);
    }

    #[test]
    fn a_walk_does_not_follow_links_out_of_its_root() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), vec![1; 4 * BUDGET as usize]).unwrap();
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();

        let known = disk(root.path(), true).look(&[], BUDGET);

        assert!(known <= BUDGET, "{known}");
    }

    #[test]
    fn names_of_mounts_are_read_as_they_are() {
        assert_eq!(unescape(r"/a\040b\134c"), Path::new(r"/a b\c"));
    }
}
