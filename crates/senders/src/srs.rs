//! Envelope senders of mail that is sent on, by the Sender Rewriting Scheme (Shevek, 2004): the host
//! that it goes to finds a domain that vouches for us (SPF), and a report finds its way back.
//!
//! `SRS0=HASH=DAY=domain=local`, and `SRS1=HASH=domain==…` for what somebody rewrote before us, so
//! that a report skips those in between. No address is made that nobody asked for: the hash is keyed,
//! and an address is good for some weeks. Mailers may fold the case of an address, so nothing of ours
//! in it depends on case.

use aws_lc_rs::constant_time;
use aws_lc_rs::hmac;

use crate::limits::{SRS_DAYS_MAX, SRS_LOCAL_BYTES_MAX};

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const HASH_CHARS: usize = 8;
/// Two characters.
const DAYS_CYCLE: i64 = 1024;

/// The local part to use in place of `local@domain`; `None`: it would be too long for an address
/// (RFC 5321 §4.5.3.1.1), or can't be one. `day`: days since 1970.
pub fn rewritten(secret: &[u8], local: &str, domain: &str, day: i64) -> Option<String> {
    let made = match (tail_of(local, "SRS0="), tail_of(local, "SRS1=")) {
        // Straight back to who rewrote it first.
        (Some(tail), _) => first_of_many(secret, &format!("{domain}=={tail}")),
        (None, Some(tail)) => {
            let (_, rest) = tail.split_once('=')?;
            first_of_many(secret, rest)
        }
        (None, None) => {
            let stamp = stamp(day);
            let rest = format!("{stamp}={domain}={local}");
            format!("SRS0={}={rest}", hash(secret, &rest))
        }
    };
    // A quoted local part stays as it is.
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let fits = made.len() <= SRS_LOCAL_BYTES_MAX && made.chars().all(plain);
    fits.then_some(made)
}

fn first_of_many(secret: &[u8], rest: &str) -> String {
    format!("SRS1={}={rest}", hash(secret, rest))
}

pub fn is_rewritten(local: &str) -> bool {
    tail_of(local, "SRS0=").is_some() || tail_of(local, "SRS1=").is_some()
}

/// The address that a local part of ours stands for; `None`: we did not make it, or not of late.
pub fn original(secret: &[u8], local: &str, day: i64) -> Option<String> {
    let verified = |tail: &str| {
        let (given, rest) = tail.split_once('=')?;
        let right = hash(secret, rest);
        let same = constant_time::verify_slices_are_equal(
            given.to_ascii_lowercase().as_bytes(),
            right.as_bytes(),
        );
        same.ok().map(|()| rest.to_owned())
    };
    if let Some(tail) = tail_of(local, "SRS0=") {
        let rest = verified(tail)?;
        let (stamped, rest) = rest.split_once('=')?;
        let age = (day - day_of(stamped)?).rem_euclid(DAYS_CYCLE);
        let (domain, local) = rest.split_once('=')?;
        return (age <= SRS_DAYS_MAX).then(|| format!("{local}@{domain}"));
    }
    let rest = verified(tail_of(local, "SRS1=")?)?;
    let (domain, tail) = rest.split_once("==")?;
    Some(format!("SRS0={tail}@{domain}"))
}

/// What comes after a tag, in any case. Some use other marks than "=" behind it.
fn tail_of<'a>(local: &'a str, tag: &str) -> Option<&'a str> {
    let (head, tail) = local.split_at_checked(tag.len())?;
    head.eq_ignore_ascii_case(tag).then_some(tail)
}

fn hash(secret: &[u8], text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, text.to_ascii_lowercase().as_bytes());
    let letters = tag.as_ref().iter().take(HASH_CHARS);
    letters.map(|byte| letter(i64::from(*byte))).collect()
}

fn letter(number: i64) -> char {
    let place = usize::try_from(number.rem_euclid(32)).unwrap_or_default();
    BASE32.get(place).copied().map_or('a', char::from)
}

fn stamp(day: i64) -> String {
    [letter(day.rem_euclid(DAYS_CYCLE) / 32), letter(day)]
        .iter()
        .collect()
}

fn day_of(stamp: &str) -> Option<i64> {
    let mut day = 0;
    let mut count = 0;
    for byte in stamp.bytes() {
        let place = BASE32
            .iter()
            .position(|letter| letter.eq_ignore_ascii_case(&byte))?;
        day = day * 32 + i64::try_from(place).ok()?;
        count += 1;
        if count > 2 {
            return None;
        }
    }
    (count == 2).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"secret";
    const DAY: i64 = 20_779;

    #[test]
    fn there_and_back() {
        let made = rewritten(SECRET, "Carol.X", "other.test", DAY).unwrap();
        assert!(made.starts_with("SRS0=") && made.ends_with("=other.test=Carol.X"));
        assert!(is_rewritten(&made) && !is_rewritten("srs"));
        let back = |local: &str, day| original(SECRET, local, day);
        assert_eq!(back(&made, DAY).as_deref(), Some("Carol.X@other.test"));
        let lower = made.to_lowercase();
        assert_eq!(back(&lower, DAY).as_deref(), Some("carol.x@other.test"));
        assert!(back(&made, DAY + SRS_DAYS_MAX).is_some());
        assert!(back(&made, DAY + SRS_DAYS_MAX + 1).is_none());
        assert!(back(&made, DAY - 1).is_none(), "from tomorrow");
        assert!(original(b"other", &made, DAY).is_none());
        for (from, to) in [("other", "evil"), ("Carol", "Dave"), ("SRS0=", "SRS0=a")] {
            assert!(back(&made.replacen(from, to, 1), DAY).is_none(), "{from}");
        }
    }

    #[test]
    fn what_others_rewrote_goes_back_to_the_first() {
        let first = "SRS0=HHH=TT=a.test=bob";
        let second = rewritten(SECRET, first, "b.test", DAY).unwrap();
        assert!(second.starts_with("SRS1=") && second.ends_with("=b.test==HHH=TT=a.test=bob"));
        let third = rewritten(b"other", &second, "c.test", DAY).unwrap();
        assert!(third.ends_with("=b.test==HHH=TT=a.test=bob"), "{third}");
        let back = original(b"other", &third, DAY);
        assert_eq!(back.as_deref(), Some("SRS0=HHH=TT=a.test=bob@b.test"));
        assert!(original(SECRET, &third, DAY).is_none());
    }

    #[test]
    fn what_does_not_fit_is_left() {
        for local in ["a b", "\"x\"", &"a".repeat(40), "é"] {
            assert_eq!(rewritten(SECRET, local, "other.test", DAY), None, "{local}");
        }
        for local in ["", "SRS0=", "SRS1==", "SRS0=a=b=c", "SRS1=a", "x", "SRS0"] {
            assert_eq!(original(SECRET, local, DAY), None, "{local}");
        }
    }

    #[test]
    fn days_go_round() {
        for day in [0, 31, 32, 1023, 1024, 20_000] {
            assert_eq!(day_of(&stamp(day)), Some(day % DAYS_CYCLE));
        }
    }
}
