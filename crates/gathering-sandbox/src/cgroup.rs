//! A cgroup for each tree, where the system has delegated that to the server: then the kernel holds the tree as a whole
//! to its memory and its processes, at every moment, and kills it as a whole.
//!
//! Delegated means: a service with `Delegate=yes`, or a container or machine whose uppermost cgroup is the server's own.
//! See the kernel's `cgroup-v2`, "Delegation" and "No Internal Process Constraint": the server moves into a leaf below
//! its cgroup first, and does so only if it is alone there. Where anything is missing, nothing is touched.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Access;
use rustix::process::Pid;

use crate::Policy;

/// The cgroup below which those of trees are made.
#[derive(Debug)]
pub(crate) struct Base(PathBuf);

/// The cgroup of one tree and its launcher; what is in it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Group(PathBuf);

/// Where the server itself goes.
const LEAF: &str = "gathering-server";
/// With the server's process id and a number, the name of a tree's.
const TREE: &str = "gathering-tree-";
/// The launcher and its init, and one more for the moment in which they start.
const OUR_PROCESSES: u64 = 3;
/// What these take.
const OUR_MEMORY: u64 = 16 << 20;
/// How long the processes of a tree may take to end when they are killed. It takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where cgroups of trees can be made, found out once.
pub(crate) fn base() -> Option<&'static Base> {
    static BASE: OnceLock<Option<Base>> = OnceLock::new();
    BASE.get_or_init(|| {
        let folder = own_folder(
            &fs::read_to_string("/proc/self/cgroup").ok()?,
            &fs::read_to_string("/proc/self/mountinfo").ok()?,
        )?;
        let delegated = folder.is_uppermost || is_delegated(&folder.path);
        if delegated { Base::prepare(folder.path).ok() } else { None }
    })
    .as_ref()
}

/// The folder of this process's cgroup.
#[derive(Debug, PartialEq, Eq)]
struct Own {
    path: PathBuf,
    /// Whether nothing is above it, as far as this process can see.
    is_uppermost: bool,
}

/// Finds it in `/proc/self/cgroup` and `/proc/self/mountinfo`, as cgroups(7) and proc_pid_mountinfo(5) have them.
fn own_folder(cgroups: &str, mounts: &str) -> Option<Own> {
    let own = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let inside = Path::new(own).strip_prefix(root).ok().filter(|_| kind.starts_with("cgroup2 "))?;
        Some(Own { path: Path::new(point).join(inside), is_uppermost: own == "/" })
    })
}

/// Systemd says so on the folder.
fn is_delegated(folder: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 2];
        rustix::fs::getxattr(folder, *name, &mut value).is_ok_and(|length| value[..length] == *b"1")
    })
}

impl Base {
    /// Makes `folder`, which is this process's own, one below which trees can be held.
    fn prepare(folder: PathBuf) -> io::Result<Self> {
        rustix::fs::access(&folder, Access::WRITE_OK)?;
        let controllers = fs::read_to_string(folder.join("cgroup.controllers"))?;
        let has = |wanted| controllers.split_whitespace().any(|name| name == wanted);
        if !has("memory") || !has("pids") {
            return Err(io::Error::other("it controls neither memory nor processes"));
        }
        // The uppermost of all has no type, and may have processes beside other cgroups.
        if folder.join("cgroup.type").exists() {
            let me = process::id().to_string();
            if fs::read_to_string(folder.join("cgroup.procs"))?.lines().any(|other| other != me) {
                return Err(io::Error::other("the server is not alone in it"));
            }
            let leaf = folder.join(LEAF);
            make_folder(&leaf)?;
            fs::write(leaf.join("cgroup.procs"), me)?;
        }
        fs::write(folder.join("cgroup.subtree_control"), "+memory +pids")?;
        let base = Self(folder);
        base.remove_leftovers()?;
        Ok(base)
    }

    /// Ends and removes what servers that were killed have left.
    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let server =
                name.to_str().and_then(|name| name.strip_prefix(TREE)?.split_once('-')).map(|(id, _)| id);
            if server.is_some_and(|server| !Path::new("/proc").join(server).exists()) {
                drop(Group(entry.path()));
            }
        }
        Ok(())
    }

    /// A cgroup for a tree under `policy`. Its files in memory count here, and so there is room for them.
    pub(crate) fn group(&self, policy: &Policy) -> io::Result<Group> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let group = Group(self.0.join(format!("{TREE}{}-{number}", process::id())));
        fs::create_dir(&group.0)?;
        let memory = [policy.limits.memory_bytes, policy.tmp_bytes, policy.shm_bytes, OUR_MEMORY];
        let memory = memory.into_iter().fold(0, u64::saturating_add);
        fs::write(group.0.join("memory.max"), memory.to_string())?;
        let swap = group.0.join("memory.swap.max");
        // A system without swap does not have it.
        if swap.exists() {
            fs::write(swap, "0")?;
        }
        let processes = policy.limits.processes.saturating_add(OUR_PROCESSES);
        fs::write(group.0.join("pids.max"), processes.to_string())?;
        Ok(group)
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

impl Group {
    /// Puts a process into it; whatever it starts from then on is in it as well.
    pub(crate) fn adopt(&self, pid: Pid) -> io::Result<()> {
        match fs::write(self.0.join("cgroup.procs"), pid.as_raw_nonzero().to_string()) {
            // It has ended.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            done => done,
        }
    }

