//! `gathering agents chat`: talking with an agent, seeing what it calls.

use std::io::{self, IsTerminal, Read, Write};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::Show;
use crate::client::{Client, segment};
use crate::error::{CliError, Exit};
use crate::output::{BAD, HINT, plain, text};

/// How much of the arguments and of the result of a call is shown, in characters.
const SHOWN: usize = 200;
/// The longest message that is read from standard input, in bytes.
const MAX_MESSAGE: u64 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  gathering agents chat analyst 'What is 15 percent of 2340?'
  gathering agents chat analyst --conversation 3f1c... 'And of 100?'
  git diff | gathering agents chat reviewer
  gathering agents chat analyst

Ctrl-C stops the model and the tools that run.";

/// Talk with an agent. Without a message: with whoever sits at the terminal, else about what stands on standard input.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Chat {
    /// The agent.
    id: String,
    /// What to say.
    message: Option<String>,
    /// The conversation to go on with.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    #[command(flatten)]
    pub(super) show: Show,
}

impl Chat {
    pub(super) async fn on(&self, client: &Client) -> Result<(), CliError> {
        let mut conversation = self.conversation.clone();
        if let Some(message) = &self.message {
            return self.say(client, message, &mut conversation).await;
        }
        if !io::stdin().is_terminal() {
            let mut message = String::new();
            io::stdin().take(MAX_MESSAGE).read_to_string(&mut message)?;
            return self.say(client, &message, &mut conversation).await;
        }
        writeln!(anstream::stderr(), "{HINT}Ctrl-C stops an answer, Ctrl-D ends the conversation.{HINT:#}")?;
        while let Some(message) = ask()? {
            if message.trim().is_empty() {
                continue;
            }
            if let Err(error) = self.say(client, &message, &mut conversation).await {
                error.report(self.show.json, false);
                // Without a conversation, nothing was said that one could go on with.
                if conversation.is_none() {
                    return Err(CliError::told());
                }
            }
        }
        Ok(())
    }

    /// Says something, and shows what comes of it.
    async fn say(
        &self,
        client: &Client,
        message: &str,
        conversation: &mut Option<String>,
    ) -> Result<(), CliError> {
        let mut body = Map::from_iter([("message".to_owned(), json!(message))]);
        if let Some(id) = &conversation {
            body.insert("conversation_id".to_owned(), json!(id));
        }
        let path = format!("/agents/{}/chat", segment(&self.id));
        let mut events = client.stream(hyper::Method::POST, &path, Some(&body.into())).await?;
        let mut shown = Shown::default();
        loop {
            let event = tokio::select! {
                event = events.next() => event?,
                _ = tokio::signal::ctrl_c() => {
                    // The other side stops what runs when the stream is gone.
                    drop(events);
                    shown.end_line()?;
                    let hint = "what was said until then is kept";
                    return Err(CliError::new(Exit::Failed, "stopped", "the answer was stopped").remedy(hint));
                }
            };
            let Some(event) = event else {
                let message = "the answer broke off: the server ended it, most likely because it stops";
                return Err(CliError::unreachable(message));
            };
            let kind = text(&event, "event");
            // The first event names a conversation of which nothing is kept yet.
            if let (true, Some(id)) =
                (kind != "conversation", event.get("conversation_id").and_then(Value::as_str))
            {
                *conversation = Some(id.to_owned());
            }
            if self.show.json {
                writeln!(anstream::stdout(), "{event}")?;
            } else {
                shown.event(&event)?;
            }
            match kind.as_str() {
                "done" => return Ok(()),
                "error" if self.show.json => return Err(CliError::told()),
                "error" => {
                    return Err(CliError::new(Exit::Failed, &text(&event, "code"), whole(&event, "message")));
                }
                _ => {}
            }
        }
    }
}

/// A line of whoever sits at the terminal; `None` at the end.
fn ask() -> Result<Option<String>, CliError> {
    let mut out = anstream::stderr();
    write!(out, "> ")?;
    out.flush()?;
    let mut line = String::new();
    Ok((io::stdin().read_line(&mut line)? > 0).then_some(line))
}

/// Writes events for people: what the model says as it comes, and a line for all else.
#[derive(Default)]
struct Shown {
    /// Whether the last line has no end yet.
    is_open: bool,
}

impl Shown {
    fn event(&mut self, event: &Value) -> io::Result<()> {
        match text(event, "event").as_str() {
            "text" => {
                let said = plain(&whole(event, "text"));
                self.is_open = !said.ends_with('\n');
                let mut out = anstream::stdout();
                write!(out, "{said}")?;
                out.flush()
            }
            "tool_call" => {
                let arguments = short(&event["arguments"]);
                self.line(&format!("{HINT}calls {} {arguments}{HINT:#}", text(event, "tool")))
            }
            "tool_result" => {
                let (style, word) = match event["is_error"].as_bool() {
                    Some(true) => (BAD, format!("failed ({})", text(event, "code"))),
                    _ => (HINT, "gave".to_owned()),
                };
                let (tool, result) = (text(event, "tool"), result(event));
                self.line(&format!("{style}{tool} {word}{style:#} {HINT}{result}{HINT:#}"))
            }
            "retry" => self.line(&format!("{HINT}asks again: {}{HINT:#}", plain(&whole(event, "reason")))),
            "context" => self.line(&format!(
                "{HINT}the conversation is long: {} messages are left out, {} results shortened{HINT:#}",
                text(event, "left_out"),
                text(event, "shortened")
            )),
            "done" => {
                self.end_line()?;
                let usage = &event["usage"];
                writeln!(
                    anstream::stderr(),
                    "{HINT}steps: {}, tokens: {} + {}; go on with --conversation {}{HINT:#}",
                    text(event, "steps"),
                    text(usage, "input_tokens"),
                    text(usage, "output_tokens"),
                    text(event, "conversation_id")
                )
            }
            "error" => self.end_line(),
            _ => Ok(()),
        }
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.end_line()?;
        writeln!(anstream::stdout(), "  {line}")
    }

    fn end_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_open) { writeln!(anstream::stdout()) } else { Ok(()) }
    }
}

/// The parts of a result, in one short line.
fn result(event: &Value) -> String {
    let parts = event["content"].as_array().into_iter().flatten();
    let parts = parts.map(|part| match text(part, "type").as_str() {
        "text" => short(&part["text"]),
        "json" => short(&part["value"]),
        kind => format!("[{kind}]"),
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// A value in one short line.
fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(SHOWN).collect();
    if cut.len() < line.len() { plain(&format!("{cut}...")) } else { plain(&cut) }
}

fn whole(event: &Value, name: &str) -> String {
    event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
