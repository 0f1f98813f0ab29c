//! Finds out by trying what holds on this machine: real attacks from inside each tier.

mod attempt;
mod target;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Applied, Failure, Job, Policy, Stdio, Step, Tier, ToolUser, launcher, spawn, temporary};

pub(crate) use attempt::{asked_for, attempt};

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attack {
    /// Reading a file that the policy does not name and everybody may read.
    ReadOutside,
    /// Writing one that everybody may write.
    WriteOutside,
    /// Connecting to a TCP port of this machine.
    ConnectTcp,
    /// Sending a datagram to a UDP port of this machine.
    SendUdp,
    /// Connecting to a unix socket that the policy does not name.
    ConnectUnix,
    /// Making a socket to the host of a virtual machine.
    Vsock,
    /// Sending a signal to the server.
    SignalServer,
    /// Making a user namespace, to gain capabilities.
    UserNamespace,
    /// Leaving a process behind that outlives the call.
    OutliveCall,
}

/// What was found in one tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierReport {
    /// The tier.
    pub tier: Tier,
    /// Whether it can be set up here and stopped all attacks.
    pub holds: bool,
    /// How a program was confined, if it could be.
    pub applied: Option<Applied>,
    /// Why it could not be set up, and what would help.
    pub failure: Option<Failure>,
    /// What was tried.
    pub checks: Vec<Check>,
}

/// How one attack went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was tried.
    pub attack: Attack,
    /// Whether it came to nothing.
    pub stopped: bool,
    /// What it met with.
    pub detail: String,
}

/// What holds on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The strongest tier that holds; running code is to be refused if there is none.
    pub best: Option<Tier>,
    /// The only tier that was to be used, if one was named.
    pub named: Option<Tier>,
    /// All tiers that were tried, strongest first.
    pub tiers: Vec<TierReport>,
}

/// How long the attacks of one tier may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Attacks this machine from inside each tier, or the one that is `named`, and says which holds. Takes some tens of
/// milliseconds.
///
/// `user` is who tools run as if the server is root. Removes what earlier probes and launchers that were killed have left
/// in places for temporary files.
pub fn probe(launcher: &Path, user: ToolUser, named: Option<Tier>) -> Report {
    let users = [rustix::process::geteuid().as_raw(), user.uid];
    for place in [std::env::temp_dir().as_path(), Path::new(launcher::STANDS_FOR)] {
        // Only root has left something that belongs to the tools' user, or could remove it.
        temporary::sweep(place, &users);
    }
    let tried =
        [Tier::Isolated, Tier::Confined].into_iter().filter(|tier| named.is_none_or(|named| named == *tier));
    let tiers: Vec<_> = tried.map(|tier| probe_tier(launcher, user, tier)).collect();
    Report { best: tiers.iter().find(|tier| tier.holds).map(|tier| tier.tier), named, tiers }
}

fn probe_tier(launcher: &Path, user: ToolUser, tier: Tier) -> TierReport {
    match try_tier(launcher, user, tier) {
        Ok((applied, checks)) => {
            let holds = checks.iter().all(|check| check.stopped);
            TierReport { tier, holds, applied: Some(applied), failure: None, checks }
        }
        Err(failure) => {
            TierReport { tier, holds: false, applied: None, failure: Some(failure), checks: Vec::new() }
        }
    }
}

fn try_tier(launcher: &Path, user: ToolUser, tier: Tier) -> Result<(Applied, Vec<Check>), Failure> {
    let unable =
        |error: std::io::Error| Failure::new(Step::Start, format!("preparing the probe: {error}"), "");
    if let Err(source) = std::fs::metadata(launcher) {
        return Err(crate::SetupError::Launcher { path: launcher.to_owned(), source }.into());
    }
    let target = target::Target::put_up(launcher).map_err(unable)?;
    let policy = Policy { read: vec![target.program.clone()], user, ..Policy::default() };
    let targets = serde_json::to_string(&target.seen).map_err(|error| unable(error.into()))?;
    let job = Job {
        program: target.program.clone(),
        args: vec![launcher::ARGUMENT.into(), attempt::ARGUMENT.into(), targets.into()],
        stdout: Stdio::Piped,
        ..Job::default()
    };
    let mut child = spawn(launcher, tier, &policy, job)?;
    let applied = child.applied().clone();
    let stdout = child.stdout.take().expect("it was to be a pipe");
    let exit = match child.wait_timeout(PATIENCE).map_err(unable)? {
        Some(exit) => exit,
        None => child.kill().map_err(unable)?,
    };
    let (said, outlived) = target::read_to_end(stdout).map_err(unable)?;
    let mut checks: Vec<Check> = serde_json::from_slice(&said).map_err(|error| {
        Failure::new(Step::Program, format!("the probe ended without a result: {exit:?}: {error}"), "")
    })?;
    let detail =
        if outlived { "a process that left its session was still there" } else { "it ended with the call" };
    checks.push(Check { attack: Attack::OutliveCall, stopped: !outlived, detail: detail.to_owned() });
    for check in &mut checks {
        target.correct(check).map_err(unable)?;
    }
    Ok((applied, checks))
}

impl Report {
    /// Why nothing is run where no tier holds, or not the named one, and what would help.
    pub fn refusal(&self) -> String {
        let causes: Vec<_> = self
            .tiers
            .iter()
            .map(|tier| match &tier.failure {
                Some(failure) => format!("{}: {failure}", tier.tier),
                None => format!("{}: an attack from inside succeeded", tier.tier),
            })
            .collect();
        let causes = causes.join("; ");
        match self.named {
            Some(named) => format!(
                "the tier `{named}`, which `sandbox.tier` names, does not hold on this machine ({causes}); \
                 `gathering doctor` says more, and without that setting the strongest that holds is taken"
            ),
            None => format!(
                "no confinement holds on this machine ({causes}); `gathering doctor` says more, and \
                 `sandbox.allow_unconfined = true` runs code with all the rights of this user"
            ),
        }
    }
}

impl From<crate::SetupError> for Failure {
    fn from(error: crate::SetupError) -> Self {
        match error {
            crate::SetupError::Step(failure) => failure,
            other => Self::new(Step::Start, other.to_string(), ""),
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOutside => "read a file outside",
            Self::WriteOutside => "write a file outside",
            Self::ConnectTcp => "connect to this machine",
            Self::SendUdp => "send to this machine",
            Self::ConnectUnix => "connect to a unix socket outside",
            Self::Vsock => "open a socket to the host",
            Self::SignalServer => "signal the server",
            Self::UserNamespace => "gain capabilities in a user namespace",
            Self::OutliveCall => "leave a process behind",
        })
    }
}

impl fmt::Display for Report {
    /// A table for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.best {
            Some(tier) => writeln!(f, "confinement: {tier}")?,
            None => writeln!(f, "confinement: none holds, so running code is refused")?,
        }
        for report in &self.tiers {
            writeln!(f, "{}: {}", report.tier, if report.holds { "holds" } else { "does not hold" })?;
            if let Some(failure) = &report.failure {
                writeln!(f, "  {failure}")?;
            }
            for check in &report.checks {
                let result = if check.stopped { "stopped" } else { "SUCCEEDED" };
                writeln!(f, "  {result:9} {}: {}", check.attack, check.detail)?;
            }
            for gap in report.applied.iter().flat_map(|applied| &applied.gaps) {
                writeln!(f, "  open      {}: {}", gap.what, gap.remedy)?;
            }
        }
        Ok(())
    }
}
