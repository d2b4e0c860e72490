//! The keys, and what each kind of hit makes of a text by default.

use std::collections::BTreeMap;

use countersign_patterns::Kind;
use countersign_sdk::sensitivity::SensitivityTag;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    #[serde(rename = "version")]
    pub _version: u32,
    /// By name of a kind, in place of its default.
    pub tags: BTreeMap<String, Tag>,
    /// Hits below it do not count, 0..=1.
    pub least_score: f64,
    /// Words that raise a text, beside the built-in terms.
    pub keywords: Vec<Keyword>,
    /// So many confidential hits of personal data are restricted; 0: never.
    pub several: u32,
    /// Whether a text of which not all was seen is confidential at least.
    pub cut_raises: bool,
}

impl Default for Configuration {
    fn default() -> Self {
        Configuration {
            _version: 1,
            tags: BTreeMap::new(),
            least_score: 0.5,
            keywords: Vec::new(),
            several: 10,
            cut_raises: false,
        }
    }
}

/// A word or phrase of the deployment's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyword {
    /// Whole words, in any case.
    pub word: String,
    pub tag: Tag,
}

/// [`SensitivityTag`], as the configuration spells it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tag {
    Public,
    Internal,
    Confidential,
    Restricted,
    Critical,
}

impl From<Tag> for SensitivityTag {
    fn from(tag: Tag) -> Self {
        match tag {
            Tag::Public => Self::Public,
            Tag::Internal => Self::Internal,
            Tag::Confidential => Self::Confidential,
            Tag::Restricted => Self::Restricted,
            Tag::Critical => Self::Critical,
        }
    }
}

/// Confidential is what names somebody, restricted what harms when it is known, critical what opens
/// something.
pub fn default_tag(kind: Kind) -> SensitivityTag {
    match kind {
        Kind::EmailAddress | Kind::PhoneNumber | Kind::IpAddress | Kind::DateOfBirth | Kind::Marking => {
            SensitivityTag::Confidential
        }
        Kind::CreditCard
        | Kind::Iban
        | Kind::UsSsn
        | Kind::Passport
        | Kind::DriverLicence
        | Kind::MedicalTerm
        | Kind::SpecialCategory
        | Kind::Unread => SensitivityTag::Restricted,
        Kind::ApiKey | Kind::PrivateKey | Kind::PasswordAssignment | Kind::UrlCredentials => SensitivityTag::Critical,
    }
}
