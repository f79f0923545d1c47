//! What a host has to prove, and what is passed on to it (RFC 7672, RFC 8461, RFC 8689, RFC 2852,
//! RFC 6710).

use facteur_store::{DeliverBy, TlsWish};

use super::*;

/// Records for the one host of one.test, and their names proven.
pub fn dane(world: &World, tlsa: Result<Vec<Tlsa>, DnsError>) {
    let port = world.ctx.config.queue.port;
    world.dns.set_proven("one.test", Ok(true));
    world.dns.set_proven("mx1.test", Ok(true));
    world.dns.set_tlsa(&format!("_{port}._tcp.mx1.test"), tlsa);
}

pub fn tlsa(usage: u8, matching: u8, data: &[u8]) -> Tlsa {
    Tlsa {
        usage,
        selector: 0,
        matching,
        data: data.to_vec(),
    }
}

/// RFC 7672 §2.2: what a proven record names and nothing else; bogus means wait.
#[tokio::test]
async fn dane_decides_who_gets_mail() {
    let plain = ("EHLO", "250 peer.test");
    let bogus = Err(DnsError::Bogus);
    let good = |world: &World| Ok(vec![tlsa(3, 0, world.certificate.cert.der())]);
    let other = Ok(vec![tlsa(3, 1, &[7; 32])]);
    let unusable = Ok(vec![tlsa(1, 1, &[7; 32])]);
    type Answer = Result<Vec<Tlsa>, DnsError>;
    type Case = (
        Option<Answer>,
        (&'static str, &'static str),
        Option<WaitReason>,
        bool,
    );
    let cases: [Case; 7] = [
        (None, OFFERS_TLS, None, true),
        (None, plain, Some(WaitReason::Unproven), true),
        (Some(other), OFFERS_TLS, Some(WaitReason::Unproven), true),
        (Some(bogus), OFFERS_TLS, Some(WaitReason::Dns), false),
        // Records that nobody can use: TLS, whoever it is.
        (Some(unusable.clone()), OFFERS_TLS, None, true),
        (Some(unusable), plain, Some(WaitReason::Unproven), true),
        (Some(Err(DnsError::NoRecords)), plain, None, true),
    ];
    for (records, offer, waits, is_called) in cases {
        let world = World::new(nothing).await;
        let records = records.unwrap_or_else(|| good(&world));
        dane(&world, records.clone());
        let peer = world.peer(1, replies(&[("EHLO", offer.1)]));
        world.enqueue("one.test", &["a"], as_it_is).await;
        world.run();
        match waits {
            None => world.until_empty().await,
            Some(reason) => {
                let entry = world.after_attempts(1).await;
                assert_eq!(entry.reason, reason, "{records:?} {offer:?}");
                assert!(peer.starting("MAIL").is_empty());
            }
        }
        let called = !peer.connections.lock().unwrap().is_empty();
        assert_eq!(called, is_called, "{records:?}");
        let in_clear = peer.starting("STARTTLS").is_empty();
        assert_eq!(in_clear, offer == plain || !is_called, "{records:?}");
    }
}

/// A forged MX is not what the proven records say.
#[tokio::test]
async fn a_host_that_the_proven_records_do_not_name_gets_nothing() {
    let world = World::new(nothing).await;
    let peer = world.peer(1, replies(&[OFFERS_TLS]));
    let bogus = Err(DnsError::Bogus);
    world.dns.set_proven("one.test", bogus);
    world.enqueue("one.test", &["a"], as_it_is).await;
    world.run();
    let entry = world.after_attempts(1).await;
    assert_eq!(entry.reason, WaitReason::Dns);
    assert!(peer.lines().is_empty());
}

/// A policy host that gives this policy to everybody.
pub async fn policy_host(world: &World, domain: &str, policy: &str) {
    let listener = TcpListener::bind((loopback(1), 0)).await.unwrap();
    *world.https.lock().unwrap() = Some(listener.local_addr().unwrap());
    let host = format!("mta-sts.{domain}");
    world
        .dns
        .set_addresses(&host, Ok(vec![IpAddr::V4(loopback(1))]));
    let announced = Ok(vec!["v=STSv1; id=1;".to_owned()]);
    world.dns.set_txt(&format!("_mta-sts.{domain}"), announced);
    let (tls, policy) = (world.acceptor(), policy.to_owned());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(stream) = tls.accept(socket).await else {
                continue;
            };
            let mut stream = BufReader::new(stream);
            let mut asked = String::new();
            while !asked.ends_with("\r\n\r\n") && stream.read_line(&mut asked).await.unwrap() > 0 {}
            assert!(
                asked.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"),
                "{asked}"
            );
            let (status, text) = match policy.strip_prefix("moved") {
                Some(text) => ("301 Moved", text),
                None => ("200 OK", policy.as_str()),
            };
            let length = text.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{text}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
    });
}

