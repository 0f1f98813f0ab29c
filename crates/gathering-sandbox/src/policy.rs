//! What a confined program may see, use and spend.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::SetupError;
use crate::launcher::{CONFIGURATION, DEVICES, SYSTEM};

/// How strongly a program is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// In namespaces of its own: other files, processes and networks do not exist for it.
    Isolated,
    /// Without namespaces: the kernel refuses it other files, signals and sockets.
    Confined,
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Isolated => "isolated",
            Self::Confined => "confined",
        })
    }
}

/// What a confined program may see, use and spend. What is not named here is not there.
///
/// The system's programs and libraries (`/usr` and its like) can always be read and run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Files and folders that can be read and run, with all that is in them.
    pub read: Vec<PathBuf>,
    /// Folders that can be written as well.
    pub write: Vec<PathBuf>,
    /// A folder among `write` that the program has for itself: all that is in it counts as its own on disk, whoever left
    /// it there, and not only what it changes.
    pub scratch: Option<PathBuf>,
    /// Paths inside `write` that cannot be written. One that does not exist cannot be made.
    pub protected: Vec<PathBuf>,
    /// Paths inside `read` or `write` that are not to be seen: an empty folder, or a file that cannot be opened, is in
    /// their place. What does not exist needs no hiding. [`Tier::Confined`] cannot hide anything, and refuses.
    pub hidden: Vec<PathBuf>,
    /// The size of the private `/tmp`, in bytes.
    pub tmp_bytes: u64,
    /// The size of the private `/dev/shm`, in bytes.
    pub shm_bytes: u64,
    /// The whole environment: nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Where the program starts.
    ///
    /// [`Tier::Confined`] has no `/tmp` of its own: there, `/tmp` as this folder or as the value of an environment
    /// variable stands for a private folder that is removed at the end.
    pub cwd: PathBuf,
    /// What of the network it can reach.
    pub network: Network,
    /// What it may spend.
    pub limits: Limits,
    /// Who it runs as, if the server is root. Never uid 0.
    pub user: ToolUser,
}

/// What of the network a program can reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Nothing.
    #[default]
    None,
    /// [`Network::PROXY`] and nothing else: a proxy, which decides what lies behind it. It is whoever accepts from
    /// [`Child::proxy`](crate::Child::proxy). [`Tier::Isolated`] only.
    Proxy,
}

impl Network {
    /// Where a program finds the proxy. The network is its own, so the port is nobody else's.
    pub const PROXY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 3128);
}

/// What a program may spend. All but `memory_bytes`, `processes` and `disk_bytes` are the kernel's and hold for each process
/// by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Seconds of processor time of one process.
    pub cpu_seconds: u64,
    /// Bytes of memory: the kernel holds each process to it (`RLIMIT_DATA`), [`watch`](crate::watch) the whole tree.
    pub memory_bytes: u64,
    /// Processes and threads of the whole tree.
    pub processes: u64,
    /// Open descriptors of one process.
    pub open_files: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes on disk of all files that the tree makes or changes: [`watch`](crate::watch) holds it to that. Each counts
    /// with all that it takes, and for 4096 bytes at least.
    pub disk_bytes: u64,
}

/// The user and group that tools run as when the server is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolUser {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

impl Default for Policy {
    fn default() -> Self {
        let env = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("LANG", "C.UTF-8"),
            ("HOME", "/tmp"),
            ("TMPDIR", "/tmp"),
        ];
        Self {
            read: Vec::new(),
            write: Vec::new(),
            scratch: None,
            protected: Vec::new(),
            hidden: Vec::new(),
            tmp_bytes: 64 << 20,
            shm_bytes: 16 << 20,
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            cwd: PathBuf::from("/tmp"),
            network: Network::None,
            limits: Limits::default(),
            user: ToolUser::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_seconds: 60,
            memory_bytes: 512 << 20,
            processes: 64,
            open_files: 256,
            file_bytes: 64 << 20,
            disk_bytes: 512 << 20,
        }
    }
}

impl Default for ToolUser {
    /// `nobody`, in the numbers that every Linux has.
    fn default() -> Self {
        Self { uid: 65534, gid: 65534 }
    }
}

/// The longest that a list of paths may be: each costs a mount or a rule.
const MAX_PATHS: usize = 256;

