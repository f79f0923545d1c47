//! What domains are told of the mail in their name (RFC 7489 §7.2): counted, written, signed, sent once.

use facteur_senders::dmarc::Policy;
use facteur_senders::reports::aggregate::{Row, Sender as Path, Signature, Verdict};
use facteur_senders::reports::{self, AggregateReport, Report};
use facteur_senders::spf;
use facteur_server::feedback;

use super::*;

const BANK: &str = "203.0.113.9:999";
const ROBBER: &str = "203.0.113.66:999";
const MAIL: &str =
    "From: teller@bank.test\r\nTo: alice@example.test\r\nSubject: Hi\r\n\r\ntext\r\n";

fn text(world: &World, name: &str, record: &str) {
    let answer = Answer::Txt(vec![record.as_bytes().to_vec()]);
    world.dns.set_answer(Question::new(Kind::Txt, name), answer);
}

/// A bank that wants reports at these places, and its one server.
async fn world(rua: &str) -> World {
    let world = World::new().await.published().await;
    text(&world, "bank.test", "v=spf1 ip4:203.0.113.9 -all");
    let policy = format!("v=DMARC1; p=reject; sp=quarantine; adkim=s; rua={rua}");
    text(&world, "_dmarc.bank.test", &policy);
    for domain in ["bank.test", "paper.test"] {
        let exchange = format!("mx.{domain}");
        let address = IpAddr::from([192, 0, 2, 9]);
        world.dns.set_addresses(&exchange, Ok(vec![address]));
        let preference = 10;
        let records = vec![Mx {
            preference,
            exchange,
        }];
        world.dns.set_mx(domain, Ok(records));
    }
    // Nothing about the robber is doubtful either.
    let name = "mx.robber.test";
    let robber = IpAddr::from([203, 0, 113, 66]);
    let named = Answer::Ptr(vec![name.to_owned()]);
    let question = Question::new(Kind::Ptr, &reverse_name(robber));
    world.dns.set_answer(question, named);
    let address = Answer::A(vec![[203, 0, 113, 66].into()]);
    world.dns.set_answer(Question::new(Kind::A, name), address);
    world
}

/// `answer`: to the end of the message.
async fn offer(world: &World, peer: &str, from: &str, message: &str, answer: &str) {
    let lines = [
        ("EHLO mx.robber.test\r\n".to_owned(), "250"),
        (format!("MAIL FROM:<{from}>\r\n"), "250"),
        ("RCPT TO:<alice@example.test>\r\n".to_owned(), "250"),
        ("DATA\r\n".to_owned(), "354"),
        (format!("{message}.\r\n"), answer),
        ("QUIT\r\n".to_owned(), "221"),
    ];
    let lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|(say, code)| (say.as_str(), *code))
        .collect();
    world.session(Role::Smtp, peer, &lines).await;
}

/// The day is over, and the hours in which reports go.
async fn next_day(world: &World) -> usize {
    world.clock.advance(DAY + Duration::from_secs(5 * 3600));
    feedback::turn(&world.sender()).await
}

/// What is attached to a message.
fn attached(message: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let text = String::from_utf8_lossy(message);
    let (_, part) = text
        .split_once("Content-Transfer-Encoding: base64")
        .unwrap();
    let (_, part) = part.split_once("\r\n\r\n").unwrap();
    let (base64, _) = part.split_once("\r\n--").unwrap();
    let base64 = base64.replace("\r\n", "");
    base64::engine::general_purpose::STANDARD
        .decode(base64)
        .unwrap()
}

fn report(taken: &Taken) -> AggregateReport {
    match reports::read(&attached(&taken.message)).unwrap() {
        Report::Aggregate(report) => report,
        other => panic!("{other:?}"),
    }
}

fn row(source: &str, count: u64, from: &str, path: &str, result: spf::Outcome) -> Row {
    let good = result == spf::Outcome::Pass;
    Row {
        source: source.parse().unwrap(),
        count,
        disposition: if good { Policy::None } else { Policy::Reject },
        dkim: false,
        spf: good,
        reasons: Vec::new(),
        header_from: from.to_owned(),
        envelope_from: Some(path.to_owned()),
        envelope_to: None,
        signatures: Vec::new(),
        senders: vec![Path {
            domain: path.to_owned(),
            of_hello: false,
            result,
        }],
    }
}

