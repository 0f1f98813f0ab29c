//! What the client does with servers that answer well, badly, too much, or never.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Http, HttpError, bearer, below, service_address};

/// A server that gives each connection one of `answers` in turn and tells what it was asked.
async fn server(answers: Vec<Vec<u8>>) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let count = stream.read(&mut piece).await.expect("a request");
                request.extend_from_slice(&piece[..count]);
            }
            tell.send(String::from_utf8_lossy(&request).into_owned()).expect("the test listens");
            // The client may have had enough before the end.
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (format!("http://{address}"), told)
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn http() -> Http {
    Http::new(Duration::from_secs(20)).expect("a client")
}

async fn get(address: &str, most: usize) -> Result<super::Answer, HttpError> {
    let http = http();
    let request = http.get(service_address(address)?);
    http.send(bearer(request, "a-very-secret-key")?, most).await
}

#[tokio::test]
async fn an_answer_is_read_with_its_kind() {
    let (address, mut told) =
        server(vec![answer("200 OK\r\nContent-Type: Application/JSON; charset=utf-8", "{\"a\": 1}")]).await;

    let answer = get(&address, 100).await.expect("an answer");

    assert_eq!(
        (answer.media_type.as_str(), answer.json::<Value>()),
        ("application/json", Ok(json!({"a": 1})))
    );
    let request = told.recv().await.expect("a request").to_lowercase();
    assert!(request.contains("authorization: bearer a-very-secret-key"), "{request}");
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed_and_one_to_another_is_not() {
    let (elsewhere, mut asked) = server(vec![answer("200 OK", "stolen")]).await;
    let (address, _told) = server(vec![
        answer("302 Found\r\nLocation: /there", ""),
        answer("200 OK", "here"),
        answer(&format!("302 Found\r\nLocation: {elsewhere}/"), ""),
    ])
    .await;

    let within = get(&address, 100).await.expect("an answer");
    let out = get(&address, 100).await.expect_err("another port is another host");

    assert_eq!(within.body, b"here");
    assert_eq!(out, HttpError::Redirected { origin: address });
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn too_much_is_refused_whether_it_was_announced_or_not() {
    let endless = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![b'x'; 200_000]].concat();
    let (address, _told) = server(vec![answer("200 OK", &"x".repeat(101)), endless]).await;

    for _ in 0..2 {
        let error = get(&address, 100).await.expect_err("too large");
        assert_eq!(error, HttpError::TooLarge { origin: address.clone(), most: 100 });
    }
}

#[tokio::test]
async fn what_a_service_says_of_its_error_is_told_and_no_key() {
    let (address, _told) = server(vec![
        answer("429 Too Many Requests\r\nRetry-After: 7", "{\"error\": {\"message\": \"slow down\"}}"),
        answer("502 Bad Gateway", "<html><h1>nginx</h1></html>"),
    ])
    .await;

    let errors = [get(&address, 100).await, get(&address, 100).await]
        .map(|answer| answer.expect_err("no").to_string());

    assert_eq!(errors[0], format!("{address} answered 429: slow down (try again in 7 s)"));
    assert_eq!(errors[1], format!("{address} answered 502: Bad Gateway"));
}

#[tokio::test]
async fn nobody_there_and_no_answer_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
    let silent = format!("http://{}", listener.local_addr().expect("it is bound"));
    let http = Http::new(Duration::from_millis(50)).expect("a client");

    let late = http.send(http.get(service_address(&silent).expect("good")), 1).await.expect_err("silence");
    drop(listener);
    let gone = get(&format!("{silent}/path?key=secret"), 1).await.expect_err("nobody");

    assert_eq!(late, HttpError::TimedOut { origin: silent.clone() });
    assert!(gone.to_string().starts_with(&format!("{silent} was not reached: ")), "{gone}");
    assert!(!gone.to_string().contains("secret"), "{gone}");
}

#[test]
fn addresses_are_checked_and_joined() {
    for bad in
        ["", "api.example.com", "ftp://example.com", "https://user:key@example.com", "file:///etc/passwd"]
    {
        assert!(matches!(service_address(bad), Err(HttpError::Address { .. })), "{bad}");
    }
    let joined = |service| below(&service_address(service).expect("good"), &["files", "a/b?c"]).to_string();
    assert_eq!(joined("https://example.com/v1"), "https://example.com/v1/files/a%2Fb%3Fc");
    assert_eq!(joined("https://example.com/v1/"), "https://example.com/v1/files/a%2Fb%3Fc");
}
