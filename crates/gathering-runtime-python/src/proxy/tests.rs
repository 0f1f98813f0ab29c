//! The proxy by itself, over loopback, with names and limits of the tests.

use std::net::SocketAddr;
use std::path::PathBuf;

use gathering_core::{Origin, PluginSecrets};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::log::Logs;

/// A proxy of the plugin `p`, that serves as long as this is there.
struct Running {
    address: SocketAddr,
    folder: TempDir,
    _serving: JoinSet<()>,
}

impl Running {
    /// Grants these words; every name that is looked up has the addresses `names`.
    async fn start(words: &[&str], names: &'static [&'static str], limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let asked = Permissions::from_words(words).expect("good words");
        let grants = Grants::new(Origin::Installed, None, &asked, &asked);
        let resolve = |_: &str, port| {
            let address = |text: &&str| SocketAddr::new(text.parse().expect("an address"), port);
            Ok(names.iter().map(address).collect())
        };
        let log = Logs::new(folder.path().to_owned(), 1 << 20).of("p");
        let log = Redacted { log, secrets: PluginSecrets::none() };
        let gate = Gate::new(id(), grants, asked, Arc::new(resolve), Duration::from_secs(5));
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let mut serving = JoinSet::new();
        serving.spawn(Arc::new(Proxy::with(gate, limits, log)).serve(listener));
        Self { address, folder, _serving: serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// What is answered to `request`, all of it.
    async fn say(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("p.log")
    }
}

fn id() -> PluginId {
    PluginId::new("p").expect("an id")
}

/// A server that sends `answer` to whoever connects, and gives what it was sent up to an empty line.
async fn server(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody connects");
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            heard.push(stream.read_u8().await.expect("a request"));
        }
        stream.write_all(answer.as_bytes()).await.expect("it is read");
        String::from_utf8(heard).expect("it is text")
    });
    (port, heard)
}

