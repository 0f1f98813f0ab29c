//! A server that is measured: started, asked, looked at, stopped.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Failure, check};

/// How long a server may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command that serves the data directory `data`.
pub(crate) fn serve(gathering: &Path, data: &Path, port: u16) -> Command {
    let mut command = Command::new(gathering);
    command.args(["serve", "--port", &port.to_string(), "--data-dir"]).arg(data);
    command
}

/// Sends `body` to `path` and reads the answer.
pub(crate) fn post(stream: &mut TcpStream, path: &str, body: &Value) -> Result<(u16, Value), Failure> {
    let port = stream.peer_addr()?.port();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\
         {body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut buffer = vec![0; 64 << 10];
    let answer = read_answer(stream, &mut buffer)?;
    let text = std::str::from_utf8(answer)?;
    let status = text.split(' ').nth(1).ok_or("the answer has no status")?.parse()?;
    let body = text.split_once("\r\n\r\n").ok_or("the answer has no body")?.1;
    Ok((status, serde_json::from_str(body)?))
}

/// Reads one answer, which has to have a length.
pub(crate) fn read_answer<'a>(stream: &mut TcpStream, buffer: &'a mut [u8]) -> Result<&'a [u8], Failure> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..])?;
        check(read > 0, "the server answers before it hangs up")?;
        length += read;
        let Some(head) = buffer[..length].windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let headers = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        let body: usize = headers
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .ok_or("the answer has no length")?
            .trim()
            .parse()?;
        if length >= head + 4 + body {
            return Ok(&buffer[..length]);
        }
    }
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A server that runs; ended when this is dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts it and returns when it has given its first answer.
    pub(crate) fn start(command: &mut Command, port: u16) -> Result<Self, Failure> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self(child);
        let deadline = Instant::now() + PATIENCE;
        let request = format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.write_all(request.as_bytes())?;
                let answer = read_answer(&mut stream, &mut buffer)?;
                check(answer.starts_with(b"HTTP/1.1 200"), "the server is healthy")?;
                return Ok(server);
            }
            if let Some(status) = server.0.try_wait()? {
                return Err(format!("{:?} ended with {status}", command.get_program()).into());
            }
            check(Instant::now() < deadline, "the server answers in time")?;
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// What it and all that came from it have spent so far: a worker's parent is the launcher that confines it.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failure> {
        let ticks: u64 = self.tree()?.iter().map(|(_, ticks)| ticks).sum();
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Memory in bytes that all that came from it have to themselves, without its own.
    pub(crate) fn private_memory_of_children(&self) -> Result<f64, Failure> {
        let mut kilobytes = 0;
        for (pid, _) in self.tree()?.iter().skip(1) {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).map_err(|error| {
                format!("the memory of process {pid} cannot be read ({error}): run it as root")
            })?;
            let private = rollup.lines().filter(|line| line.starts_with("Private_"));
            kilobytes +=
                private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>();
        }
        Ok(kilobytes as f64 * 1024.0)
    }

    /// It and all that came from it, with the ticks that each has spent; itself first.
    fn tree(&self) -> Result<Vec<(u64, u64)>, Failure> {
        let mut processes = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u64>() else { continue };
            // A process may end while it is looked at; then it was none of the server's.
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
            let ticks = number(11).unwrap_or_default() + number(12).unwrap_or_default();
            processes.push((pid, number(1).unwrap_or_default(), ticks));
        }
        let own = u64::from(self.0.id());
        let mut tree: Vec<_> =
            processes.iter().filter(|(pid, ..)| *pid == own).map(|(pid, _, ticks)| (*pid, *ticks)).collect();
        let mut at = 0;
        while let Some((parent, _)) = tree.get(at).copied() {
            let children = processes.iter().filter(|(_, of, _)| *of == parent);
            tree.extend(children.map(|(pid, _, ticks)| (*pid, *ticks)));
            at += 1;
        }
        Ok(tree)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An interrupt first, so that it ends its own workers; it is this process's child, so the number is its own.
        let asked = rustix::process::Pid::from_raw(self.0.id().cast_signed())
            .map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let ended = asked.is_some_and(|asked| asked.is_ok()) && self.0.wait().is_ok();
        if !ended {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
