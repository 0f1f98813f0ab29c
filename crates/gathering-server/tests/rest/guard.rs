//! Who may use the server, and from which pages.

use axum::body::Body;
use axum::http::Request;
use gathering_server::{Access, Options, Token};
use gathering_testkit::TestHost;

use crate::support::{Answer, Server};

fn server(access: Access) -> Server {
    Server::with(TestHost::default(), Options { access, ..Options::default() })
}

async fn get(server: &Server, headers: &[(&str, &str)]) -> Answer {
    send(server, Request::get("/plugins"), headers).await
}

async fn send(
    server: &Server,
    mut request: axum::http::request::Builder,
    headers: &[(&str, &str)],
) -> Answer {
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send_whole(request.body(Body::empty()).expect("a good request")).await
}

#[tokio::test]
async fn a_name_that_a_stranger_pointed_at_this_machine_is_not_answered() {
    let server = server(Access::default());

    for host in ["localhost:8000", "127.0.0.1", "[::1]:8000"] {
        get(&server, &[("host", host)]).await.ok();
    }
    assert_eq!(
        get(&server, &[("host", "evil.example:8000")]).await.problem(403, "host_refused"),
        "this server does not answer to the name `evil.example`; the operator can add it to `server.allowed_hosts`"
    );
    get(&server, &[]).await.problem(403, "host_refused");
    get(&server, &[("host", "localhost"), ("host", "localhost")]).await.problem(403, "host_refused");
    let absolute = Request::get("http://evil.example/plugins");
    send(&server, absolute, &[("host", "localhost")]).await.problem(403, "host_refused");
}

#[tokio::test]
async fn a_name_that_the_operator_allows_is_answered() {
    let options = Options { allowed_hosts: vec!["box.example".into()], ..Options::default() };
    let server = Server::with(TestHost::default(), options);

    get(&server, &[("host", "box.example:8000")]).await.ok();
    get(&server, &[("host", "other.example")]).await.problem(403, "host_refused");
}

#[tokio::test]
async fn a_page_of_another_site_cannot_drive_the_server() {
    let server = Server::with_tools().await;
    let unload = async |headers: &[(&str, &str)]| {
        let mut all = vec![("host", "localhost:8000")];
        all.extend(headers);
        send(&server, Request::post("/plugins/math/unload"), &all).await
    };

    for headers in [
        [("origin", "http://evil.example")],
        [("origin", "null")],
        [("origin", "http://localhost.evil.example")],
        [("origin", "http://localhost:3000")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        let answer = unload(&headers).await;
        answer.problem(403, "host_refused");
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    }
    let form =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    unload(&form).await.problem(403, "host_refused");
    unload(&[("origin", "http://localhost:8000"), ("sec-fetch-site", "same-origin")]).await.ok();
}

#[tokio::test]
async fn a_link_to_the_documentation_may_be_followed_from_anywhere() {
    let server = Server::new();
    let link = [
        ("host", "localhost"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    let frame = [link[0], link[1], link[2], ("sec-fetch-dest", "iframe")];

    assert_eq!(send(&server, Request::get("/docs/"), &link).await.status, 200);
    send(&server, Request::get("/docs/"), &frame).await.problem(403, "host_refused");
}

#[tokio::test]
async fn a_preflight_gets_no_leave() {
    let server = Server::new();
    let preflight = Request::options("/plugins/load");
    let headers = [
        ("host", "localhost"),
        ("origin", "http://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];

    let answer = send(&server, preflight, &headers).await;

    answer.problem(403, "host_refused");
    assert!(answer.headers.get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn where_a_token_is_required_nothing_goes_without_it() {
    let server = server(Access::Token { operator_token: Token::new("secret") });
    let with = async |authorization: &str| {
        get(&server, &[("host", "localhost"), ("authorization", authorization)]).await
    };

    let refused = get(&server, &[("host", "localhost")]).await;

    assert_eq!(
        refused.problem(401, "unauthenticated"),
        "this server needs a token: send `Authorization: Bearer` with the text of `operator.token` in its data directory"
    );
    assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"gathering\"");
    with("Bearer secret").await.ok();
    with("bearer secret").await.ok();
    for wrong in ["Bearer Secret", "Bearer", "Bearer ", "Basic secret", "secret"] {
        with(wrong).await.problem(401, "unauthenticated");
    }
    for path in ["/", "/docs/", "/openapi.json", "/health", "/nowhere"] {
        send(&server, Request::get(path), &[("host", "localhost")]).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn whoever_guesses_tokens_is_told_to_wait_and_the_right_one_is_taken_all_the_same() {
    let server = server(Access::Token { operator_token: Token::new("secret") });
    let with = async |authorization: &str| {
        get(&server, &[("host", "localhost"), ("authorization", authorization)]).await
    };

    for _ in 0..60 {
        with("Bearer guess").await.problem(401, "unauthenticated");
    }
    // The first of these may come a second later.
    with("Bearer guess").await;
    let refused = with("Bearer guess").await;

    assert_eq!(
        refused.problem(429, "too_many_guesses"),
        "too many wrong tokens came: wait a second, and send the right one"
    );
    assert_eq!(refused.header("retry-after"), "1");
    with("Bearer secret").await.ok();
    get(&server, &[("host", "localhost")]).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_wrong_token_is_refused_even_where_none_is_needed() {
    let open = server(Access::Open { operator_token: Some(Token::new("secret")) });
    let tokenless = server(Access::default());
    let wrong = [("host", "localhost"), ("authorization", "Bearer guess")];

    get(&open, &[("host", "localhost")]).await.ok();
    get(&open, &[("host", "localhost"), ("authorization", "Bearer secret")]).await.ok();
    get(&open, &wrong).await.problem(401, "unauthenticated");
    get(&tokenless, &wrong).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn inside_the_operators_own_process_no_header_is_needed() {
    let server = server(Access::Embedded);

    get(&server, &[]).await.ok();
}

#[tokio::test]
async fn no_answer_is_to_be_sniffed() {
    let server = Server::new();

    for path in ["/health", "/nowhere", "/docs/"] {
        assert_eq!(server.get(path).await.header("x-content-type-options"), "nosniff");
    }
}
