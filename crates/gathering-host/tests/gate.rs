//! The gate holds at every door: whatever is registered, held, denied, and called through whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gathering_core::{AgentRights, Caller, ToolError, ToolName, ToolRules};
use gathering_testkit::{FakePlugin, TestHost};
use proptest::prelude::*;
use serde_json::json;

/// How many competencies and tools a world has.
const SIZE: usize = 6;
const LEVELS: [&str; 4] = ["novice", "intermediate", "advanced", "expert"];

/// What is registered, and an agent with the one whose rights bound its own.
#[derive(Debug, Clone)]
struct World {
    /// For each competency those of the earlier ones that it builds on.
    prerequisites: Vec<BTreeSet<usize>>,
    /// For each tool what it requires, and at which level, if at one.
    required: Vec<BTreeMap<usize, Option<usize>>>,
    /// Whether each tool's plugin is enabled.
    enabled: Vec<bool>,
    lineage: [Held; 2],
}

#[derive(Debug, Clone)]
struct Held {
    competencies: BTreeMap<usize, usize>,
    allowed: Option<BTreeSet<usize>>,
    denied: BTreeSet<usize>,
}

fn held() -> impl Strategy<Value = Held> {
    (
        prop::collection::btree_map(0..SIZE, 0..LEVELS.len(), 0..5),
        prop::option::weighted(0.3, prop::collection::btree_set(0..SIZE, 3..SIZE)),
        prop::collection::btree_set(0..SIZE, 0..3),
    )
        .prop_map(|(competencies, allowed, denied)| Held { competencies, allowed, denied })
}

fn world() -> impl Strategy<Value = World> {
    let requirement = prop::collection::btree_map(0..SIZE, prop::option::of(0..LEVELS.len()), 0..3);
    (
        prop::collection::vec(prop::collection::btree_set(0..SIZE, 0..3), SIZE),
        prop::collection::vec(requirement, SIZE),
        prop::collection::vec(prop::bool::weighted(0.8), SIZE),
        [held(), held()],
    )
        .prop_map(|(mut prerequisites, required, enabled, lineage)| {
            for (place, set) in prerequisites.iter_mut().enumerate() {
                set.retain(|earlier| *earlier < place);
            }
            World { prerequisites, required, enabled, lineage }
        })
}

impl World {
    /// Whether the rule lets the agent call a tool. Written apart from the gate, on purpose.
    fn lets(&self, tool: usize) -> bool {
        self.enabled[tool]
            && self.lineage.iter().all(|held| {
                held.allowed.as_ref().is_none_or(|allowed| allowed.contains(&tool))
                    && !held.denied.contains(&tool)
                    && self.required[tool].iter().all(|(wanted, level)| {
                        held.competencies.iter().any(|(id, held)| {
                            self.reaches(*id, *wanted) && level.is_none_or(|level| *held >= level)
                        })
                    })
            })
    }

    fn reaches(&self, held: usize, wanted: usize) -> bool {
        held == wanted || self.prerequisites[held].iter().any(|below| self.reaches(*below, wanted))
    }

    /// The world as a host. Each competency claims to enable every tool, which must open none.
    async fn host(&self) -> TestHost {
        let host = TestHost::default();
        let mut skills = FakePlugin::new("skills").tool("call_through");
        for (place, prerequisites) in self.prerequisites.iter().enumerate() {
            skills = skills.competency_with(json!({
                "id": competency(place), "name": "x", "description": "x", "category": "custom",
                "prerequisites": prerequisites.iter().copied().map(competency).collect::<Vec<_>>(),
                "tools_enabled": (0..SIZE).map(tool).collect::<Vec<_>>(),
            }));
        }
        host.enable_fake(skills).await;
        for (place, required) in self.required.iter().enumerate() {
            let required = required.iter().map(|(id, level)| match level {
                Some(level) => format!("{}:{}", competency(*id), LEVELS[*level]),
                None => competency(*id),
            });
            let plugin = FakePlugin::new(&format!("plugin{place}")).tool_with(json!({
                "name": tool(place), "description": "x", "category": "custom",
                "required_competencies": required.collect::<Vec<_>>(),
            }));
            let id = host.load_fake(plugin).await.expect("it loads");
            if self.enabled[place] {
                host.enable(id.as_str()).await.expect("it is loaded");
            }
        }
        host
    }

