//! The report's figures on side streams made by hand.

use std::sync::Arc;

use countersign_kernel::contract::{Compliance, ToolCategory, Verdict, risk};
use countersign_kernel::{Answered, Cause, Question, Slot};
use countersign_store::{
    SHADOW_FORMAT, ShadowBegan, ShadowCount, ShadowEnded, ShadowEntry, ShadowJudgement, ShadowReader, ShadowRecord,
};

use super::{Compared, Outcomes, Report};

fn began(run: &str, from: u64, component: &str, stateless: bool) -> ShadowRecord {
    ShadowRecord::Began(ShadowBegan {
        format: SHADOW_FORMAT,
        run: run.into(),
        lock: "sha256:1".into(),
        from,
        entries: vec![ShadowEntry {
            name: "risk-next".into(),
            policy: "risk@0.2.0".into(),
            component: component.into(),
            configuration: "sha256:c".into(),
            stateless,
            slots: vec![Slot::Risk],
        }],
    })
}

fn question() -> Arc<Question> {
    Arc::new(Question::Risk(risk::ProposedAction {
        tool: "t".into(),
        category: ToolCategory::Sandbox,
        arguments: "{}".into(),
        reversibility: risk::Reversibility::Reversible,
        blast_radius: Some(0),
        compliance: Compliance::None,
        novelty: risk::Novelty::NewTool,
        working_context: "".into(),
        confidence: Some(0.9),
    }))
}

fn judged(frame: u64, enforced: Option<Verdict>, verdict: Verdict) -> ShadowRecord {
    let reason = format!("because of frame {frame}");
    ShadowRecord::Judged(Box::new(ShadowJudgement {
        frame,
        entry: "risk-next".into(),
        policy: "sha256:a".into(),
        slot: Slot::Risk,
        enforced,
        verdict,
        question: question(),
        reads: Vec::new(),
        answer: Answered::Risk(risk::Assessment { verdict, score: 0.5, reason }),
        failure: None,
        fuel: 10,
    }))
}

fn undecided(frame: u64, enforced: Verdict) -> ShadowRecord {
    let mut record = judged(frame, Some(enforced), Verdict::Ask);
    if let ShadowRecord::Judged(judged) = &mut record {
        judged.answer = Answered::Undecided(Cause::Trap);
        judged.failure = Some("risk@0.2.0: risk.judge: it trapped".to_owned());
    }
    record
}

fn ended(judged: u64, dropped: u64) -> ShadowRecord {
    let count = ShadowCount { entry: "risk-next".into(), slot: Slot::Risk, judged, dropped, undecided: 0 };
    ShadowRecord::Ended(ShadowEnded { counts: vec![count] })
}

fn text(records: &[ShadowRecord]) -> String {
    let line = |record| serde_json::to_string(record).unwrap_or_default() + "\n";
    records.iter().map(line).collect()
}

fn report(streams: &[String]) -> Report {
    let mut report = Report::default();
    for stream in streams {
        if let Err(error) = report.add_from(ShadowReader::new("x.shadow", stream.as_bytes())) {
            panic!("{error}");
        }
    }
    report
}

#[test]
fn agreement_stricter_looser_undecided_and_dropped() {
    let (proceed, notify, ask) = (Some(Verdict::Proceed), Verdict::Notify, Verdict::Ask);
    let stream = text(&[
        began("a", 1, "sha256:a", true),
        judged(2, proceed, Verdict::Proceed),
        judged(4, proceed, Verdict::Proceed),
        judged(6, proceed, notify),
        judged(8, Some(ask), Verdict::Proceed),
        judged(10, Some(ask), ask),
        undecided(12, Verdict::Proceed),
        // It could not decide, and would have stopped the run as what counted did.
        undecided(14, ask),
        // The slot was empty and the run went on.
        judged(16, None, Verdict::Proceed),
        judged(18, None, Verdict::Deny),
        ended(9, 3),
    ]);
    let found = report(&[stream]);
    assert_eq!((found.runs, found.not_whole), (1, 0));
    let [compared] = &found.policies[..] else { panic!("{:?}", found.policies) };
    let Compared { judged, agreed, stricter, looser, undecided, dropped, .. } = *compared;
    assert_eq!((judged, agreed, stricter, looser, undecided, dropped), (9, 5, 3, 1, 2, 3));
    assert_eq!(compared.agreement.map(|interval| interval.to_string()).as_deref(), Some("55.6 % (26.7 to 81.1)"));
    let met = |enforced, shadow, count| Outcomes { enforced, shadow, count };
    let expected = [
        met(None, Verdict::Proceed, 1),
        met(None, Verdict::Deny, 1),
        met(proceed, Verdict::Proceed, 2),
        met(proceed, notify, 1),
        met(proceed, ask, 1),
        met(Some(ask), Verdict::Proceed, 1),
        met(Some(ask), ask, 2),
    ];
    assert_eq!(compared.verdicts, expected);
    let lines: Vec<String> = found
        .disagreements
        .iter()
        .map(|one| {
            format!("{} {} {:?} {} {} {}", one.run, one.frame, one.enforced, one.shadow, one.undecided, one.reason)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "a 6 Some(Proceed) notify false because of frame 6",
            "a 8 Some(Ask) proceed false because of frame 8",
            "a 12 Some(Proceed) ask true risk@0.2.0: risk.judge: it trapped",
            "a 18 None deny false because of frame 18",
        ]
    );
}

#[test]
fn runs_add_up_and_another_version_is_another_policy() {
    let run = |run, component| {
        text(&[began(run, 1, component, true), judged(2, Some(Verdict::Proceed), Verdict::Proceed), ended(1, 0)])
    };
    let found = report(&[run("a", "sha256:a"), run("b", "sha256:b"), run("c", "sha256:a")]);
    let judged: Vec<_> = found.policies.iter().map(|compared| (&*compared.component, compared.judged)).collect();
    assert_eq!(judged, [("sha256:a", 2), ("sha256:b", 1)]);
    assert_eq!(found.runs, 3);
    assert!(found.disagreements.is_empty());
}

#[test]
fn runs_that_were_not_heard_whole_are_counted() {
    let one = || judged(2, Some(Verdict::Proceed), Verdict::Proceed);
    let first = || began("a", 1, "sha256:a", true);
    let table = [
        ("whole", vec![first(), one(), ended(1, 0)], 0),
        (
            "two processes, one after the other",
            vec![first(), ended(0, 0), began("a", 5, "sha256:a", true), ended(0, 2)],
            0,
        ),
        ("still going on, or lost", vec![first(), one()], 1),
        ("lost, and taken up", vec![first(), one(), began("a", 5, "sha256:a", true), ended(0, 0)], 1),
        ("joined in the middle", vec![began("a", 5, "sha256:a", true), ended(0, 0)], 1),
    ];
    for (case, records, expected) in table {
        assert_eq!(report(&[text(&records)]).not_whole, expected, "{case}");
    }
    let half = text(&[first(), one()]) + "{\"judged\":{\"frame\":4,";
    let found = report(&[half]);
    assert_eq!((found.policies[0].judged, found.not_whole), (1, 1));
}

#[test]
fn what_nobody_announced_is_refused_by_its_line() {
    let mut stranger = judged(2, None, Verdict::Proceed);
    if let ShadowRecord::Judged(judged) = &mut stranger {
        judged.entry = "stranger".into();
    }
    let stream = text(&[began("a", 1, "sha256:a", true), stranger]);
    let error = Report::default().add_from(ShadowReader::new("x.shadow", stream.as_bytes()));
    let message = error.err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(message, "`x.shadow`, line 2: no entry `stranger` in the slot `risk` has begun");
}
