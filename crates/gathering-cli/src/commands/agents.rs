//! `gathering agents`: who calls beside the operator, what each may call, and talking with one.

mod chat;

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{on_client, tools};
use crate::cli::{Global, Show};
use crate::client::{Client, query, segment};
use crate::error::CliError;
use crate::output::{HEAD, HINT, items, members, plain, show, table, text};

const EXAMPLES: &str = "\
Examples:
  gathering agents create Analyst --competency python --competency git:advanced
  gathering agents grant analyst file_management
  gathering agents tools analyst
  gathering agents path analyst plugin_authoring
  gathering agents chat analyst 'What is 15 percent of 2340?'";

/// Make agents, say what each may call, and talk with them.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Agents {
    /// Make an agent, and show its token this once.
    Create(Create),
    /// List agents.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        show: Show,
    },
    /// Show an agent and the tools that it may call.
    Show(One),
    /// Change what is said of an agent.
    Update(Update),
    /// Let an agent hold competencies.
    Grant {
        /// The agent.
        id: String,
        /// What to grant, such as git or git:advanced.
        #[arg(required = true, value_name = "COMPETENCY")]
        competencies: Vec<String>,
        #[command(flatten)]
        show: Show,
    },
    /// Take competencies from an agent.
    Revoke {
        /// The agent.
        id: String,
        /// What to take.
        #[arg(required = true, value_name = "COMPETENCY")]
        competencies: Vec<String>,
        #[command(flatten)]
        show: Show,
    },
    /// Give an agent another token, and show it this once.
    Token(One),
    /// List the tools that an agent may call.
    Tools(One),
    /// Show what an agent has to be granted to hold a competency, and which tools each step opens to it.
    Path {
        /// The agent.
        id: String,
        /// The competency, such as git or git:advanced.
        competency: String,
        #[command(flatten)]
        show: Show,
    },
    /// Talk with an agent, and see what it calls.
    Chat(chat::Chat),
    /// List the conversations with an agent.
    Conversations(One),
    /// Delete an agent; what it made stays.
    #[command(visible_alias = "rm")]
    Delete {
        /// The agent.
        id: String,
        /// Delete its sub-agents too.
        #[arg(long)]
        cascade: bool,
        #[command(flatten)]
        show: Show,
    },
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The agent.
    id: String,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name for people; its id is made of it.
    name: String,
    /// What it holds, such as git or git:advanced. Can be said more than once.
    #[arg(long = "competency", short, value_name = "COMPETENCY")]
    competencies: Vec<String>,
    /// The agent whose rights bound its own.
    #[arg(long, value_name = "AGENT")]
    parent: Option<String>,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The agent.
    id: String,
    /// Its name for people.
    #[arg(long)]
    name: Option<String>,
    /// Let it call all tools that its competencies open to it.
    #[arg(long, conflicts_with = "allow_tool")]
    allow_all_tools: bool,
    /// Deny it no tool by name any more.
    #[arg(long, conflicts_with = "deny_tool")]
    deny_no_tools: bool,
    /// Take back all its limits.
    #[arg(long, conflicts_with_all = ["calls_per_minute", "call_seconds", "tokens_per_day", "cost_per_day"])]
    no_limits: bool,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    show: Show,
}

/// What can be said of an agent when it is made and later.
#[derive(Debug, Args)]
struct Said {
    /// A tool that it may call, and no other than these. Can be said more than once.
    #[arg(long, value_name = "TOOL")]
    allow_tool: Vec<String>,
    /// A tool that it may not call, whatever it holds. Can be said more than once.
    #[arg(long, value_name = "TOOL")]
    deny_tool: Vec<String>,
    /// How many calls it may make in a minute.
    #[arg(long, value_name = "N")]
    calls_per_minute: Option<u32>,
    /// How long one call of it may take.
    #[arg(long, value_name = "SECONDS")]
    call_seconds: Option<f64>,
    /// How many tokens its models may read and write in a day.
    #[arg(long, value_name = "N")]
    tokens_per_day: Option<u64>,
    /// What its models may cost in a day, in the currency of their prices.
    #[arg(long, value_name = "AMOUNT")]
    cost_per_day: Option<f64>,
    /// The provider of the model that talks as the agent.
    #[arg(long)]
    provider: Option<String>,
    /// The model that talks as the agent.
    #[arg(long)]
    model: Option<String>,
    /// What the model is told before everything else.
    #[arg(long, value_name = "TEXT")]
    instructions: Option<String>,
}

