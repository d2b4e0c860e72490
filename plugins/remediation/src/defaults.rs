//! The default rules. An error is irremediable only where authority is missing for certain: what an
//! ordinary command meets and finds a way around (`permission denied`, 401, 403, 404) is not.

use crate::config::{Class, Rule};

pub fn rules() -> Vec<Rule> {
    vec![
        // A page's own token, renewed by loading the page again.
        rule(Class::SelfRemediable, &["csrf token expired", "csrf token has expired"]),
        irremediable(SCOPE, "administrator", "grant the missing scope"),
        irremediable(AUTHORISATION, "user", "authorise the account again in a browser"),
        irremediable(CREDENTIAL, "user", "give the tool a valid credential"),
        // A tool that has answered is there: such an error of it is about something else.
        Rule { unless_worked_before: true, ..irremediable(REGISTRATION, "administrator", "register the tool") },
        irremediable(BILLING, "user", "settle the service's billing"),
        rule(Class::Retryable, TRANSIENT),
    ]
}

const SCOPE: &[&str] = &[
    "missing_scope",
    "missing scopes",
    "missing required scope",
    "missing required scopes",
    "scope missing",
    "scope is missing",
    "scopes missing",
    "insufficient_scope",
    "insufficient scopes",
    "insufficient authentication scopes",
    "requires admin",
    "requires administrator",
    "admin approval required",
    "admin consent required",
    "resource not accessible by integration",
    "resource not accessible by personal access token",
];

const AUTHORISATION: &[&str] = &[
    "reauthorization",
    "re-authorization",
    "reauthorisation",
    "re-authorisation",
    "reauthorize",
    "re-authorize",
    "reauthorise",
    "re-authorise",
    "reauthentication required",
    "re-authentication required",
    "interaction_required",
    "consent_required",
    "invalid_grant",
    "token expired",
    "token has expired",
    "token is expired",
    "token has been expired",
    "token revoked",
    "token was revoked",
    "token has been revoked",
    "invalid refresh token",
    "refresh token is invalid",
    "browser-based flow",
    "browser-based login",
    "browser-based authorization",
    "browser-based OAuth",
];

const CREDENTIAL: &[&str] = &[
    "invalid_auth",
    "not_authed",
    "invalid API key",
    "invalid x-api-key",
    "incorrect API key",
    "API key not valid",
    "API key is invalid",
    "API key expired",
    "API key has expired",
    "API key revoked",
    "account_inactive",
    "account is inactive",
    "account suspended",
    "account is suspended",
    "account has been suspended",
    "account deactivated",
    "account has been deactivated",
    "account disabled",
    "account is disabled",
    "account has been disabled",
];

const REGISTRATION: &[&str] = &["tool not found", "unknown tool", "tool not registered", "tool is not registered"];

const BILLING: &[&str] = &[
    "payment required",
    "insufficient_quota",
    "exceeded your current quota",
    "billing details",
    "billing hard limit",
    "billing not enabled",
    "billing is not enabled",
    "billing disabled",
    "billing is disabled",
    "insufficient credits",
    "credit balance is too low",
    "subscription expired",
    "subscription has expired",
];

const TRANSIENT: &[&str] = &[
    "too many requests",
    "rate limit",
    "rate limited",
    "ratelimited",
    "throttled",
    "ThrottlingException",
    "status 429",
    "code 429",
    "error 429",
    "http 429",
    "status 500",
    "code 500",
    "error 500",
    "http 500",
    "status 502",
    "code 502",
    "error 502",
    "http 502",
    "status 503",
    "code 503",
    "error 503",
    "http 503",
    "status 504",
    "code 504",
    "error 504",
    "http 504",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway time-out",
    "temporarily unavailable",
    "temporary failure",
    "try again later",
    "timeout",
    "timed out",
    "ETIMEDOUT",
    "connection reset",
    "connection refused",
    "ECONNRESET",
    "ECONNREFUSED",
    "overloaded",
];

fn rule(class: Class, any: &[&str]) -> Rule {
    let any = any.iter().map(|phrase| (*phrase).to_owned()).collect();
    Rule { any, class, who: None, what: None, unless_worked_before: false }
}

fn irremediable(any: &[&str], who: &str, what: &str) -> Rule {
    Rule { who: Some(who.to_owned()), what: Some(what.to_owned()), ..rule(Class::Irremediable, any) }
}
