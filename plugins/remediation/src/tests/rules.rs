//! One rule after the other.

use super::*;

#[test]
fn the_incidents_of_the_document() {
    for (error, who) in [
        ("The OAuth token has expired. This requires re-authorization through a browser-based flow.", "user"),
        ("Requires browser re-authorization. Agent cannot perform.", "user"),
        ("channels:read scope missing. Requires admin reconfiguration.", "administrator"),
        ("Token expired for this service.", "user"),
        ("Tool not found — exa.web_search_exa is not registered.", "administrator"),
    ] {
        assert_eq!(short(&classify(&call(error))), who, "{error}");
    }
    let remedy = classify(&FailedCall { worked_before: true, ..call("{\"error\":\"invalid_grant\"}") });
    let reason =
        "the error says `invalid_grant`, and it has worked before: user must authorise the account again in a browser";
    assert_eq!(remedy.reason, reason);
}

#[test]
fn a_phrase_is_whole_words_in_any_case_whatever_parts_them() {
    for error in [
        "INVALID_GRANT",
        "invalid grant",
        "oauth:invalid-grant!",
        "{\\\"error\\\":\\n\\\"invalid_grant\\\"}",
        "‘invalid_grant’",
        "«invalid grant»",
        "错误：invalid_grant。",
        "error\\ninvalid_grant\\n",
    ] {
        assert_eq!(short(&classify(&call(error))), "user", "{error}");
    }
    for error in ["invalid_grants", "xinvalid_grant", "invalid the grant", "invalidgrant", "grant invalid", ""] {
        assert_eq!(short(&classify(&call(error))), "self", "{error}");
    }
}

#[test]
fn the_first_rule_of_the_list_wins_wherever_it_stands() {
    let with = |rules| Configuration { rules, ..Configuration::default() };
    let text = call("the gate is shut, try again later");
    let gate = || rule(Class::Irremediable, &["gate is shut"]);
    let later = || rule(Class::Retryable, &["later"]);
    assert_eq!(short(&classify_with(with(vec![gate(), later()]), &text)), "operator");
    assert_eq!(short(&classify_with(with(vec![later(), gate()]), &text)), "retry");
    assert_eq!(short(&classify_with(with(vec![rule(Class::SelfRemediable, &["shut"]), gate()]), &text)), "self");
    assert_eq!(short(&classify_with(with(Vec::new()), &text)), "self");
    let extra = |extra| Configuration { extra_rules: vec![extra], ..Configuration::default() };
    assert_eq!(short(&classify(&text)), "retry");
    assert_eq!(short(&classify_with(extra(gate()), &text)), "operator");
    let excepted = extra(rule(Class::SelfRemediable, &["session token expired"]));
    assert_eq!(short(&classify_with(excepted, &call("Session token expired: log in"))), "self");
}

#[test]
fn the_class_of_the_failure_counts_first() {
    let of = |class, error: &str| {
        let remedy = classify(&FailedCall { class, ..call(error) });
        short(&remedy).to_owned()
    };
    for class in [FailureClass::Infrastructure, FailureClass::TimedOut] {
        assert_eq!(of(class, "no route"), "retry");
        assert_eq!(of(class, "503: csrf token expired"), "retry");
        assert_eq!(of(class, "429: insufficient_quota"), "user");
    }
    for class in [FailureClass::Rejected, FailureClass::Failed] {
        assert_eq!(of(class, "no such argument"), "self");
        assert_eq!(of(class, "rate limit reached"), "retry");
        assert_eq!(of(class, "missing_scope"), "administrator");
    }
}

#[test]
fn a_retry_that_does_not_help_is_none() {
    let at = |same_call| classify(&FailedCall { same_call, ..call("Too Many Requests") });
    assert_eq!(short(&at(2)), "retry");
    assert_eq!(short(&at(3)), "self");
    assert!(at(3).reason.ends_with("but the same call failed 3 times in a row"), "{}", at(3).reason);
    let patient = Configuration { retry_same_call_at_most: 10, ..Configuration::default() };
    assert_eq!(short(&classify_with(patient, &FailedCall { same_call: 9, ..call("timed out") })), "retry");
}

#[test]
fn a_tool_that_only_fails_may_be_given_up() {
    let strict = || Configuration { irremediable_after_same_tool: 4, ..Configuration::default() };
    let at = |same_tool| FailedCall { same_tool, same_call: 9, ..call("503 service unavailable") };
    assert_eq!(short(&classify(&at(1_000_000))), "self");
    assert_eq!(short(&classify_with(strict(), &at(3))), "self");
    let given_up = classify_with(strict(), &at(4));
    assert_eq!((short(&given_up), given_up.reason.as_str()), ("user", "`mail` failed 4 times in a row"));
}

