//! What a person sees of a call before approving it, and what people are told of.

use serde_json::json;

use super::kept::Kept;
use super::ordinary_work::config;
use super::results::Agent;

/// What `runs show` prints of the only run, once the agent has proposed a change with this text.
fn shown(text: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut agent = Agent::start(&config(folder.path(), ""));
    let told = agent.call("fake__change", &json!({"text": text, "at": "/etc/hosts"})).join("\n");
    agent.leave();
    let kept = Kept::of_gateway(folder.path());
    let run = kept.ids().pop().unwrap_or_default();
    (told, kept.runs(&["show", &run]).expect(0, "fake__change").out())
}

#[test]
fn the_whole_call_is_shown_and_every_argument_by_itself() {
    let (told, shown) = shown(&format!("{} and then END", "first this, ".repeat(200)));
    assert!(shown.contains("at: \"/etc/hosts\"") && shown.contains("and then END\""), "{shown}");
    assert!(shown.find("at: ") < shown.find("text: "), "the short one is not hidden: {shown}");
    for line in ["blast radius       not known", "way back           none is known"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    // The agent has the token; how a call is approved is none of its business.
    assert!(told.contains("Token: ") && !told.contains("countersign"), "{told}");
}

#[test]
fn of_what_is_too_long_both_ends_are_shown_and_where_the_rest_is() {
    let (_, shown) = shown(&format!("BEGIN{}END", "x".repeat(9000)));
    for part in ["text: \"BEGINxxx", "xxxEND\"", "characters left out", "--json"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn what_nobody_sees_is_written_out() {
    for (text, written) in [
        ("rm \u{202e}txt.a", "rm \\u{202e}txt.a"),
        ("ls\u{e0020}\u{e0026}", "ls\\u{e0020}\\u{e0026}"),
        ("pay\u{200b}pal \u{2066}x\u{2069}", "pay\\u{200b}pal \\u{2066}x\\u{2069}"),
        ("\u{9b}2J clear", "\\u{9b}2J clear"),
    ] {
        let (_, shown) = shown(text);
        assert!(shown.contains(written), "{written}: {shown}");
        assert!(!shown.contains(|c: char| c != '\n' && countersign::shown::is_unseen(c)), "{shown:?}");
    }
}

#[test]
fn readings_make_no_items_and_a_task_that_is_handed_over_waits() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let sink = "[[operator.sinks]]\nto = 'file'\npath = 'told.jsonl'";
    let mut agent = Agent::start(&config(folder.path(), sink));
    for number in 0..9 {
        let text = format!("page {number}");
        assert_eq!(agent.call("fake__echo", &json!({"text": text})), [text]);
    }
    let told = folder.path().join(".countersign/told.jsonl");
    assert!(!told.exists(), "{:?}", std::fs::read_to_string(&told));
    let noted = agent.call("defer_to_human", &json!({"reason": "The tenant disputes the bill; somebody must decide."}));
    assert!(noted.join("\n").contains("waits for a person"), "{noted:?}");
    // A change does make one, and its item says what it touches and whether there is a way back.
    agent.call("fake__change", &json!({"text": "turn \u{202e}left"}));
    agent.leave();
    let items = std::fs::read_to_string(&told)?;
    assert!(
        items.contains("\"way-back\":\"none is known\"") && items.contains("\"blast-radius\":\"not known"),
        "{items}"
    );
    assert!(!items.contains('\u{202e}') && items.contains("\\u202e"), "{items}");
    let kept = Kept::of_gateway(folder.path());
    let run = kept.ids().pop().unwrap_or_default();
    kept.runs(&["list"]).expect(0, "1 approval");
    kept.runs(&["show", &run]).expect(0, "handed over        The tenant disputes the bill");
    // Nothing waits in a run that is over.
    kept.runs(&["cancel", &run]).expect(0, "");
    Ok(())
}
