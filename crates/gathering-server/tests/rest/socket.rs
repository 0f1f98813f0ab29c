//! Over a real socket: keeping connections, going away, stopping.

use std::net::SocketAddr;
use std::time::Duration;

use gathering_server::{Access, App, Options, Token, serve};
use gathering_testkit::TestHost;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::math;

/// How long something may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

async fn served() -> Served {
    let host = TestHost::default();
    host.enable_fake(math()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel();
    let app = App::new(host.host.clone(), Options::default());
    let server = tokio::spawn(serve(listener, app, async {
        let _ = stopped.await;
    }));
    Served { address, stop, server }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen in {PATIENCE:?}"))
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the server listens")
    }
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Calls the tool `hold` and returns the connection that its work keeps open.
async fn holding(stream: &mut TcpStream, timeout: f64) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let port = listener.local_addr().expect("it is bound").port();
    let call = json!({"arguments": {"port": port}, "timeout": timeout}).to_string();
    stream.write_all(post("/tools/hold/execute", &call).as_bytes()).await.expect("it is sent");
    let (mut work, _) = in_time("the work connecting", listener.accept()).await.expect("a connection");
    in_time("a byte of the work", work.read_u8()).await.expect("a byte");
    work
}

/// Reads one answer with a length: its status and its body.
async fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(in_time("a byte of an answer", stream.read_u8()).await.expect("an answer"));
    }
    let head = String::from_utf8(head).expect("a head is ASCII").to_lowercase();
    let status = head[9..12].parse().expect("a status");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    in_time("the body", stream.read_exact(&mut body)).await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn read_to_end(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    // A reset is as good an end as a close.
    let _ = in_time("the end of the connection", stream.read_to_end(&mut rest)).await;
    String::from_utf8_lossy(&rest).into_owned()
}

#[tokio::test]
async fn one_connection_carries_many_calls_one_after_the_other_or_at_once() {
    let served = served().await;
    let mut stream = served.connect().await;

    for x in 1..4 {
        let call = post("/tools/add/execute", &json!({"arguments": {"x": x}}).to_string());
        stream.write_all(call.as_bytes()).await.expect("it is sent");
        let (status, body) = answer(&mut stream).await;
        assert_eq!((status, &body["result"]), (200, &json!(x + 1)));
    }
    let pipelined: String =
        (1..20).map(|x| post("/tools/add/execute", &json!({"arguments": {"x": x}}).to_string())).collect();
    stream.write_all(pipelined.as_bytes()).await.expect("it is sent");
    for x in 1..20 {
        assert_eq!(answer(&mut stream).await.1["result"], json!(x + 1));
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call() {
    let served = served().await;
    let mut stream = served.connect().await;
    let work = holding(&mut stream, 60.0).await;

    drop(stream);

    read_to_end(work).await;
}

#[tokio::test]
async fn stopping_lets_a_call_in_flight_end_and_takes_no_new_connection() {
    let Served { address, stop, server } = served().await;
    let mut events = TcpStream::connect(address).await.expect("the server listens");
    events.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it is sent");
    in_time("the head of the stream", events.readable()).await.expect("an answer");
    let mut call = TcpStream::connect(address).await.expect("the server listens");
    let _work = holding(&mut call, 0.3).await;
    let mut idle = TcpStream::connect(address).await.expect("the server listens");

    stop.send(()).expect("it runs");

    assert_eq!(answer(&mut call).await.0, 504, "it had its time");
    assert!(read_to_end(events).await.contains("text/event-stream"), "the stream of events ends");
    assert_eq!(in_time("the end", idle.read(&mut [0])).await.unwrap_or(0), 0);
    in_time("the end of the server", server).await.expect("no panic").expect("no error");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let served = served().await;
    let mut stream = served.connect().await;
    let long = "x".repeat(100_000);

    let sent = format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n");
    // The server may close before it has read everything.
    let _ = stream.write_all(sent.as_bytes()).await;

    let answer = read_to_end(stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn an_open_listener_beyond_loopback_is_refused() {
    let host = TestHost::default();
    let everywhere = || async { TcpListener::bind("0.0.0.0:0").await.expect("it can be bound") };
    let token = Access::Token { operator_token: Token::new("secret") };

    let open = App::new(host.host.clone(), Options::default());
    let error = serve(everywhere().await, open, async {}).await.expect_err("it is refused");
    let closed = App::new(host.host.clone(), Options { access: token, ..Options::default() });

    assert!(error.to_string().contains("`server.require_token = true`"), "{error}");
    serve(everywhere().await, closed, async {}).await.expect("it may");
}
