//! What is found, and what is not, form by form.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use countersign_patterns::{Kind, Scanner};

/// Kind and text of the hits that count by default.
fn found(text: &str) -> Vec<(Kind, &str)> {
    let hits = Scanner::builder().build().scan(text, |_, _, _| {});
    hits.iter().filter(|hit| hit.score >= 0.5).map(|hit| (hit.kind, &text[hit.start..hit.end])).collect()
}

/// The text without its first brackets, and what stood between them as the only hit of that kind.
fn finds(kind: Kind, marked: &str) {
    let (before, rest) = marked.split_once('⟦').unwrap();
    let (hit, after) = rest.split_once('⟧').unwrap();
    let text = format!("{before}{hit}{after}");
    let hits: Vec<_> = found(&text).into_iter().filter(|(found, _)| *found == kind).map(|(_, text)| text).collect();
    assert_eq!(hits, [hit], "{kind:?} in {text:?}: {:?}", found(&text));
}

fn finds_none(text: &str) {
    assert_eq!(found(text), [], "{text:?}");
}

#[test]
fn mail_addresses() {
    for text in [
        "write to ⟦ada.lovelace+work@mail.example.org⟧.",
        "<⟦ada@example.org⟧>",
        r#"{"to":"⟦ada@example.org⟧"}"#,
        r#"{"text":"Hello\n⟦ada@example.org⟧\nBye"}"#,
        "⟦a@b.co⟧",
        "an address:⟦x_y%z@sub.example.com⟧,",
        "ü ⟦abc@example.org⟧",
    ] {
        finds(Kind::EmailAddress, text);
    }
    for text in [
        "@example.org",
        "a@b",
        "a@b.c",
        "user@host",
        "git@github.com:o/r.git",
        "logo@2x.png",
        "pkg@1.2.3",
        "a@.com",
        "a@b..com",
    ] {
        finds_none(text);
    }
}

#[test]
fn telephone_numbers() {
    for text in [
        "⟦+41 44 668 18 00⟧",
        "⟦+41 (0)44 668 18 00⟧",
        "⟦+14155550123⟧",
        "(see ⟦+1-415-555-0123x77⟧)",
        "⟦(415) 555-0123⟧",
        "⟦(415)555-0123⟧",
        "⟦415-555-0123⟧",
        "⟦415.555.0123⟧",
        "⟦1-415-555-0123⟧",
        "⟦001-253-366-9781⟧",
        "⟦0688 872 49 99⟧",
        "⟦(03) 5327 5996⟧",
        "⟦03.93.92.16.85⟧",
        "phone: ⟦785 8949⟧",
        "Fax ⟦9498777106⟧",
        "call me on ⟦60-56-85-91⟧",
    ] {
        finds(Kind::PhoneNumber, text);
    }
    for text in [
        "785 8949",
        "2024-05-01 12:34:56",
        "115-555-0123",
        "x415-555-0123",
        "415-555-01234",
        "415-555-0123-9",
        "+1 2 3",
        "f(12) 345",
        "0.5 0.25 0.125",
        "1 000 000 000",
        "phone 2024-05-01",
        "phone 12",
        "1.2.3",
        "v1.22.333.4444",
        "00 01 02 03 04",
        "10 20 30 40 50",
        "order-415-555-0123",
        "/415-555-0123",
    ] {
        finds_none(text);
    }
}

#[test]
fn payment_cards() {
    for text in [
        "⟦4111111111111111⟧",
        "⟦4111 1111 1111 1111⟧ 123",
        "⟦4111-1111-1111-1111⟧",
        "⟦378282246310005⟧",
        "⟦3782 822463 10005⟧",
        "⟦30569309025904⟧",
        "⟦3056 930902 5904⟧",
        "⟦5555555555554444⟧,",
        "⟦2223003122003222⟧",
        "⟦6011111111111117⟧",
        "⟦3530111333300000⟧",
        "⟦4222222222222⟧",
        "⟦675964982648⟧",
        "7 ⟦4111 1111 1111 1111⟧",
        "card=⟦4111111111111111⟧",
    ] {
        finds(Kind::CreditCard, text);
    }
    for text in [
        "4111111111111112",
        "1111111111111117",
        "411111111111111",
        "id-4111111111111111",
        "0.4111111111111111",
        "a4111111111111111",
        "4111111111111111a",
        "4111 1111 1111 1112",
        "1717171717171",
    ] {
        finds_none(text);
    }
}

#[test]
fn account_and_social_security_numbers() {
    for text in [
        "⟦GB82WEST12345698765432⟧",
        "⟦gb82 west 1234 5698 7654 32⟧.",
        "IBAN: ⟦DE89 3704 0044 0532 0130 00⟧",
        "⟦NO9386011117947⟧",
    ] {
        finds(Kind::Iban, text);
    }
    for text in ["GB82WEST12345698765433", "GB82 WEST 1234", "ZZ82WEST12345698765432", "GB82WEST123456987654321"] {
        finds_none(text);
    }
    for text in ["⟦078-05-1120⟧", "SSN ⟦078 05 1120⟧", "social security number: ⟦078051120⟧"] {
        finds(Kind::UsSsn, text);
    }
    for text in [
        "000-05-1120",
        "666-05-1120",
        "900-05-1120",
        "078-00-1120",
        "078-05-0000",
        "178-05-11201",
        "x-078-05-1120",
        "178 05 1120",
        "078051120",
    ] {
        finds_none(text);
    }
}

