//! The one HTTP client: of models and of webhooks.

use std::sync::Arc;

use crate::address;

/// A client of one address that an operator has written.
///
/// # Errors
/// When the machine has no certificates that it trusts.
pub fn client(url: &str) -> Result<reqwest::ClientBuilder, String> {
    let secure = !url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
    let builder = reqwest::Client::builder()
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        // Somebody else's word must not decide where a request, or its key, goes.
        .redirect(reqwest::redirect::Policy::none())
        // A kept connection may be dead by the time of the next request, which nobody could tell from a
        // server that broke off, or from one that has taken what it was sent.
        .pool_max_idle_per_host(0)
        .tls_backend_preconfigured(tls(secure).map_err(|error| error.to_string())?);
    Ok(if address::is_local(url) { builder.no_proxy() } else { builder })
}

/// Certificates as the system trusts them, so that a gateway of one's own needs no setting here. Where
/// nothing is encrypted none are loaded.
fn tls(secure: bool) -> Result<rustls::ClientConfig, rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(if secure {
        builder.with_platform_verifier()?.with_no_client_auth()
    } else {
        builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    })
}

/// Whether the server showed a certificate that the system does not trust.
pub fn bad_certificate(error: &reqwest::Error) -> bool {
    let is = |error: &(dyn std::error::Error + 'static)| {
        // An I/O error is not the source of what it wraps.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = wrapped.and_then(|wrapped| wrapped.downcast_ref::<rustls::Error>());
        let found = inner.or_else(|| error.downcast_ref::<rustls::Error>());
        matches!(found, Some(rustls::Error::InvalidCertificate(_)))
    };
    causes(error).any(is)
}

/// The cause at the bottom, which says what happened; those above it name types and addresses.
pub fn deepest(error: &reqwest::Error) -> String {
    causes(error).skip(1).last().map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
