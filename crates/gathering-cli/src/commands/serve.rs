//! `gathering serve`: the server, until it is told to stop.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use gathering::config::{Flag, ReadConfig};
use gathering::{DataDir, GatheRing, Holds, StartError, VERSION};
use gathering_server::{Access, App, Options, Token, check_address};
use rustix::process::DumpableBehavior;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::{Global, Show};
use crate::error::{CliError, Exit};
use crate::logging;
use crate::output::{HEAD, HINT, show};

const EXAMPLES: &str = "\
Examples:
  gathering serve
  gathering serve --port 0 --plugin-dir ./plugins --watch --enable hello

Ctrl-C or SIGTERM stops it: calls in flight get `limits.shutdown_grace`. A second one stops it at once.";

/// Serve tools over REST until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// The address to listen on. Default: 127.0.0.1.
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// The port to listen on; 0 takes a free one. Default: 8000.
    #[arg(long)]
    port: Option<u16>,
    /// A folder to look for plugins in, besides those of the configuration. Can be said more than once.
    #[arg(long, value_name = "FOLDER")]
    plugin_dir: Vec<PathBuf>,
    /// Reload a plugin when its file changes, and discover new files.
    #[arg(long)]
    watch: bool,
    /// A plugin to load and enable, besides those of the configuration. Can be said more than once.
    #[arg(long, value_name = "PLUGIN")]
    enable: Vec<String>,
    #[command(flatten)]
    pub(crate) show: Show,
}

/// What ends a server.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Serve {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        let read = self.settings(global)?;
        let config = &read.config;
        logging::start(&config.log.level, config.log.format)?;
        read.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        // Nobody else of this user reads its memory, in which secrets are, and no core file holds it.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)?;
        // From here on a signal ends it in order.
        let mut stop = Stop::new()?;
        let listener = listen(&config.server.host, config.server.port).await;
        if let (Err(_), Some(path)) = (&listener, &config.data_dir) {
            // That another server has the data directory says more than that it has the port.
            let data_dir = DataDir::new(path);
            match data_dir.create().and_then(|()| data_dir.lock()) {
                Err(held @ StartError::InUse { .. }) => return Err(held.into()),
                _ => listener.as_ref().map(|_| ()).map_err(|error| error.as_error())?,
            }
        }
        let listener = listener.map_err(|error| error.as_error())?;
        if !config.server.require_token {
            check_address(listener.local_addr()?, &Access::default())
                .map_err(|refused| CliError::usage(refused.to_string()))?;
        }
        let gathering = tokio::select! {
            opened = GatheRing::open(config.clone()) => opened?,
            () = stop.signalled() => return Ok(()),
        };
        gathering.problems().iter().for_each(|problem| tracing::warn!("{problem}"));
        let served = self.serve(&gathering, listener, stop).await;
        gathering.shutdown().await;
        served
    }

    fn settings(&self, global: &Global) -> Result<ReadConfig, CliError> {
        let mut flags = Vec::new();
        let mut flag = |name, key, value| flags.push(Flag { name, key, value });
        if let Some(host) = &self.host {
            flag("--host", "server.host", json!(host));
        }
        if let Some(port) = self.port {
            flag("--port", "server.port", json!(port));
        }
        if self.watch {
            flag("--watch", "plugins.watch", json!(true));
        }
        let mut read = global.settings(flags)?;
        let plugins = &mut read.config.plugins;
        plugins.directories.extend(self.plugin_dir.iter().cloned());
        plugins.enable.extend(self.enable.iter().cloned());
        Ok(read)
    }

    async fn serve(
        &self,
        gathering: &GatheRing,
        listener: TcpListener,
        mut stop: Stop,
    ) -> Result<(), CliError> {
        let config = &gathering.config().server;
        let operator_token = Token::new(&gathering.operator_token()?);
        let access = match config.require_token {
            true => Access::Token { operator_token },
            false => Access::Open { operator_token: Some(operator_token) },
        };
        let address = listener.local_addr()?;
        let (of_log, of_health) = (gathering.clone(), gathering.clone());
        let options = Options {
            access,
            agents: Some(gathering.agents().clone()),
            chats: Some(gathering.chats().clone()),
            allowed_hosts: config.allowed_hosts.clone(),
            health_details: Some(std::sync::Arc::new(move || {
                let mut details = confinement(of_health.python().known_to_hold());
                details.insert("journal".to_owned(), journal(of_health.host()));
                details
            })),
            plugin_log: Some(std::sync::Arc::new(move |id, bytes| of_log.plugin_log(id, bytes))),
        };
        let app = App::new(gathering.host().clone(), options);
        let url = format!("http://{}", reachable(address));
        gathering.announce(&url)?;
        self.greet(gathering, &url)?;
        let tried = gathering.clone();
        tokio::spawn(async move {
            log_confinement(tried.python().holds().await);
            // The first who makes a tool need not wait for it. Why Python cannot be had, whoever needs it is told.
            if let Err(error) = tried.python().warm_up().await {
                tracing::debug!(%error, "no warm parent of Python workers");
            }
        });

        let (end, ended) = oneshot::channel::<()>();
        let serving = gathering_server::serve(listener, app, async move {
            // That the other end is gone is a reason to end, too.
            let _ = ended.await;
        });
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            failed = &mut serving => return Ok(failed?),
            () = stop.signalled() => {}
        }
        tracing::info!("stopping; a second signal ends it at once");
        tokio::spawn(async move {
            stop.signalled().await;
            std::process::exit(130);
        });
        let _ = end.send(());
        let (served, ()) = tokio::join!(serving, gathering.shutdown());
        Ok(served?)
    }

    /// Says where it is and how to try it.
    fn greet(&self, gathering: &GatheRing, url: &str) -> Result<(), CliError> {
        let data_dir = gathering.data_dir();
        let folders = gathering.host().directories();
        let answer = json!({
            "url": url,
            "pid": std::process::id(),
            "version": VERSION,
            "data_dir": data_dir.path(),
            "plugin_directories": folders,
        });
        let token = match gathering.config().server.require_token {
            true => format!(" -H \"Authorization: Bearer $(cat '{}')\"", data_dir.token_file().display()),
            false => String::new(),
        };
        if self.show.json {
            // One line, so that whoever started it need not wait for the end of a document.
            return Ok(writeln!(io::stdout(), "{answer}")?);
        }
        show(false, &answer, |out| {
            writeln!(out, "GatheRing {VERSION} serves {HEAD}{url}{HEAD:#}  {HINT}(Ctrl-C stops it){HINT:#}")?;
            for folder in &folders {
                writeln!(out, "  plugins  {}", folder.display())?;
            }
            writeln!(out, "  docs     {url}/docs/")?;
            writeln!(
                out,
                "  try      curl{token} {url}/tools/calculate/execute -H 'Content-Type: application/json' \
                 -d '{{\"arguments\": {{\"expression\": \"6 * 7\"}}}}'"
            )
        })
    }
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn signalled(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Why there is no listener.
struct NoListener {
    exit: Exit,
    message: String,
    remedy: &'static str,
}

impl NoListener {
    fn as_error(&self) -> CliError {
        CliError::new(self.exit, "listen", self.message.clone()).remedy(self.remedy)
    }
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, NoListener> {
    TcpListener::bind((host.trim_matches(['[', ']']), port)).await.map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => "--port 0 takes a free port",
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 take rights of their own; use another --port"
            }
            _ => "--host takes an address of this machine, such as 127.0.0.1",
        };
        let exit = if error.kind() == io::ErrorKind::AddrInUse { Exit::Failed } else { Exit::Usage };
        NoListener { exit, message: format!("cannot listen on {host} port {port}: {error}"), remedy }
    })
}

