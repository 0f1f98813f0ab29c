//! `generate_image` and the tools for Figma, against servers that speak as the services document it.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gathering_core::{HealthStatus, SecretError, Secrets};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Design, Mock, pictures, python};

/// Each secret is called as it is, in lower case, twice.
struct Keys;

impl Secrets for Keys {
    fn get(&self, name: &str) -> Result<Option<String>, SecretError> {
        Ok(Some(format!("{0}-{0}", name.to_ascii_lowercase())))
    }
}

/// A server that answers by the path, and keeps what it was asked.
#[derive(Clone)]
struct Service {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// `answers` are paths as they begin, a status, a kind and a body, in which `{url}` is the server's own address.
    async fn start(answers: Vec<(&'static str, u16, &'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Self { url: url.clone(), asked: Arc::default() };
        let asked = service.asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                asked.lock().unwrap().push(request);
                let found = answers.iter().find(|(start, ..)| path.starts_with(start));
                let (status, kind, body) = match found {
                    Some((_, status, kind, body)) => (*status, *kind, body.clone()),
                    None => (404, "application/json", br#"{"status": 404, "err": "Not found"}"#.to_vec()),
                };
                let body = match std::str::from_utf8(&body) {
                    Ok(text) => text.replace("{url}", &url).into_bytes(),
                    Err(_) => body,
                };
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
            }
        });
        service
    }

    fn asked(&self, i: usize) -> String {
        self.asked.lock().unwrap()[i].clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut piece).await.unwrap();
        request.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length || count == 0 {
                return text;
            }
        }
    }
}

/// A picture that Pillow made; none, with a note, if there is no Pillow.
fn made(design: &Design, width: u32, height: u32, format: &str) -> Option<Vec<u8>> {
    let name = format!("made.{format}");
    let script = format!(
        "from PIL import Image\nImage.linear_gradient('L').convert('RGB').resize(({width}, {height})).save('{name}')"
    );
    python(design, &["PIL"], &script)?;
    Some(std::fs::read(design.path(&name)).unwrap())
}

async fn with_provider(provider: Value) -> Design {
    Design::with(json!({"image_provider": provider}), Some(Arc::new(Keys))).await
}

#[tokio::test]
async fn without_a_provider_the_error_says_how_to_set_one_and_health_is_degraded() {
    let design = Design::new().await;

    let error = design.call("generate_image", json!({"prompt": "a cat"})).await.unwrap_err();
    let health = design.host().health("design").await.unwrap();

    assert!(
        error.starts_with("no provider of pictures is configured: the operator sets `image_provider`"),
        "{error}"
    );
    assert_eq!(health.status, HealthStatus::Degraded);
}

#[tokio::test]
async fn a_provider_of_openai_s_format_makes_a_picture_that_is_saved_and_shown() {
    let first = Design::new().await;
    let Some(picture) = made(&first, 96, 96, "png") else { return };
    let fixture = json!([{
        "match": {"endpoint": "image", "userMessage": "lighthouse"},
        "response": {"image": {"b64Json": STANDARD.encode(&picture)}},
    }]);
    let Some(mock) = Mock::start(&fixture) else { return };
    let design = with_provider(json!({"kind": "openai", "url": format!("{}/v1", mock.url)})).await;
    if !design.can_run() {
        return;
    }

    let arguments = json!({"prompt": "a lighthouse", "width": 128, "height": 64});
    let output = design.output("generate_image", arguments).await.unwrap();
    let unknown = design.call("generate_image", json!({"prompt": "a submarine"})).await.unwrap_err();

    let value = &output.value;
    assert_eq!((&value["width"], &value["height"]), (&json!(128), &json!(64)));
    assert_eq!((&value["provider"], &value["model"]), (&json!("openai"), &json!("gpt-image-1")));
    let path = value["path"].as_str().unwrap();
    assert!(path.starts_with("generated/a-lighthouse-") && path.ends_with(".png"), "{path}");
    assert_eq!(image::image_dimensions(design.path(path)).unwrap(), (128, 64));
    assert_eq!(pictures(&output), ["image/png"]);
    assert!(unknown.contains(" answered "), "{unknown}");
}

