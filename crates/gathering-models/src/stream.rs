//! Server-sent events of a provider, of which no more is taken than an answer can need.

use std::fmt;

use eventsource_stream::{EventStreamError, Eventsource};
use futures_util::{Stream, StreamExt, future};

/// The most bytes that one answer may take on its way. Each token has some 250 bytes of JSON around it.
const MAX_ANSWER: usize = 32 << 20;
/// The longest line, in bytes.
const MAX_LINE: usize = 4 << 20;

/// Why a stream of events ended before its end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It is no stream of events, or too long.
    Bad(String),
    /// The connection was lost.
    Lost(String),
}

/// The data of each event.
pub(crate) fn events<B, E>(
    bytes: impl Stream<Item = Result<B, E>>,
) -> impl Stream<Item = Result<String, Broken>>
where
    B: AsRef<[u8]>,
    E: fmt::Display,
{
    let (mut taken, mut line) = (0_usize, 0_usize);
    let limited = bytes.map(move |chunk| {
        let chunk = chunk.map_err(|error| Broken::Lost(error.to_string()))?;
        let bytes = chunk.as_ref();
        taken += bytes.len();
        let mut parts = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len);
        line += parts.next().unwrap_or_default();
        let longest = parts.fold(line, |longest, part| {
            line = part;
            longest.max(part)
        });
        if taken > MAX_ANSWER || longest > MAX_LINE {
            return Err(Broken::Bad(format!(
                "it is longer than {MAX_ANSWER} bytes, or a line of it than {MAX_LINE}"
            )));
        }
        Ok(chunk)
    });
    limited
        .eventsource()
        .map(|event| match event {
            Ok(event) => Ok(event.data),
            Err(EventStreamError::Transport(broken)) => Err(broken),
            Err(EventStreamError::Utf8(error)) => Err(Broken::Bad(error.to_string())),
            Err(EventStreamError::Parser(_)) => Err(Broken::Bad("it is no stream of events".to_owned())),
        })
        .filter(|event| future::ready(!matches!(event, Ok(data) if data.is_empty())))
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn read(chunks: Vec<Vec<u8>>) -> Vec<Result<String, Broken>> {
        events(stream::iter(chunks.into_iter().map(Ok::<_, String>))).collect().await
    }

    #[tokio::test]
    async fn events_are_taken_whole_however_they_are_cut() {
        let read = read(vec![
            b": ping\n\nda".to_vec(),
            b"ta: {\"a\"".to_vec(),
            b": 1}\n\ndata: [DONE]\n\n".to_vec(),
        ])
        .await;

        let read: Vec<_> = read.into_iter().map(|event| event.expect("good events")).collect();
        assert_eq!(read, ["{\"a\": 1}", "[DONE]"]);
    }

    #[tokio::test]
    async fn a_line_without_end_and_bytes_that_are_no_text_are_refused() {
        let long = read(vec![b"data: ".to_vec(), vec![b'x'; MAX_LINE]]).await;
        let odd = read(vec![b"data: \xff\xfe\n\n".to_vec()]).await;

        assert!(
            matches!(&long[..], [Err(Broken::Bad(reason))] if reason.contains("a line of it")),
            "{long:?}"
        );
        assert!(matches!(&odd[..], [Err(Broken::Bad(_))]), "{odd:?}");
    }
}
