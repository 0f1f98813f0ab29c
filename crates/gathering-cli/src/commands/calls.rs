//! `gathering calls`: the journal, which says what was called, by whom, and what came of it.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::on_client;
use crate::cli::{Global, Show};
use crate::client::{Client, query, segment};
use crate::error::CliError;
use crate::output::{BAD, HEAD, HINT, items, plain, show, text};

const EXAMPLES: &str = "\
Examples:
  gathering calls list --caller analyst --since 1h
  gathering calls list --decision refused
  gathering calls show 5f0c8a1e6b7d4c3f9a2b1c0d8e7f6a5b
  gathering calls tail
  gathering calls export --since 7d > calls.jsonl";
/// How long a server is asked to wait for the next row, in seconds.
const WAIT: &str = "30";

/// Read the journal: every call, allowed or refused, and what came of it.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Calls {
    /// List calls, the newest first.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        of: Of,
        /// How many.
        #[arg(long, default_value_t = 30, value_name = "NUMBER")]
        limit: u32,
        /// Go on where the last list ended.
        #[arg(long, value_name = "NUMBER")]
        cursor: Option<String>,
        #[command(flatten)]
        show: Show,
    },
    /// Show one call.
    Show {
        /// The call.
        id: String,
        #[command(flatten)]
        show: Show,
    },
    /// Follow calls as they are answered, until Ctrl-C.
    Tail {
        #[command(flatten)]
        of: Of,
        /// End after so many calls.
        #[arg(long, value_name = "NUMBER")]
        count: Option<u64>,
        #[command(flatten)]
        show: Show,
    },
    /// Write all calls to standard output, the oldest first, a JSON object a line.
    Export {
        #[command(flatten)]
        of: Of,
    },
}

/// Which calls.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// Only calls of this caller: operator, or an agent.
    #[arg(long, value_name = "CALLER")]
    caller: Option<String>,
    /// Only calls of this tool.
    #[arg(long)]
    tool: Option<String>,
    /// Only calls of tools of this plugin.
    #[arg(long)]
    plugin: Option<String>,
    /// Only calls that were let through, or only those that were not.
    #[arg(long)]
    decision: Option<Decision>,
    /// Only calls that gave a result (ok), or only those with this code of an error.
    #[arg(long)]
    code: Option<String>,
    /// Only what one request caused.
    #[arg(long, value_name = "TRACE")]
    trace_id: Option<String>,
    /// Only calls of the last so many seconds, or of a time such as 30m, 2h or 7d.
    #[arg(long, value_name = "TIME", value_parser = span)]
    since: Option<Duration>,
    /// Only calls from before the last so many seconds, or a time such as 30m.
    #[arg(long, value_name = "TIME", value_parser = span)]
    until: Option<Duration>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Decision {
    Allowed,
    Refused,
}

/// A number of seconds, or a number with its unit.
fn span(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => f64::NAN,
    };
    let span = number.trim().parse::<f64>().map_or(f64::NAN, |number| number * seconds);
    Duration::try_from_secs_f64(span)
        .map_err(|_| "a number of seconds, or a time such as `90s`, `30m`, `2h` or `7d`".to_owned())
}

impl Of {
    /// The path of these calls, with `more` to ask for.
    fn path(&self, more: &[(&str, Option<&str>)]) -> String {
        let before = |ago: Duration| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.saturating_sub(ago).as_millis().to_string()
        };
        let decision = self.decision.map(|decision| match decision {
            Decision::Allowed => "allowed",
            Decision::Refused => "refused",
        });
        let (since, until) = (self.since.map(before), self.until.map(before));
        let mut asked = vec![
            ("caller", self.caller.as_deref()),
            ("tool", self.tool.as_deref()),
            ("plugin", self.plugin.as_deref()),
            ("decision", decision),
            ("code", self.code.as_deref()),
            ("trace_id", self.trace_id.as_deref()),
            ("since", since.as_deref()),
            ("until", until.as_deref()),
        ];
        asked.extend_from_slice(more);
        format!("/calls{}", query(&asked))
    }
}

