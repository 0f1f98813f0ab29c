//! Plugins that are granted hosts: what their workers reach through the proxy, and that nothing else is reached.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use gathering_core::Permissions;
use gathering_host::Dependencies;
use gathering_sandbox::{Holds, Tier};
use serde_json::json;
use support::PythonHost;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PLUGIN: &str = r#"
# /// script
# [tool.gathering.permissions]
# network = ["localhost", "127.0.0.1", "*.example.com"]
# ///
import os, socket, urllib.request
from gathering.core.tool_registry import ToolDefinition
from gathering.plugins import Plugin, PluginMetadata


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def post(url, size):
    class Zeros:
        left = size

        def read(self, length=-1):
            length = min(self.left, 65536)
            self.left -= length
            return bytes(length)

    request = urllib.request.Request(url, data=Zeros(), headers={"Content-Length": str(size)})
    with urllib.request.urlopen(request, timeout=20) as answer:
        total = 0
        while part := answer.read(65536):
            total += len(part)
        return total


def tunnel(host, port, text):
    with proxy(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n") as connection:
        said = b""
        while not said.endswith(b"\r\n\r\n"):
            said += connection.recv(1)
        connection.sendall(text.encode())
        return [said.split(b"\r\n")[0].decode(), connection.recv(1000).decode()]


def proxy(text=""):
    host, port = os.environ["HTTP_PROXY"].removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), 10)
    connection.sendall(text.encode())
    return connection


def say(text):
    with proxy(text) as connection:
        said = b""
        while part := connection.recv(65536):
            said += part
        return said.decode()


def hold(url):
    held = proxy(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n")
    held.recv(1)


def direct(port):
    connection = socket.create_connection(("127.0.0.1", port), 2)


def bare():
    socket.socket().connect(("192.0.2.1", 80))


def variables():
    return {name: value for name, value in os.environ.items() if "proxy" in name.lower()}


class Networked(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(id="networked", name="networked", version="1.0.0", description="goes out")

    def register_tools(self):
        tools = [get, post, tunnel, say, hold, direct, bare, variables]
        return [ToolDefinition(tool.__name__, "a tool of a test", "testing", tool) for tool in tools]
"#;

/// A host with the plugin, which is granted this; `None` where no network can be granted.
#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
async fn granted(words: &[&str]) -> Option<PythonHost> {
    let host = PythonHost::confined().await?;
    if !matches!(host.runtime.holds().await, Holds::Sandbox { tier: Tier::Isolated, .. }) {
        println!("NOT RUN: the isolated tier is missing, and no other can grant a network");
        return None;
    }
    host.write("networked.py", PLUGIN.trim_start());
    host.discover(Some(&host.plugins())).await.expect("it is found");
    if !words.is_empty() {
        host.grant("networked", Permissions::from_words(words).expect("good words")).await.expect("granted");
    }
    host.enable_known("networked").await;
    Some(host)
}

/// A server on loopback that treats each connection so.
struct Server {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Server {
    async fn start<F: Future<Output = std::io::Result<()>> + Send>(
        treat: impl Fn(TcpStream) -> F + Send + Clone + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let treat = treat.clone();
                connections.spawn(async move { treat(stream).await });
            }
        });
        Self { address, _serving: serving }
    }

    /// Answers each request with its own text.
    async fn mirror() -> Self {
        Self::start(|mut stream| async move {
            let head = read_head(&mut stream).await?;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
            stream.write_all(answer.as_bytes()).await
        })
        .await
    }

    fn port(&self) -> u16 {
        self.address.port()
    }
}

