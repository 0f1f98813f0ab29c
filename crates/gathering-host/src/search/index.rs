//! An inverted index of tools, ranked by BM25 and changed tool by tool.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::meaning::{alike, strength};
use super::words::{each_asked_stem, each_stem};
use crate::snapshot::Snapshot;
use crate::table::{Changed, Table};
use crate::tool::Tool;

/// How soon more of the same word in one tool stops to matter; the usual value of BM25 (S. Robertson, H. Zaragoza, "The
/// Probabilistic Relevance Framework: BM25 and Beyond", 2009, section 3.4).
const K1: f32 = 1.2;
/// How much a long description is held against a tool; between 0 and 1, less than for prose, since tools are short.
const B: f32 = 0.5;
/// What a word counts that may stand for the one that was asked for.
const ALIKE: f32 = 0.5;
/// What a word counts that begins like the one that was asked for, if nothing is called that.
const BEGINNING: f32 = 0.6;
/// The shortest beginning that is looked for, in bytes.
const SHORTEST_BEGINNING: usize = 4;
/// How many words that begin alike are taken.
const MOST_BEGINNINGS: usize = 8;
/// How many different words of a query are looked for.
const MOST_WORDS: usize = 32;

/// How much a word counts by where it stands: in the name, in the description, among the tags, as the name of an argument, in
/// what is said of an argument.
const NAME: f32 = 3.0;
const DESCRIPTION: f32 = 1.0;
const TAG: f32 = 0.5;
const ARGUMENT: f32 = 1.0;
const ARGUMENT_TEXT: f32 = 0.3;

/// How much of a description, and of what all arguments say together, is read, in bytes.
const MOST_TEXT: usize = 4 * 1024;

/// The tools of one generation by the words that they are found by.
#[derive(Default)]
pub(super) struct Index {
    /// What is indexed.
    tools: Table<Tool>,
    pub(super) generation: u64,
    terms: HashMap<Arc<str>, u32, ahash::RandomState>,
    /// By the number of the term; those that nothing has any more are in `free_terms`.
    postings: Vec<(Arc<str>, Vec<Posting>)>,
    free_terms: Vec<u32>,
    /// By the tool's slot; those that nothing has any more are in `free_slots`.
    documents: Vec<Option<Document>>,
    /// By the tool's slot: how many words it has, each counted as much as it weighs.
    lengths: Vec<f32>,
    free_slots: Vec<u32>,
    /// By where a tool lies in memory, which is its own as long as `documents` holds it.
    slots: HashMap<usize, u32, ahash::RandomState>,
    length: f64,
}

struct Posting {
    slot: u32,
    count: f32,
}

struct Document {
    tool: Arc<Tool>,
    terms: Box<[u32]>,
}

/// A tool that was found.
pub(super) struct Match {
    pub(super) slot: u32,
    pub(super) score: f32,
}

impl Index {
    /// Takes over what has changed since the generation that it knows.
    pub(super) fn catch_up(&mut self, snapshot: &Snapshot) {
        let before = std::mem::replace(&mut self.tools, snapshot.tools.clone());
        let now = self.tools.clone();
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for changed in now.changes_since(&before) {
            match changed {
                Changed::Added(tool) => new.push(tool),
                Changed::Removed(tool) => gone.push(tool),
            }
        }
        self.remove(&gone);
        for tool in new {
            self.add(tool, snapshot);
        }
        self.generation = snapshot.generation;
    }

    pub(super) fn tool(&self, slot: u32) -> Option<&Arc<Tool>> {
        self.documents[slot as usize].as_ref().map(|document| &document.tool)
    }

    pub(super) fn slot_of(&self, tool: &Arc<Tool>) -> Option<u32> {
        self.slots.get(&address(tool)).copied()
    }

    /// For each slot whether its tool is one of `tools`.
    pub(super) fn slots_of(&self, tools: &[Arc<Tool>]) -> Box<[bool]> {
        let mut among = vec![false; self.documents.len()];
        for slot in tools.iter().filter_map(|tool| self.slots.get(&address(tool))) {
            among[*slot as usize] = true;
        }
        among.into()
    }

    /// Every tool that has a word of `query` or one that may stand for it, in no order.
    pub(super) fn matches(&self, query: &str) -> Vec<Match> {
        let mut wanted: Vec<String> = Vec::new();
        each_asked_stem(query, |stem| {
            if wanted.len() < MOST_WORDS && !wanted.iter().any(|known| known == stem) {
                wanted.push(stem.to_owned());
            }
        });
        let mut scores = vec![0.0_f32; self.documents.len()];
        let average = (self.length / self.slots.len().max(1) as f64) as f32;
        let (fixed, by_length) = (K1 * (1.0 - B), K1 * B / average.max(f32::MIN_POSITIVE));
        for word in &wanted {
            let terms = self.terms_for(word);
            let had: usize = terms.iter().map(|(term, _)| self.postings[*term as usize].1.len()).sum();
            let rarity = self.rarity(had) * strength(word);
            for (term, weight) in terms {
                let weight = weight * rarity * (K1 + 1.0);
                for Posting { slot, count } in &self.postings[term as usize].1 {
                    let slot = *slot as usize;
                    scores[slot] += weight * count / (count + fixed + by_length * self.lengths[slot]);
                }
            }
        }
        let found = scores.into_iter().zip(0..).filter(|(score, _)| *score > 0.0);
        found.map(|(score, slot)| Match { slot, score }).collect()
    }

