//! A core plugin over a working folder, in one tier or another, and what the tests ask of it.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gathering_core::{Caller, ToolError};
use gathering_host::{CallOptions, CallReport};
use gathering_plugins::OwnPlaces;
use gathering_sandbox::{Confinement, Prober, Report, Tier, ToolUser, probe};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::core::Core;

#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
pub(crate) fn not_run(reason: &str) {
    println!("NOT RUN: {reason}");
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program that applies the confinement: built beside the tests when the whole workspace is.
fn launcher() -> Option<PathBuf> {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().nth(2).unwrap();
    let found = ["sandbox-launcher", "gathering"].map(|name| folder.join(name));
    found.into_iter().find(|program| program.is_file())
}

/// What holds on this machine; says what does not.
pub(crate) fn tried() -> Option<&'static (PathBuf, Report)> {
    static TRIED: OnceLock<Option<(PathBuf, Report)>> = OnceLock::new();
    let tried =
        TRIED.get_or_init(|| launcher().map(|path| (path.clone(), probe(&path, ToolUser::default(), None))));
    if tried.is_none() {
        not_run("no launcher was built beside this test: run the tests of the whole workspace");
    }
    tried.as_ref()
}

/// The tiers that hold here.
pub(crate) fn tiers() -> Vec<Tier> {
    let Some((_, report)) = tried() else { return Vec::new() };
    for lacking in report.tiers.iter().filter(|tier| !tier.holds) {
        not_run(&format!("the tier `{}` does not hold here", lacking.tier));
    }
    report.tiers.iter().filter(|tier| tier.holds).map(|tier| tier.tier).collect()
}

/// Confines in `tier`, and in no other.
pub(crate) fn in_tier(tier: Tier) -> Prober {
    let launcher = tried().unwrap().0.clone();
    Prober::new(Confinement::Sandbox { launcher, tier: Some(tier), or_unconfined: false })
}

/// A core plugin, and its working folder, which belongs to whoever tools run as. In there is a folder `work`, in which
/// something can be made in every tier: not so in the working folder itself, where something is protected.
pub(crate) struct Workshop {
    core: Core,
    pub(crate) folder: TempDir,
}

impl Deref for Workshop {
    type Target = Core;
    fn deref(&self) -> &Core {
        &self.core
    }
}

impl Workshop {
    pub(crate) async fn new(tier: Tier) -> Self {
        Self::with(in_tier(tier), json!({}), |_| OwnPlaces::default()).await
    }

    pub(crate) async fn with(prober: Prober, config: Value, own: impl FnOnce(&Path) -> OwnPlaces) -> Self {
        let folder = tempfile::Builder::new().prefix("gathering-test-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let base = folder.path().join("base");
        fs::create_dir(&base).unwrap();
        fs::create_dir(base.join("work")).unwrap();
        if is_root() {
            let ToolUser { uid, gid } = ToolUser::default();
            for folder in [&base, &base.join("work")] {
                chown(folder, Some(uid), Some(gid)).unwrap();
            }
        }
        let own = own(&base);
        let core = Core::build(base.to_str().unwrap(), config, &own, prober).await.unwrap();
        Self { core, folder }
    }

    pub(crate) async fn report(&self, arguments: Value) -> CallReport {
        let arguments: Map<String, Value> = serde_json::from_value(arguments).unwrap();
        let options = CallOptions { timeout: Some(Duration::from_secs(60)) };
        self.host().execute(Caller::Operator, "run_command", arguments, options).await
    }

    pub(crate) async fn run(&self, command: &str) -> Value {
        self.report(json!({"command": command})).await.outcome.unwrap().value
    }

    /// What it printed on both streams.
    pub(crate) async fn say(&self, command: &str) -> String {
        let ran = self.run(command).await;
        format!("{}{}", ran["stdout"].as_str().unwrap(), ran["stderr"].as_str().unwrap())
    }

    pub(crate) async fn fail(&self, arguments: Value) -> ToolError {
        self.report(arguments).await.outcome.unwrap_err()
    }

    /// The error of a command that is stopped after `seconds`, which it must not outlive by much.
    pub(crate) async fn stopped(&self, command: &str, seconds: f64) -> ToolError {
        let started = Instant::now();

        let error = self.fail(json!({"command": command, "timeout": seconds})).await;

        let late = started.elapsed().saturating_sub(Duration::from_secs_f64(seconds));
        // It takes milliseconds; this is for machines that are drowning.
        assert!(late < Duration::from_secs(10), "it was stopped {late:?} too late: {error}");
        error
    }
}

/// A word that no other process has in its arguments.
pub(crate) fn nonce() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{}", 100_000 + std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// How many processes have `word` among their arguments.
pub(crate) fn alive_with(word: &str) -> usize {
    let lines = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())).count()
}

/// Waits until `count` processes have `word` among their arguments; looks as often as it is let.
pub(crate) async fn until_alive(word: &str, count: usize, limit: Duration) {
    let started = Instant::now();
    while alive_with(word) != count {
        assert!(started.elapsed() < limit, "{} processes after {limit:?}, not {count}", alive_with(word));
        tokio::task::yield_now().await;
    }
}
