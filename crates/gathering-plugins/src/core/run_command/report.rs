//! What is said of a command that has ended.

use std::time::Duration;

use gathering_core::{ReachedLimit, ResourceLimits, Tier, ToolError, ToolName};
use gathering_sandbox::{Ended, Exit};
use serde_json::{Value, json};

use super::attend::{Kept, Printed};
use crate::Failure;

/// How much of what it printed last is told with an error, in bytes of each stream.
const LAST: usize = 2048;

/// The result of a command that ended by itself, or the limit that ended it.
pub(super) fn ended(
    tool: &str,
    exit: &Exit,
    printed: &Printed,
    took: Duration,
    tier: Tier,
    notes: Vec<String>,
    limits: &ResourceLimits,
) -> Result<Value, Failure> {
    if let Some(limit) = reached(exit.ended) {
        return Err(stopped(tool, limit, &at_limit("the command", limit, limits), printed));
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

fn reached(ended: Ended) -> Option<ReachedLimit> {
    match ended {
        Ended::MemoryLimit => Some(ReachedLimit::Memory),
        Ended::ProcessLimit => Some(ReachedLimit::Processes),
        Ended::CpuLimit => Some(ReachedLimit::Cpu),
        Ended::FileSizeLimit => Some(ReachedLimit::FileSize),
        Ended::DiskLimit => Some(ReachedLimit::Disk),
        Ended::Exited | Ended::Signalled | Ended::Killed | Ended::LauncherLost => None,
    }
}

/// What is said of `whom` who came to one of the `limits`.
pub(in crate::core) fn at_limit(whom: &str, limit: ReachedLimit, limits: &ResourceLimits) -> String {
    let limits = limits.or(&ResourceLimits::DEFAULT);
    let (name, what, instead) = match limit {
        ReachedLimit::Time => return format!("{whom} did not end in time and was stopped"),
        ReachedLimit::Memory => {
            ("memory", format!("used more than {} of memory", bytes(limits.memory)), "use less at a time")
        }
        ReachedLimit::Processes => {
            let most = limits.processes.unwrap_or_default();
            ("processes", format!("had more than {most} processes and threads"), "run fewer at once")
        }
        ReachedLimit::Cpu => {
            let most = limits.cpu_seconds.unwrap_or_default();
            ("cpu_seconds", format!("used up its {most} s of processor time"), "do less in one call")
        }
        ReachedLimit::FileSize => {
            let most = bytes(limits.file_size);
            ("file_size", format!("would have made a file larger than {most}"), "write less at a time")
        }
        ReachedLimit::Disk => {
            let most = bytes(limits.disk);
            (
                "disk",
                format!("wrote files that take more than {most} on disk"),
                "remove what is not needed, write less",
            )
        }
    };
    format!(
        "{whom} {what} and was stopped, with all that it had started: {instead}, or have the operator raise `limits.{name}` \
         of the plugin `core`"
    )
}

/// The error of a command that was stopped.
pub(super) fn stopped(tool: &str, limit: ReachedLimit, what: &str, printed: &Printed) -> Failure {
    let tool = ToolName::new(tool).expect("it is a good name");
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
