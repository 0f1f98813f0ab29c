//! `gathering events`: what happens on a server, as it happens.

use std::io::Write;

use clap::Args;
use serde_json::Value;

use super::on_client;
use crate::cli::{Global, Show};
use crate::error::CliError;
use crate::output::{HEAD, plain};

/// Follow what happens on a server: plugins that come, change and fail, and tools that are called.
#[derive(Debug, Args)]
#[command(after_help = "Example: gathering events --json | jq 'select(.event == \"tool_called\")'")]
pub(crate) struct Events {
    /// End after so many events.
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    #[command(flatten)]
    pub(crate) show: Show,
}

impl Events {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        on_client(global, async |client| {
            if client.url().is_none() {
                return Err(CliError::unreachable("no server is running, so nothing happens to follow")
                    .remedy("`gathering serve` starts one"));
            }
            let mut events = client.stream(hyper::Method::GET, "/events", None).await?;
            let mut out = anstream::stdout();
            let mut left = self.count.unwrap_or(u64::MAX);
            while left > 0
                && let Some(event) = events.next().await?
            {
                left -= 1;
                match self.show.json {
                    true => writeln!(out, "{event}")?,
                    false => writeln!(out, "{}", line(&event))?,
                }
            }
            Ok(())
        })
        .await
    }
}

fn line(event: &Value) -> String {
    let kind = event.get("event").and_then(Value::as_str).unwrap_or("event");
    let mut line = format!("{HEAD}{:<18}{HEAD:#}", plain(kind));
    let known = ["event", "sequence", "generation", "time_ms", "call_id"];
    for (name, value) in
        event.as_object().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str()))
    {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        line.push_str(&format!(" {}={}", plain(name), plain(&value).replace('\n', " ")));
    }
    line
}
