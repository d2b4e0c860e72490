//! Replies as real models and servers send them: in a wrapping, out of form, uncounted, broken off.
use countersign_tests::chat::{ChatServer, Does, Request, completion, step_text};
use countersign_tests::root;
use serde_json::{Value, json};

use super::models::{ONE, Place};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// One look at it, which is all that the task needs.
fn look() -> String {
    step_text("look", json!({"tool": "look"}), 0.95)
}

/// A completion of these words whose server says this of usage.
fn counted(text: &str, usage: Value) -> Does {
    let mut body = completion(&[text]);
    body["usage"] = usage;
    Does::Answers(body)
}

/// Times that the small model was asked, and the large one.
fn asked(server: &ChatServer) -> (usize, usize) {
    let requests = server.requests();
    let small = requests.iter().filter(|request| request.model() == "small-1").count();
    (small, requests.len() - small)
}

#[test]
fn what_stands_around_a_reply_is_set_aside_and_shown() -> Tested {
    let thought = step_text("drop", json!({"tool": "drop"}), 0.95);
    let table = [
        ("```json\n$\n```".to_owned(), "a code fence"),
        ("<think>\nIt has to be looked at first.\n</think>\n\n$".to_owned(), "thoughts"),
        (format!("<think>{thought}</think>\n$"), "thoughts"),
        (format!("Perhaps {thought}\n</think>\n```\n$\n```"), "thoughts, a code fence"),
        ("Sure! Here is the next step:\n\n$".to_owned(), "words around it"),
        ("\u{feff}$".to_owned(), "a byte order mark"),
        ("[$]".to_owned(), "a list around it"),
        ("{\"mood\": \"fine\", \"thought\": \"hm\", @".to_owned(), "unknown keys mood, thought"),
    ];
    let tool = "[tools.drop]\ncategory = \"sandbox\"\nreversibility = \"reversible\"\nblast-radius = 1\n\
                command = [\"sh\", \"-c\", \"echo dropped\"]\n";
    for (wrapping, told) in table {
        let text = wrapping.replace('$', &look()).replace('@', &look()[1..]);
        let server = ChatServer::start(move |_| Does::Says(text.clone()))?;
        let place = Place::new(&server, &format!("{ONE}\n{tool}"), "")?;
        let run = place.run().expect(0, "ended SUCCESS").expect(0, told);
        assert_eq!(asked(&server), (1, 0), "{wrapping}: {}", run.out());
        assert!(!run.out().contains("runs drop"), "{wrapping}: {}", run.out());
        assert!(place.trace()?.contains("\"unwrapped\":["), "{wrapping}");
        place.kept().trace("show", &place.id()?).expect(0, &format!("set aside   {told}"));
    }
    Ok(())
}

#[test]
fn a_model_is_told_what_is_wrong_with_its_reply() -> Tested {
    let percent = look().replace("0.95", "95");
    let cut = || {
        let mut body = completion(&[&look()[..40]]);
        body["choices"][0]["finish_reason"] = json!("length");
        Does::Answers(body)
    };
    let own_means = || {
        let mut body = completion(&[""]);
        let call = json!({"type": "function", "function": {"name": "look", "arguments": "{}"}});
        body["choices"][0]["message"]["tool_calls"] = json!([call]);
        Does::Answers(body)
    };
    let table = [
        ("percent", Does::Says(percent.clone()), "found 95"),
        ("only words", Does::Says("I would look at it.".to_owned()), "expected one JSON object"),
        ("two objects", Does::Says(format!("{} or {}", look(), look())), "expected one JSON object, found 2"),
        ("half an object", Does::Says(look()[..60].to_owned()), "expected one JSON object"),
        ("single quotes", Does::Says(look().replace('"', "'")), "expected one JSON object"),
        ("only thoughts", Does::Says(format!("<think>{}</think>", look())), "after the thoughts"),
        ("another status", Does::Says(look().replace("\"ok\"", "\"fine\"")), "expected ok, confused or blocked"),
        ("cut off", cut(), "cut off"),
        ("by the interface's own means", own_means(), "expected the call as text"),
    ];
    for (name, does, told) in table {
        let bad = does.clone();
        let server = ChatServer::start(move |request| match request.number {
            0 => bad.clone(),
            _ => Does::Says(look()),
        })?;
        let place = Place::new(&server, ONE, "")?;
        place.run().expect(0, "ended SUCCESS").expect(0, "asked again");
        assert_eq!(asked(&server), (2, 0), "{name}");
        let requests = server.requests();
        assert!(!requests[0].told().contains("could not be used"), "{name}");
        assert!(requests[1].told().contains("could not be used"), "{name}: {}", requests[1].told());
        assert!(requests[1].told().contains(told), "{name}: {}", requests[1].told());
        assert!(place.trace()?.contains("answer-sent-back"), "{name}");
    }
    Ok(())
}

