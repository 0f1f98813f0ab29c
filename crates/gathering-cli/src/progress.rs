//! Telling what long work is doing while it runs.

use std::io::{IsTerminal, Write};
use std::pin::pin;

use serde_json::Value;

use crate::client::{Client, EventStream};
use crate::error::CliError;
use crate::output::{HINT, plain};

/// Waits for `work`, and meanwhile shows what plugins say of theirs, such as `installing humanize`, on standard error.
pub(crate) async fn shown<T>(
    client: &Client,
    work: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    // The work is what counts: without events it goes on unseen.
    let mut events = client.stream(hyper::Method::GET, "/events", None).await.ok();
    let is_terminal = std::io::stderr().is_terminal();
    let mut work = pin!(work);
    let mut is_shown = false;
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            event = next(&mut events) => {
                let Some(event) = event else {
                    events = None;
                    continue;
                };
                if let Some(line) = line(&event) {
                    let mut out = anstream::stderr();
                    // On a terminal each line takes the place of the one before.
                    let (begin, end) = if is_terminal { ("\r\x1b[2K", "") } else { ("", "\n") };
                    is_shown |= write!(out, "{begin}{HINT}{line}{HINT:#}{end}").and_then(|()| out.flush()).is_ok();
                }
            }
        }
    };
    if is_terminal && is_shown {
        let mut out = anstream::stderr();
        let _ = write!(out, "\r\x1b[2K").and_then(|()| out.flush());
    }
    done
}

async fn next(events: &mut Option<EventStream>) -> Option<Value> {
    match events {
        Some(events) => events.next().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

fn line(event: &Value) -> Option<String> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    (text("event")? == "plugin_progress").then_some(())?;
    Some(format!("{}: {}", plain(text("plugin_id")?), plain(text("message")?)))
}