/// A day of mail from several sources is one report with exactly these counts, which others can believe.
#[tokio::test]
async fn a_day_is_one_report() {
    let world = world("mailto:reports@bank.test!1m").await;
    for _ in 0..3 {
        offer(&world, BANK, "teller@bank.test", MAIL, "250").await;
    }
    offer(&world, BANK, "", MAIL, "550").await;
    for _ in 0..2 {
        offer(&world, ROBBER, "x@bank.test", MAIL, "550").await;
    }
    let forged = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; d=bank.test; s=one; h=from; bh=AAAA; b=BBBB\r\n{MAIL}"
    );
    offer(&world, ROBBER, "x@bank.test", &forged, "550").await;
    let branch = MAIL.replace("@bank.test", "@branch.bank.test");
    offer(&world, ROBBER, "x@robber.test", &branch, "250").await;
    // Neither of a domain that asks for nothing, nor of a report to us.
    offer(
        &world,
        BANK,
        "x@far.test",
        &MAIL.replace("bank.test", "far.test"),
        "250",
    )
    .await;
    let theirs = MAIL.replace(
        "Subject: Hi",
        "Subject: Report Domain: example.test Submitter: bank.test",
    );
    offer(&world, BANK, "x@bank.test", &theirs, "250").await;
    assert_eq!(
        feedback::turn(&world.sender()).await,
        0,
        "the day is not over"
    );

    let day = world.clock.now().seconds() / 86_400;
    assert_eq!(next_day(&world).await, 1);
    let taken = world.one_arrived().await;
    assert_eq!(
        (taken.from.as_str(), taken.to.as_str()),
        ("MAIL FROM:<>\r\n", "RCPT TO:<reports@bank.test>\r\n")
    );
    world.assert_signed(&taken.message).await;
    let found = report(&taken);
    assert_eq!(
        (found.begin, found.end),
        (day * 86_400, day * 86_400 + 86_399)
    );
    assert_eq!(found.contact, "postmaster@mail.example.test");
    assert_eq!(found.errors, Vec::<String>::new());
    let published = &found.published;
    assert_eq!(published.domain, "bank.test");
    assert_eq!(
        (published.policy, published.subdomains),
        (Policy::Reject, Policy::Quarantine)
    );
    assert!(published.strict_dkim && !published.strict_spf);
    use spf::Outcome::{Fail, None as Nothing, Pass};
    let hello = Row {
        envelope_from: None,
        senders: vec![Path {
            domain: "mx.robber.test".to_owned(),
            of_hello: true,
            result: Nothing,
        }],
        ..row("203.0.113.9", 1, "bank.test", "", Nothing)
    };
    let signed = Row {
        signatures: vec![Signature {
            domain: "bank.test".to_owned(),
            selector: Some("one".to_owned()),
            result: Verdict::PermError,
            human: None,
        }],
        ..row("203.0.113.66", 1, "bank.test", "bank.test", Fail)
    };
    let branch = Row {
        disposition: Policy::Quarantine,
        ..row(
            "203.0.113.66",
            1,
            "branch.bank.test",
            "robber.test",
            Nothing,
        )
    };
    let expected = [
        row("203.0.113.9", 3, "bank.test", "bank.test", Pass),
        hello,
        row("203.0.113.66", 2, "bank.test", "bank.test", Fail),
        signed,
        branch,
    ];
    assert_eq!(found.rows, expected);

    let text = String::from_utf8_lossy(&taken.message).replace("\r\n ", " ");
    let subject = format!(
        "Subject: Report Domain: bank.test Submitter: mail.example.test Report-ID: <{}@mail.example.test>",
        found.id
    );
    let name = format!(
        "mail.example.test!bank.test!{}!{}!{}.xml.gz",
        found.begin, found.end, found.id
    );
    for part in [
        &subject,
        &name,
        "Content-Type: application/gzip",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // It is told, and forgotten.
    next_day(&world).await;
    assert!(world.arrived().await.is_empty());
}

/// RFC 7489 §7.1, §7.2.1: whoever is elsewhere has to agree; who wants less gets none.
#[tokio::test]
async fn who_gets_it() {
    let all =
        "mailto:a@bank.test!10, mailto:b@in.bank.test!1m, mailto:c@paper.test, mailto:d@bank.test";
    let agree = ("bank.test._report._dmarc.paper.test", "v=DMARC1");
    let instead = (
        "bank.test._report._dmarc.paper.test",
        "v=DMARC1; rua=mailto:e@paper.test",
    );
    let own = vec!["b@in.bank.test", "d@bank.test"];
    let with = |more: &'static str| vec!["b@in.bank.test", more, "d@bank.test"];
    for (rua, record, expected) in [
        (all, None, own.clone()),
        (all, Some(agree), with("c@paper.test")),
        (
            all,
            Some(instead),
            vec!["b@in.bank.test", "d@bank.test", "e@paper.test"],
        ),
        ("mailto:a@bank.test!10", None, vec![]),
        ("mailto:c@paper.test", None, vec![]),
        ("https://bank.test/", None, vec![]),
    ] {
        let world = world(rua).await;
        let exchange = "mx.bank.test".to_owned();
        let preference = 10;
        world.dns.set_mx(
            "in.bank.test",
            Ok(vec![Mx {
                preference,
                exchange,
            }]),
        );
        if let Some((name, record)) = record {
            text(&world, name, record);
        }
        offer(&world, BANK, "teller@bank.test", MAIL, "250").await;
        next_day(&world).await;
        let entries = world
            .ctx
            .store
            .queue_list(&QueueFilter::default(), None, 10)
            .unwrap();
        let recipients = entries.iter().flat_map(|entry| &entry.recipients);
        let mut found: Vec<String> = recipients.map(|one| one.address.clone()).collect();
        found.sort();
        assert_eq!(found, expected, "{rua} {record:?}");
        assert_eq!(next_day(&world).await, 0, "nothing is left of it");
    }
}

