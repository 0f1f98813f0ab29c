//! `gathering doctor`: whether everything is in place.

use std::os::unix::fs::PermissionsExt;

use clap::Args;
use gathering::{Config, DataDir, Holds, StartError, VERSION, prober, python_runtime};
use serde_json::{Value, json};

use crate::cli::{Global, Show};
use crate::client::Client;
use crate::error::CliError;
use crate::output::{HINT, items, plain, show, style_of, text};

/// Check that everything is in place, and say what to do where it is not. Fails if there is a problem.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) show: Show,
}

/// What was found about one thing.
struct Finding {
    what: &'static str,
    /// `ok`, `warning` or `problem`.
    level: &'static str,
    message: String,
    /// What to do; may be empty.
    remedy: String,
}

/// What was found about everything.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, what: &'static str, message: impl Into<String>) {
        self.add(what, "ok", message, "");
    }

    fn add(&mut self, what: &'static str, level: &'static str, message: impl Into<String>, remedy: &str) {
        self.0.push(Finding { what, level, message: message.into(), remedy: remedy.to_owned() });
    }
}

impl Doctor {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        let mut findings = Findings::default();
        findings.ok("gathering", format!("version {VERSION}"));
        let read = global.settings(Vec::new())?;
        match &read.file {
            Some(path) => findings.ok("configuration", path.display().to_string()),
            None => findings.ok("configuration", "no file; defaults and variables hold"),
        }
        for warning in &read.warnings {
            findings.add("configuration", "warning", warning, "unset it, or correct its name");
        }
        let data_dir = DataDir::new(read.config.data_dir.clone().ok_or(StartError::NoDataDir)?);
        check_data_dir(&data_dir, &mut findings);
        match global.connect().await {
            Ok(client) => {
                check_host(&client, &mut findings).await;
                client.close().await;
            }
            Err(error) => {
                let remedy = "see the message; `gathering serve` takes the same --data-dir and --config";
                findings.add("server", "problem", error.to_string(), remedy);
            }
        }
        check_python(&read.config, &data_dir, &mut findings).await;
        self.report(&findings.0)
    }

    fn report(&self, findings: &[Finding]) -> Result<(), CliError> {
        let has_problem = findings.iter().any(|finding| finding.level == "problem");
        let answer: Vec<_> = findings
            .iter()
            .map(|finding| {
                json!({"what": finding.what, "level": finding.level, "message": finding.message, "remedy": finding.remedy})
            })
            .collect();
        let answer = json!({"ok": !has_problem, "findings": answer});
        show(self.show.json, &answer, |out| {
            for finding in findings {
                let style = style_of(finding.level);
                let (level, what) = (finding.level, finding.what);
                writeln!(out, "{style}{level:<8}{style:#} {what:<14} {}", plain(&finding.message))?;
                if !finding.remedy.is_empty() {
                    writeln!(out, "{:<24}{HINT}{}{HINT:#}", "", plain(&finding.remedy))?;
                }
            }
            Ok(())
        })?;
        if has_problem { Err(CliError::told()) } else { Ok(()) }
    }
}

fn check_data_dir(data_dir: &DataDir, findings: &mut Findings) {
    let path = data_dir.path();
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.ok("data directory", format!("{} (new)", path.display()));
        }
        Err(error) => {
            let remedy = "choose another one with --data-dir or GATHERING_DATA_DIR";
            findings.add("data directory", "problem", format!("{}: {error}", path.display()), remedy);
        }
        Ok(found) if found.permissions().mode() & 0o067 != 0 => {
            let message =
                format!("{} can be entered by others, and plugins' keys are kept there", path.display());
            findings.add("data directory", "warning", message, &format!("chmod 700 '{}'", path.display()));
        }
        Ok(_) => findings.ok("data directory", path.display().to_string()),
    }
}

/// Asks the server, or the host in this process, what it knows.
async fn check_host(client: &Client, findings: &mut Findings) {
    match client.get("/health").await {
        Ok(health) => {
            let version = text(&health, "version");
            match client.url() {
                Some(url) if version != VERSION => {
                    let remedy = "restart the server to run this version";
                    findings.add("server", "warning", format!("{url} runs version {version}"), remedy);
                }
                Some(url) => findings.ok("server", format!("{url} answers")),
                None => findings.ok("server", "none is running; verbs work on the data directory itself"),
            }
        }
        Err(error) => {
            findings.add(
                "server",
                "problem",
                error.to_string(),
                "stop the process that holds the data directory",
            );
            return;
        }
    }
    for problem in client.gathering().map(|gathering| gathering.problems()).unwrap_or_default() {
        findings.add("plugins", "warning", problem, "");
    }
    match client.get("/plugins").await {
        Ok(answer) => check_plugins(items(&answer, "plugins"), findings),
        Err(error) => findings.add("plugins", "problem", error.to_string(), ""),
    }
    match client.get("/models").await {
        Ok(answer) => check_models(items(&answer, "models"), findings),
        Err(error) => findings.add("models", "problem", error.to_string(), ""),
    }
    check_commands(client, findings).await;
}

