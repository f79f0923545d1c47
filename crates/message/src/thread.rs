//! Keys for threading: a stable 64-bit hash of each message id.
//!
//! FNV-1a with the usual 64-bit constants, then the finaliser of MurmurHash3 so that all bits
//! are worth the same. The values are stored: this function never changes. 0 is never a key. Not
//! made against people who look for collisions; all that they could do is to put a message into
//! the wrong conversation.

/// The key of some bytes; never 0.
pub fn key(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    hash.max(1)
}

/// The key of one Message-ID value, with or without angle brackets; `None` when it is empty.
pub fn message_id_key(value: &[u8]) -> Option<u64> {
    keys(value).next()
}

/// Keys of the message ids of a Message-ID, In-Reply-To or References value, in order. White
/// space and quotes inside an id do not count (RFC 5256 §3: quoting makes no difference). A value without angle brackets is one id, when it has no
/// white space; In-Reply-To of old held prose (RFC 5322 §4.5.4).
pub fn keys(value: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let bare = value.trim_ascii();
    let is_bare =
        !bare.is_empty() && !bare.contains(&b'<') && !bare.iter().any(u8::is_ascii_whitespace);
    let bracketed = value
        .split(|byte| *byte == b'<')
        .skip(1)
        .filter_map(|rest| {
            let length = rest.iter().position(|byte| *byte == b'>')?;
            rest.get(..length).and_then(id_key)
        });
    is_bare.then(|| key(bare)).into_iter().chain(bracketed)
}

fn id_key(id: &[u8]) -> Option<u64> {
    let id: Vec<u8> = id
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\\'))
        .collect();
    (!id.is_empty()).then(|| key(&id))
}

#[cfg(test)]
mod tests {
    use super::{key, keys, message_id_key};

    #[test]
    fn stored_values_never_change() {
        assert_eq!(key(b""), 0xefd0_1f60_ba99_2926);
    }

    #[test]
    fn ids() {
        let ids: Vec<u64> = keys(b"<a@x> (b) <c\r\n @y><>").collect();
        assert_eq!(ids, [key(b"a@x"), key(b"c@y")]);
        assert_eq!(message_id_key(b" a@x "), Some(key(b"a@x")));
        assert_eq!(message_id_key(b"<\"01 A\"@x>"), Some(key(b"01A@x")));
        assert_eq!(message_id_key(b"your mail of <today"), None);
        assert_eq!(message_id_key(b"your mail of monday"), None);
    }
}