pub fn sts(mode: &str, mx: &str) -> String {
    format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 604800\n")
}

/// RFC 8461 §4 and §5: enforce means it, testing does not, and what can't be fetched is nothing.
#[tokio::test]
async fn mta_sts_decides_who_gets_mail() {
    let plain = ("EHLO", "250 peer.test");
    let moved = format!("moved{}", sts("enforce", "mx1.test"));
    let cases = [
        // The host is in the certificate and in the policy.
        ("one.test", 1, sts("enforce", "mx1.test"), OFFERS_TLS, true),
        ("one.test", 1, sts("enforce", "*.test"), OFFERS_TLS, true),
        ("one.test", 1, sts("enforce", "mx1.test"), plain, false),
        (
            "one.test",
            1,
            sts("enforce", "other.test"),
            OFFERS_TLS,
            false,
        ),
        ("one.test", 1, sts("testing", "other.test"), plain, true),
        ("one.test", 1, sts("none", "other.test"), plain, true),
        // No redirection is followed.
        ("one.test", 1, moved, plain, true),
        // Named, but the certificate is not its own.
        (
            "three.test",
            3,
            sts("enforce", "mx3.test"),
            OFFERS_TLS,
            true,
        ),
    ];
    for (domain, last, policy, offer, arrives) in cases {
        let world = World::new(nothing).await;
        let host = format!("mx{last}.test");
        world.dns.set_mx(domain, Ok(vec![mx(10, &host)]));
        policy_host(&world, domain, &policy).await;
        let peer = world.peer(last, replies(&[offer]));
        world.enqueue(domain, &["a"], as_it_is).await;
        world.run();
        if arrives {
            world.until_empty().await;
            assert_eq!(peer.bodies().len(), 1, "{policy}");
        } else {
            let entry = world.after_attempts(1).await;
            assert_eq!(entry.reason, WaitReason::Unproven, "{policy}");
            assert!(peer.starting("MAIL").is_empty(), "{policy}");
        }
    }
}

/// RFC 8461 §5.1: once known it is honoured, whatever becomes of the record and the policy host.
#[tokio::test]
async fn a_policy_that_was_taken_stands_until_it_expires() {
    let world = World::new(nothing).await;
    policy_host(&world, "one.test", &sts("enforce", "other.test")).await;
    let peer = world.peer(1, replies(&[OFFERS_TLS]));
    world.enqueue("one.test", &["a"], as_it_is).await;
    world.run();
    world.after_attempts(1).await;
    world
        .dns
        .set_txt("_mta-sts.one.test", Err(DnsError::NoRecords));
    world.later(24).await;
    let entry = world.after_attempts(2).await;
    assert_eq!(entry.reason, WaitReason::Unproven);
    let kept = world.store().sts_policy("one.test").unwrap().unwrap();
    assert_eq!(kept.id, "1");
    // After max_age, a week, it is over.
    let id = world.entries()[0].id;
    while !world.store().queue_lease(id) {
        tokio::task::yield_now().await;
    }
    let mut entry = world.store().queue_entry(id).unwrap().unwrap();
    entry.expires = world.clock.now().after(Duration::from_secs(30 * 86_400));
    let update = world.store().queue_update(id, Some(entry), Vec::new());
    update.await.unwrap();
    world.later(7 * 24).await;
    world.until_empty().await;
    assert_eq!(peer.bodies().len(), 1);
}

fn wish(tls: TlsWish) -> impl FnOnce(&mut NewQueueEntry) {
    move |new| new.wishes.tls = tls
}

