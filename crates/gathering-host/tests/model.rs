//! Operations on plugins in any order, beside a simple model of what they should do.

use std::collections::BTreeMap;

use gathering_core::PluginStatus;
use gathering_host::{Dependencies, Limits};
use gathering_testkit::{FakePlugin, TestHost};
use proptest::prelude::*;
use serde_json::json;

/// `b` and `c` need `a`; `d` needs `c`. Each brings one tool.
const PLUGINS: [(&str, &[&str]); 4] = [("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["c"])];

#[derive(Debug, Clone, Copy)]
enum Step {
    Know,
    Load,
    LoadToo,
    Enable,
    Disable { cascade: bool },
    Unload { cascade: bool },
    Reload { breaks: bool },
    Restart,
}

/// What the plugins should be like. A plugin that is not in here is not known.
#[derive(Default)]
struct Model {
    states: BTreeMap<&'static str, PluginStatus>,
}

impl Model {
    fn is_loaded(&self, id: &str) -> bool {
        self.states.get(id).is_some_and(|s| !matches!(s, PluginStatus::Unloaded | PluginStatus::Error))
    }

    fn needs(id: &str) -> &'static [&'static str] {
        PLUGINS.iter().find(|(name, _)| *name == id).expect("one of the four").1
    }

    fn dependents(&self, id: &str) -> Vec<&'static str> {
        let mut all = Vec::new();
        for (name, needs) in PLUGINS {
            if needs.contains(&id) && self.is_loaded(name) {
                all.push(name);
                all.extend(self.dependents(name));
            }
        }
        all
    }

    fn set(&mut self, ids: impl IntoIterator<Item = &'static str>, status: PluginStatus) {
        self.states.extend(ids.into_iter().map(|id| (id, status)));
    }

    fn load(&mut self, id: &'static str, with_dependencies: bool) -> bool {
        if !self.states.contains_key(id) || self.is_loaded(id) {
            return false;
        }
        for need in Self::needs(id) {
            if !self.is_loaded(need) {
                let mut tried = Model { states: self.states.clone() };
                if !with_dependencies || !tried.load(need, true) {
                    return false;
                }
                self.states = tried.states;
            }
        }
        self.states.insert(id, PluginStatus::Loaded);
        true
    }

    fn enable(&mut self, id: &'static str) -> bool {
        if !self.is_loaded(id) {
            return false;
        }
        let mut wanted = vec![id];
        let mut at = 0;
        while let Some(next) = wanted.get(at) {
            at += 1;
            for need in Self::needs(next) {
                match self.states[need] {
                    PluginStatus::Enabled => {}
                    PluginStatus::Disabled => return false,
                    _ => wanted.push(need),
                }
            }
        }
        self.set(wanted, PluginStatus::Enabled);
        true
    }

    fn disable(&mut self, id: &'static str, cascade: bool) -> bool {
        if !self.is_loaded(id) {
            return false;
        }
        let enabled: Vec<_> =
            self.dependents(id).into_iter().filter(|d| self.states[d] == PluginStatus::Enabled).collect();
        if !enabled.is_empty() && !cascade {
            return false;
        }
        self.set(enabled.into_iter().chain([id]), PluginStatus::Disabled);
        true
    }

    fn unload(&mut self, id: &'static str, cascade: bool) -> bool {
        if !self.is_loaded(id) || (!self.dependents(id).is_empty() && !cascade) {
            return false;
        }
        let gone = self.dependents(id).into_iter().chain([id]).collect::<Vec<_>>();
        self.set(gone, PluginStatus::Unloaded);
        true
    }
}

fn fake(id: &str) -> FakePlugin {
    FakePlugin::new(id)
        .needs(Model::needs(id))
        .tool(&format!("echo_{id}"))
        .competency(&format!("skill_{id}"), &[])
}

async fn run(steps: &[(usize, Step)]) {
    let mut host = TestHost::default();
    let mut model = Model::default();
    for (at, step) in steps {
        let (id, _) = PLUGINS[*at];
        let (did, should) = match *step {
            Step::Know => {
                host.know(fake(id)).await;
                model.states.entry(id).or_insert(PluginStatus::Unloaded);
                (true, true)
            }
            Step::Load => {
                (host.load(id, None, Dependencies::MustBeLoaded).await.is_ok(), model.load(id, false))
            }
            Step::LoadToo => (host.load(id, None, Dependencies::LoadToo).await.is_ok(), model.load(id, true)),
            Step::Enable => (host.enable(id).await.is_ok(), model.enable(id)),
            Step::Disable { cascade } => {
                (host.disable(id, cascade).await.is_ok(), model.disable(id, cascade))
            }
            Step::Unload { cascade } => (host.unload(id, cascade).await.is_ok(), model.unload(id, cascade)),
            Step::Reload { breaks } => {
                if breaks {
                    host.runtime.put(fake(id).fails_to_load("broken"));
                } else {
                    host.runtime.put(fake(id));
                }
                let did = host.reload(id, None).await.is_ok();
                host.runtime.put(fake(id));
                (did, model.is_loaded(id) && !breaks)
            }
            Step::Restart => {
                host = TestHost::over(host.runtime.clone(), host.store.clone(), Limits::default());
                host.restore().await.expect("the store can be read");
                (true, true)
            }
        };
        assert_eq!(did, should, "{step:?} of {id} in {steps:?}");
        compare(&host, &model).await;
    }
}

async fn compare(host: &TestHost, model: &Model) {
    let states: BTreeMap<_, _> =
        host.plugins().into_iter().map(|p| (p.metadata.id.to_string(), p.status)).collect();
    let expected: BTreeMap<_, _> =
        model.states.iter().map(|(id, status)| ((*id).to_owned(), *status)).collect();
    assert_eq!(states, expected);
    let snapshot = host.snapshot();
    for (id, _) in PLUGINS {
        let tool = format!("echo_{id}");
        assert_eq!(snapshot.tools().get(&tool).is_some(), model.is_loaded(id), "{id}");
        assert_eq!(
            snapshot.competencies().get(&format!("skill_{id}")).is_some(),
            model.is_loaded(id),
            "{id}"
        );
        let called = host.call(&tool, json!({})).await;
        let callable = matches!(model.states.get(id), Some(PluginStatus::Loaded | PluginStatus::Enabled));
        assert_eq!(called.is_ok(), callable, "{id}: {called:?}");
        let offered = host.tools_for(&TestHost::agent(&[])).iter().any(|t| t.name == tool.as_str());
        assert_eq!(offered, model.states.get(id) == Some(&PluginStatus::Enabled), "{id}");
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Know),
        3 => Just(Step::Load),
        2 => Just(Step::LoadToo),
        3 => Just(Step::Enable),
        2 => any::<bool>().prop_map(|cascade| Step::Disable { cascade }),
        2 => any::<bool>().prop_map(|cascade| Step::Unload { cascade }),
        2 => any::<bool>().prop_map(|breaks| Step::Reload { breaks }),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn plugins_do_what_the_model_does(steps in prop::collection::vec((0..4usize, step()), 1..30)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(run(&steps));
    }
}
