//! Addresses that an operator writes: which can be used, and how much of one may be shown.

use ::http::Uri;

/// What may be shown of an address, of one that can be sent to; else what is wrong with it.
pub fn checked(url: &str) -> Result<String, &'static str> {
    let parsed: Uri = url.parse().map_err(|_| "is not an address")?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err("starts neither with `https://` nor with `http://`");
    }
    if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("contains a name or password, which belongs in the secret");
    }
    origin(url).ok_or("names no host")
}

/// Scheme, host and port: what may be shown of an address.
pub fn origin(url: &str) -> Option<String> {
    let parsed: Uri = url.parse().ok()?;
    let host = parsed.host().filter(|host| !host.is_empty())?;
    let port = parsed.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{host}{port}", parsed.scheme_str()?))
}

/// Whether it is one of this machine: nothing sent there can be overheard, and no proxy leads there.
pub fn is_local(url: &str) -> bool {
    let Ok(parsed) = url.parse::<Uri>() else { return false };
    let host = parsed.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
