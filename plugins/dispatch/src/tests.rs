use countersign_sdk::Policy;
use countersign_sdk::dispatch::{Assigned, Assignment, Dispatch, Specialist, SubTask};
use countersign_sdk::testing::TestRun;

use crate::words::{self, Words};
use crate::{Dispatcher, config};

fn specialist(name: &str, description: &str, reliability: f64) -> Specialist {
    Specialist { name: name.to_owned(), description: description.to_owned(), reliability }
}

/// Five words, three of which are in the reviewer's description and one in the writer's.
fn task() -> SubTask {
    SubTask {
        does: "Review the authentication code for security problems".to_owned(),
        independent: true,
        parallel: 2,
        chain_length: 1,
        chain_reliability: 1.0,
        own_reliability: 0.9,
        specialists: vec![
            specialist("writer", "Writes code and tests", 0.99),
            specialist("reviewer", "Reviews code for correctness and security", 0.95),
        ],
    }
}

fn with(change: impl FnOnce(&mut config::Configuration)) -> Dispatcher {
    let mut configuration = config::Configuration::default();
    change(&mut configuration);
    match Dispatcher::configure(configuration) {
        Ok(policy) => policy,
        Err(error) => panic!("{error:?}"),
    }
}

fn assign(policy: &mut Dispatcher, change: impl FnOnce(&mut SubTask)) -> Assigned {
    let mut task = task();
    change(&mut task);
    policy.assign(task, &TestRun::default())
}

fn assignment(change: impl FnOnce(&mut SubTask)) -> Assignment {
    assign(&mut with(|_| ()), change).assignment
}

fn reviewer() -> Assignment {
    Assignment::FanOut("reviewer".to_owned())
}

#[test]
fn a_specialist_when_all_three_conditions_hold() {
    assert_eq!(assignment(|_| ()), reviewer());
    assert_eq!(assignment(|task| task.independent = false), Assignment::Inline);
    assert_eq!(assignment(|task| task.specialists.truncate(1)), Assignment::Inline);
    assert_eq!(assignment(|task| task.specialists.clear()), Assignment::Inline);
    assert_eq!(assignment(|task| task.does.clear()), Assignment::Inline);
    assert_eq!(assign(&mut with(|keys| keys.spawn = false), |_| ()).assignment, Assignment::Inline);
}

#[test]
fn in_turn_only_one_that_is_more_reliable() {
    let in_turn = |own: f64| {
        assignment(|task| {
            task.parallel = 1;
            task.own_reliability = own;
        })
    };
    assert_eq!(in_turn(0.94), Assignment::Specialist("reviewer".to_owned()));
    assert_eq!(in_turn(0.95), Assignment::Inline);
    // At the same time, time is saved whoever does it better.
    assert_eq!(assignment(|task| task.own_reliability = 1.0), reviewer());
}

#[test]
fn the_share_of_words_decides_a_match() {
    let at = |least: f64| assign(&mut with(|keys| keys.match_at_least = least), |_| ()).assignment;
    assert_eq!(at(0.6), reviewer());
    assert_eq!(at(0.600_000_1), Assignment::Inline);
    // A word counts once, however often it stands in the description.
    let often = |task: &mut SubTask| task.specialists = vec![specialist("coder", "code code code code", 0.9)];
    assert_eq!(assignment(often), Assignment::Inline);
}

#[test]
fn the_best_match_then_the_more_reliable_then_the_name() {
    let three = |task: &mut SubTask| {
        task.specialists = vec![
            specialist("c", "security review", 0.9),
            specialist("b", "reviews security", 0.95),
            specialist("a", "security reviews", 0.95),
        ];
    };
    assert_eq!(assignment(three), Assignment::FanOut("a".to_owned()));
    assert_eq!(
        assignment(|task| {
            three(task);
            task.specialists.reverse();
        }),
        Assignment::FanOut("a".to_owned())
    );
    assert_eq!(
        assignment(|task| {
            three(task);
            task.specialists.push(specialist("z", "reviews the security of code", 0.1));
        }),
        Assignment::FanOut("z".to_owned())
    );
}

#[test]
fn long_chains_go_to_a_person() {
    let agents = |length: u32, each: f64| {
        assignment(|task| {
            task.independent = false;
            task.chain_length = length;
            task.chain_reliability = (1..length).fold(1.0, |product, _| product * each);
            task.own_reliability = each;
        })
    };
    assert_eq!(agents(5, 0.95), Assignment::Inline);
    assert_eq!(agents(6, 0.95), Assignment::HandOver);
    assert_eq!(agents(6, 1.0), Assignment::HandOver);
    assert_eq!(agents(2, 0.87), Assignment::Inline);
    assert_eq!(agents(2, 0.86), Assignment::HandOver);
    // One agent alone is no chain.
    assert_eq!(agents(1, 0.1), Assignment::Inline);

    let mut patient = with(|keys| keys.longest_chain = 100);
    let six = |task: &mut SubTask| {
        task.independent = false;
        (task.chain_length, task.chain_reliability, task.own_reliability) = (6, 0.774, 0.95);
    };
    let assigned = assign(&mut patient, six);
    assert_eq!(assigned.assignment, Assignment::HandOver);
    assert_eq!(assigned.reason, "a chain of 6 agents holds with 73 %, below 75 %");
}

