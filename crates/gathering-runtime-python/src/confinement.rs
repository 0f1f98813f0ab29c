//! How workers are confined: the tier that holds on this machine, and the policy of one worker.

use std::path::{Path, PathBuf};

use gathering_core::{Grants, LoadError, LoadErrorKind, ResourceLimits};
use gathering_sandbox::{Limits, Policy, Report, Tier, ToolUser, probe};
use tokio::sync::OnceCell;

use crate::interpreter::Interpreter;

/// How workers are confined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Confinement {
    /// In the strongest tier of the sandbox that holds on this machine. If none does, nothing is run.
    Sandbox {
        /// A program that calls `gathering_sandbox::launcher_main` when its first argument is `__sandbox`.
        launcher: PathBuf,
        /// Whether workers run with all the rights of this user if no tier holds.
        or_unconfined: bool,
    },
    /// Not at all: workers have all the rights of this user.
    #[default]
    Unconfined,
}

/// What was found out about this machine.
#[derive(Debug, Clone)]
pub enum Holds {
    /// Workers run in this tier.
    Sandbox {
        /// The launcher.
        launcher: PathBuf,
        /// The tier.
        tier: Tier,
        /// What was tried.
        report: Report,
    },
    /// Workers have all the rights of this user; with what was tried, if the sandbox was.
    Unconfined(Option<Report>),
    /// Nothing is run, for this reason.
    Nothing(Report),
}

impl Holds {
    /// The tier's word: `isolated`, `confined`, `unconfined`, or `none`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sandbox { tier: Tier::Isolated, .. } => "isolated",
            Self::Sandbox { tier: Tier::Confined, .. } => "confined",
            Self::Unconfined(_) => "unconfined",
            Self::Nothing(_) => "none",
        }
    }

    /// What was tried in the sandbox.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Sandbox { report, .. } | Self::Nothing(report) => Some(report),
            Self::Unconfined(report) => report.as_ref(),
        }
    }

    /// What does not hold and what would help, a sentence each: of the tier that is used, and of those above it.
    pub fn missing(&self) -> Vec<(String, String)> {
        let Some(report) = self.report() else { return Vec::new() };
        let mut missing = Vec::new();
        for tier in &report.tiers {
            if let Some(failure) = &tier.failure {
                let what = format!("the tier `{}` cannot be used: {}", tier.tier, failure.cause);
                missing.push((what, failure.remedy.clone()));
            }
            for check in tier.checks.iter().filter(|check| !check.stopped) {
                let what = format!("in the tier `{}` an attack succeeded: {}", tier.tier, check.attack);
                missing.push((what, check.detail.clone()));
            }
            for gap in tier.applied.iter().flat_map(|applied| &applied.gaps) {
                missing.push((format!("{}: {}", tier.tier, gap.what), gap.remedy.clone()));
            }
            if report.best == Some(tier.tier) {
                break;
            }
        }
        missing
    }
}

/// Tries once what holds.
pub(crate) struct Prober {
    confinement: Confinement,
    holds: OnceCell<Holds>,
}

impl Prober {
    pub(crate) fn new(confinement: Confinement) -> Self {
        Self { confinement, holds: OnceCell::new() }
    }

    /// What holds on this machine. The first who asks waits some tens of milliseconds.
    pub(crate) async fn holds(&self) -> &Holds {
        self.holds.get_or_init(|| self.try_it()).await
    }

    /// What holds, if that was tried already.
    pub(crate) fn known(&self) -> Option<&Holds> {
        self.holds.get()
    }

    async fn try_it(&self) -> Holds {
        let Confinement::Sandbox { launcher, or_unconfined } = &self.confinement else {
            return Holds::Unconfined(None);
        };
        let tried = {
            let launcher = launcher.clone();
            tokio::task::spawn_blocking(move || probe(&launcher, ToolUser::default())).await
        };
        let report = tried.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        match report.best {
            Some(tier) => Holds::Sandbox { launcher: launcher.clone(), tier, report },
            None if *or_unconfined => Holds::Unconfined(Some(report)),
            None => Holds::Nothing(report),
        }
    }
}

/// The refusal to run anything where nothing holds.
pub(crate) fn refused(report: &Report) -> LoadError {
    let causes: Vec<_> = report
        .tiers
        .iter()
        .map(|tier| match &tier.failure {
            Some(failure) => format!("{}: {failure}", tier.tier),
            None => format!("{}: an attack from inside succeeded", tier.tier),
        })
        .collect();
    let message = format!(
        "no confinement holds on this machine, so its code is not run ({}); `gathering doctor` says more, and \
         `sandbox.allow_unconfined = true` runs code with all the rights of this user",
        causes.join("; ")
    );
    LoadError::new(LoadErrorKind::SandboxSetupFailed, message)
}

/// Refuses grants that hold the data directory `own`, in which the operator's token and all secrets lie.
pub(crate) fn refuse_own(own: &Path, plugin: &str, grants: &Grants) -> Result<(), LoadError> {
    let own = own.canonicalize().unwrap_or_else(|_| own.to_owned());
    let Some(root) = grants
        .read
        .iter()
        .chain(&grants.write)
        .find(|root| own.starts_with(root.canonicalize().as_deref().unwrap_or(root)))
    else {
        return Ok(());
    };
    let message = format!(
        "`{plugin}` would see `{}`, and the server's data directory `{}` with its secrets lies in there: grant \
         folders beside it, keep plugin files in a folder of their own, or move the data directory",
        root.display(),
        own.display()
    );
    Err(LoadError::new(LoadErrorKind::SandboxSetupFailed, message))
}

/// What a worker may see and use: its interpreter, the SDK, its packages, its code, its scratch folder, and its grants.
pub(crate) fn policy(
    interpreter: &Interpreter,
    sdk: &Path,
    site_packages: &[PathBuf],
    code: &Path,
    home: &Path,
    grants: &Grants,
) -> Policy {
    // A grant may speak of what is not there yet.
    let there =
        |paths: &[PathBuf]| -> Vec<PathBuf> { paths.iter().filter(|path| path.exists()).cloned().collect() };
    let mut read = there(&interpreter.folders);
    read.extend([sdk.to_owned(), code.to_owned()]);
    read.extend_from_slice(site_packages);
    read.extend(there(&grants.read));
    let mut write = there(&grants.write);
    write.push(home.to_owned());
    let mut policy = Policy { read, write, cwd: home.to_owned(), ..Policy::default() };
    policy.env.insert("HOME".into(), home.display().to_string());
    let limits = grants.limits.or(&ResourceLimits::DEFAULT);
    policy.tmp_bytes = limits.tmp_size.unwrap_or(policy.tmp_bytes);
    policy.limits = Limits {
        // A worker lives for many calls, each of which has its own deadline.
        cpu_seconds: limits.cpu_seconds.unwrap_or(u64::from(u32::MAX)),
        memory_bytes: limits.memory.unwrap_or(u64::from(u32::MAX)),
        processes: limits.processes.unwrap_or(1024),
        open_files: 1024,
        file_bytes: limits.file_size.unwrap_or(u64::from(u32::MAX)),
    };
    policy
}
