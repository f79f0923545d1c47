//! Timestamps as text.

use facteur_message::date::Civil;
use facteur_store::Timestamp;

/// RFC 3339 in UTC, to the second: `2026-11-22T09:30:00Z`.
pub fn rfc3339(at: Timestamp) -> String {
    let civil = Civil::from_unix(at.seconds(), 0);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(Timestamp::from_seconds(seconds)), expected);
        }
    }
}
