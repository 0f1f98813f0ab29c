//! The agents of one moment: readers hold one of these and never wait.

use std::collections::HashMap;
use std::sync::Arc;

use gathering_core::{AgentRecord, AgentRights};
use sha2::{Digest, Sha256};

/// What a token begins with, so that whoever finds one knows what it is.
const PREFIX: &str = "gat_";
/// The longest text that is looked up as a token.
const LONGEST_TOKEN: usize = 256;

/// Every agent that ever was, in the order of their making.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) members: Vec<Member>,
    by_id: HashMap<String, usize>,
    by_token: HashMap<String, usize>,
}

#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) record: Arc<AgentRecord>,
    pub(crate) rights: Arc<AgentRights>,
}

impl Known {
    /// The agents of `records`, whose parents come before them. Rights that nothing changed about stay the same ones.
    pub(crate) fn new(records: Vec<Arc<AgentRecord>>, before: &Known) -> Self {
        let mut known = Self::default();
        for record in records {
            let old = before.at(record.id.as_str());
            let parent = record.parent.as_ref().and_then(|id| known.at(id.as_str()));
            let parent = parent.map(|member| member.rights.clone());
            let is_same = |old: &&Member| {
                Arc::ptr_eq(&old.record, &record)
                    && match (&old.rights.parent, &parent) {
                        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                        (old, new) => old.is_none() && new.is_none(),
                    }
            };
            let rights = match old.filter(is_same) {
                Some(old) => old.rights.clone(),
                None => {
                    let usage = old.map(|old| old.rights.usage.clone()).unwrap_or_default();
                    Arc::new(AgentRights::of(&record, usage, parent))
                }
            };
            let place = known.members.len();
            known.by_id.insert(key(record.id.as_str()), place);
            if record.deleted {
                rights.withdraw();
            } else {
                known.by_token.insert(record.token_sha256.clone(), place);
            }
            known.members.push(Member { record, rights });
        }
        known
    }

    /// The agent of this id, deleted or not. Case makes no difference.
    pub(crate) fn at(&self, id: &str) -> Option<&Member> {
        self.by_id.get(&key(id)).map(|place| &self.members[*place])
    }

    /// The agent that has this token.
    pub(crate) fn by_token(&self, token: &str) -> Option<&Member> {
        // What is compared is the digest of what was given: how long that takes tells nothing of a token.
        let place = (token.len() <= LONGEST_TOKEN).then(|| self.by_token.get(&digest(token))).flatten()?;
        Some(&self.members[*place])
    }

    /// The agents that are there.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.record.deleted)
    }

    /// The agents below `id`, at whatever depth.
    pub(crate) fn below(&self, id: &str) -> Vec<&Member> {
        let is_below = |member: &&Member| {
            member.rights.lineage().skip(1).any(|rights| rights.id.as_str().eq_ignore_ascii_case(id))
        };
        self.living().filter(is_below).collect()
    }
}

fn key(id: &str) -> String {
    id.to_ascii_lowercase()
}

/// A new token of 256 random bits.
pub(crate) fn new_token() -> String {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    format!("{PREFIX}{}", hexadecimal(&bytes))
}

/// What is kept of a token.
pub(crate) fn digest(token: &str) -> String {
    hexadecimal(&Sha256::digest(token))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