/// Out of form at any step: what was done before is not lost, and nobody stronger is asked.
#[test]
fn a_late_slip_of_form_loses_nothing() -> Tested {
    let page =
        |number: usize| step_text(&format!("page {number}"), json!({"tool": "page", "arguments": {"n": number}}), 0.9);
    for bad in ["Let me look at the next page.", "{\"step\": \"page\"", "```json\n{}\n{}\n```"] {
        let server = ChatServer::start(move |request| match request.number {
            4 | 5 => Does::Says(bad.to_owned()),
            number if number < 7 => Does::Says(page(number)),
            _ => Does::Says(look()),
        })?;
        let place = Place::new(&server, &format!("{ONE}\n{PAGE}"), "")?;
        place.run().expect(0, "ended SUCCESS");
        assert_eq!(asked(&server), (8, 0), "{bad}");
    }
    Ok(())
}

/// A model that never keeps to the form is helped before it is given up, and its advice may be wrapped too.
#[test]
fn form_costs_an_escalation_only_when_telling_does_not_help() -> Tested {
    let server = ChatServer::start(|request| {
        if request.model() == "large-1" {
            // Its first advice says nothing.
            return Does::Says(match request.told().contains("your last advice could not be used") {
                false => "<think>What may it be?</think>".to_owned(),
                true => "<think>It forgets the form.</think>\nAnswer with the object alone.".to_owned(),
            });
        }
        Does::Says(if request.told().contains("Answer with the object alone.") { look() } else { "Hm.".to_owned() })
    })?;
    let place = Place::new(&server, ONE, "")?;
    place.run().expect(0, "ended SUCCESS").expect(0, "cheap → strong");
    assert_eq!(asked(&server), (4, 2));
    let advice: Value = serde_json::from_str(server.requests()[4].told())?;
    assert_eq!(advice.as_object().map(|fields| fields.len()), Some(6), "{advice}");
    assert!(!place.trace()?.contains("What may it be"));
    // Nobody stronger, and it never learns: the run says so in the end.
    let server = ChatServer::start(|_| Does::Says("Hm.".to_owned()))?;
    let place = Place::new(&server, ONE, "")?;
    let config = std::fs::read_to_string(place.path("countersign.toml"))?;
    std::fs::write(place.path("countersign.toml"), config.split("[models.strong]").next().unwrap_or_default())?;
    place.run().expect(13, "ended VALIDATION_FAIL");
    assert_eq!(asked(&server), (3, 0));
    Ok(())
}

/// Reads a page by its number.
const PAGE: &str = r#"
[tools.page]
category = "read-only-lookup"
reversibility = "reversible"
blast-radius = 0
command = ["echo", "page {n}"]
arguments = { type = "object", required = ["n"], properties = { n = { type = "integer" } } }
"#;

/// A run that reads page after page until something stops it.
fn reads_on(
    budget: &str,
    more: &str,
    does: impl Fn(&Request, String) -> Does + Send + 'static,
) -> Result<(ChatServer, Place), Box<dyn std::error::Error>> {
    let server = ChatServer::start(move |request| {
        let text = step_text(
            &format!("page {}", request.number),
            json!({"tool": "page", "arguments": {"n": request.number}}),
            0.9,
        );
        does(request, text)
    })?;
    let task = format!("{ONE}\n{PAGE}\n[budget]\nsteps = 40\n{budget}\n[rules.retry]\nbase = 1\nmost = 20\n");
    let place = Place::new(&server, &task, more)?;
    Ok((server, place))
}