impl Said {
    /// What was said, as a body.
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        let list = |names: &[String]| (!names.is_empty()).then(|| json!(names));
        put("allowed_tools", list(&self.allow_tool));
        put("denied_tools", list(&self.deny_tool));
        put("provider", self.provider.as_ref().map(|text| json!(text)));
        put("model", self.model.as_ref().map(|text| json!(text)));
        put("instructions", self.instructions.as_ref().map(|text| json!(text)));
        let limits = [
            ("calls_per_minute", self.calls_per_minute.map(Value::from)),
            ("call_seconds", self.call_seconds.map(Value::from)),
            ("tokens_per_day", self.tokens_per_day.map(Value::from)),
            ("cost_per_day", self.cost_per_day.map(Value::from)),
        ];
        let limits: Map<_, _> =
            limits.into_iter().filter_map(|(name, said)| Some((name.to_owned(), said?))).collect();
        put("limits", (!limits.is_empty()).then(|| limits.into()));
        body
    }
}

impl Agents {
    pub(crate) fn show(&self) -> Show {
        match self {
            Self::Create(Create { show, .. })
            | Self::Update(Update { show, .. })
            | Self::List { show }
            | Self::Show(One { show, .. })
            | Self::Token(One { show, .. })
            | Self::Tools(One { show, .. })
            | Self::Conversations(One { show, .. })
            | Self::Chat(chat::Chat { show, .. })
            | Self::Grant { show, .. }
            | Self::Revoke { show, .. }
            | Self::Path { show, .. }
            | Self::Delete { show, .. } => *show,
        }
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        on_client(global, async |client| self.on(client).await).await
    }

    async fn on(&self, client: &Client) -> Result<(), CliError> {
        let as_json = self.show().json;
        let path = |id: &str, rest: &str| format!("/agents/{}{rest}", segment(id));
        match self {
            Self::Create(create) => {
                let mut body = create.said.body();
                body.insert("name".to_owned(), json!(create.name));
                body.insert("competencies".to_owned(), json!(create.competencies));
                if let Some(parent) = &create.parent {
                    body.insert("parent".to_owned(), json!(parent));
                }
                let answer = client.post("/agents", &body.into()).await?;
                show(as_json, &answer, |out| write_agent(out, &answer))
            }
            Self::List { .. } => {
                let answer = client.get("/agents").await?;
                show(as_json, &answer, |out| write_list(out, &answer))
            }
            Self::Show(One { id, .. }) => {
                let answer = client.get(&path(id, "")).await?;
                show(as_json, &answer, |out| write_agent(out, &answer))
            }
            Self::Update(update) => {
                let answer = client.patch(&path(&update.id, ""), &update.body(client).await?).await?;
                show(as_json, &answer, |out| write_agent(out, &answer))
            }
            Self::Grant { id, competencies, .. } => {
                let body = json!({"competencies": competencies});
                let answer = client.post(&path(id, "/competencies"), &body).await?;
                show(as_json, &answer, |out| write_agent(out, &answer))
            }
            Self::Revoke { id, competencies, .. } => {
                let mut answer = Value::Null;
                for competency in competencies {
                    answer =
                        client.delete(&path(id, &format!("/competencies/{}", segment(competency)))).await?;
                }
                show(as_json, &answer, |out| write_agent(out, &answer))
            }
            Self::Token(One { id, .. }) => {
                let answer = client.post(&path(id, "/token"), &json!({})).await?;
                show(as_json, &answer, |out| write_agent(out, &answer))
            }
            Self::Tools(One { id, .. }) => {
                let answer = client.get(&path(id, "/tools?limit=10000")).await?;
                show(as_json, &answer, |out| match items(&answer, "tools") {
                    [] => writeln!(
                        out,
                        "no tools; `gathering agents grant {} COMPETENCY` opens some",
                        plain(id)
                    ),
                    _ => tools::write_list(out, &answer),
                })
            }
            Self::Path { id, competency, .. } => {
                let to = query(&[("to", Some(competency))]);
                let answer = client.get(&path(id, &format!("/learning-path{to}"))).await?;
                show(as_json, &answer, |out| write_path(out, &answer))
            }
            Self::Chat(chat) => chat.on(client).await,
            Self::Conversations(One { id, .. }) => {
                let answer = client.get(&path(id, "/conversations")).await?;
                show(as_json, &answer, |out| write_conversations(out, &answer))
            }
            Self::Delete { id, cascade, .. } => {
                let rest = if *cascade { "?cascade=true" } else { "" };
                let answer = client.delete(&path(id, rest)).await?;
                show(as_json, &answer, |out| writeln!(out, "{}", text(&answer, "message")))
            }
        }
    }
}

