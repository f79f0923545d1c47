//! Who sent a message: SPF records and their macros, DKIM keys and signatures, DMARC records, ARC
//! chains and Authentication-Results, all of them written by strangers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use facteur_fuzz::{Fuzz, Random, pieces, seeds};
use facteur_senders::canonical::{BodyHash, Form};
use facteur_senders::dns::{Answer, Answers, Kind, Question, Wanted};
use facteur_senders::results::{self, Findings};
use facteur_senders::strain::Strainer;
use facteur_senders::{Seen, Tap, arc, dkim, dmarc, limits, reverse, rua, spf};

const SERVER: &str = "mail.here.test";
const NOW: i64 = 1_183_468_455;

/// Rounds of questions that nothing may need more of: each answers one at least.
const ROUNDS_MAX: usize = limits::QUESTIONS_MAX + 1;

/// Asks until all is known; TXT records come from the input, all others by chance from it.
fn settled<T>(
    records: &[Vec<u8>],
    mut check: impl FnMut(&mut Answers) -> Result<T, Wanted>,
) -> (T, Answers) {
    let mut answers = Answers::default();
    for _ in 0..ROUNDS_MAX {
        if let Ok(done) = check(&mut answers) {
            return (done, answers);
        }
        let wanted = answers.take_wanted();
        assert!(!wanted.is_empty(), "it waits for nothing");
        for question in wanted {
            assert!(
                question.name.len() <= limits::NAME_BYTES_MAX,
                "{question:?}"
            );
            let answer = answer(&question, records);
            answers.put(question, answer);
        }
    }
    panic!("no end of questions");
}

fn answer(question: &Question, records: &[Vec<u8>]) -> Answer {
    let mut random = Random::of(question.name.as_bytes());
    let ip = [192, 0, 2, random.byte() % 4];
    match (question.kind, random.below(8)) {
        (Kind::Txt, _) if records.is_empty() => Answer::NoRecords,
        (Kind::Txt, 0) => Answer::Txt(records.to_vec()),
        (Kind::Txt, _) => {
            let place = random.below(records.len());
            Answer::Txt(records.get(place).cloned().into_iter().collect())
        }
        (_, 0) => Answer::NoSuchName,
        (_, 1) => Answer::NoRecords,
        (_, 2) => Answer::Temporary,
        (Kind::A, _) => Answer::A(vec![Ipv4Addr::from(ip)]),
        (Kind::Aaaa, _) => Answer::Aaaa(vec![Ipv6Addr::LOCALHOST]),
        (Kind::Mx, many) => Answer::Mx(
            (0..many as u16)
                .map(|n| (n, format!("mx{n}.{}", "b.test")))
                .collect(),
        ),
        // Nothing here asks for it.
        (Kind::Srv, _) => Answer::NoRecords,
        (Kind::Ptr, many) => Answer::Ptr((0..many).map(|n| format!("h{n}.b.test")).collect()),
    }
}

fn plain(text: &str) -> bool {
    text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
}

const SPF: &[&str] = &[
    "v=spf1 mx a:%{d}/24//64 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
    "v=spf1 include:_spf.b.test ?exists:%{ir}.%{v}._spf.%{d2} ~all exp=e.%{d}",
    "v=spf1 redirect=%{o}.b.test",
    "v=spf1 ptr ptr:b.test exists:%{l1r-+,/_=}.%{h} +all x=%{s}",
    "%{s} is not of %{d}, %{c} %{r} %{t} %{p} %% %_ %-",
    "v=spf1 a mx include:c.test include:d.test include:e.test include:f.test -all\nv=spf1 mx mx ptr -all",
];
const SPF_WORDS: &[&str] = &[
    "v=spf1 ",
    "include:",
    "redirect=",
    "exp=",
    "exists:",
    "%{",
    "}",
    "%{l9r.}",
    "/33",
    "//129",
    "ip4:",
    "ip6:",
    "ptr ",
    "mx ",
    " -all",
    "+",
    "?",
    "~",
    "a.test",
    "\n",
    "\u{e9}",
    "\0",
];

/// SPF: it ends within its questions, gives the same when all is known at once, and a domain's words are
/// one line.
#[test]
fn spf_records() {
    Fuzz::new("senders_spf")
        .seeds(SPF.iter().map(|seed| seed.as_bytes()))
        .words(SPF_WORDS)
        .bytes_max(2_048)
        .run(|input, signature| {
            let records: Vec<Vec<u8>> = input.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            for (ip, sender) in [
                (IpAddr::from([192, 0, 2, 1]), "a+b.c@d.b.test"),
                (IpAddr::from(Ipv6Addr::LOCALHOST), ""),
            ] {
                let query = spf::Query {
                    ip,
                    hello: "x.b.test",
                    sender,
                    receiver: SERVER,
                    now: NOW,
                };
                let (found, mut known) = settled(&records, |answers| spf::check(&query, answers));
                assert_eq!(spf::check(&query, &mut known), Ok(found.clone()));
                if let Some(words) = &found.explanation {
                    assert!(
                        words.len() <= limits::SPF_EXPLANATION_BYTES_MAX && plain(words),
                        "{words}"
                    );
                }
                signature.add(found.outcome.to_string());
            }
        });
}