#[test]
fn the_floor_counts_for_whoever_would_do_it() {
    // 0.8 × 0.95 passes, 0.8 × 0.9 does not.
    let chained = |task: &mut SubTask| (task.chain_length, task.chain_reliability) = (3, 0.8);
    assert_eq!(assignment(chained), reviewer());
    assert_eq!(
        assignment(|task| {
            chained(task);
            task.specialists.clear();
        }),
        Assignment::HandOver
    );
    // A specialist who would break the chain is passed over where the run itself would not.
    let swapped = assign(&mut with(|_| ()), |task| {
        chained(task);
        task.own_reliability = 0.95;
        task.specialists[1].reliability = 0.9;
    });
    assert_eq!(swapped.assignment, Assignment::Inline);
    assert!(swapped.reason.contains("could not be relied on"), "{}", swapped.reason);
}

#[test]
fn equal_words_whatever_their_case_number_and_punctuation() {
    let same = |one: &str, other: &str| {
        let (words, mut others) = (Words::of(one, &[]), 0);
        words::each(other, |word| {
            others += 1;
            assert!(words.find(word).is_some(), "{one} {other}");
        });
        assert_eq!(words.len(), others, "{one} {other}");
    };
    same("tests", "TEST");
    same("caches", "cache");
    same("searches", "search");
    same("queries", "query");
    same("cookies", "cookie");
    same("boxes", "box");
    same("classes", "class");
    same("sizes", "size");
    same("code-review", "review, code");
    same("read_file", "file read");
    same("code—review “code”", "Code-Review");
    same("naïve café", "café naïve");
    same("", "a an 12345 é £ it 1.0");
    for kept in ["status", "class", "analysis", "sha256", "gas", "ббб", "né2e"] {
        assert_eq!(Words::of(kept, &[]).len(), 1, "{kept}");
    }
    words::each("bus", |bus| assert_eq!(Words::of("bud", &[]).find(bus), None));
    assert_eq!(Words::of("what THE does with this", &words::stop_words()).len(), 0);
}

/// A small generator, so that a failure is the same every time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn text(&mut self, words: u64) -> String {
        const POOL: [&str; 12] =
            ["code", "Codes", "tests", "review", "web", "—", "the", "naïve", "s", "SQL", "queries", "\u{1F600}\u{0}"];
        (0..self.below(words + 1)).map(|_| POOL[self.below(12) as usize]).collect::<Vec<_>>().join(" ")
    }

    fn share(&mut self) -> f64 {
        [0.0, 0.5, 0.7, 0.75, 0.9, 0.95, 1.0, 7.0, -1.0, f64::NAN, f64::INFINITY][self.below(11) as usize]
    }

    fn task(&mut self) -> SubTask {
        SubTask {
            does: self.text(9),
            independent: self.below(4) > 0,
            parallel: self.below(4) as u32,
            chain_length: [0, 1, 2, 5, 6, u32::MAX][self.below(6) as usize],
            chain_reliability: self.share(),
            own_reliability: self.share(),
            specialists: (0..self.below(5))
                .map(|number| specialist(&format!("s{number}"), &self.text(9), self.share()))
                .collect(),
        }
    }
}

#[test]
fn laws() {
    let mut draw = Draw(7);
    let (mut usual, mut alone) = (with(|_| ()), with(|keys| keys.spawn = false));
    let mut strict = with(|keys| keys.reliability_floor = 0.9);
    for _ in 0..20_000 {
        let task = draw.task();
        let ask = |policy: &mut Dispatcher| policy.assign(task.clone(), &TestRun::default());
        let answer = ask(&mut usual);
        assert!(answer.reason.len() <= 1024);
        match &answer.assignment {
            Assignment::Specialist(name) | Assignment::FanOut(name) => {
                assert!(task.independent && task.specialists.iter().any(|offered| offered.name == *name));
                assert_eq!(matches!(answer.assignment, Assignment::FanOut(_)), task.parallel >= 2);
            }
            // A stricter floor hands over whatever a laxer one does.
            Assignment::HandOver => assert_eq!(ask(&mut strict).assignment, Assignment::HandOver),
            Assignment::Inline => {}
        }
        assert!(matches!(ask(&mut alone).assignment, Assignment::Inline | Assignment::HandOver));
        let mut turned = task.clone();
        turned.specialists.reverse();
        assert_eq!(usual.assign(turned, &TestRun::default()).assignment, answer.assignment);
    }
}

#[test]
fn long_texts_and_names() {
    let answer = assign(&mut with(|_| ()), |task| {
        task.does = "code ".repeat(820);
        task.specialists = vec![specialist(&"é".repeat(5000), &"code é".repeat(200), 0.9); 100];
    });
    assert!(matches!(answer.assignment, Assignment::FanOut(_)));
    assert!(answer.reason.len() <= 1024);
}
