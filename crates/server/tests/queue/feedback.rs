//! What domains are told of TLS on the way to them (RFC 8460).

use facteur_senders::dkim::{Algorithm, SigningKey as Private};
use facteur_senders::reports::tls::{FailureKind, PolicyKind, Tally};
use facteur_senders::reports::{self, Report};
use facteur_server::feedback;
use facteur_store::{KeyAlgorithm, PrivateKey, SigningKey};

use super::policy::{dane, policy_host, sts, tlsa};
use super::*;

const PLAIN: (&str, &str) = ("EHLO", "250 peer.test");

async fn world() -> World {
    let world = World::new(|config| config.send_reports = true).await;
    // Reports are signed.
    let private = Private::generate(Algorithm::Ed25519Sha256).unwrap();
    let now = world.clock.now();
    let key = SigningKey {
        domain: "example.test".to_owned(),
        selector: "one".to_owned(),
        algorithm: KeyAlgorithm::Ed25519,
        private: PrivateKey(private),
        public: vec![0; 32],
        made: now,
        seen: Some(now),
        used: Some(now),
        retired: None,
        told: None,
    };
    let kept = world
        .store()
        .edit_signing_keys("example.test", vec![key], Vec::new());
    kept.await.unwrap();
    world
}

/// The next day, when all reports have gone.
async fn next_day(world: &World) -> usize {
    world.clock.advance(Duration::from_secs(29 * 3600));
    feedback::turn(&world.sender()).await
}

fn packed(message: &str) -> Vec<u8> {
    use base64::Engine;
    let (_, part) = message
        .split_once("Content-Transfer-Encoding: base64")
        .unwrap();
    let (_, part) = part.split_once("\r\n\r\n").unwrap();
    let (base64, _) = part.split_once("\r\n--").unwrap();
    let base64 = base64.replace("\r\n", "");
    base64::engine::general_purpose::STANDARD
        .decode(base64)
        .unwrap()
}

/// Asks for reports, waits for the one that comes by mail to the domain's own host.
async fn reported(world: &World, domain: &str, peer: &Heard) -> (String, Vec<Tally>) {
    let wanted = Ok(vec![format!("v=TLSRPTv1; rua=mailto:tls@{domain}")]);
    world.dns.set_txt(&format!("_smtp._tls.{domain}"), wanted);
    // What waits has been told of; a host that fails would hold up the report with it for a while.
    for entry in world.entries() {
        while !world.store().queue_lease(entry.id) {
            tokio::task::yield_now().await;
        }
        let dropped = world.store().queue_update(entry.id, None, Vec::new());
        dropped.await.unwrap();
    }
    assert_eq!(next_day(world).await, 1);
    world.until_empty().await;
    let mut bodies = peer.bodies().into_iter();
    let message = bodies.find(|body| body.contains("TLS-Report-Domain: "));
    let message = message.unwrap_or_else(|| panic!("{:?}", peer.lines()));
    match reports::read(&packed(&message)).unwrap() {
        Report::Tls(report) => (message, report.policies),
        other => panic!("{other:?}"),
    }
}

struct Case {
    name: &'static str,
    /// The number of the domain's host.
    host: u8,
    /// MTA-STS: the policy.
    sts: Option<String>,
    /// DANE.
    tlsa: Option<Result<Vec<Tlsa>, DnsError>>,
    replies: Vec<(&'static str, &'static str)>,
    arrives: bool,
    kind: PolicyKind,
    succeeded: u64,
    failure: Option<(FailureKind, Option<&'static str>)>,
}

impl Case {
    fn new(name: &'static str, kind: PolicyKind) -> Case {
        Case {
            name,
            host: 1,
            sts: None,
            tlsa: None,
            replies: vec![OFFERS_TLS],
            arrives: true,
            kind,
            succeeded: 1,
            failure: None,
        }
    }

    fn sts(name: &'static str, mode: &str, mx: &str) -> Case {
        Case {
            sts: Some(sts(mode, mx)),
            ..Case::new(name, PolicyKind::Sts)
        }
    }

    fn dane(name: &'static str, records: Result<Vec<Tlsa>, DnsError>) -> Case {
        Case {
            tlsa: Some(records),
            ..Case::new(name, PolicyKind::Tlsa)
        }
    }

    fn plain(self) -> Case {
        Case {
            replies: vec![PLAIN],
            ..self
        }
    }

    fn at(self, host: u8) -> Case {
        Case { host, ..self }
    }

    fn fails(self, kind: FailureKind, code: Option<&'static str>) -> Case {
        Case {
            succeeded: 0,
            failure: Some((kind, code)),
            ..self
        }
    }

    fn waits(self) -> Case {
        Case {
            arrives: false,
            ..self
        }
    }

