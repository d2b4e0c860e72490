//! What a hit is.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// What a hit is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// All of them, in order.
            pub const ALL: &[Kind] = &[$(Kind::$kind),+];

            /// Its name: lower case with hyphens.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// A mail address.
    EmailAddress = "email-address",
    /// A telephone number.
    PhoneNumber = "phone-number",
    /// The number of a payment card.
    CreditCard = "credit-card",
    /// An international bank account number.
    Iban = "iban",
    /// A social security number of the United States.
    UsSsn = "us-ssn",
    /// An address of the internet protocol.
    IpAddress = "ip-address",
    /// A date that is said to be somebody's birth.
    DateOfBirth = "date-of-birth",
    /// What follows the word.
    Passport = "passport",
    /// What follows the words.
    DriverLicence = "driver-licence",
    /// A word about somebody's health.
    MedicalTerm = "medical-term",
    /// A word about belief, origin, orientation or offences.
    SpecialCategory = "special-category",
    /// Words by which a text itself says that it is not for all.
    Marking = "marking",
    /// A key or token that opens a service.
    ApiKey = "api-key",
    /// A private key in PEM.
    PrivateKey = "private-key",
    /// The value of something called password.
    PasswordAssignment = "password-assignment",
    /// Name and password in an address.
    UrlCredentials = "url-credentials",
    /// The rest of a text in which so much looks like the beginning of something that reading on
    /// would take too long. It may hold anything.
    Unread = "unread",
}

impl Kind {
    /// The kind of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether it opens something.
    #[must_use]
    pub fn is_secret(self) -> bool {
        self >= Kind::ApiKey
    }

    /// Whether it names or numbers one person.
    #[must_use]
    pub fn is_personal(self) -> bool {
        self <= Kind::DriverLicence
    }

    /// Whether it is a word of a list rather than a value of a form.
    #[must_use]
    pub fn is_term(self) -> bool {
        matches!(self, Kind::MedicalTerm | Kind::SpecialCategory | Kind::Marking)
    }
}
