//! The five incidents of document 002 by an agent that ignores what it is told (specification C4, C5).

mod clock;

use countersign::Host;
use countersign::engine::EngineOptions;
use countersign::kernel::Code;
use countersign::kernel::Status;
use countersign::kernel::contract::threshold::Trigger;
use countersign_scenario::Scenario;
use countersign_tests::root;

/// Scenario, trigger, second, calls that are made, second at which its twin is over.
const INCIDENTS: [(&str, Trigger, u64, &[&str], u64); 5] = [
    ("gmail-oauth", Trigger::AuthorityGap, 14, &["gmail-list"], 586),
    ("slack-scope", Trigger::AuthorityGap, 5, &["slack-channels"], 292),
    ("gdrive", Trigger::AuthorityGap, 8, &["gdrive-list"], 120),
    ("exa-mcp", Trigger::AuthorityGap, 2, &["web-search"], 120),
    (
        "working-tools",
        Trigger::ConfidenceCollapse,
        20,
        &["gmail-list", "gdrive-list", "slack-channels", "read-file", "read-file", "read-file"],
        67,
    ),
];

fn load(name: &str) -> anyhow::Result<Scenario> {
    Ok(Scenario::load(&root().join("tests/scenarios/incidents").join(name).with_extension("toml"))?)
}

fn host() -> anyhow::Result<Host> {
    Ok(Host::new(EngineOptions { pool: None, ..EngineOptions::default() }, None)?)
}

#[test]
fn each_stops_when_the_document_says_and_its_twin_wastes_what_it_says() -> anyhow::Result<()> {
    let host = host()?;
    for (name, trigger, second, calls, wasted) in INCIDENTS {
        let scenario = load(name)?;
        let (finished, told) = scenario.run_by_agent(&host)?;
        assert_eq!(finished.unmet, Vec::<String>::new(), "{name}");
        assert_eq!(finished.held.map(|(by, at)| (by, at / 1000)), Some((Some(trigger), second)), "{name}");
        let made: Vec<&str> = told.iter().filter(|told| told.made).map(|told| told.tool.as_str()).collect();
        assert_eq!(made, calls, "{name}");
        let twin = scenario.twin().ok_or_else(|| anyhow::anyhow!("{name} has no twin"))?;
        let (waste, told) = twin.run_by_agent(&host)?;
        assert_eq!((waste.unmet, waste.held), (vec![], None), "{name}");
        assert_eq!(waste.run.at() / 1000, wasted, "{name}");
        let refused: Vec<_> = told
            .iter()
            .filter(|told| !told.made && !told.text.contains("(TIMEOUT)"))
            .map(|told| (&told.tool, &told.text))
            .collect();
        assert!(refused.is_empty(), "{name}: its twin is held up: {refused:?}");
    }
    Ok(())
}

#[test]
fn the_agent_is_told_to_stop_to_report_and_to_take_the_next_task() -> anyhow::Result<()> {
    let host = host()?;
    for (name, _, _, calls, _) in INCIDENTS {
        let (finished, told) = load(name)?.run_by_agent(&host)?;
        let last = &told[calls.len() - 1];
        assert!(last.made && last.text.contains("The next action is not worth it"), "{name}: {}", last.text);
        for told in &told[calls.len() - 1..] {
            for words in ["Stop here", "report to your user", "take the next task", "defer_to_human"] {
                assert!(told.text.contains(words), "{name}: `{words}` in {}", told.text);
            }
        }
        // It cannot be overridden: whatever is proposed after it is not forwarded.
        assert!(told.len() > calls.len(), "{name} goes on proposing");
        assert!(told[calls.len()..].iter().all(|told| !told.made), "{name}");
        let over = finished.status == Status::Ended(Code::ReviewRequired) || name == "working-tools";
        assert!(over, "{name}: {:?}", finished.status);
    }
    Ok(())
}

#[test]
fn the_single_use_refresh_waits_for_a_person() -> anyhow::Result<()> {
    let (finished, told) = load("gmail-refresh-token")?.run_by_agent(&host()?)?;
    assert_eq!(finished.unmet, Vec::<String>::new());
    let refresh: Vec<_> = told.iter().filter(|told| told.tool == "refresh-token").collect();
    assert_eq!(refresh.len(), 1);
    assert!(!refresh[0].made && refresh[0].text.contains("irreversible action"), "{}", refresh[0].text);
    Ok(())
}
