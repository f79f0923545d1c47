//! Mail goes on to an address outside when its owner agreed: the question, the answers, and what
//! becomes of mail meanwhile.

use facteur_server::consent;
use facteur_server::dns::DnsError;
use facteur_store::{RecipientState, WaitReason};

use super::*;

const ALIAS: &str = "/v1/aliases/away@example.test";
const MAIL: &str = "From: carol@other.test\r\nTo: away@example.test\r\nSubject: Hi\r\n\r\ntext\r\n";
const YES: &str = "From: bob@far.test\r\nSubject: Re: ?\r\n\r\nwhatever\r\n";

impl World {
    /// The alias is made to lead there; gives whom the administrator hears to be asked.
    async fn lead(&self, target: &str, confirmed: bool) -> Value {
        let body = serde_json::json!({"targets": [target], "confirmed": confirmed});
        let body = body.to_string().into_bytes();
        self.ask("PUT", ALIAS, Some(body)).await["asked"].clone()
    }

    /// Messages that Alice has; she is the postmaster too.
    fn inbox(&self) -> usize {
        self.letters().len()
    }

    async fn states(&self) -> Vec<String> {
        let list = self.ask("GET", "/v1/forwards", None).await;
        let list = list.as_array().unwrap().iter();
        list.map(|one| one["state"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What arrives while the rest waits for an answer.
    async fn arrived_but_one(&self) -> Vec<Taken> {
        let waits = |entries: &[QueueEntry]| {
            let [entry] = entries else {
                return false;
            };
            entry.reason == WaitReason::Unconfirmed
                && entry.recipients[0].state == RecipientState::Pending
        };
        self.arrived_until(waits).await
    }
}

/// The address in the letter that begins like this.
fn address_in(letter: &Taken, begins: &str) -> String {
    let text = String::from_utf8_lossy(&letter.message).replace("=\r\n", "");
    let at = text.find(begins).unwrap_or_else(|| panic!("{text}"));
    let rest = text[at..].split([' ', '\r', '>']).next().unwrap();
    rest.trim_end_matches('.').to_owned()
}

#[tokio::test]
async fn an_alias_waits_for_the_owner_and_goes_on_when_he_says_yes() {
    let world = World::new().await.published().await;
    assert_eq!(world.lead("bob@far.test", false).await[0], "bob@far.test");
    assert_eq!(world.states().await, ["asked"]);
    let letter = world.one_arrived().await;
    assert!(letter.from.starts_with("MAIL FROM:<>"), "{}", letter.from);
    assert!(letter.to.contains("bob@far.test"), "{}", letter.to);
    world.assert_signed(&letter.message).await;
    let yes = address_in(&letter, "confirm+");
    let text = String::from_utf8_lossy(&letter.message);
    assert!(text.contains("Shall mail for away@example.test"), "{text}");
    assert!(text.contains("Reply-To: confirm+"), "{text}");

    world.receive("away@example.test", MAIL).await;
    assert!(world.arrived_but_one().await.is_empty());
    let before = world.inbox();
    // Nobody has read the question.
    for (from, message) in [
        ("", YES.to_owned()),
        (
            "bob@far.test",
            format!("Auto-Submitted: auto-replied\r\n{YES}"),
        ),
        ("bob@far.test", format!("Precedence: bulk\r\n{YES}")),
    ] {
        world
            .offer("127.0.0.1:999", from, (&yes, "250"), &message)
            .await;
        assert_eq!(world.states().await, ["asked"], "{message}");
    }
    world.receive(&yes.to_uppercase(), YES).await;
    assert_eq!(world.states().await, ["confirmed"]);
    let taken = world.one_arrived().await;
    assert!(taken.to.contains("bob@far.test"), "{}", taken.to);
    assert!(taken.message.ends_with(b"\r\n\r\ntext\r\n"));
    assert_eq!(world.inbox(), before + 1, "the postmaster is told");
    // Asked once, and what follows goes at once.
    assert_eq!(
        world.lead("bob@far.test", false).await,
        Value::Array(vec![])
    );
    world.receive("away@example.test", MAIL).await;
    world.one_arrived().await;

    let no = yes.replace("confirm+", "stop+");
    world.receive(&no, YES).await;
    assert_eq!(world.states().await, ["stopped"]);
    world
        .offer(
            "127.0.0.1:999",
            "c@other.test",
            ("away@example.test", "550"),
            MAIL,
        )
        .await;
    // An old letter says nothing any more.
    world.receive(&yes, YES).await;
    assert_eq!(world.states().await, ["stopped"]);
}

/// RFC 5233: a detail is no way around the owner, and a report is none either.
#[tokio::test]
async fn nothing_goes_around_the_question() {
    let world = World::new().await;
    world.lead("bob@far.test", false).await;
    world.one_arrived().await;
    world.receive("away+shop@example.test", MAIL).await;
    assert!(world.arrived_but_one().await.is_empty());
    let entries = world
        .ctx
        .store
        .queue_list(&QueueFilter::default(), None, 10);
    let waits = entries.unwrap()[0].id;
    assert!(world.ctx.store.queue_lease(waits));
    let dropped = world.ctx.store.queue_update(waits, None, Vec::new());
    dropped.await.unwrap();

    world.alias("other@example.test", "nobody@far.test").await;
    let from = ("127.0.0.1:999", "away@example.test");
    let to = ("other@example.test", "250");
    world.offer(from.0, from.1, to, MAIL).await;
    assert!(world.arrived_but_one().await.is_empty());

    world.ask("DELETE", "/v1/forwards/bob@far.test", None).await;
    world.arrived().await;
    let to = ("away+shop@example.test", "550");
    world.offer(from.0, "carol@other.test", to, MAIL).await;
}

#[tokio::test]
async fn without_an_answer_mail_comes_back() {
    let world = World::new().await;
    world.lead("bob@far.test", false).await;
    let letter = world.one_arrived().await;
    world.clock.advance(DAY * 6);
    world.receive("away@example.test", MAIL).await;
    assert!(world.arrived_but_one().await.is_empty());
    world.clock.advance(DAY);
    let report = world.one_arrived().await;
    assert!(report.to.contains("carol@other.test"), "{}", report.to);
    assert_eq!(world.states().await, ["unanswered"]);
    world
        .offer(
            "127.0.0.1:999",
            "c@other.test",
            ("away@example.test", "550"),
            MAIL,
        )
        .await;
    let late = address_in(&letter, "confirm+");
    world.receive(&late, YES).await;
    assert_eq!(world.states().await, ["unanswered"]);
    // He may be asked once more.
    assert_eq!(world.lead("bob@far.test", false).await[0], "bob@far.test");
    world.receive(&late, YES).await;
    assert_eq!(world.states().await, ["confirmed"]);
}

/// Nothing shows who sent it: it is dropped, and who looks after the alias hears of it once.
#[tokio::test]
async fn without_an_answer_mail_of_nobody_is_dropped() {
    let world = World::new().await;
    world.lead("bob@far.test", false).await;
    world.one_arrived().await;
    world.clock.advance(DAY * 6);
    for from in ["carol@other.test", "dave@other.test"] {
        let to = ("away@example.test", "250");
        world.offer("203.0.113.9:999", from, to, MAIL).await;
    }
    let before = world.inbox();
    world.clock.advance(DAY);
    assert!(world.arrived().await.is_empty());
    assert_eq!(world.inbox(), before + 1, "the postmaster is told once");
    let trace = world.ask("GET", "/v1/trace?about=carol@other.test", None);
    let trace = trace.await.to_string();
    assert!(trace.contains(r#""unproven":true"#), "{trace}");
}

#[tokio::test]
async fn the_administrator_may_vouch_and_stop() {
    let world = World::new().await;
    assert_eq!(world.lead("bob@far.test", true).await, Value::Array(vec![]));
    world.receive("away@example.test", MAIL).await;
    world.one_arrived().await;
    let path = "/v1/forwards/Bob@far.test";
    world.ask("DELETE", path, None).await;
    assert_eq!(world.states().await, ["stopped"]);
    world.ask("PUT", path, Some(b"{}".to_vec())).await;
    assert_eq!(world.states().await, ["confirmed"]);
    world.ask("DELETE", ALIAS, None).await;
    assert!(world.states().await.is_empty());
}

/// An alias from before owners were asked goes on as it did.
#[tokio::test]
async fn what_was_there_before_goes_on() {
    let world = World::new().await;
    world.alias("away@example.test", "bob@far.test").await;
    assert_eq!(
        world.lead("bob@far.test", false).await,
        Value::Array(vec![])
    );
    world.receive("away@example.test", MAIL).await;
    world.one_arrived().await;
}

#[tokio::test]
async fn what_a_filter_sends_on_stays_until_then() {
    let world = World::new().await;
    world.script("redirect \"Bob@far.test\";").await;
    for inbox in [2, 3] {
        world.receive("alice@example.test", MAIL).await;
        assert_eq!(world.inbox(), inbox, "the news and the messages");
    }
    let letter = world.one_arrived().await;
    let text = String::from_utf8_lossy(&letter.message);
    assert!(
        text.contains("mail pour") || text.contains("courrier"),
        "{text}"
    );
    world.receive(&address_in(&letter, "confirm+"), YES).await;
    assert_eq!(world.inbox(), 4, "the news");
    world.receive("alice@example.test", MAIL).await;
    assert!(world.one_arrived().await.to.contains("Bob@far.test"));
    assert_eq!(world.inbox(), 4);
    world.receive(&address_in(&letter, "stop+"), YES).await;
    world.receive("alice@example.test", MAIL).await;
    assert_eq!(world.inbox(), 6, "the news and the message");
    assert!(world.arrived().await.is_empty());
}

#[tokio::test]
async fn a_filter_asks_again_after_a_month() {
    let world = World::new().await;
    world.script("redirect \"bob@far.test\";").await;
    for (days, letters) in [(0, 1), (29, 0), (2, 1)] {
        world.clock.advance(DAY * days);
        world.receive("alice@example.test", MAIL).await;
        assert_eq!(world.arrived().await.len(), letters, "after {days} more");
    }
    assert_eq!(world.states().await, ["asked"]);
}

/// RFC 3463 §3.2: hosts that say so three times in a row are believed.
#[tokio::test]
async fn who_is_gone_gets_nothing_more() {
    let world = World::new().await;
    world.lead("nobody@far.test", true).await;
    for number in 1..=3 {
        assert_eq!(world.states().await, ["confirmed"], "{number}");
        world.receive("away@example.test", MAIL).await;
        let report = world.one_arrived().await;
        assert!(report.to.contains("carol@other.test"), "{}", report.to);
    }
    assert_eq!(world.states().await, ["gone"]);
    assert_eq!(world.inbox(), 1);
}

/// What DNS does not know for a while is not gone: only its host knows.
#[tokio::test]
async fn a_domain_that_is_missing_for_a_while_is_not_gone() {
    let world = World::new().await;
    world.lead("bob@far.test", true).await;
    let known = world.dns.mx("far.test").await;
    world.dns.set_mx("far.test", Err(DnsError::NoSuchName));
    for _ in 0..4 {
        world.receive("away@example.test", MAIL).await;
        let report = world.one_arrived().await;
        assert!(report.to.contains("carol@other.test"), "{}", report.to);
    }
    assert_eq!(world.states().await, ["confirmed"]);
    world.dns.set_mx("far.test", known);
    world.receive("away@example.test", MAIL).await;
    assert!(world.one_arrived().await.to.contains("bob@far.test"));
}

#[tokio::test]
async fn nobody_is_flooded_with_questions() {
    let world = World::new().await;
    for number in 1..=4 {
        let source = ForwardSource::Alias(format!("a{number}@example.test"));
        let asked = consent::question(&world.ctx, source.clone(), "bob@far.test");
        let asked = asked.await.unwrap();
        assert_eq!(asked.is_some(), number <= 3, "{number}");
        if let Some(question) = asked {
            let letters = vec![question.letter];
            let added = world.ctx.store.add_forward(question.forward, letters);
            assert!(added.await.unwrap());
        }
    }
    for number in 1..=6 {
        let target = format!("b{number}@far.test");
        let asked = consent::ask_for_account(&world.ctx, world.alice, &target);
        asked.await.unwrap();
    }
    assert_eq!(world.states().await.len(), 3 + 5);
    world.clock.advance(DAY * 8);
    let source = ForwardSource::Alias("a4@example.test".to_owned());
    let asked = consent::question(&world.ctx, source, "bob@far.test");
    assert!(asked.await.unwrap().is_some());
}
