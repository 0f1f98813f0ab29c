//! The design plugin, each tool on real input, checked by programs that we did not write.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails or says so")]

mod edit;
mod mockup;
mod palette;
mod services;
mod support;

use support::Design;

#[tokio::test]
async fn every_example_runs_and_fits_what_its_tool_promises() {
    let design = Design::new().await;
    let tools = design.host().snapshot().tools().list().clone();

    for tool in tools.iter().filter(|tool| tool.plugin_id.as_ref().is_some_and(|id| id.as_str() == "design"))
    {
        assert!(!tool.examples.is_empty(), "`{}` has no example", tool.name);
        assert!(!tool.required_competencies.is_empty(), "`{}` requires nothing", tool.name);
        for example in &tool.examples {
            let needed = example["needs"].as_str();
            if needed.is_some_and(|name| {
                !(name.ends_with(".png") && design.can_run() && support::picture(&design, name))
            }) {
                continue;
            }
            let outcome = design.call(tool.name.as_str(), example["arguments"].clone()).await;
            assert!(outcome.is_ok(), "`{}` {example}: {outcome:?}", tool.name);
        }
    }
}

#[tokio::test]
async fn competencies_build_on_one_another_and_name_tools_that_are_there() {
    let design = Design::new().await;
    let snapshot = design.host().snapshot();

    for competency in snapshot.competencies().list().iter() {
        for tool in &competency.tools_enabled {
            assert!(snapshot.tools().get(tool.as_str()).is_some(), "`{}` names `{tool}`", competency.id);
        }
    }
}