/// DNS that does not answer, a domain that does not sign yet: later, and given up at last.
#[tokio::test]
async fn what_can_t_be_sent_waits() {
    let world = world("mailto:reports@bank.test").await;
    offer(&world, BANK, "teller@bank.test", MAIL, "250").await;
    let question = Question::new(Kind::Txt, "_dmarc.bank.test");
    let record = world.dns.ask(&question).await;
    world.dns.set_answer(question.clone(), Answer::Temporary);
    assert_eq!(next_day(&world).await, 0);
    world.dns.set_answer(question.clone(), record);
    assert_eq!(feedback::turn(&world.sender()).await, 0, "it rests");
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(feedback::turn(&world.sender()).await, 1);
    assert_eq!(world.arrived().await.len(), 1);

    offer(&world, BANK, "teller@bank.test", MAIL, "250").await;
    world.dns.set_answer(question, Answer::Temporary);
    for _ in 0..3 {
        next_day(&world).await;
    }
    text(
        &world,
        "_dmarc.bank.test",
        "v=DMARC1; p=none; rua=mailto:reports@bank.test",
    );
    assert_eq!(next_day(&world).await, 0);
    assert!(world.arrived().await.is_empty());

    let world = World::new().await;
    text(
        &world,
        "_dmarc.bank.test",
        "v=DMARC1; p=none; rua=mailto:reports@bank.test",
    );
    offer(&world, BANK, "teller@bank.test", MAIL, "250").await;
    assert_eq!(next_day(&world).await, 0);
    let world = world.published().await;
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(feedback::turn(&world.sender()).await, 1);
}

impl World {
    /// The power fails, and comes back.
    async fn power_cut(mut self) -> World {
        self.disk.cut_power();
        self.ctx.shutdown.start();
        let _ = self.ctx.store.close().await;
        self.disk = self.disk.reboot(5);
        let seam: Arc<dyn Clock> = self.clock.clone();
        let options = Options {
            reserved_bytes: 1 << 20,
            ..Options::default()
        };
        let (store, _) = Store::open(Arc::new(self.disk.clone()), seam, options).unwrap();
        let seam: Arc<dyn Dns> = self.dns.clone();
        self.ctx = Context::with_dns(config(), store, Some(seam)).unwrap();
        self.api = admin::router(Arc::clone(&self.ctx));
        self
    }
}

/// Between the count and the report, and between the report and the note that it is done.
#[tokio::test]
async fn the_power_fails() {
    let world = world("mailto:reports@bank.test").await;
    offer(&world, BANK, "teller@bank.test", MAIL, "250").await;
    world.ctx.feedback.save().unwrap();
    // Not on the disk yet: the last minutes may be lost, no more.
    offer(&world, BANK, "teller@bank.test", MAIL, "250").await;
    let world = world.power_cut().await;
    offer(&world, BANK, "teller@bank.test", MAIL, "250").await;
    assert_eq!(next_day(&world).await, 1);
    // The report is in the queue; that its counts may go is not on the disk.
    let world = world.power_cut().await;
    assert_eq!(feedback::turn(&world.sender()).await, 1);
    let taken = world.one_arrived().await;
    let counts: Vec<u64> = report(&taken).rows.iter().map(|row| row.count).collect();
    assert_eq!(counts, [2]);
    world.ctx.feedback.save().unwrap();
    let world = world.power_cut().await;
    next_day(&world).await;
    assert!(world.arrived().await.is_empty());
}

/// Somebody writes in the names of more domains than anybody counts.
#[tokio::test]
async fn many_domains_stay_bounded() {
    let world = world("mailto:reports@bank.test").await;
    let most = facteur_server::limits::FEEDBACK_DOMAINS_MAX;
    for number in 0..most + 2_000 {
        let domain = format!("d{number}.test");
        let row = row("203.0.113.66", 0, &domain, &domain, spf::Outcome::Fail);
        world.ctx.feedback.count_letter(&domain, row);
    }
    world.ctx.feedback.save().unwrap();
    let world = world.power_cut().await;
    let mut settled = next_day(&world).await;
    assert_eq!(settled, facteur_server::limits::FEEDBACK_A_TURN_MAX);
    loop {
        match feedback::turn(&world.sender()).await {
            0 => break,
            more => settled += more,
        }
    }
    assert_eq!(settled, most);
    assert!(
        world.arrived().await.is_empty(),
        "none of them asks for one"
    );
}

/// Switched off nothing is counted.
#[tokio::test]
async fn it_is_off_unless_it_is_switched_on() {
    assert!(!Config::new("mail.example.test").send_reports);
    let world = world("mailto:reports@bank.test").await;
    let off = Config {
        send_reports: false,
        ..config()
    };
    let feedback = feedback::Feedback::new(world.ctx.store.clone(), &off);
    let row = row(
        "203.0.113.66",
        0,
        "bank.test",
        "bank.test",
        spf::Outcome::Fail,
    );
    feedback.count_letter("bank.test", row);
    feedback.save().unwrap();
    assert_eq!(next_day(&world).await, 0);
}