    /// The first of the lineage, bounded by the second.
    fn caller(&self) -> Caller {
        let [own, above] = &self.lineage;
        let mut rights = own.rights("sub");
        rights.parent = Some(Arc::new(above.rights("boss")));
        Caller::Agent(Arc::new(rights))
    }
}

impl Held {
    fn rights(&self, id: &str) -> AgentRights {
        let held =
            self.competencies.iter().map(|(id, level)| format!("{}:{}", competency(*id), LEVELS[*level]));
        let held = held.map(|text| text.parse().expect("a competency")).collect();
        let mut rights = AgentRights::new(id.parse().expect("an id"), held);
        let names = |set: &BTreeSet<usize>| -> Vec<ToolName> {
            set.iter().map(|place| tool(*place).parse().expect("a name")).collect()
        };
        // What leads from tool to tool is allowed, or nothing could be tried through it.
        let allowed = self
            .allowed
            .as_ref()
            .map(|set| [names(set), vec!["call_through".parse().expect("a name")]].concat());
        rights.tools = ToolRules { allowed, denied: names(&self.denied) };
        rights
    }
}

fn competency(place: usize) -> String {
    format!("skill{place}")
}

fn tool(place: usize) -> String {
    format!("echo_{place}")
}

/// What a refusal by the gate may be called.
fn is_refusal(error: &ToolError) -> bool {
    matches!(error.code(), "missing_competency" | "forbidden" | "wrong_state")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_door_lets_an_agent_past_the_gate_and_none_keeps_out_what_may_pass(world in world()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let host = world.host().await;
            let caller = world.caller();
            let listed: Vec<_> = host.tools_for(&caller).iter().map(|tool| tool.name.to_string()).collect();
            for place in 0..SIZE {
                let (name, lets) = (tool(place), world.lets(place));
                let through = |depth: usize| (0..depth).fold(
                    json!({"tool": name}),
                    |inner, _| json!({"tool": "call_through", "arguments": inner}),
                );
                prop_assert_eq!(listed.contains(&name), lets, "listing {}", &name);
                let one = host.tool_for(&caller, &name);
                prop_assert_eq!(one.as_ref().is_ok(), lets, "showing {}", &name);
                prop_assert_eq!(host.authorize(&caller, &name).is_ok(), lets, "authorizing {}", &name);
                let call = host.call_as(caller.clone(), &name, json!({})).await;
                prop_assert_eq!(call.is_ok(), lets, "calling {}", &name);
                for depth in [0, 2] {
                    let nested = host.call_as(caller.clone(), "call_through", through(depth)).await;
                    prop_assert_eq!(nested.is_ok(), lets, "calling {} from within", &name);
                    prop_assert!(nested.as_ref().err().is_none_or(is_refusal), "{:?}", nested);
                }
                let alias = host.call_as(caller.clone(), &name.to_uppercase(), json!({})).await;
                prop_assert_eq!(alias.unwrap_err().code(), "unknown_tool");
                prop_assert!(call.as_ref().err().is_none_or(is_refusal), "{:?}", call);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_bound_takes_rights_and_never_gives_any() {
    let host = TestHost::default();
    let tool = |name: &str, required: &[&str]| json!({"name": name, "description": "x", "category": "custom", "required_competencies": required});
    host.enable_fake(
        FakePlugin::new("p")
            .competency("git", &[])
            .competency("shell", &[])
            .tool_with(tool("echo_git", &["git"]))
            .tool_with(tool("echo_shell", &["shell"])),
    )
    .await;
    let Caller::Agent(maker) = gathering_testkit::agent("maker", &["git"]) else { panic!("an agent") };
    let names = |caller: &Caller| -> Vec<String> {
        host.tools_for(caller).iter().map(|tool| tool.name.to_string()).collect()
    };

    assert_eq!(names(&Caller::Operator.bounded_by(&maker)), ["echo_git"]);
    let both = gathering_testkit::agent("other", &["git", "shell"]);
    assert_eq!(names(&both.bounded_by(&maker)), ["echo_git"]);
    assert_eq!(names(&gathering_testkit::agent("other", &["shell"]).bounded_by(&maker)), [""; 0]);
    let Caller::Agent(rights) = &both else { panic!("an agent") };
    let bounded = both.bounded_by(&maker);
    rights.withdraw();
    assert_eq!(
        names(&bounded),
        [""; 0],
        "what is taken from the caller is taken from what was made of its rights"
    );
}
