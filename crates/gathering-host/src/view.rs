//! What one agent sees of one generation: worked out once, and kept as long as neither changes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use gathering_core::{AgentRights, PluginId, PluginStatus};

use crate::gate;
use crate::host::Inner;
use crate::reach::Reach;
use crate::snapshot::Snapshot;
use crate::tool::Tool;

/// How many views are kept at most. One of 100,000 tools weighs a megabyte.
const MOST_VIEWS: usize = 128;

/// What an agent sees. What it is asked for is worked out by the first who asks.
pub(crate) struct View {
    rights: Weak<AgentRights>,
    /// What each of the agent's lineage is past, its own first.
    reaches: Box<[Reach]>,
    tools: OnceLock<Arc<[Arc<Tool>]>>,
    slots: OnceLock<Box<[bool]>>,
}

impl View {
    fn new(snapshot: &Snapshot, rights: &Arc<AgentRights>) -> Self {
        Self {
            rights: Arc::downgrade(rights),
            reaches: rights.lineage().map(|rights| snapshot.reach(&rights.competencies)).collect(),
            tools: OnceLock::new(),
            slots: OnceLock::new(),
        }
    }

    /// What each of the lineage is past, the agent's own first.
    pub(crate) fn reaches(&self) -> &[Reach] {
        &self.reaches
    }

    /// The tools that the agent is offered, in the order of registration. Whether its rights were withdrawn is asked anew
    /// each time, by the caller.
    pub(crate) fn tools(&self, host: &Inner, snapshot: &Snapshot) -> Arc<[Arc<Tool>]> {
        let built = self.tools.get_or_init(|| {
            let Some(rights) = self.rights.upgrade() else { return Arc::default() };
            // Those of a plugin stand together. What the snapshot says of it holds, since a plugin that is enabled or
            // disabled at this moment makes another generation.
            let mut plugin: Option<(&PluginId, bool)> = None;
            let mut enabled = |id, by_itself| match plugin {
                Some((known, enabled)) if known == id => enabled,
                _ => {
                    let entry = snapshot.plugins.get(PluginId::as_str(id));
                    // What was registered by hand is of no plugin that is listed.
                    let enabled = entry.map_or(by_itself, |entry| entry.status) == PluginStatus::Enabled;
                    plugin = Some((id, enabled));
                    enabled
                }
            };
            let all = snapshot.tools.list();
            let offered = all.iter().filter(|tool| enabled(tool.plugin(), tool.status()));
            offered.filter(|tool| gate::within(host, &rights, self, tool).is_ok()).cloned().collect()
        });
        built.clone()
    }

    /// What `build` makes for the index of this generation.
    pub(crate) fn slots(&self, build: impl FnOnce() -> Box<[bool]>) -> &[bool] {
        self.slots.get_or_init(build)
    }
}

/// The views of the current generation.
#[derive(Default)]
pub(crate) struct Views {
    kept: ArcSwap<Kept>,
}

#[derive(Default, Clone)]
struct Kept {
    generation: u64,
    /// By where the rights lie in memory: a view's weak reference keeps that place from being another's.
    by_rights: HashMap<usize, Arc<View>, ahash::RandomState>,
}

impl Views {
    /// What the agent with these rights sees of `snapshot`.
    pub(crate) fn of(&self, snapshot: &Snapshot, rights: &Arc<AgentRights>) -> Arc<View> {
        let place = Arc::as_ptr(rights).addr();
        let kept = self.kept.load();
        if kept.generation == snapshot.generation
            && let Some(view) = kept.by_rights.get(&place)
        {
            return view.clone();
        }
        let view = Arc::new(View::new(snapshot, rights));
        // Of two that are made at once one is lost, which costs no more than making it again.
        if kept.generation <= snapshot.generation {
            let mut next =
                if kept.generation == snapshot.generation { (**kept).clone() } else { Kept::default() };
            if next.by_rights.len() >= MOST_VIEWS {
                next.by_rights.retain(|_, view| view.rights.strong_count() > 0);
            }
            if next.by_rights.len() >= MOST_VIEWS {
                next.by_rights.clear();
            }
            next.generation = snapshot.generation;
            next.by_rights.insert(place, view.clone());
            self.kept.store(Arc::new(next));
        }
        view
    }
}