/// Which models agents can talk by. None is asked: that would cost.
fn check_models(models: &[Value], findings: &mut Findings) {
    if models.is_empty() {
        findings.ok("models", "none; a table such as `[models.main]` in gathering.toml lets agents talk");
        return;
    }
    let is_default = |model: &&Value| model["default"].as_bool().unwrap_or_default();
    let names: Vec<_> = models.iter().map(|model| text(model, "name")).collect();
    let names = names.join(", ");
    match models.iter().find(is_default) {
        Some(model) => findings.ok("models", format!("{names}; the default is {}", text(model, "name"))),
        None => {
            findings.add("models", "warning", format!("{names}; none is the default"), "set `models.default`")
        }
    }
    for model in models.iter().filter(|model| !model["problem"].is_null()) {
        let problem = model["problem"].as_str().unwrap_or_default();
        findings.add("models", "warning", format!("`{}`: {problem}", text(model, "name")), "");
    }
}

/// Runs a command, as agents do, that looks at its working folder.
async fn check_commands(client: &Client, findings: &mut Findings) {
    let command = r#"pwd; if [ -w . ]; then echo "can be written"; else echo "can only be read"; fi"#;
    let asked = json!({"arguments": {"command": command, "timeout": 10}});
    let answer = match client.post("/tools/run_command/execute", &asked).await {
        Ok(answer) => answer,
        Err(error) => {
            findings.add("commands", "warning", error.to_string(), "");
            return;
        }
    };
    let result = &answer["result"];
    let mut said = result["stdout"].as_str().unwrap_or_default().lines();
    let (Some(folder), Some(access)) = (said.next(), said.next()) else {
        let failed =
            format!("`run_command` failed: {} {}", text(result, "stderr"), text(&answer["error"], "message"));
        findings.add("commands", "warning", failed, "");
        return;
    };
    let message =
        |access: &str| format!("run {}; for them `{folder}` (`base_path`) {access}", text(result, "tier"));
    let notes: Vec<_> = items(result, "notes").iter().filter_map(Value::as_str).collect();
    if !notes.is_empty() {
        findings.add("commands", "warning", message("is not wholly writable"), &notes.join("; "));
    } else if access == "can be written" {
        findings.ok("commands", message(access));
    } else {
        let remedy = "let the user of the server write it, or set `base_path` in the configuration of the plugin `core`";
        findings.add("commands", "warning", message(access), remedy);
    }
}

fn check_plugins(plugins: &[Value], findings: &mut Findings) {
    let count = |status: &str| plugins.iter().filter(|plugin| text(plugin, "status") == status).count();
    let (known, enabled) = (plugins.len(), count("enabled"));
    findings.ok("plugins", format!("{known} known, {enabled} enabled"));
    for plugin in plugins.iter().filter(|plugin| text(plugin, "status") == "error") {
        let id = text(plugin, "id");
        let remedy = format!("mend it, then `gathering plugins load {id}`");
        findings.add("plugins", "warning", format!("`{id}` failed: {}", text(plugin, "error")), &remedy);
    }
}

async fn check_python(config: &Config, data_dir: &DataDir, findings: &mut Findings) {
    let python = python_runtime(config, data_dir, prober(config));
    match python.interpreter().await {
        Ok(found) => findings.ok("python", format!("{} ({})", found.version, found.program.display())),
        Err(error) => {
            let remedy =
                "install CPython 3.10 or newer, or set `python.interpreter`; other plugins work without";
            findings.add("python", "problem", error.to_string(), remedy);
            return;
        }
    }
    match python.installer().await {
        Ok(installer) => findings.ok("packages", format!("installed by {installer}")),
        Err(error) => {
            let remedy =
                "install uv (`pip install uv`) or set `python.uv`; plugins without packages work without";
            findings.add("packages", "warning", error.to_string(), remedy);
        }
    }
    check_confinement(python.holds().await, findings);
}

fn check_confinement(holds: &Holds, findings: &mut Findings) {
    match holds {
        Holds::Sandbox { tier, report, .. } => {
            let used = report.tiers.iter().find(|tried| tried.tier == *tier);
            let attacks = used.map_or(0, |tried| tried.checks.len());
            let held = match holds.in_cgroup() {
                true => "a cgroup holds what runs to its memory and processes",
                false => "the server watches the memory and the processes of what runs",
            };
            findings.ok(
                "confinement",
                format!("{tier}: {attacks} attacks from inside were tried and stopped; {held}"),
            );
        }
        Holds::Unconfined(_) => findings.add(
            "confinement",
            "warning",
            "unconfined, by `sandbox.allow_unconfined`: code runs with all the rights of this user",
            "load only plugins that you trust",
        ),
        Holds::Nothing(report) => {
            let (what, remedy) = match report.named {
                Some(named) => (
                    format!(
                        "the tier `{named}`, which `sandbox.tier` names, does not hold, so code of plugins is not run"
                    ),
                    "mend what is named below, or take the setting `sandbox.tier` out",
                ),
                None => (
                    "none holds on this machine, so code of plugins is not run".to_owned(),
                    "mend what is named below, or set `sandbox.allow_unconfined = true`",
                ),
            };
            findings.add("confinement", "problem", what, remedy);
        }
    }
    for (what, remedy) in holds.missing() {
        findings.add("confinement", "warning", what, &remedy);
    }
}
