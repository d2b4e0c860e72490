//! What holds for every error.

use proptest::prelude::*;

use super::*;

fn some_class() -> impl Strategy<Value = FailureClass> {
    prop_oneof![
        Just(FailureClass::Rejected),
        Just(FailureClass::Failed),
        Just(FailureClass::TimedOut),
        Just(FailureClass::Infrastructure),
    ]
}

/// Words among which phrases of the default rules are likely.
fn some_error() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,300}",
        "((invalid|missing|token|grant|scope|has|expired|rate|limit|timed|out|unknown|tool)[ _.\\n]){0,120}",
    ]
}

fn some_call() -> impl Strategy<Value = FailedCall> {
    let category = prop::option::of(prop_oneof![
        Just(ToolCategory::Sandbox),
        Just(ToolCategory::FileSystem),
        Just(ToolCategory::LiveApi),
        Just(ToolCategory::Communication),
    ]);
    (".{0,160}", category, some_class(), some_error(), any::<(u32, u32)>(), any::<bool>()).prop_map(
        |(tool, category, class, error, (same_call, same_tool), worked_before)| FailedCall {
            tool,
            category,
            class,
            error,
            same_call,
            same_tool,
            worked_before,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_answer_keeps_the_contract(call in some_call()) {
        let remedy = classify(&call);
        prop_assert!(!remedy.reason.is_empty() && remedy.reason.len() <= 1024);
        if let Remediability::Irremediable(authority) = &remedy.remediability {
            prop_assert!((1..=64).contains(&authority.who.len()) && (1..=256).contains(&authority.what.len()));
        }
    }

    #[test]
    fn case_does_not_matter(call in some_call()) {
        let shouted = FailedCall { error: call.error.to_ascii_uppercase(), ..call.clone() };
        let escapes = call.error.contains('\\');
        prop_assert!(escapes || classify(&call) == classify(&shouted));
    }

    #[test]
    fn no_phrase_no_gap(mut call in some_call(), numbers in prop::collection::vec(1000_u32.., 0..400)) {
        call.error = numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        let remedy = classify(&call);
        prop_assert!(!matches!(remedy.remediability, Remediability::Irremediable(_)), "{remedy:?}");
    }

    #[test]
    fn failing_once_more_never_makes_it_retryable(call in some_call()) {
        prop_assume!(call.same_call < u32::MAX);
        let again = FailedCall { same_call: call.same_call + 1, ..call.clone() };
        prop_assert!(short(&classify(&again)) != "retry" || short(&classify(&call)) == "retry");
    }
}

/// The most words, and phrases that make the automaton fall back at every one of them. Natively this
/// says only that it ends and is right.
#[test]
fn the_worst_text_at_its_limit() {
    let phrases: Vec<String> = (0..8).map(|last| format!("{}b{last}", "a ".repeat(11))).collect();
    let phrases: Vec<&str> = phrases.iter().map(String::as_str).collect();
    let configuration =
        Configuration { extra_rules: vec![rule(Class::Retryable, &phrases)], ..Configuration::default() };
    let remedy = classify_with(configuration, &call(&"a ".repeat(4096)));
    assert_eq!(short(&remedy), "self");
}
