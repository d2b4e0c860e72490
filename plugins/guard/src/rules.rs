//! What is looked for, in which direction, and how bad it is by default.

use countersign_patterns::Kind;
use countersign_sdk::guard::{Direction, FindingKind, Severity};

/// Rules beside the kinds of hits of the patterns, each of which is a rule too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Words against the instructions that a model has, or against its user.
    Override,
    /// An order to send or run something, near such words.
    Directive,
    /// Such words with an order near them, and near those a word that it is to be kept from people, or a file that holds
    /// keys.
    Takeover,
    /// Words that speak to a model as if they were its user's, or its system's.
    Impersonation,
    /// Words that often stand in an injection, and elsewhere too.
    Hint,
    /// Marks by which the turns of a conversation are told apart.
    TemplateMarker,
    /// Characters that cannot be seen, or that turn the direction of writing.
    HiddenCharacters,
    /// Threats of violence, incitement to self-harm.
    Toxicity,
    /// A file that holds keys or passwords.
    CredentialStore,
    /// The service from which a machine in a cloud gets its credentials.
    MetadataService,
    /// A way out of a folder, three levels up or more.
    PathTraversal,
    /// What was just downloaded is run.
    DownloadAndRun,
    /// A command that leaves nothing of a machine.
    DestructiveCommand,
    /// What patterns found.
    Found(Kind),
    /// Not all of the text was seen.
    Cut,
}

const RULES: [(Rule, &str); 13] = [
    (Rule::Override, "override"),
    (Rule::Directive, "directive"),
    (Rule::Takeover, "takeover"),
    (Rule::Impersonation, "impersonation"),
    (Rule::Hint, "hint"),
    (Rule::TemplateMarker, "template-marker"),
    (Rule::HiddenCharacters, "hidden-characters"),
    (Rule::Toxicity, "toxicity"),
    (Rule::CredentialStore, "credential-store"),
    (Rule::MetadataService, "metadata-service"),
    (Rule::PathTraversal, "path-traversal"),
    (Rule::DownloadAndRun, "download-and-run"),
    (Rule::DestructiveCommand, "destructive-command"),
];

impl Rule {
    /// Rules that a configuration may name, and [`Rule::Cut`] last.
    pub fn all() -> impl Iterator<Item = Rule> {
        let own = RULES.iter().map(|(rule, _)| *rule);
        own.chain(Kind::ALL.iter().map(|kind| Rule::Found(*kind))).chain([Rule::Cut])
    }

    pub fn named(name: &str) -> Option<Rule> {
        Rule::all().find(|rule| rule.name() == name && *rule != Rule::Cut)
    }

    pub fn name(self) -> &'static str {
        match self {
            Rule::Found(kind) => kind.name(),
            Rule::Cut => "cut",
            _ => RULES[self.index()].1,
        }
    }

    /// Its place in [`Rule::all`].
    pub fn index(self) -> usize {
        match self {
            Rule::Override => 0,
            Rule::Directive => 1,
            Rule::Takeover => 2,
            Rule::Impersonation => 3,
            Rule::Hint => 4,
            Rule::TemplateMarker => 5,
            Rule::HiddenCharacters => 6,
            Rule::Toxicity => 7,
            Rule::CredentialStore => 8,
            Rule::MetadataService => 9,
            Rule::PathTraversal => 10,
            Rule::DownloadAndRun => 11,
            Rule::DestructiveCommand => 12,
            Rule::Found(kind) => RULES.len() + kind as usize,
            Rule::Cut => RULES.len() + Kind::ALL.len(),
        }
    }

    /// Whether it is looked for in a direction at all.
    pub fn is_in(self, direction: Direction) -> bool {
        match self {
            Rule::Override
            | Rule::Directive
            | Rule::Takeover
            | Rule::Impersonation
            | Rule::Hint
            | Rule::TemplateMarker
            | Rule::HiddenCharacters => direction == Direction::Input,
            Rule::Toxicity => direction == Direction::Output,
            Rule::CredentialStore
            | Rule::MetadataService
            | Rule::PathTraversal
            | Rule::DownloadAndRun
            | Rule::DestructiveCommand => direction == Direction::Call,
            // A call that writes to somebody names an address.
            Rule::Found(kind) => kind.is_secret() || direction != Direction::Call,
            Rule::Cut => true,
        }
    }

    /// How bad it is; none where it is off by default.
    pub fn severity(self, direction: Direction) -> Option<Severity> {
        match self {
            // Words of a document: withheld from the model, and the run goes on.
            Rule::Override | Rule::Directive | Rule::Impersonation | Rule::TemplateMarker => Some(Severity::Medium),
            // A person looks.
            Rule::Takeover | Rule::Toxicity => Some(Severity::Ask),
            Rule::CredentialStore | Rule::MetadataService | Rule::DownloadAndRun | Rule::DestructiveCommand => {
                Some(Severity::Ask)
            }
            Rule::Hint | Rule::HiddenCharacters | Rule::PathTraversal => Some(Severity::Low),
            // Replaced before a model sees it.
            Rule::Found(kind) if kind.is_secret() && direction == Direction::Input => Some(Severity::Low),
            // Where a key goes is a person's to decide. A password is known by the word before it alone, and ordinary
            // scripts are full of them.
            Rule::Found(Kind::ApiKey | Kind::PrivateKey | Kind::Unread) if direction == Direction::Call => {
                Some(Severity::Ask)
            }
            // Replaced before people see it, as is what pays or proves who somebody is.
            Rule::Found(kind) if kind.is_secret() => Some(Severity::Medium),
            Rule::Found(Kind::CreditCard | Kind::Iban | Kind::UsSsn | Kind::Passport | Kind::DriverLicence)
                if direction == Direction::Output =>
            {
                Some(Severity::Medium)
            }
            // Machines, and words that belong to nobody: a model could not speak of them any more.
            Rule::Found(Kind::IpAddress | Kind::MedicalTerm | Kind::SpecialCategory | Kind::Marking) => None,
            Rule::Found(_) => Some(Severity::Low),
            Rule::Cut => None,
        }
    }

    pub fn kind(self, direction: Direction) -> FindingKind {
        match self {
            Rule::Found(kind) if kind.is_secret() => FindingKind::Secret,
            Rule::Found(_) => FindingKind::PersonalData,
            Rule::Toxicity => FindingKind::Toxicity,
            Rule::CredentialStore
            | Rule::MetadataService
            | Rule::PathTraversal
            | Rule::DownloadAndRun
            | Rule::DestructiveCommand => FindingKind::Authorisation,
            Rule::Override
            | Rule::Directive
            | Rule::Takeover
            | Rule::Impersonation
            | Rule::Hint
            | Rule::TemplateMarker => FindingKind::Injection,
            Rule::HiddenCharacters => FindingKind::Unseen,
            Rule::Cut => match direction {
                Direction::Input => FindingKind::Injection,
                Direction::Output => FindingKind::Secret,
                Direction::Call => FindingKind::Authorisation,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_follow_the_list() {
        assert!(Rule::all().enumerate().all(|(index, rule)| rule.index() == index));
        assert!(RULES.iter().all(|(rule, name)| rule.name() == *name && Rule::named(name) == Some(*rule)));
    }
}
