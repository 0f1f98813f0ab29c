//! Reading server-sent events.

use http_body_util::BodyExt;
use serde_json::Value;

use super::{Answer, innermost};
use crate::error::CliError;

/// The longest event that is taken, in bytes.
const MAX_EVENT: usize = 64 * 1024 * 1024;

/// The events that a server sends, as they happen.
pub(crate) struct EventStream {
    body: Answer,
    received: Vec<u8>,
}

impl EventStream {
    pub(super) fn new(body: Answer) -> Self {
        Self { body, received: Vec::new() }
    }

    /// The next event; `None` when the server ends the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, CliError> {
        loop {
            while let Some(event) = take_event(&mut self.received) {
                if let Some(event) = event {
                    return Ok(Some(event));
                }
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.received.extend_from_slice(data);
                    }
                }
                Some(Err(error)) => {
                    return Err(CliError::unreachable(format!(
                        "the events broke off: {}",
                        innermost(&*error)
                    )));
                }
            }
            if self.received.len() > MAX_EVENT {
                return Err(CliError::unreachable(format!("an event is larger than {MAX_EVENT} bytes")));
            }
        }
    }
}

/// Takes what stands before the first empty line; the inner is `None` if that holds no data, such as a heartbeat.
fn take_event(received: &mut Vec<u8>) -> Option<Option<Value>> {
    let end = received.windows(2).position(|pair| pair == b"\n\n")?;
    let block: Vec<u8> = received.drain(..end + 2).collect();
    let text = String::from_utf8_lossy(&block);
    let data: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| data.strip_prefix(' ').unwrap_or(data))
        .collect();
    Some(serde_json::from_str(&data.join("\n")).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_taken_whole_and_heartbeats_are_left_out() {
        let mut received = b": hello\n\nid: 1\nevent: x\ndata: {\"a\":\ndata: 1}\n\ndata: {\"b\"".to_vec();

        assert_eq!(take_event(&mut received), Some(None));
        assert_eq!(take_event(&mut received), Some(Some(json!({"a": 1}))));
        assert_eq!(take_event(&mut received), None);
        assert_eq!(received, b"data: {\"b\"");
    }
}