impl Policy {
    /// Whether a program could read what is at `path`, or write it; `path` has no links, and there need be nothing at it.
    pub fn allows(&self, path: &Path, write: bool) -> bool {
        let own = ["/tmp", "/dev/shm", "/proc"].iter().chain(DEVICES).map(Path::new);
        let system = SYSTEM.iter().chain(CONFIGURATION).map(Path::new);
        own.chain(self.write.iter().map(PathBuf::as_path)).any(|root| path.starts_with(root))
            || !write
                && system.chain(self.read.iter().map(PathBuf::as_path)).any(|root| path.starts_with(root))
    }

    /// Refuses what the launcher could not apply as it is written.
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        let paths = self.read.iter().chain(&self.write).chain(&self.protected).chain(&self.hidden);
        if paths.clone().count() > MAX_PATHS {
            return Err(SetupError::Policy(format!(
                "it names more than {MAX_PATHS} paths: name folders above them"
            )));
        }
        for path in paths.chain([&self.cwd]) {
            check_path(path)?;
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                let name = name.escape_debug();
                return Err(SetupError::Policy(format!(
                    "`{name}` is not a variable's name, or its value has a NUL"
                )));
            }
        }
        for path in &self.protected {
            if !self.write.iter().any(|root| path.starts_with(root) && path != root) {
                let path = path.display();
                return Err(SetupError::Policy(format!(
                    "protected `{path}` lies in no writable folder: leave it out"
                )));
            }
        }
        if let Some(scratch) = &self.scratch
            && !self.write.contains(scratch)
        {
            let scratch = scratch.display();
            return Err(SetupError::Policy(format!(
                "the scratch folder `{scratch}` is not among the writable ones"
            )));
        }
        for path in &self.hidden {
            if !self.read.iter().chain(&self.write).any(|root| path.starts_with(root) && path != root) {
                let path = path.display();
                return Err(SetupError::Policy(format!(
                    "hidden `{path}` lies in no folder that can be seen: leave it out"
                )));
            }
        }
        if self.user.uid == 0 || self.user.gid == 0 {
            return Err(SetupError::Policy(
                "tools cannot run as root: name another user and group".to_owned(),
            ));
        }
        Ok(())
    }
}

fn check_path(path: &Path) -> Result<(), SetupError> {
    let plain = path.is_absolute()
        && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let named = path.components().count() > 1;
    let text = path.to_str().is_some_and(|text| !text.contains('\0'));
    if plain && named && text {
        return Ok(());
    }
    let path = path.to_string_lossy();
    let path = path.escape_debug();
    Err(SetupError::Policy(format!("`{path}` is not an absolute path below `/` without `..`, in UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_can_be_applied() {
        Policy::default().check().unwrap();
    }

    #[test]
    fn paths_are_absolute_plain_and_below_the_root() {
        for path in ["", "/", "relative", "/a/../b", "/a\0b"] {
            let policy = Policy { read: vec![path.into()], ..Policy::default() };

            let error = policy.check().unwrap_err();

            assert!(error.to_string().contains("is not an absolute path"), "{error}");
        }
    }

    #[test]
    fn it_says_what_a_program_could_read_and_write() {
        let policy = Policy { read: vec!["/a".into()], write: vec!["/b".into()], ..Policy::default() };

        for (path, read, write) in [
            ("/a/b", true, false),
            ("/b/c", true, true),
            ("/usr/lib/x", true, false),
            ("/etc/shadow", false, false),
            ("/tmp/x", true, true),
            ("/dev/null", true, true),
            ("/ab", false, false),
        ] {
            assert_eq!(
                (policy.allows(path.as_ref(), false), policy.allows(path.as_ref(), true)),
                (read, write)
            );
        }
    }

    #[test]
    fn root_never_runs_a_tool() {
        let policy = Policy { user: ToolUser { uid: 0, gid: 65534 }, ..Policy::default() };

        let error = policy.check().unwrap_err();

        assert_eq!(
            error.to_string(),
            "the policy cannot be applied: tools cannot run as root: name another user and group"
        );
    }

    #[test]
    fn what_is_protected_lies_in_what_can_be_written() {
        let policy =
            Policy { write: vec!["/a".into()], protected: vec!["/b/.git".into()], ..Policy::default() };

        assert!(policy.check().unwrap_err().to_string().contains("lies in no writable folder"));
    }
}