/// A request up to the empty line.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_host_is_reached_and_told_nothing_of_the_proxy() {
    let server = Server::mirror().await;
    let Some(host) = granted(&[&format!("network={}", server.address)]).await else { return };

    let seen = host.call("get", json!({"url": format!("http://{}/a?b=c", server.address)})).await;

    let seen = seen.expect("it is reached");
    let seen = seen.as_str().expect("it is text");
    assert!(seen.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{seen}");
    assert!(seen.to_lowercase().contains(&format!("host: {}\r\n", server.address)), "{seen}");
    assert!(!seen.to_lowercase().contains("proxy"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_granted_is_refused_with_the_command_that_would_allow_it() {
    let server = Server::mirror().await;
    let port = server.port();
    let Some(host) = granted(&["network=localhost:1"]).await else { return };

    let plain = host.call("get", json!({"url": format!("http://127.0.0.1:{port}/")})).await.expect_err("no");
    let secure = host.call("get", json!({"url": "https://www.example.com/"})).await.expect_err("no");
    let foreign = host.call("get", json!({"url": "http://example.org/"})).await.expect_err("no");

    let expected = format!(
        "HTTP Error 403: the plugin `networked` may not connect to `127.0.0.1:{port}`; to allow it: \
         `gathering plugins grant networked network=127.0.0.1:{port}`"
    );
    assert!(plain.to_string().contains(&expected), "{plain}");
    let expected = "403 the plugin `networked` may not connect to `www.example.com:443`; to allow it: \
         `gathering plugins grant networked network=www.example.com:443`";
    assert!(secure.to_string().contains(expected), "{secure}");
    assert!(foreign.to_string().contains("and it does not ask for it; to allow it: add"), "{foreign}");
    host.unload("networked", false).await.expect("it can be unloaded");
    let log = host.log("networked");
    assert_eq!(log.matches("refused: the plugin `networked` may not connect to").count(), 3, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_opens_a_tunnel_in_both_directions() {
    let server = Server::start(|mut stream| async move {
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.map(drop)
    })
    .await;
    let Some(host) = granted(&[&format!("network=localhost:{}", server.port())]).await else { return };

    let said = host.call("tunnel", json!({"host": "localhost", "port": server.port(), "text": "echo"})).await;

    assert_eq!(said, Ok(json!(["HTTP/1.1 200 OK", "echo"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_stream_both_ways() {
    const SIZE: u64 = 48 << 20;
    let server = Server::start(|mut stream| async move {
        let head = read_head(&mut stream).await?;
        assert!(head.to_lowercase().contains(&format!("content-length: {SIZE}\r\n")), "{head}");
        let received = tokio::io::copy(&mut (&mut stream).take(SIZE), &mut tokio::io::sink()).await?;
        assert_eq!(received, SIZE);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).await?;
        tokio::io::copy(&mut tokio::io::repeat(0).take(SIZE), &mut stream).await.map(drop)
    })
    .await;
    let Some(host) = granted(&[&format!("network={}", server.address)]).await else { return };

    let total = host.call("post", json!({"url": format!("http://{}/", server.address), "size": SIZE})).await;

    assert_eq!(total, Ok(json!(SIZE)));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_way_around_the_proxy() {
    let server = Server::mirror().await;
    let Some(host) = granted(&[&format!("network={}", server.address)]).await else { return };

    let direct =
        host.call("direct", json!({"port": server.port()})).await.expect_err("it is another network");
    let expected = "hosts are reached through the proxy that `HTTPS_PROXY` names, and no other way";
    assert!(direct.to_string().contains(expected), "{direct}");

    let address = server.address;
    let twice = format!(
        "GET http://{address}/one HTTP/1.1\r\nHost: x\r\n\r\nGET http://{address}/two HTTP/1.1\r\nHost: x\r\n\r\n"
    );
    let said = host.call("say", json!({"text": twice})).await.expect("the first is answered").to_string();
    assert!(said.contains("GET /one ") && !said.contains("GET /two "), "one request a connection: {said}");
    let relative = host.call("say", json!({"text": "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"})).await;
    assert!(relative.expect("it is answered").to_string().contains("HTTP/1.1 400 this is a proxy: expected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_its_worker() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let tell = tell.clone();
        async move {
            read_head(&mut stream).await?;
            tell.send("open").expect("the test waits");
            // Answers nothing; notices the end.
            let ended = stream.read(&mut [0]).await;
            tell.send("ended").expect("the test waits");
            ended.map(drop)
        }
    })
    .await;
    let Some(host) = granted(&[&format!("network={}", server.address)]).await else { return };
    let call =
        host.call_for("hold", json!({"url": format!("http://{}/", server.address)}), Duration::from_secs(2));

    let (called, opened) = tokio::join!(call, told.recv());

    assert_eq!(opened, Some("open"));
    assert_eq!(called.expect_err("it never ends").code(), "timed_out");
    let ended = tokio::time::timeout(Duration::from_secs(5), told.recv()).await;
    assert_eq!(ended, Ok(Some("ended")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_without_a_grant_has_neither_proxy_nor_variables() {
    let Some(host) = granted(&[]).await else { return };
    assert_eq!(host.call("variables", json!({})).await, Ok(json!({})));
    for (url, name) in
        [("http://127.0.0.1:9/", "127.0.0.1:9"), ("https://www.example.com/", "www.example.com:443")]
    {
        let error = host.call("get", json!({"url": url})).await.expect_err("there is no network");
        let expected = format!(
            "the plugin `networked` may not connect to `{name}`; to allow it: `gathering plugins grant networked network={name}`"
        );
        assert!(error.to_string().contains(&expected), "{error}");
    }

    let error = host.call("bare", json!({})).await.expect_err("there is no network").to_string();
    assert!(error.contains("the plugin `networked` may connect to no host; to allow one"), "{error}");

    host.grant("networked", Permissions::from_words(["network=127.0.0.1"]).expect("good words"))
        .await
        .expect("granted");

    let proxy = "http://127.0.0.1:3128";
    let expected =
        json!({"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "http_proxy": proxy, "https_proxy": proxy});
    assert_eq!(host.call("variables", json!({})).await, Ok(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_for_lack_of_a_grant_says_so_too() {
    let Some(host) = granted(&[]).await else { return };
    let hooks = "
def on_enable(self):
    import urllib.request
    urllib.request.urlopen('https://api.example.com/', timeout=5)
";
    let id = host.know("eager", hooks).await;
    host.load(id.as_str(), None, Dependencies::MustBeLoaded).await.expect("it loads");

    let error = host.enable(id.as_str()).await.expect_err("there is no network").to_string();

    let expected = "the plugin `eager` may not connect to `api.example.com:443`, and it does not ask for it";
    assert!(error.contains(expected), "{error}");
}
