//! Addresses and domains as an administrator types them, in the form that the store keeps: lower case,
//! A-labels decoded.

/// RFC 5321 §4.5.3.1.1 and §4.5.3.1.2, in bytes.
const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 255;

/// `local@domain`, normalised; `None` when it is no address that an account or alias can have.
/// Quoted local parts are refused, and so is "+", which plus-addressing gives a meaning.
pub fn normalise_address(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let domain = normalise_domain(domain)?;
    let local = local.to_lowercase();
    is_local_part(&local).then(|| format!("{local}@{domain}"))
}

/// A host name with at least one dot, or "localhost".
pub fn normalise_domain(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.');
    let ascii = idna::domain_to_ascii_strict(text).ok()?;
    let fits = !ascii.is_empty() && ascii.len() <= DOMAIN_BYTES_MAX;
    let is_number = ascii.parse::<std::net::Ipv4Addr>().is_ok();
    if !fits || is_number || !(ascii.contains('.') || ascii == "localhost") {
        return None;
    }
    let (unicode, result) = idna::domain_to_unicode(&ascii);
    result.ok().map(|()| unicode.to_lowercase())
}

/// A normalised domain with its A-labels, as DNS has it.
pub fn domain_to_ascii(domain: &str) -> String {
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned())
}

/// A dot-atom (RFC 5322 §3.2.3, widened to UTF-8 by RFC 6532 §3.2) without "+".
fn is_local_part(local: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "!#$%&'*-/=?^_`{|}~".contains(c);
    local.len() <= LOCAL_BYTES_MAX
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("Alice@Example.TEST", Some("alice@example.test")),
            (" bob@example.test. ", Some("bob@example.test")),
            ("é@xn--caf-dma.test", Some("é@café.test")),
            ("é@café.test", Some("é@café.test")),
            ("a@localhost", Some("a@localhost")),
            ("alice", None),
            ("@example.test", None),
            ("a..b@example.test", None),
            ("a+b@example.test", None),
            ("\"a b\"@example.test", None),
            ("a b@example.test", None),
            ("a@b@example.test", None),
            ("a@127.0.0.1", None),
            ("a@[127.0.0.1]", None),
            ("a@test", None),
            ("a@-x.test", None),
        ] {
            assert_eq!(normalise_address(text).as_deref(), expected, "{text}");
        }
    }
}