    /// The inverse document frequency of a word that `had` tools have; never negative, as Lucene has it.
    fn rarity(&self, had: usize) -> f32 {
        let (all, had) = (self.slots.len() as f64, had.min(self.slots.len()) as f64);
        (1.0 + (all - had + 0.5) / (had + 0.5)).ln() as f32
    }

    /// The terms that answer to a word, and how well.
    fn terms_for(&self, word: &str) -> Vec<(u32, f32)> {
        let mut terms: Vec<(u32, f32)> = self.terms.get(word).map(|term| (*term, 1.0)).into_iter().collect();
        terms.extend(
            alike(word).iter().filter_map(|other| self.terms.get(other.as_str())).map(|term| (*term, ALIKE)),
        );
        if terms.is_empty() && word.len() >= SHORTEST_BEGINNING {
            let mut longer: Vec<_> = self.terms.iter().filter(|(text, _)| text.starts_with(word)).collect();
            longer.sort_by_key(|(text, _)| (text.len(), (*text).clone()));
            terms.extend(longer.into_iter().take(MOST_BEGINNINGS).map(|(_, term)| (*term, BEGINNING)));
        }
        terms
    }

    fn add(&mut self, tool: &Arc<Tool>, snapshot: &Snapshot) {
        let mut counts: HashMap<u32, f32, ahash::RandomState> = HashMap::default();
        let mut length = 0.0;
        each_weighted_stem(tool, snapshot, |stem, weight| {
            length += weight;
            *counts.entry(self.term(stem)).or_default() += weight;
        });
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.documents.push(None);
            self.lengths.push(0.0);
            number(self.documents.len() - 1)
        });
        for (term, count) in &counts {
            self.postings[*term as usize].1.push(Posting { slot, count: *count });
        }
        self.lengths[slot as usize] = length;
        self.length += f64::from(length);
        self.slots.insert(address(tool), slot);
        self.documents[slot as usize] =
            Some(Document { tool: tool.clone(), terms: counts.into_keys().collect() });
    }

    /// Removes all of them with one pass over each list that has some.
    fn remove(&mut self, tools: &[&Arc<Tool>]) {
        let mut terms = Vec::new();
        for tool in tools {
            let Some(slot) = self.slots.remove(&address(tool)) else { continue };
            let Some(document) = self.documents[slot as usize].take() else { continue };
            self.length -= f64::from(self.lengths[slot as usize]);
            self.free_slots.push(slot);
            terms.extend(document.terms);
        }
        terms.sort_unstable();
        terms.dedup();
        let documents = &self.documents;
        for term in terms {
            let (text, postings) = &mut self.postings[term as usize];
            postings.retain(|posting| documents[posting.slot as usize].is_some());
            if postings.is_empty() {
                *postings = Vec::new();
                self.terms.remove(text);
                self.free_terms.push(term);
            }
        }
    }

    fn term(&mut self, stem: &str) -> u32 {
        if let Some(term) = self.terms.get(stem) {
            return *term;
        }
        let text: Arc<str> = stem.into();
        let term = self.free_terms.pop().unwrap_or_else(|| {
            self.postings.push((text.clone(), Vec::new()));
            number(self.postings.len() - 1)
        });
        self.postings[term as usize].0 = text.clone();
        self.terms.insert(text, term);
        term
    }
}

fn address(tool: &Arc<Tool>) -> usize {
    Arc::as_ptr(tool).addr()
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("there is no memory for four thousand million tools or words")
}

/// Calls `add` with every stem that a tool is found by, and how much it counts.
fn each_weighted_stem(tool: &Tool, snapshot: &Snapshot, mut add: impl FnMut(&str, f32)) {
    each_stem(tool.name.as_str(), |stem| add(stem, NAME));
    each_stem(beginning(&tool.description), |stem| add(stem, DESCRIPTION));
    each_stem(tool.category.as_str(), |stem| add(stem, TAG));
    each_stem(tool.plugin().as_str(), |stem| add(stem, TAG));
    if let Some(plugin) = snapshot.plugins.get(tool.plugin().as_str()) {
        for tag in &plugin.manifest.metadata.tags {
            each_stem(beginning(tag), |stem| add(stem, TAG));
        }
    }
    // A schema that is no object, or whose properties are none, has no argument to be found by.
    let Arguments { properties } =
        serde_json::from_str(tool.definition().parameters.as_str()).unwrap_or_default();
    let mut left = MOST_TEXT;
    for (name, text) in properties.0 {
        if name.len() + text.len() > left {
            break;
        }
        left -= name.len() + text.len();
        each_stem(&name, |stem| add(stem, ARGUMENT));
        each_stem(&text, |stem| add(stem, ARGUMENT_TEXT));
    }
}

/// What is read of a text that may be long.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_TEXT)]
}

/// The arguments of a tool, read from its schema without building the rest of it.
#[derive(Default, Deserialize)]
struct Arguments {
    #[serde(default)]
    properties: Properties,
}

/// Names and descriptions.
#[derive(Default)]
struct Properties(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Properties;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("properties")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key()? {
                    let Described(text) = map.next_value()?;
                    pairs.push((name, text));
                }
                Ok(Properties(pairs))
            }
        }
        from.deserialize_map(Pairs)
    }
}

/// What a property says of itself; nothing if it is `true` or `false`.
struct Described(String);

impl<'de> Deserialize<'de> for Described {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Described;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a schema")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Described, E> {
                Ok(Described(String::new()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Described, A::Error> {
                let mut text = String::new();
                while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
                    if key == "description" {
                        text = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Described(text))
            }
        }
        from.deserialize_any(Text)
    }
}
