//! ID (RFC 2971): who the client says it is goes to the log, and tells which faults it may have.

use facteur_imap::{Untagged, text};

use super::link::Link;
use super::{Handled, done, quirks};
use crate::drive::Stream;

pub(super) fn id<S: Stream>(
    link: &mut Link<S>,
    fields: Option<Vec<(String, Option<String>)>>,
) -> Handled {
    for (name, value) in fields.unwrap_or_default() {
        if let ("name" | "version" | "os" | "vendor", Some(value)) =
            (name.to_ascii_lowercase().as_str(), value)
        {
            if name.eq_ignore_ascii_case("name") {
                quirks::named(link, &value);
            }
            // Debug form: the value is the client's and may hold anything.
            tracing::info!(session = %link.id(), field = %name, value = ?value, "client");
        }
    }
    link.session.respond(&Untagged::Id(&[
        ("name", "Facteur"),
        ("version", env!("CARGO_PKG_VERSION")),
    ]));
    done(text::ID_DONE)
}
