//! Built-in words: cues that say what the next number is, and terms that are hits themselves.

use crate::Kind;

/// What a cue announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cue {
    Phone,
    Birth,
    /// A birth too, but encyclopaedias say it of public people.
    Born,
    Passport,
    Licence,
    SocialSecurity,
}

/// What a term does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// Announces a number.
    Cue(Cue),
    /// Is a hit.
    Hit(Kind),
    /// Is one beside another medical term, and alone hardly: software has diagnoses too.
    Weak,
}

/// Score of a term.
pub(crate) const TERM: f64 = 0.6;
/// Score of a weak term alone.
pub(crate) const WEAK: f64 = 0.3;

/// Alternatives stand between `|`, an empty one makes a word optional.
pub(crate) const TERMS: &[(&str, Action)] = &[
    ("phone|telephone|tel|mobile|fax|whatsapp|sms|dial|cellphone", Action::Cue(Cue::Phone)),
    ("cell|contact phone|number", Action::Cue(Cue::Phone)),
    ("call me|us|him|her|them|on|at", Action::Cue(Cue::Phone)),
    ("birthday|birthdate|dob", Action::Cue(Cue::Birth)),
    ("born", Action::Cue(Cue::Born)),
    ("date birth", Action::Cue(Cue::Birth)),
    ("birth date", Action::Cue(Cue::Birth)),
    ("passport", Action::Cue(Cue::Passport)),
    ("driver|drivers|driving s| license|licence|permit", Action::Cue(Cue::Licence)),
    ("ssn", Action::Cue(Cue::SocialSecurity)),
    ("social security", Action::Cue(Cue::SocialSecurity)),
    // Words of a record about a patient.
    (
        "hiv|hepatitis|chemotherapy|schizophrenia|antidepressant|antidepressants|miscarriage",
        Action::Hit(Kind::MedicalTerm),
    ),
    ("diagnosed with", Action::Hit(Kind::MedicalTerm)),
    ("medical record|records|history", Action::Hit(Kind::MedicalTerm)),
    ("patient id|number|record|records|name", Action::Hit(Kind::MedicalTerm)),
    ("health insurance number|id", Action::Hit(Kind::MedicalTerm)),
    ("bipolar disorder", Action::Hit(Kind::MedicalTerm)),
    ("psychiatric", Action::Hit(Kind::MedicalTerm)),
    // Words that everybody uses, of other things too.
    ("diagnosis|diagnosed|patient|patients|prescription|prescribed|symptom|symptoms|medication", Action::Weak),
    ("dosage|therapy|surgery|disease|cancer|tumour|tumor|diabetes|diabetic|depression|asthma", Action::Weak),
    ("epilepsy|dementia|pregnant|pregnancy|insulin|oncology|psychiatrist|hospitalised|hospitalized", Action::Weak),
    // Articles 9 and 10 of the General Data Protection Regulation.
    ("sexual orientation", Action::Hit(Kind::SpecialCategory)),
    ("religious belief|beliefs", Action::Hit(Kind::SpecialCategory)),
    ("trade union member|membership", Action::Hit(Kind::SpecialCategory)),
    ("political opinion|opinions|affiliation", Action::Hit(Kind::SpecialCategory)),
    ("ethnic|racial origin", Action::Hit(Kind::SpecialCategory)),
    ("criminal record|records|conviction|convictions", Action::Hit(Kind::SpecialCategory)),
    ("immigration status", Action::Hit(Kind::SpecialCategory)),
    // What a text says of itself.
    ("strictly|highly|company confidential", Action::Hit(Kind::Marking)),
    ("proprietary and confidential", Action::Hit(Kind::Marking)),
    ("confidential and proprietary", Action::Hit(Kind::Marking)),
    ("internal use only", Action::Hit(Kind::Marking)),
    ("attorney client privilege|privileged", Action::Hit(Kind::Marking)),
    ("trade secret|secrets", Action::Hit(Kind::Marking)),
    ("not for distribution", Action::Hit(Kind::Marking)),
];
