//! DKIM: the public vectors (`../shared/data/dkim`), and what we sign ourselves.

mod world;

use std::path::{Path, PathBuf};

use facteur_senders::dkim::{self, Algorithm, Checked, Outcome, SigningKey};
use facteur_senders::dns::Answers;
use facteur_senders::{Seen, Tap};
use world::Zone;

/// One of the samples expires a day later.
const NOW: i64 = 1_667_850_000;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dkim")
}

fn seen(message: &[u8], step: usize) -> Seen {
    let mut tap = Tap::for_checking();
    for piece in message.chunks(step) {
        tap.push(piece);
    }
    tap.finish()
}

fn verify(message: &[u8], zone: &Zone) -> Vec<Checked> {
    let whole = seen(message, message.len().max(1));
    let checked = zone.run(&mut Answers::default(), |answers| {
        dkim::verify(&whole, NOW, answers)
    });
    for step in [1, 7] {
        let again = seen(message, step);
        let other = zone.run(&mut Answers::default(), |answers| {
            dkim::verify(&again, NOW, answers)
        });
        assert_eq!(checked, other);
    }
    checked
}

fn outcomes(checked: &[Checked]) -> Vec<String> {
    checked.iter().map(|one| one.outcome.to_string()).collect()
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for byte in text {
        if *byte == b'\n' && bytes.last() != Some(&b'\r') {
            bytes.push(b'\r');
        }
        bytes.push(*byte);
    }
    bytes
}

/// The keys first, an empty line, the message: files of mail-auth.
#[test]
fn the_vectors_of_mail_auth() {
    let folder = data().join("mail-auth/resources/dkim");
    let Ok(files) = std::fs::read_dir(&folder) else {
        return; // The samples are not beside the project.
    };
    let mut count = 0;
    for file in files {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        let (keys, _) = text.split_once("\n\n").unwrap();
        let start = bytes.windows(2).position(|two| two == b"\n\n");
        let start = start.unwrap_or_else(|| {
            2 + bytes
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .unwrap()
        });
        let mut zone = Zone::default();
        for line in keys.lines() {
            let (name, record) = line.split_once(' ').unwrap();
            zone.txt(&name.to_ascii_lowercase(), record);
        }
        let message = with_crlf(&bytes[start + 2..]);
        let checked = verify(&message, &zone);
        assert!(!checked.is_empty(), "{path:?}");
        for one in &checked {
            let good = match one.algorithm {
                Some(_) => one.outcome == Outcome::Pass,
                None => matches!(one.outcome, Outcome::Policy(_)),
            };
            assert!(good, "{path:?}: {checked:?}");
        }
        count += 1;
    }
    assert_eq!(count, 6);
}