/// The address under which this machine reaches a listener.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// How the journal feels, for `GET /health`.
fn journal(host: &gathering::Host) -> Value {
    match host.journal().map(|journal| journal.trouble()) {
        None => json!({"status": "off"}),
        Some(None) => json!({"status": "ok"}),
        Some(Some(reason)) => json!({"status": "failing", "reason": reason}),
    }
}

/// How code is confined, for `/health`.
fn confinement(holds: Option<&Holds>) -> Map<String, Value> {
    let told = match holds {
        None => json!({"tier": null, "note": "not tried yet"}),
        Some(holds) => {
            let missing =
                holds.missing().into_iter().map(|(what, remedy)| json!({"what": what, "remedy": remedy}));
            let tree_limits = if holds.in_cgroup() { "cgroup" } else { "sampler" };
            json!({"tier": holds.word(), "tree_limits": tree_limits, "missing": missing.collect::<Vec<_>>()})
        }
    };
    Map::from_iter([("confinement".to_owned(), told)])
}

fn log_confinement(holds: &Holds) {
    match holds {
        Holds::Sandbox { .. } => tracing::info!("code of plugins runs {}", holds.word()),
        Holds::Unconfined(_) => tracing::warn!("code of plugins runs with all the rights of this user"),
        Holds::Nothing(report) => tracing::warn!("code of plugins is not run: {}", report.refusal()),
    }
    for (what, remedy) in holds.missing() {
        tracing::warn!("{what}: {remedy}");
    }
}