#[test]
fn a_tool_that_has_answered_is_registered() {
    let error = "unknown tool: exa.web_search_exa";
    assert_eq!(short(&classify(&call(error))), "administrator");
    assert_eq!(short(&classify(&FailedCall { worked_before: true, ..call(error) })), "self");
    // A later rule with the same phrase then has its turn.
    let mut once = rule(Class::Irremediable, &["gate"]);
    once.unless_worked_before = true;
    let configuration =
        || Configuration { rules: vec![once.clone(), rule(Class::Retryable, &["gate"])], ..Configuration::default() };
    assert_eq!(short(&classify_with(configuration(), &call("gate"))), "operator");
    let again = FailedCall { worked_before: true, ..call("gate") };
    assert_eq!(short(&classify_with(configuration(), &again)), "retry");
    // What the host says of a name that a model made up is the model's to mend.
    assert_eq!(short(&classify(&FailedCall { category: None, ..call("no tool `read_fil` is registered") })), "self");
}

#[test]
fn of_what_a_program_printed_only_the_ends_count() {
    let log = "all is well\n".repeat(600);
    let quoted = format!("{log}invalid_grant\n{log}");
    assert_eq!(short(&classify(&shell(&quoted))), "self");
    assert_eq!(short(&classify(&call(&quoted))), "user");
    assert_eq!(short(&classify(&FailedCall { category: Some(ToolCategory::FileSystem), ..shell(&quoted) })), "self");
    assert_eq!(short(&classify(&shell(&format!("invalid_grant\n{log}")))), "user");
    assert_eq!(short(&classify(&shell(&format!("{log}invalid_grant\n")))), "user");
    assert_eq!(short(&classify(&shell("invalid_grant"))), "user");
    // The earlier rule of both ends.
    assert_eq!(short(&classify(&shell(&format!("timed out\n{log}invalid_grant\n")))), "user");
    let mut everywhere = Configuration::default();
    everywhere.program_output.categories.clear();
    assert_eq!(short(&classify_with(everywhere, &shell(&quoted))), "user");
    // 13 bytes of phrase: the last of them at the border, and one beyond it.
    let filler = "x".repeat(2000);
    let head = |before: usize| format!("{} invalid_grant {filler}", &filler[..before]);
    assert_eq!(short(&classify(&shell(&head(498)))), "user");
    assert_eq!(short(&classify(&shell(&head(499)))), "self");
    let tail = |after: usize| format!("{filler} invalid_grant {}", &filler[..after]);
    assert_eq!(short(&classify(&shell(&tail(498)))), "user");
    assert_eq!(short(&classify(&shell(&tail(499)))), "self");
}

#[test]
fn what_a_schema_cannot_say_is_refused() {
    let refused = |rule: Rule| {
        let configuration = Configuration { extra_rules: vec![rule], ..Configuration::default() };
        ErrorRules::configure(configuration).err().map(|error| error.key)
    };
    assert_eq!(refused(rule(Class::Retryable, &["ok", "..."])).as_deref(), Some("/extra_rules/0/any/1"));
    let long = "a ".repeat(13);
    assert_eq!(refused(rule(Class::Retryable, &[long.as_str()])).as_deref(), Some("/extra_rules/0/any/0"));
    assert_eq!(refused(rule(Class::Retryable, &[&long[..24]])), None);
    assert_eq!(refused(Rule { who: None, ..rule(Class::Irremediable, &["x"]) }).as_deref(), Some("/extra_rules/0"));
    assert_eq!(
        refused(Rule { class: Class::Retryable, ..rule(Class::Irremediable, &["x"]) }).as_deref(),
        Some("/extra_rules/0")
    );
    let two_bytes = "é".repeat(33);
    assert_eq!(
        refused(Rule { who: Some(two_bytes), ..rule(Class::Irremediable, &["x"]) }).as_deref(),
        Some("/extra_rules/0/who")
    );
    let many: Vec<String> = (0..257).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(refused(rule(Class::Retryable, &many)).as_deref(), Some(""));
}

#[test]
fn a_phrase_that_is_never_reached_is_named() {
    let lines = |extra: Vec<Rule>, rules: Option<Vec<Rule>>| {
        let mut configuration = Configuration { extra_rules: extra, ..Configuration::default() };
        configuration.rules = rules.unwrap_or(configuration.rules);
        let extra = configuration.extra_rules.len() as u32;
        crate::rules::Rules::new(&configuration).map(|rules| rules.never_reached(extra)).unwrap_or_default()
    };
    assert_eq!(lines(Vec::new(), None), Vec::<String>::new());
    let gate = || rule(Class::Irremediable, &["gate is shut", "key"]);
    let later = rule(Class::Retryable, &["the Gate is shut, wait", "later", "gate"]);
    let expected = "`the Gate is shut, wait` of rules/1 is never reached: rules/0 takes `gate is shut`";
    assert_eq!(lines(Vec::new(), Some(vec![gate(), later.clone()])), [expected]);
    assert_eq!(lines(vec![gate()], Some(vec![later])), Vec::<String>::new());
    let mut once = gate();
    once.unless_worked_before = true;
    assert_eq!(lines(Vec::new(), Some(vec![once, gate()])), Vec::<String>::new());
    assert_eq!(lines(vec![gate(), gate()], None).len(), 2);
}