    async fn run(self) {
        let world = world().await;
        let domain = "one.test";
        let host = format!("mx{}.test", self.host);
        world.dns.set_mx(domain, Ok(vec![mx(10, &host)]));
        if let Some(policy) = &self.sts {
            policy_host(&world, domain, policy).await;
        }
        if let Some(records) = self.tlsa.clone() {
            let good = Ok(vec![tlsa(3, 0, world.certificate.cert.der())]);
            dane(
                &world,
                if records == Ok(Vec::new()) {
                    good
                } else {
                    records
                },
            );
        }
        let peer = world.peer(self.host, replies(&self.replies));
        world.enqueue(domain, &["a"], as_it_is).await;
        world.run();
        match self.arrives {
            true => world.until_empty().await,
            false => drop(world.after_attempts(1).await),
        }
        let name = self.name;
        assert_eq!(peer.bodies().len(), usize::from(self.arrives), "{name}");
        // RFC 8460 §3: the report arrives whatever TLS does.
        let (message, tallies) = reported(&world, domain, &peer).await;
        let [tally] = tallies.as_slice() else {
            panic!("{name}: {tallies:?}");
        };
        assert_eq!(tally.kind, self.kind, "{name}");
        assert_eq!(tally.succeeded, self.succeeded, "{name}: {tally:?}");
        let found = tally
            .failures
            .iter()
            .map(|one| (one.kind, one.code.as_deref()));
        let found: Vec<_> = found.collect();
        assert_eq!(found, Vec::from_iter(self.failure), "{name}");
        assert_eq!(tally.failed, u64::from(self.failure.is_some()), "{name}");
        for failure in &tally.failures {
            assert_eq!(failure.host.as_deref(), Some(host.as_str()), "{name}");
            assert_eq!(
                failure.receiving,
                Some(IpAddr::V4(loopback(self.host))),
                "{name}"
            );
        }
        assert!(message.contains("TLS-Required: No\r\n"), "{message}");
        assert!(
            message.contains("TLS-Report-Domain: one.test\r\n"),
            "{message}"
        );
        assert!(
            message.contains("TLS-Report-Submitter: mail.example.test\r\n"),
            "{message}"
        );
        assert!(message.contains("report-type=\"tlsrpt\""), "{message}");
        let (signature, _) = message.split_once("\r\nDate: ").unwrap();
        let signed: String = signature.split_whitespace().collect();
        for field in ["tls-report-domain", "tls-report-submitter"] {
            assert!(signed.contains(field), "{signature}");
        }
    }
}

#[tokio::test]
async fn without_a_policy() {
    use FailureKind::{Other, StarttlsNotSupported};
    use PolicyKind::NotFound;
    Case::new("TLS", NotFound).run().await;
    let plain = Case::new("no TLS", NotFound).plain();
    plain.fails(StarttlsNotSupported, None).run().await;
    let mut broken = Case::new("broken", NotFound).fails(Other, Some("connection-closed"));
    broken.replies.push(("broken handshake", ""));
    broken.run().await;
}

#[tokio::test]
async fn mta_sts() {
    use FailureKind::{HostMismatch, Other, StarttlsNotSupported};
    let not_named = Some("mx-not-in-policy");
    Case::sts("enforced", "enforce", "mx1.test").run().await;
    let plain = Case::sts("no TLS", "enforce", "mx1.test").plain().waits();
    plain.fails(StarttlsNotSupported, None).run().await;
    let other = Case::sts("another host", "enforce", "other.test").waits();
    other.fails(Other, not_named).run().await;
    let name = Case::sts("another name", "enforce", "mx3.test")
        .at(3)
        .waits();
    name.fails(HostMismatch, None).run().await;
    // What is only tried out is told of as well, and mail goes on.
    Case::sts("tested", "testing", "mx1.test").run().await;
    let name = Case::sts("tested, another name", "testing", "mx3.test").at(3);
    name.fails(HostMismatch, None).run().await;
    let other = Case::sts("tested, another host", "testing", "other.test");
    other.fails(Other, not_named).run().await;
    let plain = Case::sts("tested, no TLS", "testing", "mx1.test").plain();
    plain.fails(StarttlsNotSupported, None).run().await;
}

#[tokio::test]
async fn dane_() {
    use FailureKind::{DnssecInvalid, NotTrusted, StarttlsNotSupported, TlsaInvalid};
    let good = || Ok(Vec::new());
    let other = || Ok(vec![tlsa(3, 1, &[7; 32])]);
    Case::dane("named", good()).run().await;
    let plain = Case::dane("no TLS", good()).plain().waits();
    plain.fails(StarttlsNotSupported, None).run().await;
    let wrong = Case::dane("another certificate", other()).waits();
    wrong.fails(NotTrusted, Some("unknown-issuer")).run().await;
    let bogus = Case::dane("bogus", Err(DnsError::Bogus)).waits();
    bogus.fails(DnssecInvalid, None).run().await;
    let unusable = Case::dane("unusable", Ok(vec![tlsa(1, 1, &[7; 32])]));
    unusable.fails(TlsaInvalid, None).run().await;
}

/// RFC 8460 §4.3.2.2: why there is no policy, beside how the connections without one went.
#[tokio::test]
async fn a_policy_that_can_t_be_had() {
    use FailureKind::{StsFetch, StsInvalid, StsWebpki};
    let moved = format!("moved{}", sts("enforce", "mx1.test"));
    for (domain, host, policy, kind, code) in [
        ("one.test", 1, moved.as_str(), StsFetch, "http-status"),
        ("one.test", 1, "version: STSv2\n", StsInvalid, "syntax"),
        // The policy host's certificate names another.
        (
            "three.test",
            3,
            "version: STSv1\n",
            StsWebpki,
            "certificate-host-mismatch",
        ),
    ] {
        let world = world().await;
        let name = format!("mx{host}.test");
        world.dns.set_mx(domain, Ok(vec![mx(10, &name)]));
        policy_host(&world, domain, policy).await;
        let peer = world.peer(host, replies(&[OFFERS_TLS]));
        world.enqueue(domain, &["a"], as_it_is).await;
        world.run();
        world.until_empty().await;
        let (_, tallies) = reported(&world, domain, &peer).await;
        let [none, sts] = tallies.as_slice() else {
            panic!("{tallies:?}");
        };
        assert_eq!(
            (none.kind, none.succeeded, none.failed),
            (PolicyKind::NotFound, 1, 0)
        );
        assert_eq!(
            (sts.kind, sts.succeeded, sts.failed),
            (PolicyKind::Sts, 0, 1)
        );
        let failure = &sts.failures[0];
        assert_eq!((failure.kind, failure.code.as_deref()), (kind, Some(code)));
    }
}

/// Connections are counted, not messages; and what a sender asks for is his own affair, with the reports
/// themselves.
#[tokio::test]
async fn what_is_counted() {
    let world = world().await;
    let peer = world.peer(1, replies(&[OFFERS_TLS]));
    world.run();
    for name in ["a", "b"] {
        world.enqueue("one.test", &[name], as_it_is).await;
        world.until_empty().await;
    }
    let optional = |new: &mut NewQueueEntry| new.wishes.tls = facteur_store::TlsWish::Optional;
    world.enqueue("one.test", &["c"], optional).await;
    world.until_empty().await;
    assert_eq!(peer.bodies().len(), 3);
    let (_, tallies) = reported(&world, "one.test", &peer).await;
    assert_eq!((tallies[0].succeeded, tallies[0].failed), (1, 0));
    world.until_empty().await;
    // The report's own way is in none.
    assert_eq!(next_day(&world).await, 0);
}

/// Who does not ask gets none, and nothing is left.
#[tokio::test]
async fn who_does_not_ask_gets_none() {
    let world = world().await;
    world.peer(1, replies(&[OFFERS_TLS]));
    world.run();
    world.enqueue("one.test", &["a"], as_it_is).await;
    world.until_empty().await;
    assert_eq!(next_day(&world).await, 1);
    assert!(world.entries().is_empty());
    assert_eq!(next_day(&world).await, 0);
}

/// RFC 8460 §5.4.
#[tokio::test]
async fn by_post() {
    let world = world().await;
    world.peer(1, replies(&[OFFERS_TLS]));
    let listener = TcpListener::bind((loopback(1), 0)).await.unwrap();
    *world.https.lock().unwrap() = Some(listener.local_addr().unwrap());
    // As a public address; the network of this world leads back here.
    let public = IpAddr::from([9, 9, 9, 9]);
    world
        .dns
        .set_addresses("mta-sts.one.test", Ok(vec![public]));
    let url = "v=TLSRPTv1; rua=https://mta-sts.one.test/reports?x=1".to_owned();
    world.dns.set_txt("_smtp._tls.one.test", Ok(vec![url]));
    world.run();
    world.enqueue("one.test", &["a"], as_it_is).await;
    world.until_empty().await;

    let serve = |status: &'static str| {
        let (tls, listener) = (world.acceptor(), &listener);
        async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(tls.accept(socket).await.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
            }
            let head = head.to_ascii_lowercase();
            let (_, length) = head.split_once("content-length: ").unwrap();
            let length = length.split("\r\n").next().unwrap().parse().unwrap();
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            (head, body)
        }
    };
    let (settled, _) = tokio::join!(next_day(&world), serve("503 Later"));
    assert_eq!(settled, 0);
    world.clock.advance(Duration::from_secs(3600));
    let sender = world.sender();
    let (settled, (head, body)) = tokio::join!(feedback::turn(&sender), serve("201 Created"));
    assert_eq!(settled, 1);
    assert!(head.starts_with("post /reports?x=1 http/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/tlsrpt+gzip\r\n"),
        "{head}"
    );
    let Report::Tls(report) = reports::read(&body).unwrap() else {
        panic!("no report");
    };
    assert_eq!(report.policies[0].succeeded, 1);
    assert!(world.entries().is_empty());

    // An address of a private network is not called.
    let private = IpAddr::from([10, 0, 0, 1]);
    world
        .dns
        .set_addresses("mta-sts.one.test", Ok(vec![private]));
    world.enqueue("one.test", &["a"], as_it_is).await;
    world.until_empty().await;
    assert_eq!(next_day(&world).await, 0);
}
