//! An answer while it comes: text and calls are put together from pieces, whatever the wire format.

use std::collections::BTreeMap;

use gathering_core::json;
use serde_json::{Map, Value};

use crate::{Answer, Stop, ToolUse, Usage};

/// How many calls one answer may have.
const MOST_CALLS: usize = 64;
/// The longest id of a call that is taken, and the longest name of a tool, in bytes.
const LONGEST_WORD: usize = 128;
/// How much of arguments that are no JSON object is shown to the model again, in characters.
const SHOWN: usize = 400;

/// What came of an answer so far.
#[derive(Debug, Default)]
pub(crate) struct Building {
    text: String,
    /// By the number that the provider gives them, in order of their beginning.
    calls: Vec<Call>,
    places: BTreeMap<u64, usize>,
    pub(crate) stop: Option<Stop>,
    pub(crate) usage: Usage,
    /// Whether the provider has said that nothing follows.
    pub(crate) is_complete: bool,
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Building {
    pub(crate) fn add_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// How much text there is, in bytes.
    pub(crate) fn text_since(&self, before: usize) -> &str {
        self.text.get(before..).unwrap_or_default()
    }

    pub(crate) fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Adds a piece of the call that the provider gives this number. Some servers number all their calls 0: a new id begins
    /// a new one.
    pub(crate) fn add_call(
        &mut self,
        number: u64,
        id: Option<&str>,
        name: Option<&str>,
        arguments: &str,
    ) -> Result<(), String> {
        let known = self.places.get(&number).copied();
        let id = id.filter(|id| !id.is_empty());
        let place = match known {
            Some(place) if id.is_none_or(|id| self.calls[place].id == id) => place,
            _ if self.calls.len() == MOST_CALLS => {
                return Err(format!("it calls more than {MOST_CALLS} tools at once"));
            }
            _ => {
                self.calls.push(Call::default());
                self.places.insert(number, self.calls.len() - 1);
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[place];
        for (kept, given) in [(&mut call.id, id), (&mut call.name, name)] {
            if let Some(given) = given.filter(|_| kept.is_empty()) {
                if given.len() > LONGEST_WORD {
                    return Err(format!("a call has an id or a name of more than {LONGEST_WORD} bytes"));
                }
                kept.push_str(given);
            }
        }
        call.arguments.push_str(arguments);
        Ok(())
    }

    /// The whole answer.
    pub(crate) fn finish(self) -> Answer {
        let calls: Vec<_> = self.calls.into_iter().enumerate().map(|(at, call)| call.finish(at)).collect();
        let stop = match self.stop {
            // Some servers say `stop` when they call.
            Some(Stop::End) | None if !calls.is_empty() => Stop::Calls,
            stop => stop.unwrap_or(Stop::End),
        };
        Answer { text: self.text, calls, stop, usage: self.usage }
    }
}

impl Call {
    fn finish(self, at: usize) -> ToolUse {
        let (arguments, malformed) = match arguments(&self.arguments) {
            Ok(arguments) => (arguments, None),
            Err(reason) => {
                let shown: String = self.arguments.chars().take(SHOWN).collect();
                (Map::new(), Some(format!("{reason}: {shown}")))
            }
        };
        let id = if self.id.is_empty() { format!("call_{at}") } else { self.id };
        ToolUse { id, name: taken_back(&self.name), arguments, malformed }
    }
}

/// The arguments of a call; no text at all is a call without arguments.
fn arguments(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match json::parse(text.as_bytes()) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err("they are JSON, but no object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The name as every provider takes it back in the conversation. One that had to be changed names no tool, and a call of it
/// says so.
fn taken_back(name: &str) -> String {
    let is_taken = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = name.chars().take(64).map(|c| if is_taken(&c) { c } else { '_' }).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_put_together_from_pieces_even_if_all_are_numbered_zero() {
        let mut building = Building::default();

        building.add_call(0, Some("a"), Some("add"), "{\"x\"").expect("a piece");
        building.add_call(0, None, None, ": 1}").expect("a piece");
        building.add_call(0, Some("b"), Some("add"), "").expect("a piece");
        building.add_call(5, None, Some("no name!"), "[1]").expect("a piece");
        let answer = building.finish();

        assert_eq!(answer.stop, Stop::Calls);
        assert_eq!(answer.calls[0].arguments, *json!({"x": 1}).as_object().expect("an object"));
        assert_eq!((answer.calls[1].id.as_str(), answer.calls[1].arguments.len()), ("b", 0));
        assert_eq!((answer.calls[2].id.as_str(), answer.calls[2].name.as_str()), ("call_2", "no_name_"));
        assert_eq!(answer.calls[2].malformed.as_deref(), Some("they are JSON, but no object: [1]"));
    }

    #[test]
    fn an_answer_that_calls_too_much_is_refused() {
        let mut building = Building::default();
        let mut add = |number| building.add_call(number, None, Some("add"), "");

        assert!((0..64).all(|number| add(number).is_ok()));
        assert_eq!(add(64), Err("it calls more than 64 tools at once".to_owned()));
    }
}
