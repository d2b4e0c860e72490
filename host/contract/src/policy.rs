//! `wit/v0.1/policy.wit`: what every policy answers.

record! {
    /// Who a policy says it is.
    #[derive(Eq)]
    pub struct Descriptor {
        /// Its name.
        pub name: String,
        /// Its version.
        pub version: String,
        /// What it decides.
        pub purpose: String,
        /// No call depends on an earlier one.
        pub stateless: bool,
        /// JSON Schema of its configuration.
        pub configuration_schema as "configuration-schema": String,
    }
}

record! {
    /// Why a policy refuses a configuration that matches its schema.
    #[derive(Eq)]
    pub struct ConfigError {
        /// JSON pointer of the key; empty for the whole.
        pub key: String,
        /// What was expected.
        pub message: String,
    }
}