impl Calls {
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::List { show, .. } | Self::Show { show, .. } | Self::Tail { show, .. } => show.json,
            Self::Export { .. } => true,
        }
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        on_client(global, async |client| self.on(client).await).await
    }

    async fn on(&self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::List { of, limit, cursor, show: Show { json } } => {
                let limit = limit.to_string();
                let page = of.path(&[("limit", Some(&limit)), ("cursor", cursor.as_deref())]);
                let answer = client.get(&page).await?;
                show(*json, &answer, |out| write_list(out, &answer))
            }
            Self::Show { id, show: Show { json } } => {
                let answer = client.get(&format!("/calls/{}", segment(id))).await?;
                show(*json, &answer, |out| write_call(out, &answer))
            }
            Self::Tail { of, count, show: Show { json } } => tail(client, of, *count, *json).await,
            Self::Export { of } => export(client, of).await,
        }
    }
}

/// Prints each call as it is answered.
async fn tail(client: &Client, of: &Of, count: Option<u64>, json: bool) -> Result<(), CliError> {
    if client.url().is_none() {
        return Err(CliError::unreachable(
            "no server is running, so nothing is called that could be followed",
        )
        .remedy("`gathering serve` starts one"));
    }
    let newest = client.get("/calls?limit=1").await?;
    let mut after = newest.get("newest").and_then(Value::as_i64).unwrap_or(0);
    let (mut left, mut out) = (count.unwrap_or(u64::MAX), anstream::stdout());
    while left > 0 {
        let from = after.to_string();
        let answer = client.get(&of.path(&[("after", Some(&from)), ("wait", Some(WAIT))])).await?;
        for call in items(&answer, "calls").iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            left -= 1;
            match json {
                true => writeln!(out, "{call}")?,
                false => write_line(&mut out, call)?,
            }
        }
        out.flush()?;
        after = answer.get("newest").and_then(Value::as_i64).unwrap_or(after);
    }
    Ok(())
}

/// Prints every call, a page at a time.
async fn export(client: &Client, of: &Of) -> Result<(), CliError> {
    let (mut after, mut out) = (0, io::stdout().lock());
    loop {
        let from = after.to_string();
        let answer = client.get(&of.path(&[("after", Some(&from)), ("limit", Some("1000"))])).await?;
        for call in items(&answer, "calls") {
            writeln!(out, "{call}")?;
        }
        match answer.get("newest").and_then(Value::as_i64) {
            Some(newest) => after = newest,
            None => return Ok(out.flush()?),
        }
    }
}

fn write_list(out: &mut dyn Write, answer: &Value) -> io::Result<()> {
    let calls = items(answer, "calls");
    if calls.is_empty() {
        return writeln!(out, "no calls");
    }
    for call in calls {
        write_line(out, call)?;
    }
    match answer.get("next").and_then(Value::as_i64) {
        Some(next) => writeln!(out, "{HINT}more with --cursor {next}{HINT:#}"),
        None => Ok(()),
    }
}

fn write_line(out: &mut dyn Write, call: &Value) -> io::Result<()> {
    let code = text(call, "code");
    let (style, came) = if code.is_empty() { (HINT, "ok".to_owned()) } else { (BAD, plain(&code)) };
    let duration = call.get("duration_ms").and_then(Value::as_f64).unwrap_or(0.0);
    let at = clock(call.get("at_ms").and_then(Value::as_u64).unwrap_or(0));
    writeln!(
        out,
        "{at}  {HINT}{}{HINT:#}  {:<12} {HEAD}{:<20}{HEAD:#} {style}{came}{style:#} {HINT}{duration:.1} ms{HINT:#}",
        plain(&text(call, "call_id")),
        plain(&text(call, "caller")),
        plain(&text(call, "tool")),
    )
}

fn write_call(out: &mut dyn Write, call: &Value) -> io::Result<()> {
    for (name, value) in call.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => plain(text),
            Value::Number(at) if name == "at_ms" => clock(at.as_u64().unwrap_or(0)),
            other => plain(&other.to_string()),
        };
        let name = if name == "at_ms" { "at" } else { name };
        writeln!(out, "{HEAD}{:<16}{HEAD:#} {value}", plain(name))?;
    }
    Ok(())
}

/// A time as RFC 3339 writes it, in UTC.
fn clock(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    time.map_or_else(|| ms.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(clock(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(clock(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(clock(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(clock(1_795_532_617_250), "2026-11-24T15:03:37.250Z");
    }

    #[test]
    fn a_time_is_a_number_with_its_unit() {
        assert_eq!(span("90"), Ok(Duration::from_secs(90)));
        assert_eq!(span("1.5h"), Ok(Duration::from_secs(5_400)));
        assert_eq!(span("7d"), Ok(Duration::from_secs(604_800)));
        for bad in ["", "x", "-1s", "5 weeks", "1e400"] {
            assert!(span(bad).is_err(), "{bad} was taken");
        }
    }
}
