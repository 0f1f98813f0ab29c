//! A host served in this process, whose every answer is held against the OpenAPI document.

use std::sync::OnceLock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use gathering_server::{App, Options, router};
use gathering_testkit::{FakePlugin, TestHost};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A host and its router.
pub(crate) struct Server {
    pub(crate) host: TestHost,
    pub(crate) router: Router,
}

/// What came back, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Server {
    /// Serves a host that has nothing yet, to whoever comes over loopback.
    pub(crate) fn new() -> Self {
        Self::with(TestHost::default(), Options::default())
    }

    /// Serves a host with a tool `add` and others of the fakes' kinds.
    pub(crate) async fn with_tools() -> Self {
        let server = Self::new();
        server.host.enable_fake(math()).await;
        server
    }

    pub(crate) fn with(host: TestHost, options: Options) -> Self {
        let router = router(App::new(host.host.clone(), options));
        Self { host, router }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let request =
            Request::post(path).header("host", "localhost:8000").header("content-type", "application/json");
        self.send_whole(request.body(Body::from(body.to_string())).expect("a good request")).await
    }

    /// Posts nothing.
    pub(crate) async fn post_nothing(&self, path: &str) -> Answer {
        self.send(Request::post(path)).await
    }

    /// Sends a request without a body to `localhost`.
    pub(crate) async fn send(&self, request: axum::http::request::Builder) -> Answer {
        let request = request.header("host", "localhost:8000");
        self.send_whole(request.body(Body::empty()).expect("a good request")).await
    }

    pub(crate) async fn send_whole(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = read(self.stream(request).await).await;
        answer.check_against_document(&method, &path);
        answer
    }

    pub(crate) async fn stream(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("the router always answers")
    }
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the body can be read").to_bytes();
    Answer { status: parts.status, headers: parts.headers, body }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    /// The JSON of an answer that has to be a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.json()
    }

    /// Asserts that it is a problem with this status and code, and returns its detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
        assert_eq!(problem["type"], format!("urn:gathering:problem:{code}"));
        problem["detail"].as_str().expect("a detail").to_owned()
    }

    fn check_against_document(&self, method: &Method, path: &str) {
        let Some(operation) = operation(method, path) else { return };
        let status = self.status.as_str();
        let response = &operation["responses"][status];
        assert!(response.is_object(), "{method} {path} may not answer {status}: {}", self.text());
        let kind = self.header("content-type");
        if kind.ends_with("json") {
            let schema = &response["content"][kind]["schema"];
            assert!(schema.is_object(), "{method} {path} {status} may not be {kind}");
            check(schema, &self.json(), &format!("{method} {path} {status}"));
        }
    }
}

/// The OpenAPI document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let body = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let request = Request::get("/openapi.json").header("host", "localhost").body(Body::empty());
                read(Server::new().stream(request.expect("a good request")).await).await
            })
        });
        body.join().expect("the document is made").ok()
    })
}

/// What the document says of a request.
pub(crate) fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let paths = document()["paths"].as_object().expect("paths");
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len() && template.iter().zip(path).all(|(t, p)| t.starts_with('{') || *t == p)
    };
    // A path without a variable goes before one with.
    let exact = paths.get(path).into_iter();
    exact
        .chain(paths.iter().filter(|(template, _)| fits(template)).map(|(_, item)| item))
        .map(|item| &item[method.as_str().to_ascii_lowercase()])
        .next()
        .filter(|operation| operation.is_object())
}

/// Holds `value` against a schema of the document.
pub(crate) fn check(schema: &Value, value: &Value, what: &str) {
    let whole = json!({"allOf": [schema], "components": document()["components"]});
    let validator = jsonschema::validator_for(&whole).expect("the document has good schemas");
    let errors: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what} is not what the document says: {errors:#?}\n{value:#}");
}

/// A plugin with a tool `add` that has a schema, and tools of the fakes' other kinds.
pub(crate) fn math() -> FakePlugin {
    FakePlugin::new("math")
        .tool_with(json!({
            "name": "add", "description": "Adds two numbers", "category": "utility",
            "parameters": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 1}},
            "returns": {"type": "integer", "maximum": 100},
        }))
        .tool("echo")
        .tool("fail")
        .tool("wait")
        .tool("hold")
}