const DMARC: &[&str] = &[
    "v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=r; pct=50; rua=mailto:a@b.test!10m,mailto:c@d.test; ruf=mailto:e@f.test; fo=1:d:s; ri=3600",
    "v=DMARC1;p=none;psd=n;t=y",
    "v=DMARC1; p=quarantine; psd=y",
    "v=TLSRPTv1; rua=mailto:a@b.test,https://b.test/x",
];
const DMARC_WORDS: &[&str] = &[
    "v=DMARC1",
    ";",
    "=",
    "p=",
    "sp=",
    "np=",
    "pct=101",
    "psd=u",
    "t=y",
    "rua=mailto:",
    "v=TLSRPTv1;",
    "https://",
    "%40",
    "@",
    "!1k",
    ",",
    "\n",
    "\t",
    "\u{e9}",
];

/// DMARC: what stands in a record is within its bounds, and a policy is only ever softened.
#[test]
fn dmarc_records() {
    Fuzz::new("senders_dmarc")
        .seeds(DMARC.iter().map(|seed| seed.as_bytes()))
        .words(DMARC_WORDS)
        .bytes_max(2_048)
        .run(|input, signature| {
            let records: Vec<Vec<u8>> = input.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            for record in &records {
                let record = dmarc::Record::parse(record);
                signature.add_shape(&record.is_some());
                let places = record.as_ref().map_or(&[][..], dmarc::Record::reports);
                let (found, _) = settled(&records, |answers| {
                    rua::destinations("b.test", places, answers)
                });
                assert!(found.places.len() <= limits::REPORT_ADDRESSES_MAX);
                for place in &found.places {
                    let host = place.host().expect("mail only");
                    assert!(!host.contains(char::is_control), "{place:?}");
                }
                signature.add_shape(&(found.places.len(), found.doubtful));
            }
            let texts: Vec<String> = records
                .iter()
                .map(|record| String::from_utf8_lossy(record).into_owned())
                .collect();
            signature.add_shape(&rua::of_tls(&texts).map(|places| places.len()));
            for from in ["b.test", "a.b.c.d.e.f.g.h.b.test"] {
                let spf = spf::Checked::default();
                let (found, _) =
                    settled(&records, |answers| dmarc::check(from, &spf, &[], answers));
                assert!(found.percent <= 100);
                assert!(found.aligned.is_none(), "nobody vouched");
                signature.add_shape(&(found.outcome, found.policy, found.testing));
            }
        });
}

const KEYS: &[&str] = &[
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "v=DKIM1; k=rsa; h=sha256; s=email; t=y:s; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
    "p=",
    "v=DMARC1; p=reject",
    "v=spf1 -all",
];

/// Signed as they are, without a signature that is right.
const SIGNED: &[&str] = &[
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/simple; d=b.test; s=k;\r\n\
     \th=from:to:subject:from; i=@a.b.test; t=1; x=99999999999; l=3; q=dns/txt;\r\n\
     \tbh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=AAAA\r\n BBBB==\r\n\
     From: a@b.test\r\nSubject:  x \t y\r\n\r\nbody  \r\n\r\n\r\n",
    "ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d=b.test; s=k; b=AAAA\r\n\
     ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=b.test; s=k; h=from; bh=AAAA; b=BBBB\r\n\
     ARC-Authentication-Results: i=1; b.test; dkim=pass header.d=b.test\r\n\
     Authentication-Results: mail.here.test; spf=pass\r\n\
     From: a@b.test\r\n\r\nx\r\n",
    "DKIM-Signature: v=1; a=rsa-sha256; d=b.test; s=k; h=from; bh=; b=\r\n\
     DKIM-Signature: a=rsa-sha1\r\nFrom: a@b.test\r\n\r\n",
];
const SIGNED_WORDS: &[&str] = &[
    "DKIM-Signature: ",
    "ARC-Seal: ",
    "ARC-Message-Signature: ",
    "ARC-Authentication-Results: ",
    "Authentication-Results: mail.here.test; ",
    "Facteur-Sender: ",
    "i=1;",
    "i=51;",
    "cv=pass;",
    "v=1;",
    "c=simple/relaxed;",
    "h=from:from;",
    "l=0;",
    "b=",
    "bh=",
    "\r\n",
    "\r\n\t",
    "\r\n\r\n",
    " \r\n",
    "\n",
    "\r",
    "\0",
];

