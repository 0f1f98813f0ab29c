//! `gathering execute`: calls a tool.

use clap::Args;
use serde_json::{Map, Value, json};

use super::on_client;
use crate::arguments;
use crate::cli::Global;
use crate::client::{Client, segment};
use crate::error::CliError;
use crate::output::{plain, show};

const EXAMPLES: &str = "\
Examples:
  gathering execute calculate expression='6 * 7'
  gathering execute read_file path=notes.txt
  gathering execute summarise text=@report.txt words=50 'options:={\"tone\": \"dry\"}'
  gathering execute add --json '{\"x\": 5, \"y\": 3}'
  gathering execute add x=5 y=3 --json

An argument is name=value, name=@FILE for what a file holds (name=@- for standard input), or name:=JSON. The tool's schema
says whether a value is a text, a number or something else: see `gathering tools show TOOL`.";

/// Call a tool.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Execute {
    /// The tool.
    tool: String,
    /// Its arguments: name=value, name=@file or name:=json.
    #[arg(value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// With OBJECT: arguments as a JSON object. Without: print the whole answer as JSON. Both can be said.
    #[arg(long, value_name = "OBJECT", num_args = 0..=1, default_missing_value = "")]
    json: Vec<String>,
    /// Arguments as a JSON object; those that are written singly come on top.
    #[arg(long, value_name = "OBJECT")]
    json_args: Option<String>,
    /// How long the call may take, in seconds; never longer than the server allows.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
}

impl Execute {
    /// Whether the whole answer is to be printed.
    pub(crate) fn wants_json(&self) -> bool {
        self.json.iter().any(String::is_empty)
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        let given = self.given()?;
        on_client(global, async |client| self.call(client, given).await).await
    }

    /// The arguments that were given as objects.
    fn given(&self) -> Result<Map<String, Value>, CliError> {
        let mut given = Map::new();
        for text in self.json.iter().filter(|text| !text.is_empty()).chain(&self.json_args) {
            let object = arguments::object(text).map_err(|error| match text.contains('=') {
                true => error.remedy(
                    "a bare --json, which prints the answer as JSON, is written behind the arguments",
                ),
                false => error,
            })?;
            given.extend(object);
        }
        Ok(given)
    }

    async fn call(&self, client: &Client, given: Map<String, Value>) -> Result<(), CliError> {
        let path = format!("/tools/{}", segment(&self.tool));
        let arguments = match self.arguments.as_slice() {
            [] => given,
            written => {
                let tool = client.get(&path).await?;
                arguments::parse(written, given, tool.get("parameters").unwrap_or(&Value::Null))?
            }
        };
        let mut body = json!({"arguments": arguments});
        if let Some(timeout) = self.timeout {
            body["timeout"] = json!(timeout);
        }
        let answer = client.post(&format!("{path}/execute"), &body).await?;
        if answer.get("is_error") == Some(&Value::Bool(true)) {
            return Err(CliError::from_tool(answer));
        }
        show(self.wants_json(), &answer, |out| match answer.get("result") {
            Some(Value::String(text)) => writeln!(out, "{}", plain(text)),
            Some(value) => writeln!(out, "{value:#}"),
            None => Ok(()),
        })
    }
}
