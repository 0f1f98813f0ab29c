//! Files without a name: those that a tree has removed and holds open still.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::taken;
use crate::processes::Process;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) bytes: u64,
    /// Whether there may be more: a process does not let itself be looked at, maps a file that it has removed, or has
    /// sent descriptors that nobody has received yet.
    pub(super) unseen: bool,
}

/// Looks through the descriptors of a whole tree, on file systems of these devices.
pub(super) fn of(tree: &[Process], devices: &[u64]) -> Lost {
    let mut lost = Lost::default();
    let mut known = HashSet::new();
    for process in tree {
        let folder = format!("/proc/{}", process.pid.as_raw_nonzero());
        let Ok(descriptors) = fs::read_dir(format!("{folder}/fd")) else {
            // One that has just ended holds nothing.
            lost.unseen |= Path::new(&folder).exists();
            continue;
        };
        for descriptor in descriptors.flatten() {
            let Ok(found) = fs::metadata(descriptor.path()) else { continue };
            if found.nlink() == 0
                && devices.contains(&found.dev())
                && known.insert((found.dev(), found.ino()))
            {
                lost.bytes = lost.bytes.saturating_add(taken(found.blocks()));
            }
            let number = descriptor.file_name();
            lost.unseen |= is_socket(&found) && carries_descriptors(&folder, &number.to_string_lossy());
        }
        let maps = fs::read_to_string(format!("{folder}/maps")).unwrap_or_default();
        lost.unseen |= maps.lines().any(is_of_removed_file);
    }
    lost
}

fn is_socket(found: &fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&found.file_type())
}

/// Whether descriptors wait in a socket to be received.
fn carries_descriptors(process: &str, number: &str) -> bool {
    let about = fs::read_to_string(format!("{process}/fdinfo/{number}")).unwrap_or_default();
    about.lines().filter_map(|line| line.strip_prefix("scm_fds:")).any(|count| count.trim() != "0")
}

/// Whether a line of `/proc/PID/maps` is of a file that was removed. What only ever is in memory has no name either.
fn is_of_removed_file(line: &str) -> bool {
    let in_memory = ["/memfd:", "/dev/zero ", "/SYSV", "/dev/shm/"];
    line.ends_with(" (deleted)")
        && line.find('/').is_some_and(|at| !in_memory.iter().any(|name| line[at..].starts_with(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_were_removed_make_a_map_suspicious() {
        let map = |name: &str| format!("7f0000000000-7f0000001000 rw-s 00000000 fd:00 77  {name}");

        assert!(is_of_removed_file(&map("/data/file (deleted)")));
        for name in ["/data/file", "/memfd:x (deleted)", "/dev/zero (deleted)", "[heap]"] {
            assert!(!is_of_removed_file(&map(name)), "{name}");
        }
    }
}
