//! The tier that holds on this machine, tried once.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::{Report, Tier, ToolUser, probe};

/// How what runs is to be confined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Confinement {
    /// In the strongest tier of the sandbox that holds on this machine, or the one that is named. If it does not hold,
    /// nothing is run.
    Sandbox {
        /// A program that calls [`launcher_main`](crate::launcher_main) when its first argument is `__sandbox`.
        launcher: PathBuf,
        /// The one tier to be used. It is never exchanged for another, nor for none.
        tier: Option<Tier>,
        /// Whether code runs with all the rights of this user if no tier holds.
        or_unconfined: bool,
    },
    /// Not at all: code has all the rights of this user.
    #[default]
    Unconfined,
}

/// What was found out about this machine.
#[derive(Debug, Clone)]
pub enum Holds {
    /// Code runs in this tier.
    Sandbox {
        /// The launcher.
        launcher: PathBuf,
        /// The tier.
        tier: Tier,
        /// What was tried.
        report: Report,
    },
    /// Code has all the rights of this user; with what was tried, if the sandbox was.
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

    /// Whether a cgroup holds each tree to its memory and processes at every moment. Else they are measured, and a tree that
    /// is over its limits is ended a moment later.
    pub fn in_cgroup(&self) -> bool {
        let Self::Sandbox { tier, report, .. } = self else { return false };
        let used = report.tiers.iter().find(|tried| tried.tier == *tier);
        used.and_then(|tried| tried.applied.as_ref()).is_some_and(|applied| applied.cgroup)
    }

    /// What does not hold and what would help, a sentence each: of the tier that is used, and of those above it.
    pub fn missing(&self) -> Vec<(String, String)> {
        let Some(report) = self.report() else { return Vec::new() };
        let mut missing = Vec::new();
        if report.named == Some(Tier::Confined) {
            missing.push((
                "the tier `isolated` is not used, because `sandbox.tier` names `confined`".to_owned(),
                "take the setting `sandbox.tier` out: the strongest tier that holds is used then".to_owned(),
            ));
        }
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
                missing.push((format!("in the tier `{}`: {}", tier.tier, gap.what), gap.remedy.clone()));
            }
            if report.best == Some(tier.tier) {
                break;
            }
        }
        missing
    }
}

/// Tries what holds on this machine, once for all who ask.
#[derive(Debug, Default)]
pub struct Prober {
    confinement: Confinement,
    holds: OnceLock<Holds>,
}

impl Prober {
    /// One that tries nothing before it is asked.
    pub fn new(confinement: Confinement) -> Self {
        Self { confinement, holds: OnceLock::new() }
    }

    /// What holds on this machine. The first who asks waits some tens of milliseconds, and so do all who ask meanwhile.
    pub fn holds(&self) -> &Holds {
        self.holds.get_or_init(|| self.try_it())
    }

    /// What holds, if that was tried already.
    pub fn known(&self) -> Option<&Holds> {
        self.holds.get()
    }

    /// The program that applies the confinement, if one is named: the `gathering` binary.
    pub fn launcher(&self) -> Option<&Path> {
        match &self.confinement {
            Confinement::Sandbox { launcher, .. } => Some(launcher),
            Confinement::Unconfined => None,
        }
    }

    fn try_it(&self) -> Holds {
        let Confinement::Sandbox { launcher, tier, or_unconfined } = &self.confinement else {
            return Holds::Unconfined(None);
        };
        let report = probe(launcher, ToolUser::default(), *tier);
        match report.best {
            Some(tier) => Holds::Sandbox { launcher: launcher.clone(), tier, report },
            None if *or_unconfined && tier.is_none() => Holds::Unconfined(Some(report)),
            None => Holds::Nothing(report),
        }
    }
}
