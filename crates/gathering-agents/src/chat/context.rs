//! Keeping a conversation within a model's window: results of tools are shortened first, then the oldest exchanges go whole.

use std::borrow::Cow;

use gathering_core::Content;
use gathering_models::{Message, ToolResult};

use super::conversation::size;

/// How many bytes of text or JSON a token has at least, nearly always. English has some four; what is dense has fewer.
const BYTES_A_TOKEN: usize = 3;
/// What a picture takes at most, in tokens, as Anthropic counts them (width * height / 750, of pictures that it scales down to
/// 1.15 megapixels). OpenAI's count is below that.
const PICTURE: usize = 1_600;
/// What is around a message and around each result, in tokens.
const AROUND: usize = 8;
/// How much of a shortened result is left, in characters.
const LEFT: usize = 400;

/// What a model is shown of a conversation.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) messages: Cow<'a, [Message]>,
    /// How many of the oldest messages are left out.
    pub(super) left_out: usize,
    /// How many results are shortened.
    pub(super) shortened: usize,
}

/// About how many tokens `bytes` of text are, rather too many than too few.
pub(super) fn tokens(bytes: usize) -> usize {
    bytes.div_ceil(BYTES_A_TOKEN)
}

/// What of `messages` fits into `budget` tokens. The last exchange is never left out: `None` if it does not fit by itself.
pub(super) fn fit(messages: &[Message], budget: usize) -> Option<Shown<'_>> {
    if all(messages) <= budget {
        return Some(Shown { messages: Cow::Borrowed(messages), left_out: 0, shortened: 0 });
    }
    let mut shown = messages.to_vec();
    let mut shortened = 0;
    // What came last is what the model works on; the rest it has worked on already.
    let last = shown.iter().rposition(|message| matches!(message, Message::Tool { .. }));
    let older = |at: &usize| Some(*at) != last;
    for at in (0..shown.len()).filter(older).chain(last) {
        let mut total = all(&shown);
        if let Message::Tool { results } = &mut shown[at] {
            for result in results {
                if total <= budget {
                    break;
                }
                let before = result_tokens(result);
                if shorten(result) {
                    shortened += 1;
                    total = total.saturating_sub(before).saturating_add(result_tokens(result));
                }
            }
        }
        if all(&shown) <= budget {
            return Some(Shown { messages: Cow::Owned(shown), left_out: 0, shortened });
        }
    }
    let mut left_out = 0;
    while all(&shown) > budget {
        let next = next_exchange(&shown).or_else(|| next_step(&shown))?;
        left_out += next.len();
        shown.drain(next);
    }
    Some(Shown { messages: Cow::Owned(shown), left_out, shortened })
}

/// The oldest exchange, from what somebody said to before what somebody said next, if it is not the last.
fn next_exchange(messages: &[Message]) -> Option<std::ops::Range<usize>> {
    let said = messages.iter().skip(1).position(|message| matches!(message, Message::User { .. }));
    said.map(|at| 0..at + 1)
}

/// The oldest calls of the last exchange and their results, if others follow.
fn next_step(messages: &[Message]) -> Option<std::ops::Range<usize>> {
    let begins_with = |at: usize| match (messages.get(at), messages.get(at + 1)) {
        (Some(Message::Assistant { .. }), Some(Message::Tool { .. })) => Some(at..at + 2),
        _ => None,
    };
    begins_with(1).filter(|step| step.end < messages.len())
}

fn all(messages: &[Message]) -> usize {
    messages.iter().map(message_tokens).sum()
}

fn message_tokens(message: &Message) -> usize {
    AROUND
        + match message {
            Message::Tool { results } => results.iter().map(result_tokens).sum(),
            message => tokens(size(message)),
        }
}

fn result_tokens(result: &ToolResult) -> usize {
    let part = |part: &Content| match part {
        Content::Image { .. } => PICTURE,
        Content::Text { text } => tokens(text.len()),
        Content::Json { value } => tokens(value.to_string().len()),
        Content::Audio { .. } | Content::ResourceLink { .. } => AROUND,
    };
    AROUND + result.content.iter().map(part).sum::<usize>()
}

