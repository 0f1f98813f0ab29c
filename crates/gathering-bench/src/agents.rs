//! What it costs to say what an agent may call: the gate, its view of 100,000 tools, and a search among them.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use gathering_agents::{Agents, NewAgent, NewToken};
use gathering_core::{Caller, PluginSource};
use gathering_host::{Dependencies, Host};
use serde_json::json;

use crate::many::{HELD, ManyRuntime, TOOLS};
use crate::server::read_answer;
use crate::table::{Row, median};
use crate::{Failure, check};

/// How many tools there are.
const ALL: usize = 100_000;
/// How often each thing is done of which the median counts.
const TIMES: usize = 21;

/// The gate, the view and the search, among 100,000 tools of which the agent may call all.
pub(crate) async fn rows() -> Result<Vec<Row>, Failure> {
    let host = Host::builder().runtime(Arc::new(ManyRuntime)).build();
    enable(&host, "gated").await?;
    for n in 0..ALL / TOOLS {
        enable(&host, &format!("many{n}")).await?;
    }
    let agents = Agents::new(host.clone());
    let held: Vec<_> = (0..HELD).map(|n| format!("skill{n}:advanced")).collect();
    let wanted: NewAgent = serde_json::from_value(json!({"name": "bench", "competencies": held}))?;
    let NewToken { token, .. } = agents.create(wanted).await?;
    let agent = agents.by_token(&token).ok_or("the agent was just made")?;

    let mut rows = vec![gate(&host, &agent)?];
    rows.extend(view(&host, &agent).await?);
    rows.extend(search(&host, &agent).await?);
    rows.push(export(host, agents, token).await?);
    Ok(rows)
}

async fn enable(host: &Host, id: &str) -> Result<(), Failure> {
    host.add(PluginSource::Builtin(id.parse()?)).await?;
    host.load(id, None, Dependencies::MustBeLoaded).await?;
    host.enable(id).await?;
    Ok(())
}

fn gate(host: &Host, agent: &Caller) -> Result<Row, Failure> {
    const CALLS: usize = 100_000;
    let time = |tool: &str| -> Result<f64, Failure> {
        let mut costs = Vec::new();
        for _ in 0..TIMES {
            let started = Instant::now();
            for _ in 0..CALLS {
                check(host.tool_for(agent, tool).is_ok(), "it may call it")?;
            }
            costs.push(started.elapsed().as_secs_f64() * 1e9 / CALLS as f64);
        }
        Ok(median(costs))
    };
    Ok(Row::at_most(
        "the gate with looking the tool up, 20 held, 5 required",
        300.0,
        time("gated_tool")?,
        "ns",
    ))
}

async fn view(host: &Host, agent: &Caller) -> Result<Vec<Row>, Failure> {
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for n in 0..TIMES {
        reload(host, n).await?;
        let started = Instant::now();
        check(host.tools_for(agent).len() == ALL + 1, "it sees all")?;
        first.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        for _ in 0..1000 {
            check(host.tools_for(agent).len() == ALL + 1, "it sees all")?;
        }
        again.push(started.elapsed().as_secs_f64() * 1e3 / 1000.0);
    }
    Ok(vec![
        Row::at_most("view of 100,000 tools for one agent", 5.0, median(again), "ms"),
        Row::beside("  the first of a generation", median(first), "ms"),
    ])
}

async fn search(host: &Host, agent: &Caller) -> Result<Vec<Row>, Failure> {
    // Every tool is about the first two, so nothing is ever harder to find.
    let find = |query: &str| -> Result<f64, Failure> {
        let started = Instant::now();
        check(!host.search(agent, query, 10, None).tools.is_empty(), "something is found")?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    let built = find("add two numbers")?;
    let (mut after, mut common, mut rare) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..TIMES {
        reload(host, n).await?;
        after.push(find("add two numbers")?);
        common.push(find("please return me the sum of an integer and a second integer")?);
        rare.push(find("many77")?);
    }
    Ok(vec![
        Row::at_most("search in 100,000 tools, all of which match", 5.0, median(common), "ms"),
        Row::beside("  a word that few have", median(rare), "ms"),
        Row::beside(
            "  the first after a plugin was loaded again, which makes the view anew",
            median(after),
            "ms",
        ),
        Row::beside("  the very first, which reads all tools", built, "ms"),
    ])
}

/// What `GET /tools?format=openai` takes over loopback, 1,000 tools of the 100,000.
async fn export(host: Host, agents: Agents, token: String) -> Result<Row, Failure> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let options = gathering_server::Options { agents: Some(agents), ..Default::default() };
    let app = gathering_server::App::new(host, options);
    let server = tokio::spawn(gathering_server::serve(listener, app, std::future::pending()));
    let client = move || -> Result<f64, Failure> {
        let request = format!(
            "GET /tools?format=openai HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; 4 << 20];
        let mut times = Vec::new();
        for _ in 0..=TIMES {
            let started = Instant::now();
            stream.write_all(request.as_bytes())?;
            let answer = read_answer(&mut stream, &mut buffer)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            check(answer.starts_with(b"HTTP/1.1 200") && answer.len() > 100_000, "the tools are listed")?;
        }
        Ok(median(times))
    };
    let took = tokio::task::spawn_blocking(client).await??;
    server.abort();
    Ok(Row::at_most("tools for OpenAI over REST, 1,000 of the agent's 100,000", 5.0, took, "ms"))
}

/// Makes another generation, with a plugin that was there and comes again.
async fn reload(host: &Host, n: usize) -> Result<(), Failure> {
    let id = format!("many{}", n * 37);
    host.unload(&id, false).await?;
    host.load(&id, None, Dependencies::MustBeLoaded).await?;
    host.enable(&id).await?;
    Ok(())
}
