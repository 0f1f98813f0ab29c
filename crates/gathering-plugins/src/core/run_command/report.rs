//! What is said of a command that has ended.

use std::time::Duration;

use gathering_core::{ReachedLimit, ResourceLimits, Tier, ToolError, ToolName};
use gathering_sandbox::{Ended, Exit};
use serde_json::{Value, json};

use super::attend::{Kept, Printed};
use super::{Bound, NAME, Time};
use crate::Failure;
use crate::core::Core;

/// How much of what it printed last is told with an error, in bytes of each stream.
const LAST: usize = 2048;

/// The result of a command that ended by itself, or the limit that ended it.
pub(super) fn ended(
    exit: &Exit,
    printed: &Printed,
    took: Duration,
    tier: Tier,
    notes: Vec<String>,
    limits: &ResourceLimits,
) -> Result<Value, Failure> {
    if let Some((limit, what)) = at_limit(exit.ended, limits) {
        return Err(stopped(limit, &what, printed));
    }
    if matches!(exit.ended, Ended::Killed | Ended::LauncherLost) {
        let what = "the command was ended from outside of it, and how far it had come is not known";
        return Err(Failure::Message(with_last(what, printed)));
    }
    let return_code = match (exit.code, exit.signal) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => return Err("the command ended, and its exit code was lost".into()),
    };
    let truncated = printed.out.is_truncated() || printed.err.is_truncated();
    let mut result = json!({
        "stdout": printed.out.text(),
        "stderr": printed.err.text(),
        "return_code": return_code,
        "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "truncated": truncated,
        "tier": tier,
    });
    if truncated {
        result["total_bytes"] = json!({"stdout": printed.out.total, "stderr": printed.err.total});
    }
    let notes: Vec<_> = notes.into_iter().chain(exit.leftover.clone()).collect();
    if !notes.is_empty() {
        result["notes"] = notes.into();
    }
    Ok(result)
}

/// Which limit ended a command, and what is said of it.
fn at_limit(ended: Ended, limits: &ResourceLimits) -> Option<(ReachedLimit, String)> {
    let limits = limits.or(&ResourceLimits::DEFAULT);
    let (limit, name, what) = match ended {
        Ended::MemoryLimit => {
            let what = format!("used more than {} of memory", bytes(limits.memory));
            (ReachedLimit::Memory, "memory", format!("{what} and was stopped: let it use less at a time"))
        }
        Ended::ProcessLimit => {
            let what =
                format!("had more than {} processes and threads", limits.processes.unwrap_or_default());
            (
                ReachedLimit::Processes,
                "processes",
                format!("{what} and was stopped: let it run fewer at once"),
            )
        }
        Ended::CpuLimit => {
            let what = format!("used up its {} s of processor time", limits.cpu_seconds.unwrap_or_default());
            (ReachedLimit::Cpu, "cpu_seconds", format!("{what} and was stopped: give it less work"))
        }
        Ended::FileSizeLimit => {
            let what = format!("would have made a file larger than {}", bytes(limits.file_size));
            let rest = "and was stopped; what it wrote until then is there: write less";
            (ReachedLimit::FileSize, "file_size", format!("{what} {rest}"))
        }
        Ended::DiskLimit => {
            let what = format!("wrote files that take more than {} on disk", bytes(limits.disk));
            let rest = "and was stopped; they are there: remove them and write less";
            (ReachedLimit::Disk, "disk", format!("{what} {rest}"))
        }
        Ended::Exited | Ended::Signalled | Ended::Killed | Ended::LauncherLost => return None,
    };
    Some((
        limit,
        format!("the command {what}, or have the operator raise `limits.{name}` of the plugin `core`"),
    ))
}

/// The error of a command that came to the end of its time.
pub(super) fn out_of_time(time: &Time, core: &Core, printed: &Printed) -> Failure {
    let most = core.config.max_timeout_seconds;
    let what = match time.bound {
        Bound::Argument => format!(
            "the command did not end within {:?} and was stopped, with all that it had started: give it a longer \
             `timeout` (at most {most} s), or do less in one command",
            time.limit
        ),
        Bound::Setting => format!(
            "the command did not end within {most} s, the longest that the operator allows (`max_timeout_seconds` of the \
             plugin `core`), and was stopped, with all that it had started: do less in one command"
        ),
        Bound::Call => format!(
            "the command did not end within the {:.1} s that were left to the call, and was stopped, with all that it \
             had started: let the call itself have more time, or do less in one command",
            time.limit.as_secs_f64()
        ),
    };
    stopped(ReachedLimit::Time, &what, printed)
}

fn stopped(limit: ReachedLimit, what: &str, printed: &Printed) -> Failure {
    let tool = ToolName::new(NAME).expect("it is a good name");
    ToolError::LimitReached { tool, limit, message: with_last(what, printed) }.into()
}

fn with_last(what: &str, printed: &Printed) -> String {
    let mut message = what.to_owned();
    for (name, kept) in [("stdout", &printed.out), ("stderr", &printed.err)] {
        let last = last(kept);
        if !last.is_empty() {
            message.push_str(&format!("\n{name} until then: {last}"));
        }
    }
    message
}

/// The end of what was kept.
fn last(kept: &Kept) -> String {
    let text = kept.text();
    let start = (text.len().saturating_sub(LAST)..).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let mark = if start > 0 { "..." } else { "" };
    format!("{mark}{}", text[start..].trim_end())
}

fn bytes(amount: Option<u64>) -> String {
    match amount.unwrap_or_default() {
        amount if amount % (1 << 30) == 0 => format!("{} GiB", amount >> 30),
        amount if amount % (1 << 20) == 0 => format!("{} MiB", amount >> 20),
        amount => format!("{amount} bytes"),
    }
}