/// RFC 8689 §4.2.1: proven and passed on, or back to the sender, without the text.
#[tokio::test]
async fn requiretls_goes_all_the_way_or_comes_back() {
    let offers = ("EHLO", "250-peer.test\n250-STARTTLS\n250 REQUIRETLS");
    let world = World::new(nothing).await;
    dane(&world, Ok(vec![tlsa(3, 0, world.certificate.cert.der())]));
    let peer = world.peer(1, replies(&[offers]));
    world
        .enqueue("one.test", &["a"], wish(TlsWish::Required))
        .await;
    world.run();
    world.until_empty().await;
    assert_eq!(
        peer.starting("MAIL"),
        ["MAIL FROM:<alice@example.test> REQUIRETLS"]
    );
    for (proven, offer, status) in [(true, OFFERS_TLS, "5.7.30"), (false, offers, "5.7.10")] {
        let world = World::new(nothing).await;
        if proven {
            dane(&world, Ok(vec![tlsa(3, 0, world.certificate.cert.der())]));
        }
        let peer = world.peer(1, replies(&[offer]));
        world
            .enqueue("one.test", &["a"], wish(TlsWish::Required))
            .await;
        world.run();
        world.until_empty().await;
        assert!(peer.starting("MAIL").is_empty());
        let report = world.inbox().remove(0);
        assert!(
            report.contains(&format!("Status: {status}\r\n")),
            "{report}"
        );
        assert!(!report.contains("text\r\n.dot"), "{report}");
    }
}

/// RFC 8689 §4.2.2: arriving matters more than what the domain publishes.
#[tokio::test]
async fn tls_required_no_arrives() {
    let world = World::new(nothing).await;
    dane(&world, Ok(vec![tlsa(3, 1, &[7; 32])]));
    let peer = world.peer(1, replies(&[OFFERS_TLS]));
    world
        .enqueue("one.test", &["a"], wish(TlsWish::Optional))
        .await;
    world.run();
    world.until_empty().await;
    assert_eq!(peer.bodies().len(), 1);
}

/// RFC 2852 §4.1, RFC 6710 §4: passed on to who can do it; by-mode R to nobody else.
#[tokio::test]
async fn urgency_is_passed_on() {
    let offers = "250-peer.test\n250-DELIVERBY\n250 MT-PRIORITY";
    for (offer, or_return, mail, told) in [
        (offers, true, Some(" BY=3600;R MT-PRIORITY=3"), None),
        (offers, false, Some(" BY=3600;N MT-PRIORITY=3"), None),
        ("250 peer.test", true, None, Some("Status: 5.3.3\r\n")),
        (
            "250 peer.test",
            false,
            Some(""),
            Some("Action: relayed\r\n"),
        ),
    ] {
        let world = World::new(nothing).await;
        let peer = world.peer(1, replies(&[("EHLO", offer)]));
        let by = DeliverBy {
            at: world.clock.now().after(Duration::from_secs(3600)),
            or_return,
            trace: false,
        };
        world
            .enqueue("one.test", &["a"], |new| {
                new.wishes.deliver_by = Some(by);
                new.wishes.priority = 3;
            })
            .await;
        world.run();
        world.until_empty().await;
        let lines = mail.map(|rest| format!("MAIL FROM:<alice@example.test>{rest}"));
        assert_eq!(peer.starting("MAIL"), lines.into_iter().collect::<Vec<_>>());
        let inbox = world.inbox();
        assert_eq!(inbox.len(), usize::from(told.is_some()), "{inbox:?}");
        assert!(told.is_none_or(|told| inbox[0].contains(told)), "{inbox:?}");
    }
}

/// RFC 2852 §4.1.4: what is late comes back in time, or is told of and goes on.
#[tokio::test]
async fn what_is_late_is_told_of_in_time() {
    for (or_return, action) in [(true, "failed"), (false, "delayed")] {
        let world = World::new(nothing).await;
        world.peer(
            1,
            replies(&[("EHLO", "250-x\n250 DELIVERBY"), ("RCPT", "450 busy")]),
        );
        let by = DeliverBy {
            at: world.clock.now().after(Duration::from_secs(240)),
            or_return,
            trace: false,
        };
        world
            .enqueue("one.test", &["a"], |new| new.wishes.deliver_by = Some(by))
            .await;
        world.run();
        let entry = world.after_attempts(1).await;
        assert_eq!(entry.due, by.at);
        assert!(world.inbox().is_empty());
        world.later(1).await;
        world
            .until(|entries| entries.iter().all(|entry| entry.attempts == 2))
            .await;
        assert_eq!(world.entries().is_empty(), or_return);
        let inbox = world.inbox();
        assert_eq!(inbox.len(), 1);
        assert!(
            inbox[0].contains(&format!("Action: {action}\r\n")),
            "{inbox:?}"
        );
    }
}
