//! Mail addresses, what a word announces, and terms.

mod common;

use common::{finds, finds_none};
use countersign_patterns::Kind;

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
        // Members of code, units of a system, archives, logins.
        "this@MainActivity.startActivity(intent)",
        "return@forEach.next",
        "super@Outer.name()",
        "systemctl status user@1000.service",
        "getty@tty1.service",
        "wg-quick@wg0.service.d",
        "install mathlib@main.zip",
        "slug@4.17.21",
        "lodash@4.17.21.tgz",
        "node@v20.js",
        "ssh deploy@build-7.internal.example.com",
        "scp -P 2222 -i key a.txt deploy@build.example.com:/srv",
        "rsync -a x/ backup@nas.example.org:~/x",
        "deploy@build.example.com:/srv/app",
        "cluster@db.prod.svc",
        // Nobody's.
        "user@example.com",
        "git config user.email you@example.com",
        "your.name@example.org",
        "123+kim@users.noreply.github.com",
        "kim@users.noreply.gitlab.example.org",
    ] {
        finds_none(text);
    }
    finds(Kind::EmailAddress, "⟦user@example-shop.com⟧ and user@example.com");
    // An address beside them is one all the same.
    finds(Kind::EmailAddress, "ssh in, then write to\n⟦kim@example.org⟧: it is done");
    finds(Kind::EmailAddress, "⟦kim@mail.example.org⟧: hello");
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
