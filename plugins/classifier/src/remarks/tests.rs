use countersign_sdk::classifier::Tier;

use crate::condition::{Compare, Condition, Quantity};
use crate::features::Features;
use crate::implication::Comparison;
use crate::{Rule, config};

/// Condition, tier, priority and class; the class stands for itself.
fn remarks(rules: &[(&str, Tier, i32, &str)]) -> Vec<String> {
    let rules: Vec<Rule> = rules
        .iter()
        .enumerate()
        .map(|(at, (text, tier, priority, class))| Rule {
            condition: match Condition::parse(text) {
                Ok(condition) => condition,
                Err(error) => panic!("{text}: {error}"),
            },
            tier: *tier,
            priority: *priority,
            class: if class.is_empty() { crate::unnamed_class(at) } else { (*class).to_owned() },
            text: (*text).to_owned(),
        })
        .collect();
    super::of(&rules)
}

/// Whether a rule of the first condition is never reached behind one of the second.
fn taken(narrow: &str, wide: &str) -> bool {
    let lines = remarks(&[(wide, Tier::Mid, 1, ""), (narrow, Tier::Mid, 0, "")]);
    assert!(lines.len() <= 1, "{lines:?}");
    lines.iter().any(|line| line == "rule 2 is never reached: rule 1 takes every task that fits it")
}

fn never(text: &str) -> bool {
    remarks(&[(text, Tier::Mid, 0, "")]) == ["rule 1 is never reached: no task fits it"]
}