#[test]
fn internet_addresses() {
    for text in ["from ⟦203.0.113.7⟧:443", "⟦2001:db8:0:1:1:1:1:1⟧", "[⟦2001:db8::8a2e:370:7334⟧]", "⟦8.8.8.8⟧"]
    {
        finds(Kind::IpAddress, text);
    }
    for text in [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "0.0.0.0",
        "1.2.3.4",
        "1.2.3.4.5",
        "256.1.1.1",
        "v203.0.113.7",
        "12:34:56",
        "std::vec::Vec",
        "aa:bb:cc:dd:ee:ff",
        "fe80::1:2:3",
        "a::b",
        "203.0.113.7.example",
    ] {
        finds_none(text);
    }
}

#[test]
fn what_a_word_announces() {
    for text in [
        "date of birth: ⟦1980-03-12⟧",
        "DOB ⟦12/3/1980⟧",
        "birthday is ⟦12 March 1980⟧",
        "Birth date: ⟦March 3rd, 1980⟧",
        r#""dob": "⟦1980-03-12⟧""#,
    ] {
        finds(Kind::DateOfBirth, text);
    }
    finds(Kind::Passport, "passport no. ⟦X1234567⟧");
    finds(Kind::Passport, "Passport: ⟦123456789⟧");
    finds(Kind::DriverLicence, "My driver's license number is ⟦A56319335⟧");
    finds(Kind::DriverLicence, "driving licence ⟦MORGA657054SM9IJ⟧");
    for text in [
        "1980-03-12",
        "on 12 March 1980",
        "X1234567",
        "born 1980-03-12",
        "dob 1980",
        "passport photo",
        "license A56319335",
    ] {
        finds_none(text);
    }
}

#[test]
fn terms() {
    finds(Kind::MedicalTerm, "the ⟦HIV⟧ test");
    finds(Kind::MedicalTerm, "He was ⟦diagnosed with⟧ it");
    finds(Kind::MedicalTerm, "diagnosis: ⟦diabetes⟧");
    finds(Kind::SpecialCategory, "their ⟦sexual   orientation⟧");
    finds(Kind::Marking, "⟦STRICTLY CONFIDENTIAL⟧");
    finds(Kind::Marking, "⟦attorney-client privileged⟧");
    for text in [
        "the diagnosis of the crash",
        "diagnosis, diagnosis",
        "a patient person",
        "hives",
        "confidential",
        &format!("cancer{} asthma", " x".repeat(60)),
    ] {
        finds_none(text);
    }
}