/// Leaves the beginning of a result. False if it is short already.
fn shorten(result: &mut ToolResult) -> bool {
    let text = result.text();
    let whole = text.chars().count();
    let has_picture = result.content.iter().any(|part| matches!(part, Content::Image { .. }));
    if whole <= LEFT * 2 && !has_picture {
        return false;
    }
    let beginning: String = text.chars().take(LEFT).collect();
    let text = if whole > LEFT {
        format!(
            "{beginning}\n[{} more characters are left out here: call the tool again for them]",
            whole - LEFT
        )
    } else {
        beginning
    };
    result.content = vec![Content::Text { text }];
    true
}

#[cfg(test)]
mod tests {
    use gathering_models::ToolUse;

    use super::*;

    fn user(text: &str) -> Message {
        Message::User { text: text.into() }
    }

    fn step(result: &str) -> [Message; 2] {
        let call =
            ToolUse { id: "a".into(), name: "t".into(), arguments: Default::default(), malformed: None };
        let content = vec![Content::Text { text: result.into() }];
        let result = ToolResult { id: "a".into(), name: "t".into(), content, is_error: false };
        [
            Message::Assistant { text: String::new(), calls: vec![call] },
            Message::Tool { results: vec![result] },
        ]
    }

    fn conversation(parts: &[&[Message]]) -> Vec<Message> {
        parts.concat()
    }

    #[test]
    fn what_fits_is_shown_as_it_is() {
        let messages = conversation(&[&[user("hello")], &step("x")]);

        let shown = fit(&messages, 1_000).expect("it fits");

        assert!(matches!(shown.messages, Cow::Borrowed(_)));
        assert_eq!((shown.left_out, shown.shortened), (0, 0));
    }

    #[test]
    fn results_are_shortened_before_anything_is_left_out_and_the_last_one_after_the_others() {
        let long = "x".repeat(30_000);
        let messages = conversation(&[&[user("one")], &step(&long), &[user("two")], &step(&long)]);

        let shown = fit(&messages, 11_000).expect("it fits");

        assert_eq!((shown.left_out, shown.shortened), (0, 1));
        let text = |at: usize| match &shown.messages[at] {
            Message::Tool { results } => results[0].text(),
            other => panic!("{other:?}"),
        };
        assert!(text(2).ends_with("[29600 more characters are left out here: call the tool again for them]"));
        assert_eq!(text(5), long);
    }

    #[test]
    fn the_oldest_exchanges_go_whole_and_then_the_oldest_steps_of_the_last() {
        let said = "y".repeat(3_000);
        let messages =
            conversation(&[&[user(&said)], &step("x"), &[user(&said)], &step("1"), &step("2"), &step("3")]);

        let without_first = fit(&messages, 1_150).expect("it fits");
        let with_last_step = fit(&messages, 1_050).expect("it fits");

        assert_eq!(*without_first.messages, messages[3..]);
        assert_eq!(without_first.left_out, 3);
        assert_eq!(*with_last_step.messages, conversation(&[&[user(&said)], &step("3")]));
        assert!(fit(&messages, 500).is_none());
    }

    #[test]
    fn old_pictures_are_not_shown_again_for_ever() {
        let mut seen = step("");
        if let Message::Tool { results } = &mut seen[1] {
            results[0].content = vec![Content::Image { data: "AAAA".into(), media_type: "image/png".into() }];
        }
        let messages = conversation(&[&[user("one")], &seen, &[user("two")], &step("x")]);

        let shown = fit(&messages, 200).expect("it fits");

        assert_eq!((shown.left_out, shown.shortened), (0, 1));
        assert!(
            matches!(&shown.messages[2], Message::Tool { results } if results[0].text() == "[a picture, image/png]")
        );
    }
}