#[test]
fn none_for_the_default_configuration() {
    let configuration = config::Rules::default();
    let rules: Vec<_> = configuration
        .rules
        .iter()
        .map(|rule| (rule.condition.as_str(), rule.tier.into(), rule.priority, rule.class.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(remarks(&rules), Vec::<String>::new());
}

#[test]
fn the_same_condition_decides_once() {
    let long = "prompt.length > 100";
    let one = |rules: &[(&str, Tier, i32, &str)], line: &str| assert_eq!(remarks(rules), [line]);
    let first_takes = "rule 2 is never reached: rule 1 takes every task that fits it";
    let second_takes = "rule 1 is never reached: rule 2 takes every task that fits it";
    one(&[(long, Tier::Mid, 0, "a"), (long, Tier::Mid, 0, "b")], first_takes);
    one(&[(long, Tier::Mid, 0, "a"), (long, Tier::Strong, 0, "b")], second_takes);
    one(&[(long, Tier::Mid, 1, "a"), (long, Tier::Strong, 0, "b")], first_takes);
}

#[test]
fn a_wider_condition_takes_a_narrower_one() {
    let code = "prompt.contains_code_block";
    let keyword = r#"prompt.has_keyword(["prove"])"#;
    for (narrow, wide) in [
        ("prompt.contains_code_block and prompt.length < 50", code),
        ("prompt.length < 50 and (prompt.tools_named == 0 and prompt.contains_code_block)", code),
        ("prompt.length < 50", "prompt.length < 51"),
        ("prompt.length < 50", "prompt.length <= 49"),
        ("prompt.length == 7", "prompt.length != 8"),
        ("prompt.length != 8", "prompt.length != 8"),
        ("prompt.length > 10 and prompt.length < 20", "prompt.length >= 5 and prompt.length <= 20"),
        (code, "prompt.length >= 0"),
        ("prompt.language in [rust]", "prompt.language in [ts, rust]"),
        ("prompt.language in [rust]", code),
        (keyword, r#"prompt.has_keyword(["design", "PROVE"])"#),
        (keyword, r#"prompt.has_keyword(["prove"]) or prompt.length > 5"#),
        ("prompt.length < 5 or prompt.length > 90", "prompt.length < 9 or prompt.length > 80"),
        ("not prompt.length < 50", "not prompt.length < 40"),
        ("not prompt.contains_code_block", "not prompt.language in [rust]"),
    ] {
        assert!(taken(narrow, wide), "{narrow} / {wide}");
        assert!(!taken(wide, narrow) || narrow == wide || wide.ends_with("49"), "{wide} / {narrow}");
    }
    for (one, other) in [
        ("prompt.length < 50", "prompt.tools_named < 50"),
        ("prompt.length < 50", "prompt.length > 10"),
        ("prompt.length != 8", "prompt.length != 9"),
        ("prompt.language in [rust, py]", "prompt.language in [ts, rust]"),
        ("prompt.length < 50", code),
        (keyword, code),
    ] {
        assert!(!taken(one, other) && !taken(other, one), "{one} / {other}");
    }
}

#[test]
fn what_no_task_fits() {
    for text in [
        "prompt.length < 0",
        "prompt.length < 10 and prompt.length > 20",
        "prompt.length < 10 and (prompt.tools_named == 0 and prompt.length == 10)",
        "prompt.contains_code_block and not prompt.contains_code_block",
        "prompt.language in [rust] and not prompt.contains_code_block",
        "not prompt.length >= 0",
        "prompt.length < 0 or prompt.tools_named < 0",
        // A code block's language is known by its short name in lower case.
        "prompt.language in [Rust, python]",
        r#"prompt.language in ["c++"]"#,
        r#"prompt.has_keyword(["++"])"#,
    ] {
        assert!(never(text), "{text}");
    }
    for text in [
        "prompt.length < 1",
        "prompt.length < 10 or prompt.length > 20",
        "prompt.length >= 10 and prompt.length <= 10",
        "prompt.length < 10 and prompt.tools_named > 20",
        "prompt.language in [Rust, py]",
        r#"prompt.has_keyword(["++", "c"])"#,
        "prompt.contains_code_block and not prompt.language in [rust]",
    ] {
        assert!(!never(text), "{text}");
    }
}

#[test]
fn where_the_order_alone_decides() {
    let short = ("prompt.length < 50", Tier::Mid, 0, "short");
    let numbers = ("prompt.length > 20", Tier::Mid, 0, "long");
    assert_eq!(
        remarks(&[short, numbers]),
        ["rules 1 and 2 fit the same tasks with equal priority and tier: the order alone makes the class `short` and \
          not `long`"]
    );
    let narrow_first = [("prompt.length < 20", Tier::Mid, 0, "tiny"), short];
    assert_eq!(remarks(&narrow_first).len(), 1);
    // The tier or the priority decides; or the class is the same, or none that anybody named.
    assert!(remarks(&[short, ("prompt.length > 20", Tier::Strong, 0, "long")]).is_empty());
    assert!(remarks(&[short, ("prompt.length > 20", Tier::Mid, 1, "long")]).is_empty());
    assert!(remarks(&[short, ("prompt.length > 20", Tier::Mid, 0, "short")]).is_empty());
    assert!(remarks(&[short, ("prompt.length > 20", Tier::Mid, 0, "")]).is_empty());
    // Apart, or not known to meet.
    assert!(remarks(&[short, ("prompt.length > 49", Tier::Mid, 0, "long")]).is_empty());
    assert!(remarks(&[short, ("prompt.tools_named > 1", Tier::Mid, 0, "tools")]).is_empty());
}

#[test]
fn the_most_that_a_schema_lets_in_is_cut_short() {
    let many = vec!["prompt.length < 9"; 200].join(" and ");
    let rules: Vec<_> =
        (0..256).map(|number| (many.as_str(), Tier::Mid, if number % 2 == 0 { 0 } else { 1 }, "")).collect();
    let lines = remarks(&rules);
    assert!(lines.last().is_some_and(|line| line.contains("too many")), "{:?}", lines.last());
    assert!(lines.iter().all(|line| line.len() < 200));
}

/// A small generator, so that a failure is the same every time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn condition(&mut self, depth: usize) -> Condition {
        let parts = |draw: &mut Draw| (0..=draw.below(2)).map(|_| draw.condition(depth - 1)).collect();
        match self.below(if depth == 0 { 4 } else { 7 }) {
            0 | 1 => {
                let quantity = [Quantity::Length, Quantity::ToolsNamed][self.below(2)];
                let compare = [
                    Compare::Less,
                    Compare::LessOrEqual,
                    Compare::Equal,
                    Compare::NotEqual,
                    Compare::GreaterOrEqual,
                    Compare::Greater,
                ][self.below(6)];
                Condition::Number(quantity, compare, [0, 1, 2, 9, 20][self.below(5)])
            }
            2 if self.below(3) == 0 => Condition::ContainsCodeBlock,
            2 => Condition::LanguageIn(self.words(&["rust", "py", "Rust", ""])),
            3 => Condition::HasKeyword(self.words(&["prove", "PROVE", "it", "++"])),
            4 => Condition::Or(parts(self)),
            5 => Condition::And(parts(self)),
            _ => Condition::Not(Box::new(self.condition(depth - 1))),
        }
    }

    fn words(&mut self, pool: &[&str]) -> Vec<String> {
        (0..=self.below(2)).map(|_| pool[self.below(pool.len())].to_owned()).collect()
    }
}

#[test]
fn what_is_said_is_true_of_every_task() {
    let tools = ["grep".to_owned(), "sed".to_owned()];
    let mut tasks = Vec::new();
    for start in ["", "x", "grep", "prove it", "it grep sed", "Prove that, with sed and grep, now"] {
        for block in ["", "```\n```", "```rust\n```", "```py\n```\n```rs\n```"] {
            tasks.push(Features::of(&format!("{start}\n{block}"), "", &tools));
            tasks.push(Features::of(&format!("{start}{block}"), "", &tools));
        }
    }
    let mut draw = Draw(3);
    let (mut implied, mut met, mut impossible) = (0, 0, 0);
    for _ in 0..30_000 {
        let (one, other) = (draw.condition(2), draw.condition(2));
        let mut comparison = Comparison::default();
        if comparison.implies(&one, &other) {
            implied += 1;
            assert!(tasks.iter().all(|task| !one.holds(task) || other.holds(task)), "{one:?} / {other:?}");
        }
        if comparison.never(&one) {
            impossible += 1;
            assert!(!tasks.iter().any(|task| one.holds(task)), "{one:?}");
        }
        met += usize::from(comparison.overlap(&one, &other));
        assert!(comparison.implies(&one, &one), "{one:?}");
    }
    // The test tests something.
    assert!(implied > 500 && met > implied && impossible > 500, "{implied} {met} {impossible}");
}
