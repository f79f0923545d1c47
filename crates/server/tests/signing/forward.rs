//! Mail of others that goes on: it leaves under an address of ours that leads reports back (SRS), and
//! sealed (RFC 8617).

use facteur_senders::arc;

use super::*;

const MAIL: &str = "From: carol@other.test\r\nTo: away@example.test\r\nSubject: Hi\r\n\
    Message-ID: <1@other.test>\r\n\r\ntext\r\n";
const STRANGER: &str = "203.0.113.9:999";

/// The address in a MAIL or RCPT line.
fn address(line: &str) -> String {
    let (_, rest) = line.split_once('<').unwrap();
    rest.split_once('>').unwrap().0.to_owned()
}

async fn sealed(world: &World, message: &[u8]) -> arc::Checked {
    let mut tap = Tap::for_checking();
    tap.push(message);
    let seen = tap.finish();
    let mut answers = Answers::default();
    loop {
        let now = world.clock.now().seconds();
        if let Ok(checked) = arc::check(&seen, now, &mut answers) {
            return checked;
        }
        for question in answers.take_wanted() {
            let answer = world.dns.ask(&question).await;
            answers.put(question, answer);
        }
    }
}

#[tokio::test]
async fn reports_find_their_way_back() {
    let world = World::new().await;
    world.alias("away@example.test", "bob@far.test").await;
    world.receive("away@example.test", MAIL).await;
    let taken = world.one_arrived().await;
    let from = address(&taken.from);
    assert!(from.starts_with("SRS0="), "{from}");
    assert!(from.ends_with("=other.test=carol@example.test"), "{from}");

    let report = "From: postmaster@far.test\r\nTo: carol@other.test\r\n\r\nno\r\n";
    let lower = from.to_lowercase();
    for back in [&from, &lower] {
        world.offer(STRANGER, "", (back, "250"), report).await;
        let taken = world.one_arrived().await;
        assert_eq!(address(&taken.to), "carol@other.test");
        assert_eq!(address(&taken.from), "");
    }
    // Nobody else writes through it, and none can be made up.
    world
        .offer(STRANGER, "x@far.test", (&from, "550"), report)
        .await;
    let forged = from.replace("carol", "dave");
    world.offer(STRANGER, "", (&forged, "550"), report).await;
    world.clock.advance(DAY * 31);
    world.offer(STRANGER, "", (&from, "550"), report).await;
}

/// RFC 3464: the one who wrote is told, not the address that we made of him.
#[tokio::test]
async fn what_cannot_go_on_comes_back() {
    let world = World::new().await;
    world.alias("away@example.test", "nobody@far.test").await;
    world.receive("away@example.test", MAIL).await;
    let report = world.one_arrived().await;
    assert_eq!(address(&report.to), "carol@other.test");
    let text = String::from_utf8_lossy(&report.message);
    assert!(text.contains("\r\nTo: carol@other.test\r\n"), "{text}");
    assert!(!text.contains("SRS0="), "{text}");
}

impl World {
    /// The stranger may send for other.test.
    fn vouched(self) -> World {
        let record = b"v=spf1 ip4:203.0.113.9 -all".to_vec();
        let question = Question::new(Kind::Txt, "other.test");
        self.dns.set_answer(question, Answer::Txt(vec![record]));
        self
    }

    async fn trace(&self, about: &str) -> String {
        let path = format!("/v1/trace?about={about}");
        self.ask("GET", &path, None).await.to_string()
    }
}

const UNTOLD: &str = r#""unproven":true"#;

/// Anybody can write in anybody's name: who did not send it hears nothing of it, now or later.
#[tokio::test]
async fn a_sender_that_is_not_proven_is_told_of_nothing() {
    let world = World::new().await;
    world.alias("away@example.test", "bob@far.test").await;
    world.alias("gone@example.test", "nobody@far.test").await;
    let carol = "carol@other.test";
    // Ours as well: it is not one of us who sends this.
    for from in [carol, "alice@example.test"] {
        let to = ("gone@example.test", "250");
        world.offer(STRANGER, from, to, MAIL).await;
        assert!(world.arrived().await.is_empty(), "{from}");
    }
    let trace = world.trace("nobody@far.test").await;
    assert!(trace.contains(UNTOLD), "{trace}");

    let to = ("away@example.test", "250");
    world.offer(STRANGER, carol, to, MAIL).await;
    let from = address(&world.one_arrived().await.from);
    assert!(from.starts_with("unproven+"), "{from}");
    // Who asks whether there is such an address hears yes, and a report is dropped.
    let report = "From: postmaster@far.test\r\nTo: x@example.test\r\n\r\nno\r\n";
    world.offer(STRANGER, "", (&from, "250"), report).await;
    assert!(world.arrived().await.is_empty());
    let to = (from.as_str(), "550");
    world.offer(STRANGER, "x@far.test", to, report).await;
    let forged = from.replace("unproven+", "unproven+0");
    world.offer(STRANGER, "", (&forged, "550"), report).await;

    // What comes from who may send for the domain comes back to him.
    let world = world.vouched();
    let to = ("gone@example.test", "250");
    world.offer(STRANGER, carol, to, MAIL).await;
    assert_eq!(address(&world.one_arrived().await.to), carol);
}