fn fake_dns(folder: &Path) -> Option<Zone> {
    let text = std::fs::read(folder.join("FAKE_DNS.dat")).ok()?;
    let mut zone = Zone::default();
    for line in String::from_utf8_lossy(&text).lines() {
        let line = line.trim();
        let Some((name, record)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        match record.trim() {
            _ if line.starts_with('#') => {}
            "NXDOMAIN" => {}
            record if record.starts_with("~~") => zone.silent(&name.to_ascii_lowercase()),
            record => zone.txt(&name.to_ascii_lowercase(), record.trim_matches('"')),
        }
    }
    Some(zone)
}

/// Those of Mail::DKIM that today's rules are about. Its RSA samples are signed with SHA-1 or with
/// 512-bit keys: by RFC 8301 §3.1 and §3.2 none of them may pass.
#[test]
fn the_vectors_of_mail_dkim() {
    let folder = data().join("mail-dkim/t");
    let Some(zone) = fake_dns(&folder) else {
        return; // The samples are not beside the project.
    };
    let mut count = 0;
    for file in std::fs::read_dir(folder.join("corpus")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let message = with_crlf(&std::fs::read(&path).unwrap());
        let found = outcomes(&verify(&message, &zone));
        let passes = found.iter().any(|outcome| outcome == "pass");
        let header = String::from_utf8_lossy(&message).to_ascii_lowercase();
        let signed =
            header.contains("\r\ndkim-signature:") || header.starts_with("dkim-signature:");
        assert_eq!(signed, !found.is_empty(), "{name}: {found:?}");
        if name == "goodkey_ed25519.txt" {
            assert_eq!(found, ["pass"], "{name}");
        } else if name.starts_with("bad") || !header.contains("-sha256") {
            assert!(!passes, "{name}: {found:?}");
        }
        count += 1;
    }
    assert!(count > 70, "{count}");
}

const LETTER: &str = "From: Alice <alice@here.test>\r\nTo: bob@there.test\r\nSubject: Lunch\r\n\
    Date: Fri, 11 Jul 2025 21:00:37 +0000\r\nMessage-ID: <1@here.test>\r\n\r\nAt noon?  \r\n\r\n";

fn signed(letter: &str, algorithm: Algorithm) -> (String, Zone) {
    let key = SigningKey::read(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap();
    let mut tap = Tap::for_signing();
    tap.push(letter.as_bytes());
    let field = dkim::sign(&tap.finish(), &key, "here.test", "one", NOW).unwrap();
    let mut zone = Zone::default();
    let record = dkim::record(algorithm, &key.public().unwrap());
    zone.txt("one._domainkey.here.test", &record);
    (format!("{field}{letter}"), zone)
}

#[test]
fn what_we_sign_is_right_until_it_is_changed() {
    for algorithm in [Algorithm::RsaSha256, Algorithm::Ed25519Sha256] {
        let (message, zone) = signed(LETTER, algorithm);
        let checked = verify(message.as_bytes(), &zone);
        assert_eq!(checked[0].outcome, Outcome::Pass);
        assert_eq!(checked[0].domain, "here.test");
        assert_eq!(checked[0].algorithm, Some(algorithm));
        assert!(message.lines().all(|line| line.len() <= 78), "{message}");
        let white = message
            .replace("noon?  ", "noon?")
            .replace("Lunch", "Lunch ");
        let changes = [
            (white, "pass"),
            (format!("{message}\r\n\r\n"), "pass"),
            (message.replace("noon", "six"), "fail"),
            (message.replace("Lunch", "Dinner"), "fail"),
            (message.replace("Alice <", "Eve <"), "fail"),
            // RFC 6376 §8.15: another From in front of the signed one.
            (format!("From: eve@there.test\r\n{message}"), "fail"),
            (message.replace("To: ", "Subject: Other\r\nTo: "), "fail"),
            (message.replace("v=1;", "v=2;"), "permerror"),
            (message.replace("d=here.test", "d=there.test"), "permerror"),
        ];
        for (changed, expected) in changes {
            let found = outcomes(&verify(changed.as_bytes(), &zone));
            assert_eq!(found, [expected], "{changed}");
        }
    }
}

fn outcome_of(message: &str, zone: &Zone) -> Outcome {
    verify(message.as_bytes(), zone).remove(0).outcome
}

#[test]
fn dns_decides() {
    let (message, _) = signed(LETTER, Algorithm::Ed25519Sha256);
    let mut zone = Zone::default();
    assert_eq!(
        outcome_of(&message, &zone),
        Outcome::PermError("there is no such key")
    );
    zone.silent("one._domainkey.here.test");
    assert_eq!(outcome_of(&message, &zone), Outcome::TempError);
    for (record, expected) in [
        ("v=DKIM1; p=", "permerror"),
        ("v=DKIM1; k=ed25519; p=AAAA", "permerror"),
        ("v=DKIM2; k=ed25519; p=AAAA", "permerror"),
        ("v=DKIM1; k=ed25519; h=sha1; p=AAAA", "permerror"),
        ("v=DKIM1; k=ed25519; s=chat; p=AAAA", "permerror"),
        ("nonsense", "permerror"),
        (
            "v=DKIM1; k=ed25519; p=pP+YUyRjAvKha4Oc49KAY703oLUS1NLMEuGD3IHMKww=",
            "fail",
        ),
        // 512 bits.
        (
            "p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALgSoqXVSEmfcIsOzw7oRuCCOwsmtX/SJnTWxYyj2leFxfS/AVJ+dYfY+hXqMsT7l+MZvvh/R1WzN4MO/kI/7XsCAwEAAQ==",
            "policy",
        ),
    ] {
        let mut zone = Zone::default();
        zone.txt("one._domainkey.here.test", record);
        assert_eq!(
            outcome_of(&message, &zone).to_string(),
            expected,
            "{record}"
        );
    }
}

#[test]
fn what_a_signature_may_not_say() {
    for (tags, expected) in [
        (
            "v=1; a=rsa-sha1; d=here.test; s=one; h=from; bh=AAAA; b=AAAA",
            "policy",
        ),
        (
            "v=1; a=rsa-sha256; d=here.test; s=one; h=to; bh=AAAA; b=AAAA",
            "permerror",
        ),
        (
            "v=1; a=rsa-sha256; d=here.test; i=@test; s=one; h=from; bh=AAAA; b=AAAA",
            "permerror",
        ),
        (
            "v=1; a=rsa-sha256; d=here.test; s=one; h=from; q=http; bh=AAAA; b=AAAA",
            "permerror",
        ),
        (
            "v=1; a=rsa-sha256; d=here.test; s=one; h=from; x=5; bh=AAAA; b=AAAA",
            "permerror",
        ),
        (
            "v=1; a=rsa-sha256; d=here.test; s=one; h=from; c=odd; bh=AAAA; b=AAAA",
            "permerror",
        ),
        (
            "v=1; a=rsa-sha256; s=one; h=from; bh=AAAA; b=AAAA",
            "permerror",
        ),
        ("", "permerror"),
    ] {
        let message = format!("DKIM-Signature: {tags}\r\n{LETTER}");
        assert_eq!(
            outcome_of(&message, &Zone::default()).to_string(),
            expected,
            "{tags}"
        );
    }
}

/// RFC 6376 §8.2: what is behind `l` is anybody's.
#[test]
fn a_part_of_the_body_is_not_believed() {
    let (message, zone) = signed(LETTER, Algorithm::Ed25519Sha256);
    assert_eq!(outcome_of(&message, &zone), Outcome::Pass);
    for (length, expected) in [("1", "policy"), ("10000", "permerror")] {
        // The signature over the header is made anew with `l` in it.
        let key = SigningKey::generate(Algorithm::Ed25519Sha256).unwrap();
        let key = SigningKey::read(Algorithm::Ed25519Sha256, &key).unwrap();
        let mut tap = Tap::for_signing();
        tap.push(LETTER.as_bytes());
        let selector = format!("one; l={length}");
        let field = dkim::sign(&tap.finish(), &key, "here.test", &selector, NOW).unwrap();
        let mut zone = Zone::default();
        let record = dkim::record(Algorithm::Ed25519Sha256, &key.public().unwrap());
        zone.txt("one._domainkey.here.test", &record);
        let message = format!("{field}{LETTER}");
        assert_eq!(outcome_of(&message, &zone).to_string(), expected);
    }
}

#[test]
fn signatures_are_bounded() {
    let (message, zone) = signed(LETTER, Algorithm::Ed25519Sha256);
    let field = &message[..message.len() - LETTER.len()];
    let many = format!("{}{LETTER}", field.repeat(50));
    assert_eq!(verify(many.as_bytes(), &zone).len(), 10);
}