#[tokio::test]
async fn stability_and_automatic1111_are_asked_as_they_document_it() {
    let first = Design::new().await;
    let Some(jpeg) = made(&first, 160, 90, "jpg") else { return };
    if !first.can_run() {
        return;
    }
    let encoded = json!({"images": [STANDARD.encode(&jpeg)], "parameters": {}, "info": "{}"}).to_string();
    let service = Service::start(vec![
        ("/v2beta/stable-image/generate/core", 200, "image/png", jpeg),
        ("/sdapi/v1/txt2img", 200, "application/json", encoded.into_bytes()),
    ])
    .await;
    let arguments = json!({"prompt": "a fox", "negative_prompt": "snow", "seed": 7, "width": 128, "height": 70, "output": "fox.png"});

    for kind in ["stability", "automatic1111"] {
        let design = with_provider(json!({"kind": kind, "url": service.url})).await;
        let value = design.call("generate_image", arguments.clone()).await.unwrap();
        assert_eq!((&value["path"], &value["height"]), (&json!("fox.png"), &json!(70)));
        assert_eq!(image::image_dimensions(design.path("fox.png")).unwrap(), (128, 70));
    }

    let (stability, automatic) = (service.asked(0), service.asked(1));
    let lower = stability.to_ascii_lowercase();
    assert!(lower.contains("authorization: bearer stability_api_key-stability_api_key"), "{stability}");
    assert!(
        lower.contains("accept: image/*") && lower.contains("multipart/form-data; boundary="),
        "{stability}"
    );
    for (name, value) in
        [("prompt", "a fox"), ("aspect_ratio", "16:9"), ("seed", "7"), ("negative_prompt", "snow")]
    {
        assert!(stability.contains(&format!("name=\"{name}\"\r\n\r\n{value}\r\n")), "{name}: {stability}");
    }
    let body: Value = serde_json::from_str(automatic.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!((&body["width"], &body["height"], &body["seed"]), (&json!(128), &json!(72), &json!(7)));
    assert!(automatic.contains(&STANDARD.encode("automatic1111_auth-automatic1111_auth")), "{automatic}");
}

#[tokio::test]
async fn what_a_provider_says_is_told_without_its_key_and_what_it_sends_has_to_be_a_picture() {
    let refusing = r#"{"error": {"message": "Incorrect API key provided: openai_api_key-openai_api_key"}}"#;
    let refusing =
        Service::start(vec![("/images/generations", 401, "application/json", refusing.into())]).await;
    let lying = json!({"data": [{"b64_json": STANDARD.encode("no picture")}]}).to_string();
    let lying =
        Service::start(vec![("/images/generations", 200, "application/json", lying.into_bytes())]).await;
    let leading = r#"{"data": [{"url": "http://127.0.0.1:9/secret.png"}]}"#;
    let leading =
        Service::start(vec![("/images/generations", 200, "application/json", leading.into())]).await;
    let mut errors = Vec::new();

    for service in [&refusing, &leading, &lying] {
        let design = with_provider(json!({"kind": "openai", "url": service.url, "model": "dall-e-3"})).await;
        if service.url == lying.url && !design.can_run() {
            return;
        }
        errors.push(design.call("generate_image", json!({"prompt": "a cat"})).await.unwrap_err());
    }

    assert_eq!(errors[0], format!("{} answered 401: Incorrect API key provided: ***", refusing.url));
    assert!(
        errors[1].ends_with("the picture is at an address that is neither https nor its own"),
        "{}",
        errors[1]
    );
    assert!(errors[2].starts_with("`the picture that came` is no picture that can be used"), "{}", errors[2]);
}

/// The answers of Figma's documentation, shortened.
async fn figma() -> Service {
    let node = json!({"id": "1:5", "name": "Button", "type": "FRAME",
        "absoluteBoundingBox": {"x": 10, "y": 20, "width": 120, "height": 40},
        "fills": [{"type": "SOLID", "color": {"r": 0.2, "g": 0.4, "b": 0.8, "a": 1}}],
        "children": [{"id": "1:6", "name": "Label", "type": "TEXT", "characters": "Save", "children": []}]});
    let head = |rest: Value| {
        let mut file = json!({"name": "App", "lastModified": "2026-01-02T03:04:05Z", "version": "42"});
        file.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        file.to_string().into_bytes()
    };
    let document = json!({"id": "0:0", "name": "Document", "type": "DOCUMENT", "children": [node]});
    let images = r#"{"err": null, "images": {"1:5": "{url}/picture/one", "1:6": null}}"#;
    Service::start(vec![
        (
            "/v1/files/AbC123/nodes?ids=1%3A5",
            200,
            "application/json",
            head(json!({"nodes": {"1:5": {"document": node}}})),
        ),
        ("/v1/files/AbC123?", 200, "application/json", head(json!({"document": document}))),
        (
            "/v1/files/Secret1",
            403,
            "application/json",
            br#"{"status": 403, "err": "Invalid token"}"#.to_vec(),
        ),
        ("/v1/images/AbC123?", 200, "application/json", images.into()),
        ("/picture/one", 200, "image/svg+xml", b"<svg/>".to_vec()),
    ])
    .await
}

#[tokio::test]
async fn a_figma_file_is_told_and_its_nodes_are_exported() {
    let service = figma().await;
    let design = Design::with(json!({"figma_url": service.url}), Some(Arc::new(Keys))).await;

    let file = design.call("figma_inspect", json!({"file_key": "AbC123"})).await.unwrap();
    let node = design.call("figma_inspect", json!({"file_key": "AbC123", "node": "1:5"})).await.unwrap();
    let export = json!({"file_key": "AbC123", "nodes": ["1:5"], "format": "svg", "scale": 2});
    let files = design.call("figma_export", export).await.unwrap();
    let nothing = json!({"file_key": "AbC123", "nodes": ["1:6"]});
    let nothing = design.call("figma_export", nothing).await.unwrap_err();
    let refused = design.call("figma_inspect", json!({"file_key": "Secret1"})).await.unwrap_err();

    assert_eq!(file["nodes"][0]["children"][0]["fill"], "#3366cc");
    assert_eq!(
        node,
        json!({"name": "App", "last_modified": "2026-01-02T03:04:05Z", "version": "42", "truncated": false, "nodes": [{
            "id": "1:5", "name": "Button", "type": "FRAME", "x": 10, "y": 20, "width": 120, "height": 40, "fill": "#3366cc",
            "children": [{"id": "1:6", "name": "Label", "type": "TEXT", "text": "Save"}],
        }]})
    );
    assert_eq!(files, json!({"files": [{"node": "1:5", "path": "figma/1-5.svg", "bytes": 6}]}));
    assert_eq!(std::fs::read(design.path("figma/1-5.svg")).unwrap(), b"<svg/>");
    assert!(nothing.starts_with("Figma draws no picture of the node `1:6`"), "{nothing}");
    assert_eq!(
        refused,
        format!("{} answered 403: Invalid token: the token may not read this file", service.url)
    );
    let first = service.asked(0).to_ascii_lowercase();
    assert!(first.contains("x-figma-token: figma_token-figma_token"), "{first}");
    let picture = service.asked(3).to_ascii_lowercase();
    assert!(picture.starts_with("get /picture/one") && !picture.contains("token"), "{picture}");
}

#[tokio::test]
async fn without_a_token_figma_is_not_asked() {
    let design = Design::new().await;

    let error = design.call("figma_inspect", json!({"file_key": "AbC123"})).await.unwrap_err();

    assert!(
        error.starts_with("there is no token for Figma: the operator sets it with `gathering secrets set"),
        "{error}"
    );
}