fn seen(message: &[u8], cut: bool) -> Seen {
    let mut tap = Tap::for_checking();
    for piece in if cut { pieces(message) } else { vec![message] } {
        tap.push(piece);
    }
    tap.finish()
}

fn findings(seen: &Seen) -> Findings {
    let keys: Vec<Vec<u8>> = KEYS.iter().map(|key| key.as_bytes().to_vec()).collect();
    let ip = IpAddr::from([192, 0, 2, 1]);
    let query = spf::Query {
        ip,
        hello: "x.b.test",
        sender: "a@b.test",
        receiver: SERVER,
        now: NOW,
    };
    let (spf, _) = settled(&keys, |answers| spf::check(&query, answers));
    let (dkim, _) = settled(&keys, |answers| dkim::verify(seen, NOW, answers));
    let (dmarc, _) = settled(&keys, |answers| {
        dmarc::check("b.test", &spf, &dkim, answers)
    });
    let (arc, _) = settled(&keys, |answers| arc::check(seen, NOW, answers));
    let (reverse, _) = settled(&keys, |answers| reverse::check(ip, answers));
    Findings {
        spf,
        spf_of_hello: false,
        dkim,
        dmarc,
        arc,
        reverse,
    }
}

/// DKIM and ARC on whatever message comes: any split gives the same, nothing passes that nobody
/// signed, and what is written of it is one field.
#[test]
fn messages() {
    let signed = SIGNED.iter().map(|seed| seed.as_bytes().to_vec());
    Fuzz::new("senders_messages")
        .seeds(seeds::messages().into_iter().chain(signed))
        .words(SIGNED_WORDS)
        .run(|message, signature| {
            let (whole, cut) = (seen(message, false), seen(message, true));
            let (one, other) = (findings(&whole), findings(&cut));
            assert_eq!(one.dkim, other.dkim);
            assert_eq!(one.arc, other.arc);
            assert!(one.dkim.len() <= limits::SIGNATURES_MAX);
            let passed = |one: &dkim::Checked| one.outcome == dkim::Outcome::Pass;
            assert!(!one.dkim.iter().any(passed), "nobody signed this");
            assert!(one.arc.outcome != arc::Outcome::Pass, "nobody sealed this");
            let field = results::field(SERVER, IpAddr::from([192, 0, 2, 1]), &one);
            let lines: Vec<&str> = field.strip_suffix("\r\n").unwrap().split("\r\n").collect();
            for (place, line) in lines.iter().enumerate() {
                let folded = line.strip_prefix('\t');
                assert_eq!(folded.is_some(), place > 0, "{field}");
                assert!(plain(folded.unwrap_or(line)), "{field}");
            }
            let value = field.split_once(':').unwrap().1;
            assert!(results::claims_to_be(value.as_bytes(), SERVER));
            for checked in &one.dkim {
                signature.add_shape(&checked.outcome);
            }
            signature.add_shape(&one.arc.outcome);
        });
}

fn strained(message: &[u8], cut: bool) -> (Vec<u8>, u32) {
    let (mut strainer, mut out) = (Strainer::new(SERVER), Vec::new());
    for piece in if cut { pieces(message) } else { vec![message] } {
        out.extend_from_slice(strainer.push(piece));
    }
    let removed = strainer.removed();
    out.extend(strainer.finish());
    (out, removed)
}

/// Results in our name are taken out of a header, whatever they look like, and nothing else is.
#[test]
fn forged_results() {
    let forged = SIGNED.iter().map(|seed| seed.as_bytes().to_vec());
    Fuzz::new("senders_strain")
        .seeds(seeds::messages().into_iter().chain(forged))
        .words(SIGNED_WORDS)
        .run(|message, signature| {
            let (out, removed) = strained(message, false);
            assert_eq!(out, strained(message, true).0);
            assert!(out.len() <= message.len());
            let (again, more) = strained(&out, false);
            assert_eq!((again.len(), more), (out.len(), 0), "something is left");
            signature.add(removed.min(4));
        });
}

/// A body's hash does not depend on how the body came, and the relaxed form is its own.
#[test]
fn bodies() {
    Fuzz::new("senders_bodies")
        .seeds(SIGNED.iter().map(|seed| seed.as_bytes()))
        .words(&[" ", "\t", "\r\n", "\r", "\n", "\r\n\r\n", " \r\n"])
        .run(|input, signature| {
            for form in [Form::Simple, Form::Relaxed] {
                let mut whole = BodyHash::new(form);
                whole.push(input);
                let mut cut = BodyHash::new(form);
                for piece in pieces(input) {
                    cut.push(piece);
                }
                let whole = whole.finish();
                assert_eq!(whole, cut.finish());
                signature.add_shape(&whole.size.min(64));
            }
        });
}
