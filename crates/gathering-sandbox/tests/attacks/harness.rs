//! Runs small attackers under a policy, and never waits for ever.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use gathering_sandbox::{
    Budget, Child, Exit, Job, Limits, Policy, SetupError, Stdio, Step, Tier, ToolUser, spawn, watch,
};
use tempfile::TempDir;

/// The longest that any attacker lives.
const OUTER: Duration = Duration::from_secs(30);
/// What an attacker that overdoes it is read of.
const MAX_OUTPUT: u64 = 1 << 20;

pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: Exit,
}

impl Ran {
    pub(crate) fn said(&self) -> String {
        format!("{}{}\n{:?}", self.stdout, self.stderr, self.exit)
    }
}

pub(crate) fn launcher() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sandbox-launcher"))
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn not_run(reason: &str) {
    println!("NOT RUN: {reason}");
}

/// The tiers that this machine has; says which it lacks.
pub(crate) fn available() -> Vec<Tier> {
    [Tier::Isolated, Tier::Confined].into_iter().filter(|tier| has(*tier)).collect()
}

/// The same, one test at a time: without namespaces the kernel counts the processes of all runs of a user together, and
/// a test that makes as many as it can would keep the others from making any.
pub(crate) fn tiers() -> Tiers {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    Tiers { tiers: available().into_iter(), _turn: turn }
}

/// Gives the tiers; it is its test's turn until it is dropped.
pub(crate) struct Tiers {
    tiers: std::vec::IntoIter<Tier>,
    _turn: MutexGuard<'static, ()>,
}

impl Iterator for Tiers {
    type Item = Tier;
    fn next(&mut self) -> Option<Tier> {
        self.tiers.next()
    }
}

pub(crate) fn has(tier: Tier) -> bool {
    static LACKS: OnceLock<Vec<(Tier, String)>> = OnceLock::new();
    let lacks = LACKS.get_or_init(|| {
        let lack = |tier| match spawn(launcher(), tier, &Policy::default(), shell("true")) {
            Ok(_) => None,
            // What the machine does not offer. All else is for the tests to find.
            Err(SetupError::Step(failure)) if matches!(failure.step, Step::Namespaces | Step::Landlock) => {
                Some((tier, failure.to_string()))
            }
            Err(error) => panic!("{tier}: {error}"),
        };
        [Tier::Isolated, Tier::Confined].into_iter().filter_map(lack).collect()
    });
    match lacks.iter().find(|(lacked, _)| *lacked == tier) {
        Some((_, why)) => {
            not_run(&format!("the {tier} tier is missing: {why}"));
            false
        }
        None => true,
    }
}

/// Limits that keep an attack from being felt by the machine.
pub(crate) fn limits() -> Limits {
    Limits {
        cpu_seconds: 10,
        memory_bytes: 256 << 20,
        processes: 40,
        open_files: 64,
        file_bytes: 8 << 20,
        disk_bytes: 64 << 20,
    }
}

pub(crate) fn policy() -> Policy {
    Policy { tmp_bytes: 16 << 20, limits: limits(), ..Policy::default() }
}

/// A policy with one writable folder, in which the program starts.
pub(crate) fn policy_in(workspace: &Path) -> Policy {
    Policy { write: vec![workspace.to_owned()], cwd: workspace.to_owned(), ..policy() }
}

/// A folder that belongs to the tool's user.
pub(crate) fn workspace() -> TempDir {
    let folder = open_folder();
    if is_root() {
        let ToolUser { uid, gid } = ToolUser::default();
        chown(folder.path(), Some(uid), Some(gid)).unwrap();
    }
    folder
}

/// A folder of this process that everybody can enter and read.
pub(crate) fn open_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("gathering-test-").tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A file outside that everybody may read and write, but for the sandbox.
pub(crate) fn canary(folder: &TempDir) -> PathBuf {
    let file = folder.path().join("canary");
    fs::write(&file, "CANARY-7f3a").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    file
}

pub(crate) fn shell(script: &str) -> Job {
    Job {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        stdout: Stdio::Piped,
        stderr: Stdio::Piped,
        ..Job::default()
    }
}

/// The system's Python: the tool's user can reach it, and it is no shim.
pub(crate) fn python() -> Option<PathBuf> {
    let found = fs::canonicalize("/usr/bin/python3").ok();
    if found.is_none() {
        not_run("there is no /usr/bin/python3");
    }
    found
}

pub(crate) fn start(tier: Tier, policy: &Policy, job: Job) -> Child {
    spawn(launcher(), tier, policy, job).unwrap_or_else(|error| panic!("{tier}: {error}"))
}

/// Runs a job to its end, under the outer limit.
pub(crate) fn run(tier: Tier, policy: &Policy, job: Job) -> Ran {
    let mut child = start(tier, policy, job);
    let readers = [child.stdout.take(), child.stderr.take()].map(|pipe| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(pipe) = pipe {
                pipe.take(MAX_OUTPUT).read_to_end(&mut text).unwrap();
            }
            String::from_utf8_lossy(&text).into_owned()
        })
    });
    let budget = Budget::from(&policy.limits);
    let exit = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&child, &budget, Duration::from_millis(50)).unwrap());
        if child.wait_timeout(OUTER).unwrap().is_none() {
            child.kill().unwrap();
        }
        watching.join().unwrap()
    });
    let [stdout, stderr] = readers.map(|reader| reader.join().unwrap());
    Ran { stdout, stderr, exit }
}

pub(crate) fn run_shell(tier: Tier, policy: &Policy, script: &str) -> Ran {
    run(tier, policy, shell(script))
}

/// Runs Python code; `None` if there is no Python.
pub(crate) fn run_python(tier: Tier, policy: &Policy, code: &str) -> Option<Ran> {
    let job = Job { program: python()?, args: vec!["-I".into(), "-c".into(), code.into()], ..shell("") };
    Some(run(tier, policy, job))
}

/// A word that no other process has in its arguments.
pub(crate) fn nonce() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{}", 100_000 + process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// How many processes have `word` among their arguments.
pub(crate) fn alive_with(word: &str) -> usize {
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        fs::read(path.join("cmdline")).ok()
    });
    lines.filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())).count()
}

/// Waits until `reader` has something to read, or its writers are gone.
pub(crate) fn readable_within(reader: impl AsFd, limit: Duration) -> bool {
    let reader = reader.as_fd();
    let mut polled = [rustix::event::PollFd::new(&reader, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut polled, Some(&limit.try_into().unwrap())).unwrap() > 0
}