#[tokio::test]
async fn a_granted_name_that_leads_to_a_private_address_is_refused() {
    let addresses: &[&[&str]] = &[
        &["127.0.0.1"],
        &["10.0.0.8"],
        &["169.254.169.254"],
        &["100.64.0.1"],
        &["0.0.0.0"],
        &["224.0.0.1"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["fe80::1"],
        &["fd00::1"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::"],
    ];
    for names in addresses {
        let proxy = Running::start(&["network=*"], names, Limits::default()).await;

        let said = proxy.say("CONNECT rebound.example.com:443 HTTP/1.1\r\n\r\n").await;

        assert!(said.starts_with("HTTP/1.1 403 `rebound.example.com` is at "), "{names:?}: {said}");
        assert!(said.contains("which is no public address: the plugin `p` may not connect to"), "{said}");
        let literal = names[0];
        let literal = if literal.contains(':') { format!("[{literal}]") } else { literal.to_owned() };
        let said = proxy.say(&format!("CONNECT {literal}:443 HTTP/1.1\r\n\r\n")).await;
        assert!(said.starts_with("HTTP/1.1 403 "), "{literal}: {said}");
    }
}

#[tokio::test]
async fn a_private_address_is_reached_when_it_is_granted_by_itself() {
    let (port, heard) = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let words = ["network=inside.example.com", "network=127.0.0.1"];
    let proxy = Running::start(&words, &["10.0.0.8", "127.0.0.1"], Limits::default()).await;

    let said = proxy.say(&format!("GET http://inside.example.com:{port}/ HTTP/1.1\r\n\r\n")).await;

    assert!(said.starts_with("HTTP/1.1 204 "), "{said}");
    assert!(heard.await.expect("it was asked").contains(&format!("host: inside.example.com:{port}\r\n")));
}

#[tokio::test]
async fn what_is_about_one_connection_is_not_passed_on() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: X-Server, close\r\nX-Server: secret\r\nProxy-Authenticate: x\r\n\
                  Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let (port, heard) = server(answer).await;
    let proxy = Running::start(&["network=127.0.0.1"], &[], Limits::default()).await;
    let request = format!(
        "GET http://127.0.0.1:{port}/?q HTTP/1.0\r\nHost: other.example.com\r\nConnection: keep-alive, X-Hop\r\n\
         X-Hop: 1\r\nProxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\nUpgrade: websocket\r\n\
         TE: trailers\r\nX-Kept: 1\r\n\r\n"
    );

    let said = proxy.say(&request).await;

    assert_eq!(
        heard.await.expect("it was asked"),
        format!("GET /?q HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-kept: 1\r\nconnection: close\r\n\r\n")
    );
    assert!(said.ends_with("\r\n\r\nhi"), "{said}");
    for gone in ["secret", "X-Server", "proxy-authenticate", "chunked"] {
        assert!(!said.contains(gone), "{said}");
    }
}

#[tokio::test]
async fn a_request_that_two_servers_would_read_in_two_ways_does_not_reach_one() {
    let proxy = Running::start(&["network=127.0.0.1"], &[], Limits::default()).await;
    let requests = [
        "POST http://127.0.0.1:9/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "POST http://127.0.0.1:9/ HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST http://127.0.0.1:9/ HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
        "GET http://user@127.0.0.1:9/ HTTP/1.1\r\n\r\n",
        "GET http://127.0.0.1:99999/ HTTP/1.1\r\n\r\n",
        "GET http://127.0.0.1:0/ HTTP/1.1\r\n\r\n",
        "GET https://127.0.0.1:9/ HTTP/1.1\r\n\r\n",
        "GET ftp://127.0.0.1:9/ HTTP/1.1\r\n\r\n",
        "GET /path HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n",
        "CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n",
        "CONNECT user@127.0.0.1:9 HTTP/1.1\r\n\r\n",
        "GET http://127.0.0.1:9/ HTTP/1.1\r\nX : 1\r\n\r\n",
    ];
    for request in requests {
        let said = proxy.say(request).await;

        assert!(said.starts_with("HTTP/1.1 400 "), "{request}: {said}");
    }
}

#[tokio::test]
async fn headers_that_are_too_long_or_too_slow_are_cut() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let proxy = Running::start(&["network=127.0.0.1"], &[], limits).await;

    let long = format!("GET http://127.0.0.1:9/ HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD));
    let mut stream = proxy.connect().await;
    stream.write_all(long.as_bytes()).await.expect("a socket holds as much");
    let mut said = [0; 13];
    stream.read_exact(&mut said).await.expect("it is answered");
    assert_eq!(&said, b"HTTP/1.1 431 ");

    for begun in ["", "GET http://127.0.0.1:9/ HTTP/1.1\r\nX: "] {
        let said = tokio::time::timeout(Duration::from_secs(5), proxy.say(begun)).await;
        let said = said.expect("it is cut");
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    }
}

#[tokio::test]
async fn no_more_connections_than_the_limit_are_served_at_once() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let proxy = Running::start(&["network=127.0.0.1"], &[], limits).await;
    let (one, _two) = (proxy.connect().await, proxy.connect().await);
    let mut third = proxy.connect().await;
    third.write_all(b"GET /path HTTP/1.1\r\n\r\n").await.expect("it is kept for later");
    let waits = tokio::time::timeout(Duration::from_millis(200), third.read_u8()).await;
    assert!(waits.is_err(), "nobody answers it");

    drop(one);

    let mut said = String::new();
    third.read_to_string(&mut said).await.expect("it is its turn");
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_happens_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let limits = Limits { idle: Duration::from_millis(200), ..Limits::default() };
    let proxy = Running::start(&["network=127.0.0.1"], &[], limits).await;

    let request = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
    let said = tokio::time::timeout(Duration::from_secs(5), proxy.say(&request)).await.expect("it ends");

    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    let (mut server, _) = listener.accept().await.expect("it was connected to");
    assert_eq!(server.read(&mut [0]).await.expect("it ended well"), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let unused = net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it was bound");
    let proxy = Running::start(&["network=127.0.0.1", "network=*"], &[], Limits::default()).await;

    let closed = proxy.say(&format!("GET http://{unused}/ HTTP/1.1\r\n\r\n")).await;
    let nowhere = proxy.say("GET http://nowhere.example.com/ HTTP/1.1\r\n\r\n").await;

    assert!(closed.starts_with(&format!("HTTP/1.1 502 `{unused}` could not be reached: ")), "{closed}");
    assert!(
        nowhere.starts_with("HTTP/1.1 502 `nowhere.example.com:80` could not be reached: it has no address")
    );
}

#[tokio::test]
async fn a_refusal_is_logged_once() {
    let proxy = Running::start(&["network=127.0.0.1:1"], &[], Limits::default()).await;

    for _ in 0..3 {
        proxy.say("CONNECT api.example.com:443 HTTP/1.1\r\n\r\n").await;
    }

    let log = std::fs::read_to_string(proxy.log()).expect("there is a log");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.starts_with("refused: the plugin `p` may not connect to `api.example.com:443`"), "{log}");
}