impl Update {
    /// What to change. One limit that is said leaves the other as it is.
    async fn body(&self, client: &Client) -> Result<Value, CliError> {
        let mut body = self.said.body();
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), json!(name));
        }
        if self.allow_all_tools {
            body.insert("allowed_tools".to_owned(), Value::Null);
        }
        if self.deny_no_tools {
            body.insert("denied_tools".to_owned(), json!([]));
        }
        if self.no_limits {
            body.insert("limits".to_owned(), json!({}));
        } else if let Some(Value::Object(said)) = body.get_mut("limits") {
            let agent = client.get(&format!("/agents/{}", segment(&self.id))).await?;
            let before = agent.get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
            let said = std::mem::take(said);
            body.insert("limits".to_owned(), before.into_iter().chain(said).collect::<Map<_, _>>().into());
        }
        if body.is_empty() {
            return Err(CliError::usage("nothing is to be changed: `--help` shows what can be"));
        }
        Ok(body.into())
    }
}

/// What an agent holds, as it is granted.
fn held(agent: &Value) -> String {
    let held = items(agent, "competencies").iter().map(|held| match text(held, "level") {
        level if level == "intermediate" => text(held, "id"),
        level => format!("{}:{level}", text(held, "id")),
    });
    held.collect::<Vec<_>>().join(", ")
}

fn write_list(out: &mut dyn Write, answer: &Value) -> io::Result<()> {
    let row = |agent: &Value| [text(agent, "id"), text(agent, "name"), held(agent), text(agent, "parent")];
    let rows: Vec<_> = items(answer, "agents").iter().map(row).collect();
    if rows.is_empty() {
        return writeln!(out, "no agents; `gathering agents create NAME` makes one");
    }
    table(out, ["AGENT", "NAME", "COMPETENCIES", "PARENT"], &rows)
}

fn write_conversations(out: &mut dyn Write, answer: &Value) -> io::Result<()> {
    let row = |said: &Value| ["conversation_id", "messages", "model", "title"].map(|name| text(said, name));
    let rows: Vec<_> = items(answer, "conversations").iter().map(row).collect();
    if rows.is_empty() {
        return writeln!(out, "no conversations; `gathering agents chat AGENT` begins one");
    }
    table(out, ["CONVERSATION", "MESSAGES", "MODEL", "ABOUT"], &rows)
}

fn write_agent(out: &mut dyn Write, agent: &Value) -> io::Result<()> {
    let mut agent = agent.clone();
    agent["competencies"] = held(&agent).into();
    for (name, value) in agent.get("limits").and_then(Value::as_object).cloned().unwrap_or_default() {
        agent[name] = value;
    }
    members(
        out,
        &agent,
        &[
            "id",
            "name",
            "competencies",
            "parent",
            "allowed_tools",
            "denied_tools",
            "calls_per_minute",
            "call_seconds",
            "tokens_per_day",
            "cost_per_day",
            "provider",
            "model",
            "instructions",
        ],
    )?;
    let tools: Vec<_> = items(&agent, "tools").iter().filter_map(Value::as_str).map(plain).collect();
    match tools.as_slice() {
        [] => writeln!(out, "\nIt may call no tool.")?,
        tools => writeln!(out, "\n{HEAD}Tools{HEAD:#}\n{}", tools.join(", "))?,
    }
    if let Some(token) = agent.get("token").and_then(Value::as_str) {
        writeln!(
            out,
            "\n{HEAD}Token{HEAD:#}  {HINT}shown this once and kept nowhere{HINT:#}\n{}",
            plain(token)
        )?;
    }
    Ok(())
}

fn write_path(out: &mut dyn Write, answer: &Value) -> io::Result<()> {
    let rows: Vec<_> = (1..)
        .zip(items(answer, "steps"))
        .map(|(number, step)| {
            let is_held = step.get("held").and_then(Value::as_bool).unwrap_or_default();
            let state = if is_held { "held" } else { "" };
            [format!("{number}. {}", text(step, "competency_id")), state.to_owned(), text(step, "gains")]
        })
        .collect();
    table(out, ["COMPETENCY", "", "OPENS"], &rows)?;
    match answer.get("grant_command").and_then(Value::as_str) {
        Some(command) => writeln!(out, "\n{HINT}To grant it:{HINT:#}\n  {}", plain(command)),
        None => Ok(()),
    }
}