/// One of several does not get it: that others do is no reason to write to somebody else.
#[tokio::test]
async fn a_filter_that_refuses_writes_to_nobody_unproven() {
    let world = World::new().await;
    world.alias("away@example.test", "bob@far.test").await;
    world.script("require \"reject\"; reject \"no\";").await;
    let data = format!("{MAIL}.\r\n");
    let lines = [
        ("EHLO mx.other.test\r\n", "250"),
        ("MAIL FROM:<carol@other.test>\r\n", "250"),
        (
            "RCPT TO:<away@example.test> NOTIFY=SUCCESS,FAILURE\r\n",
            "250",
        ),
        (
            "RCPT TO:<alice@example.test> NOTIFY=SUCCESS,FAILURE\r\n",
            "250",
        ),
        ("DATA\r\n", "354"),
        (data.as_str(), "250"),
        ("QUIT\r\n", "221"),
    ];
    world.session(Role::Smtp, STRANGER, &lines).await;
    assert_eq!(address(&world.one_arrived().await.to), "bob@far.test");
    let trace = world.trace("alice@example.test").await;
    assert!(trace.contains(UNTOLD), "{trace}");
    let world = world.vouched();
    world.session(Role::Smtp, STRANGER, &lines).await;
    // It waits a moment for others of the same message.
    let owed = |entries: &[QueueEntry]| entries.iter().all(|entry| entry.owing.is_some());
    let mut told = world.arrived_until(owed).await;
    world.clock.advance(Duration::from_secs(120));
    told.extend(world.arrived().await);
    let refused = |taken: &Taken| String::from_utf8_lossy(&taken.message).contains("refuses");
    let told: Vec<&Taken> = told.iter().filter(|taken| refused(taken)).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(address(&told[0].to), "carol@other.test");
}

#[tokio::test]
async fn what_others_rewrote_goes_straight_back_to_them() {
    let world = World::new().await.vouched();
    world.alias("away@example.test", "bob@far.test").await;
    let before = "SRS0=HHH=TT=a.test=d@other.test";
    world
        .offer(STRANGER, before, ("away@example.test", "250"), MAIL)
        .await;
    let from = address(&world.one_arrived().await.from);
    assert!(from.starts_with("SRS1="), "{from}");
    world.offer(STRANGER, "", (&from, "250"), MAIL).await;
    assert_eq!(address(&world.one_arrived().await.to), before);
}

#[tokio::test]
async fn our_own_and_nobody_stay_as_they_are() {
    let world = World::new().await.vouched();
    world.alias("away@example.test", "bob@far.test").await;
    world.submit("away@example.test", LETTER).await;
    let taken = world.one_arrived().await;
    assert_eq!(address(&taken.from), "alice@example.test");
    world
        .offer(STRANGER, "", ("away@example.test", "250"), MAIL)
        .await;
    assert_eq!(address(&world.one_arrived().await.from), "");
    // Too long to be rewritten: better so than not at all.
    let long = format!("{}@other.test", "a".repeat(60));
    world
        .offer(STRANGER, &long, ("away@example.test", "250"), MAIL)
        .await;
    assert_eq!(address(&world.one_arrived().await.from), long);
}

/// An alias to the outside, and a filter's redirect.
#[tokio::test]
async fn what_goes_on_is_sealed() {
    let world = World::new().await.published().await.vouched();
    world.alias("away@example.test", "bob@far.test").await;
    world.agreed("bob@far.test").await;
    world.script("redirect \"bob@far.test\";").await;
    let mut message = MAIL.to_owned();
    for to in ["away@example.test", "alice@example.test"] {
        world
            .offer(STRANGER, "carol@other.test", (to, "250"), &message)
            .await;
        let taken = world.one_arrived().await;
        assert!(address(&taken.from).starts_with("SRS0="), "{}", taken.from);
        assert!(world.verify(&taken.message).await.is_empty());
        let text = String::from_utf8(taken.message).unwrap();
        let checked = sealed(&world, text.as_bytes()).await;
        assert_eq!(checked.outcome, arc::Outcome::Pass, "{text}");
        let number = checked.sealers.len();
        assert_eq!(checked.sealers, vec!["example.test"; number]);
        let said = format!("ARC-Authentication-Results: i={number}; mail.example.test;");
        assert!(text.contains(&said), "{text}");
        let changed = text.replace("\r\ntext\r\n", "\r\nother\r\n");
        let outcome = sealed(&world, changed.as_bytes()).await.outcome;
        assert!(matches!(outcome, arc::Outcome::Fail(_)), "{outcome}");
        // It comes back once more, and the chain grows.
        message = text;
        let bare = message.replace("Delivered-To:", "X-Was:");
        message = bare;
        if number == 2 {
            return;
        }
    }
    panic!("the chain did not grow");
}

#[tokio::test]
async fn what_has_a_broken_chain_is_not_sealed_again() {
    let world = World::new().await.published().await;
    world.alias("away@example.test", "bob@far.test").await;
    let broken = format!(
        "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=x.test; s=s; b=AAAA\r\n\
         ARC-Message-Signature: i=1; a=rsa-sha256; d=x.test; s=s; h=from; bh=AAAA; b=AAAA\r\n\
         ARC-Authentication-Results: i=1; x.test; spf=pass\r\n{MAIL}"
    );
    world
        .offer(
            STRANGER,
            "carol@other.test",
            ("away@example.test", "250"),
            &broken,
        )
        .await;
    let text = world.one_arrived().await.message;
    let text = String::from_utf8_lossy(&text);
    assert_eq!(text.matches("ARC-Seal:").count(), 1, "{text}");
}