#[test]
fn what_a_server_does_not_count_is_estimated_and_counts() -> Tested {
    let nothing = [
        json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        json!({"prompt_tokens": 0, "completion_tokens": 30}),
        json!({"prompt_tokens": null, "completion_tokens": null}),
        json!({"prompt_tokens": "900"}),
        json!({}),
        Value::Null,
    ];
    for usage in nothing {
        let said = usage.clone();
        let (server, place) = reads_on("input-tokens = 4000", "", move |_, text| counted(&text, said.clone()))?;
        place.run().expect(11, "BUDGET_EXHAUSTED").expect(11, "nobody has counted them");
        assert!((3..10).contains(&server.requests().len()), "{usage}: {}", server.requests().len());
        assert!(place.trace()?.contains("\"estimated\":true"), "{usage}");
    }
    // What is counted is taken as it is.
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 30});
    let (server, place) = reads_on("output-tokens = 600", "", move |_, text| counted(&text, usage.clone()))?;
    place.run().expect(11, "BUDGET_EXHAUSTED");
    assert!(server.requests().len() > 3 && !place.trace()?.contains("\"estimated\""));
    Ok(())
}

/// The output tokens that each reply of a trace has used.
fn paid(trace: &str) -> Vec<u64> {
    let frames = trace.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let usage = |frame: Value| frame["input"]["replied"]["usage"]["output-tokens"].as_u64();
    frames.filter_map(usage).collect()
}

#[test]
fn an_answer_that_is_lost_stays_paid_for() -> Tested {
    type Lost = fn() -> Does;
    let table: [(&str, Lost); 4] = [
        ("broken off", || Does::Truncated),
        ("hung up", || Does::HangsUp),
        ("half a body", || Does::Malformed),
        ("no answer in time", || Does::Silent),
    ];
    for (name, lost) in table {
        // Every second answer is lost; 400 tokens are set aside for each.
        let usage = json!({"prompt_tokens": 100, "completion_tokens": 30});
        let (server, place) = reads_on("output-tokens = 2000", "time-out = 1000", move |request, text| {
            if request.number % 2 == 0 { lost() } else { counted(&text, usage.clone()) }
        })?;
        place.run().expect(11, "BUDGET_EXHAUSTED");
        // All that the provider may bill fits into the budget, however many answers a slow machine has lost beside these.
        let used = paid(&place.trace()?);
        assert!(used.iter().all(|tokens| [30, 400].contains(tokens)), "{name}: {used:?}");
        assert!((1601..=2000).contains(&used.iter().sum::<u64>()), "{name}: {used:?}");
        let lost = used.iter().filter(|tokens| **tokens == 400).count();
        assert!(lost >= server.requests().len() / 2 && lost > 2, "{name}: {used:?}");
    }
    // Whoever refuses has made nothing.
    let (server, place) = reads_on("output-tokens = 2000", "", |request, text| match request.number % 2 {
        0 => Does::Refuses(503, vec![], json!({})),
        _ => counted(&text, json!({"prompt_tokens": 100, "completion_tokens": 30})),
    })?;
    place.run();
    assert!(server.requests().len() > 20, "{}", server.requests().len());
    Ok(())
}

/// The task of the documentation with its local model, which fences its answers and counts nothing. Nothing but the
/// model's name and address is said of it.
#[test]
fn a_local_model_that_fences_and_counts_nothing_does_the_documented_task() -> Tested {
    let server = ChatServer::start(|request| {
        let told = request.told();
        let arguments = json!({"path": "greeting.txt", "text": "hello, world"});
        let step = match told.contains("write-file {") {
            true => step_text("check", json!({"tool": "run-check"}), 0.9),
            false => step_text("write", json!({"tool": "write-file", "arguments": arguments}), 0.9),
        };
        let usage = json!({"prompt_tokens": 0, "completion_tokens": 0});
        counted(&format!("<think>\nThe file first.\n</think>\n\n```json\n{step}\n```\n"), usage)
    })?;
    let block = |text: &str, of: &str| {
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        blocks.map(str::to_owned).find(|block| block.contains(of)).unwrap_or_default()
    };
    let readme = block(&std::fs::read_to_string(root().join("README.md"))?, "[models.cheap]");
    let local = readme.split("[models.strong]").next().unwrap_or_default();
    let config = local.replace("http://127.0.0.1:11434/v1", &server.endpoint());
    assert!(config.contains(&server.endpoint()) && !config.contains("self-hosted"), "{config}");
    let task = block(&std::fs::read_to_string(root().join("host/cli/README.md"))?, "[tools.run-check]");
    let place = Place::new(&server, &task, "")?;
    std::fs::write(place.path("countersign.toml"), config)?;
    place.run().expect(0, "ended SUCCESS");
    assert_eq!(server.requests().len(), 2);
    let trace = place.trace()?;
    assert!(trace.contains("\"self-hosted\":true") && trace.contains("\"estimated\":true"), "{trace}");
    Ok(())
}