#[test]
fn keys_and_tokens() {
    let (plain, upper) = ("a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "A1B2C3D4E5F6G7H8");
    for text in [
        format!("⟦ghp_{plain}⟧"),
        format!("token ⟦github_pat_{plain}_{plain}⟧."),
        format!("⟦glpat-{}⟧", &plain[..20]),
        format!("⟦xoxb-123456789012-{}⟧", &plain[..24]),
        format!("⟦AKIA{upper}⟧"),
        format!("KEY=⟦AIza{}⟧", &plain[..35]),
        format!("⟦sk-ant-api03-{plain}⟧"),
        format!("⟦sk-{plain}⟧"),
        format!("⟦sk_live_{}⟧", &plain[..24]),
        format!("⟦npm_{plain}⟧"),
        format!("⟦hf_{}⟧", "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"),
        format!("Bearer ⟦eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{plain}⟧"),
        format!(r#"{{"text":"line\n⟦ghp_{plain}⟧"}}"#),
        "aws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY1⟧".to_owned(),
        r#""client_secret": "⟦8f14e45fceea167a5a36dedd4bea2543⟧""#.to_owned(),
        "api-key: ⟦0123456789abcdef0123⟧".to_owned(),
        "accessToken=⟦0123456789abcdef0123==⟧".to_owned(),
    ] {
        finds(Kind::ApiKey, &text);
    }
    for text in [
        format!("ghp_{}", &plain[..35]),
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
        format!("AKIA{upper}9"),
        format!("XAKIA{upper}"),
        "sk-learn-contributors-guide-of-2".to_owned(),
        "eyJhbGciOiJIUzI1NiJ9".to_owned(),
        "secret: the one ring to rule them all".to_owned(),
        "next_token=abcdefghijklmnop1234".to_owned(),
        "api_key == 0123456789abcdef0123".to_owned(),
    ] {
        finds_none(&text);
    }
}

#[test]
fn passwords() {
    for text in [
        "password=⟦hunter22⟧",
        "Password: ⟦hunter22⟧",
        "DB_PASSWORD='⟦Sup3r S3cret⟧'",
        r#"{"password":"⟦letmein⟧"}"#,
        r#"{\"passwd\": \"⟦x9!kQz⟧\"}"#,
        "pwd := \"⟦s3cr3t!⟧\"",
        "passphrase: ⟦correct-horse-9⟧",
        "?user=a&password=⟦s3cr3t99⟧&x=1",
        "password=⟦grüße99⟧",
    ] {
        finds(Kind::PasswordAssignment, text);
    }
    for text in [
        "password=short",
        "password: please ask somebody",
        "password = get_password()",
        "password=${PASSWORD}",
        "password: <yours>",
        "password=********",
        "password=password",
        "if password == 'hunter22'",
        "passwords: hunter22",
        "PWD=/home/ada",
        "password: string",
        "password = self.password",
    ] {
        finds_none(text);
    }
}

#[test]
fn credentials_in_addresses() {
    for text in [
        "postgres://⟦ada:s3cret⟧@db.example.org/x",
        "https://⟦0123456789abcdef0123⟧@example.org",
        "git clone https://⟦u:p⟧@[::1]/r",
    ] {
        finds(Kind::UrlCredentials, text);
    }
    for text in [
        "https://example.org/a:b@c",
        "https://ada@example.org",
        "https://{user}:{password}@host",
        "ssh://git@example.org:22",
        "https://ada:***@example.org",
    ] {
        assert!(found(text).iter().all(|(kind, _)| *kind != Kind::UrlCredentials), "{text}: {:?}", found(text));
    }
}

#[test]
fn private_keys() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    finds(Kind::PrivateKey, &format!("x ⟦-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----⟧ y"));
    finds(
        Kind::PrivateKey,
        &format!(r#"{{"k":"⟦-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----⟧\n"}}"#),
    );
    finds(Kind::PrivateKey, &format!("⟦-----BEGIN OPENSSH PRIVATE KEY-----\n{body} é⟧"));
    finds(Kind::PrivateKey, &format!("⟦-----BEGIN PRIVATE KEY-----\n{body}é⟧-----BEGIN"));
    for text in
        ["-----BEGIN PUBLIC KEY-----", "a line with -----BEGIN PRIVATE KEY----- in it", "-----BEGIN PRIVATE KEY"]
    {
        finds_none(text);
    }
    finds_none(&format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"));
}

#[test]
fn of_two_that_overlap_the_heavier_stays() {
    assert_eq!(found("https://ada:s3cret@example.org").len(), 1);
    assert_eq!(found("password=ada@example.org"), [(Kind::PasswordAssignment, "ada@example.org")]);
    assert_eq!(found("hiv@example.org"), [(Kind::EmailAddress, "hiv@example.org")]);
}

#[test]
fn phrases_are_whole_words_in_any_case_and_spacing() {
    let mut builder = Scanner::builder();
    for (phrase, tag) in [("project falcon", 1), ("007", 2), ("Geschäftsgeheimnis", 3)] {
        builder.phrase(phrase, tag).unwrap();
    }
    builder.pattern("ignore|forget all| previous rules", 4);
    let scanner = builder.build();
    let tags = |text: &str| {
        let mut tags = Vec::new();
        scanner.scan(text, |tag, start, end| tags.push((tag, text[start..end].to_owned())));
        tags
    };
    assert_eq!(tags("PROJECT\n\t Falcon!"), [(1, "PROJECT\n\t Falcon".to_owned())]);
    assert_eq!(tags(r"project\nfalcon"), [(1, r"project\nfalcon".to_owned())]);
    assert_eq!(tags("project of the falcon").len(), 1);
    assert_eq!(tags("pro\u{200b}ject falcon").len(), 1);
    assert_eq!(tags("project project falcon").len(), 1);
    assert_eq!(tags("project. falcon"), []);
    assert_eq!(tags("project falcons"), []);
    assert_eq!(tags("agent 007, agent 0071"), [(2, "007".to_owned())]);
    assert_eq!(tags("ein Geschäftsgeheimnis"), [(3, "Geschäftsgeheimnis".to_owned())]);
    assert_eq!(tags("ignore all the previous rules; forget previous rules").len(), 2);
}

#[test]
fn a_phrase_may_be_refused() {
    use countersign_patterns::PhraseError;
    let refused = |phrase: &str| {
        let mut builder = Scanner::builder();
        builder.phrase("here already", 3).unwrap();
        builder.phrase(phrase, 4).err()
    };
    assert_eq!(refused(""), Some(PhraseError::NoWord));
    assert_eq!(refused("of the ..."), Some(PhraseError::NoWord));
    assert_eq!(refused("a b c d e f g h i"), Some(PhraseError::TooLong));
    assert_eq!(refused("Here, already!"), Some(PhraseError::Taken(3)));
    assert_eq!(refused("a b c d e f g h"), None);
}
