//! Finding tools by what they are for: ranked by BM25, and only among those that the caller may call.

mod index;
mod meaning;
mod words;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use gathering_core::Caller;

use crate::host::{Host, Inner};
use crate::snapshot::Snapshot;
use crate::tool::Tool;
use index::{Index, Match};

/// The longest query that is read, in bytes; what comes after is left out.
const LONGEST_QUERY: usize = 1_000;

/// What a search found.
#[derive(Default)]
pub struct Found {
    /// The tools, best first.
    pub tools: Vec<Arc<Tool>>,
    /// How many tools match, those that were not asked for among them.
    pub total: usize,
}

/// The index that searches share. The first search in a generation brings it up to date, with what changed only.
#[derive(Default)]
pub(crate) struct Search {
    index: RwLock<Index>,
}

impl Host {
    /// The tools that `caller` may call (to the operator, all that are registered) which `query` is about and `takes` takes:
    /// best first, at most `limit`. A tool whose name the query is comes before all others.
    ///
    /// The first search reads every tool that is registered, and the first after a change what changed: call it where a
    /// second of waiting does no harm.
    pub fn search(&self, caller: &Caller, query: &str, limit: usize, takes: Option<Takes<'_>>) -> Found {
        self.inner.search_for(caller, query, limit, takes)
    }
}

/// Whether a tool is wanted.
pub type Takes<'a> = &'a dyn Fn(&Tool) -> bool;

impl Inner {
    pub(crate) fn search_for(
        &self,
        caller: &Caller,
        query: &str,
        limit: usize,
        takes: Option<Takes<'_>>,
    ) -> Found {
        let query = query[..query.floor_char_boundary(LONGEST_QUERY)].trim();
        let (index, snapshot) = self.search.at(&self.snapshot);
        let mut found = index.matches(query);
        if let Some(slot) = called(&snapshot, query).and_then(|tool| index.slot_of(tool)) {
            found.retain(|other| other.slot != slot);
            found.push(Match { slot, score: f32::INFINITY });
        }
        if let Caller::Agent(rights) = caller {
            let view = self.views.of(&snapshot, rights);
            if rights.lineage().any(|rights| rights.is_withdrawn()) {
                return Found::default();
            }
            let listed = view.slots(|| index.slots_of(&view.tools(self, &snapshot)));
            found.retain(|found| listed[found.slot as usize]);
        }
        if let Some(takes) = takes {
            found.retain(|found| index.tool(found.slot).is_some_and(|tool| takes(tool)));
        }
        let total = found.len();
        let better =
            |one: &Match, other: &Match| other.score.total_cmp(&one.score).then(one.slot.cmp(&other.slot));
        if limit > 0 && limit < total {
            found.select_nth_unstable_by(limit - 1, better);
        }
        found.truncate(limit);
        found.sort_unstable_by(better);
        Found { tools: found.iter().filter_map(|found| index.tool(found.slot).cloned()).collect(), total }
    }
}

impl Search {
    /// The index and the snapshot that it is the index of.
    fn at(&self, current: &ArcSwap<Snapshot>) -> (RwLockReadGuard<'_, Index>, Arc<Snapshot>) {
        // The snapshot is read under the lock, so it is never older than the index.
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let snapshot = current.load_full();
        if index.generation == snapshot.generation {
            return (index, snapshot);
        }
        drop(index);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let snapshot = current.load_full();
        index.catch_up(&snapshot);
        (RwLockWriteGuard::downgrade(index), snapshot)
    }
}

/// The tool that `query` is the name of, with spaces for what names have instead, and in whatever case.
fn called<'a>(snapshot: &'a Snapshot, query: &str) -> Option<&'a Arc<Tool>> {
    let tools = &snapshot.tools;
    tools
        .get_ignoring_case(query)
        .or_else(|| tools.get_ignoring_case(&query.replace(' ', "_")))
        .or_else(|| tools.get_ignoring_case(&query.replace(' ', "-")))
}