    /// Whether the kernel has killed something in it for want of memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        events.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count != "0"))
    }

    /// Kills all that is in it, and waits until it is gone.
    pub(crate) fn kill(&self) -> io::Result<()> {
        fs::write(self.0.join("cgroup.kill"), "1")?;
        let mut events = File::open(self.0.join("cgroup.events"))?;
        let until = Instant::now() + PATIENCE;
        loop {
            let mut said = String::new();
            events.rewind()?;
            events.read_to_string(&mut said)?;
            if said.lines().any(|line| line == "populated 0") {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::other(format!("processes in `{}` do not end", self.0.display())));
            }
            // The file says with this when it has changed.
            poll(
                &mut [PollFd::new(&events, PollFlags::PRI)],
                Some(&left.try_into().map_err(io::Error::other)?),
            )?;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What cannot be removed is empty, or will be; the next server tries again.
        let _ = self.kill();
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a cgroup in which this process is alone.
    fn looks_like(controllers: &str, processes: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("cgroup.controllers", controllers),
            ("cgroup.procs", processes),
            ("cgroup.subtree_control", ""),
            ("cgroup.type", "domain\n"),
        ] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn me() -> String {
        format!("{}\n", process::id())
    }

    #[test]
    fn the_own_cgroup_is_found_wherever_it_is_mounted() {
        let hybrid = "24 23 0:22 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      25 23 0:23 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let service = own_folder("4:memory:/x\n0::/system.slice/g.service\n", hybrid);
        let path = "/sys/fs/cgroup/unified/system.slice/g.service".into();
        assert_eq!(service, Some(Own { path, is_uppermost: false }));

        let container = own_folder("0::/\n", "30 29 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
        assert_eq!(container, Some(Own { path: "/sys/fs/cgroup/".into(), is_uppermost: true }));

        assert_eq!(own_folder("4:memory:/x\n", hybrid), None);
        assert_eq!(own_folder("0::/a\n", "30 29 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"), None);
    }

    #[test]
    fn the_server_moves_into_a_leaf_and_trees_get_their_limits() {
        let folder = looks_like("cpu memory pids\n", &me());

        let base = Base::prepare(folder.path().to_owned()).unwrap();
        let group = base.group(&Policy::default()).unwrap();

        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(read(folder.path().join("cgroup.subtree_control")), "+memory +pids");
        assert_eq!(read(folder.path().join(LEAF).join("cgroup.procs")), process::id().to_string());
        // 512 MiB, 64 for `/tmp`, 16 for `/dev/shm`, and ours.
        assert_eq!(read(group.0.join("memory.max")), (608_u64 << 20).to_string());
        assert_eq!(read(group.0.join("pids.max")), "67");
        assert!(!group.ran_out_of_memory());
        fs::write(group.0.join("memory.events"), "low 0\noom 1\noom_kill 2\n").unwrap();
        assert!(group.ran_out_of_memory());
    }

    #[test]
    fn nothing_is_touched_where_others_live_or_controllers_are_missing() {
        for (controllers, processes) in
            [("hugetlb\n", me()), ("memory\n", me()), ("memory pids\n", format!("1\n{}", me()))]
        {
            let folder = looks_like(controllers, &processes);

            Base::prepare(folder.path().to_owned()).unwrap_err();

            assert!(!folder.path().join(LEAF).exists(), "{controllers}");
            assert_eq!(fs::read_to_string(folder.path().join("cgroup.subtree_control")).unwrap(), "");
        }
    }

    #[test]
    fn a_group_ends_with_all_that_is_in_it_and_so_does_what_a_killed_server_left() {
        let Some(own) = own_folder(
            &fs::read_to_string("/proc/self/cgroup").unwrap(),
            &fs::read_to_string("/proc/self/mountinfo").unwrap(),
        ) else {
            return println!("NOT RUN: there is no cgroup of version 2");
        };
        let folder = own.path.join(format!("gathering-test-{}", process::id()));
        if let Err(error) = fs::create_dir(&folder) {
            return println!("NOT RUN: no cgroup can be made in `{}`: {error}", own.path.display());
        }
        let base = Base(folder.clone());
        let start = |name: &str| {
            let group = Group(folder.join(name));
            fs::create_dir(&group.0).unwrap();
            // Leaves its session, twice.
            let script = "setsid sh -c 'setsid sleep 60 & sleep 60' & sleep 60";
            let child = process::Command::new("sh").args(["-c", script]).spawn().unwrap();
            group.adopt(Pid::from_child(&child)).unwrap();
            (group, child)
        };

        let (group, mut killed) = start("gathering-tree-1-0");
        drop(group);
        // No process has this number.
        let (left, mut lost) = start("gathering-tree-4194305-0");
        std::mem::forget(left);
        base.remove_leftovers().unwrap();

        assert!(!killed.wait().unwrap().success() && !lost.wait().unwrap().success());
        let controllers = fs::read_to_string(folder.join("cgroup.controllers")).unwrap();
        fs::remove_dir(&folder).expect("nothing is left in it");
        if !controllers.contains("memory") {
            println!("NOT RUN: that memory is capped: the controllers here are `{}`", controllers.trim());
        }
    }
}
