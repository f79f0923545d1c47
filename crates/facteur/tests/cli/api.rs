//! A program sends over HTTPS, asks what became of its mail, and is told: the real binary, a host of
//! our own that takes some and refuses some, and a `kill -9` in between.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use facteur_server::programs::signature;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};

use super::running::free_offset;
use super::support::{ENGLISH, facteur, run};

const QUESTIONS_MAX: usize = 5_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// The demo on a directory that stays.
struct Server {
    child: Child,
    ready: Value,
}

impl Server {
    fn start(offset: u16, smtp_out: u16, data: &str) -> Server {
        let (offset, smtp_out) = (offset.to_string(), smtp_out.to_string());
        let mut child = facteur()
            .args(["demo", "--json", "--empty", "--insecure-plaintext"])
            .args(["--port-offset", &offset, "--data", data])
            .args(["--smtp-out-port", &smtp_out])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap();
        Server { child, ready }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn error(&self) -> (u16, String) {
        let error = self.json()["error"].as_str().unwrap_or_default().to_owned();
        (self.status, error)
    }
}

/// HTTPS by hand, one request a connection.
struct Http {
    port: u16,
    tls: Arc<rustls::ClientConfig>,
}

impl Http {
    fn new(ready: &Value) -> Http {
        let mut roots = rustls::RootCertStore::empty();
        let authority = Path::new(ready["ca"].as_str().unwrap());
        roots
            .add(CertificateDer::from_pem_file(authority).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Http {
            port: ready["ports"]["https"]
                .as_u64()
                .unwrap()
                .try_into()
                .unwrap(),
            tls: Arc::new(tls),
        }
    }

    fn raw(&self, host: &str, request: &str) -> String {
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let client = rustls::ClientConnection::new(Arc::clone(&self.tls), name).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut stream = rustls::StreamOwned::new(client, stream);
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    }

    fn ask(&self, host: &str, start: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{start} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in fields {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let said = self.raw(host, &request);
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }
}

/// A program with its token.
struct Shop {
    http: Http,
    token: String,
}

impl Shop {
    fn post(&self, key: Option<&str>, letter: &Value) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let mut fields = vec![("Authorization", authorization.as_str())];
        fields.extend(key.map(|key| ("Idempotency-Key", key)));
        let body = letter.to_string();
        self.http
            .ask("localhost", "POST /v1/messages", &fields, &body)
    }

    fn get(&self, id: &str) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let start = format!("GET /v1/messages/{id}");
        let fields = [("Authorization", authorization.as_str())];
        self.http.ask("localhost", &start, &fields, "")
    }

    /// Asks until every recipient is where it should be.
    fn wait_for(&self, id: &str, expected: &[(&str, &str)]) -> Value {
        let expected: BTreeSet<(String, String)> = expected
            .iter()
            .map(|(address, state)| ((*address).to_owned(), (*state).to_owned()))
            .collect();
        let mut status = Value::Null;
        for _ in 0..QUESTIONS_MAX {
            status = self.get(id).json();
            let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
            let recipients = status["recipients"].as_array().unwrap().iter();
            let found: BTreeSet<(String, String)> = recipients
                .map(|one| (text(one, "address"), text(one, "state")))
                .collect();
            if found == expected {
                return status;
            }
        }
        panic!("{status}");
    }
}

/// A host that takes mail for `good`, none ever for `bad`, and none yet for `later`.
fn mail_host() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || mail_session(stream.unwrap()));
        }
    });
    port
}

fn mail_session(stream: TcpStream) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let say = |stream: &mut BufReader<TcpStream>, line: &str| {
        stream
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .ok()
    };
    say(&mut stream, "220 host.test ESMTP")?;
    let mut in_body = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        let answer = match line.get(..4).unwrap_or(line) {
            "." if in_body => {
                in_body = false;
                "250 2.0.0 taken"
            }
            _ if in_body => continue,
            "RCPT" if line.contains("<bad@") => "550 5.1.1 nobody of that name",
            "RCPT" if line.contains("<later@") => "451 4.2.0 not now",
            "DATA" => {
                in_body = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 2.0.0 fine",
        };
        say(&mut stream, answer)?;
    }
}

/// Takes web calls; gives the signature and the body of each.
fn hook() -> (u16, Receiver<(String, String)>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (calls, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            hook_call(stream.unwrap(), &calls);
        }
    });
    (port, received)
}

fn hook_call(stream: TcpStream, calls: &Sender<(String, String)>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut signature, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let line = line.trim_end();
        let Some((name, value)) = line.split_once(": ") else {
            if line.is_empty() {
                break;
            }
            assert_eq!(line, "POST /told?x=1 HTTP/1.1");
            continue;
        };
        match name.to_lowercase().as_str() {
            "facteur-signature" => value.clone_into(&mut signature),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    calls
        .send((signature, String::from_utf8(body).unwrap()))
        .ok()?;
    stream
        .get_mut()
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .ok()
}

fn messages_of(data: &str, address: &str) -> u64 {
    let list = run(
        ENGLISH,
        &["mailbox", "list", address, "--json", "--data", data],
    )
    .json();
    list[0]["messages"].as_u64().unwrap()
}

#[test]
fn a_program_sends_and_learns_what_became_of_it() {
    let offset = free_offset(49_000);
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let (host, (hook, calls)) = (mail_host(), hook());
    let server = Server::start(offset, host, data);
    let ask = |arguments: &[&str]| run(ENGLISH, &[arguments, &["--json", "--data", data]].concat());
    let url = format!("http://127.0.0.1:{hook}/told?x=1");
    let add = [
        "token",
        "add",
        "shop",
        "--from",
        "orders@example.test",
        "--hook",
        &url,
    ];
    let closed = ask(&add).error();
    assert_eq!(
        closed["error"], "bad_request",
        "a hook without TLS: {closed}"
    );
    let added = ask(&[&add[..], &["--hook-private"]].concat()).json();
    let secret = added["hook_secret"].as_str().unwrap().to_owned();
    let listed = ask(&["program", "list"]);
    let token = added["token"].as_str().unwrap().to_owned();
    assert!(
        !listed.out.contains(&token) && !listed.out.contains(&secret),
        "{listed:?}"
    );
    let shop = Shop {
        http: Http::new(&server.ready),
        token: token.clone(),
    };
    wrong_requests(&shop);
    let letter = json!({
        "to": ["Alice <alice@example.test>", "good@[127.0.0.1]", "bad@[127.0.0.1]"],
        "cc": "later@[127.0.0.1]",
        "subject": "Your order",
        "text": "Thank you.",
        "attachments": [{ "name": "invoice.pdf", "type": "application/pdf", "content": "JVBERg==" }],
    });
    let first = shop.post(Some("order-1"), &letter);
    assert_eq!(first.status, 202, "{first:?}");
    let second = shop.post(Some("order-1"), &letter);
    assert_eq!((second.status, &second.body), (202, &first.body));
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let states = [
        ("alice@example.test", "delivered"),
        ("good@[127.0.0.1]", "delivered"),
        ("bad@[127.0.0.1]", "bounced"),
        ("later@[127.0.0.1]", "deferred"),
    ];
    let status = shop.wait_for(&id, &states);
    assert!(
        status.to_string().contains("5.1.1 nobody of that name"),
        "{status}"
    );
    told(&calls, &secret, &id);
    assert_eq!(messages_of(data, "alice@example.test"), 1);

    server.kill();
    let server = Server::start(offset, host, data);
    let third = shop.post(Some("order-1"), &letter);
    assert_eq!(
        (third.status, &third.body),
        (202, &first.body),
        "after kill -9"
    );
    assert_eq!(messages_of(data, "alice@example.test"), 1);
    let other = shop.post(
        Some("order-1"),
        &json!({ "to": "alice@example.test", "text": "x" }),
    );
    assert_eq!(other.error(), (422, "key_used".to_owned()));
    suppression(&shop, &ask);
    policy(&shop.http);
    let dns = run(
        ENGLISH,
        &[
            "domain",
            "dns",
            "example.test",
            "--no-check",
            "--data",
            data,
        ],
    );
    let record = "_mta-sts.example.test. TXT \"v=STSv1; id=";
    assert!(
        dns.out.contains("(testing") && dns.out.contains(record),
        "{dns:?}"
    );
    guesses(&shop);
    assert_eq!(ask(&["program", "remove", "shop"]).json()["name"], "shop");
    server.kill();
    let verified = run(ENGLISH, &["store", "verify", "--data", data]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let server = Server::start(offset, host, data);
    assert_eq!(shop.get(&id).error(), (401, "bad_token".to_owned()));
    server.kill();
}

fn wrong_requests(shop: &Shop) {
    let post = |fields: &[(&str, &str)], body: &str| {
        shop.http
            .ask("localhost", "POST /v1/messages", fields, body)
    };
    let none = post(&[], "{}");
    assert_eq!(none.error(), (401, "bad_token".to_owned()));
    assert!(
        none.head.contains("\r\nwww-authenticate: bearer"),
        "{none:?}"
    );
    let wrong = format!("Bearer {}0", shop.token);
    let wrong = post(&[("Authorization", &wrong)], "{}");
    assert_eq!(wrong.error(), (401, "bad_token".to_owned()));
    for (letter, status, error) in [
        (json!({ "to": "alice@example.test" }), 400, "bad_request"),
        (
            json!({ "to": "alice@example.test", "txt": "x" }),
            400,
            "bad_request",
        ),
        (json!({ "to": "alice", "text": "x" }), 400, "bad_request"),
        (
            json!({ "from": "alice@example.test", "to": "alice@example.test", "text": "x" }),
            403,
            "not_your_address",
        ),
        (
            json!({ "to": "alice@example.test", "raw": "From: alice@example.test\n\nx\n" }),
            403,
            "not_your_address",
        ),
        (
            json!({ "to": "alice@example.test", "raw": "Subject: x\n\nx\n" }),
            422,
            "bad_message",
        ),
        (
            json!({ "to": "nobody-there@example.test", "text": "x" }),
            422,
            "bad_recipients",
        ),
    ] {
        let answer = shop.post(None, &letter);
        assert_eq!(
            answer.error(),
            (status, error.to_owned()),
            "{letter} {answer:?}"
        );
    }
    assert_eq!(shop.post(Some("a b"), &json!({})).error().1, "bad_key");
    // Said before the body comes.
    let big = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\nContent-Length: 16777217\r\n\r\n",
        shop.token
    );
    let big = shop.http.raw("localhost", &big);
    assert!(big.starts_with("HTTP/1.1 413 "), "{big}");
    assert_eq!(shop.get("00").error(), (404, "no_such_message".to_owned()));
    let nothing = shop.http.ask("localhost", "GET /", &[], "");
    assert_eq!(nothing.error(), (404, "no_such_route".to_owned()));
}

/// One call for each thing that happened, each signed.
fn told(calls: &Receiver<(String, String)>, secret: &str, id: &str) {
    let mut events = BTreeSet::new();
    while events.len() < 4 {
        let (signed, body) = calls.recv_timeout(PATIENCE).unwrap();
        let time = signed
            .strip_prefix("t=")
            .and_then(|rest| rest.split_once(','));
        let time: i64 = time.unwrap().0.parse().unwrap();
        assert_eq!(signed, signature(secret.as_bytes(), time, &body));
        let event: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(event["message"], id);
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        events.insert((text("event"), text("recipient")));
    }
    let expected = [
        ("bounced", "bad@[127.0.0.1]"),
        ("deferred", "later@[127.0.0.1]"),
        ("delivered", "alice@example.test"),
        ("delivered", "good@[127.0.0.1]"),
    ];
    let found: Vec<(&str, &str)> = events
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(found, expected);
}

fn suppression(shop: &Shop, ask: &dyn Fn(&[&str]) -> super::support::Ran) {
    let listed = ask(&["suppression", "list"]).json();
    assert_eq!(listed[0]["address"], "bad@[127.0.0.1]", "{listed}");
    let letter = json!({ "to": "bad@[127.0.0.1]", "text": "again" });
    let kept = shop.post(None, &letter).json();
    let id = kept["id"].as_str().unwrap();
    shop.wait_for(id, &[("bad@[127.0.0.1]", "suppressed")]);
    // An address of any kind is put on the list by hand.
    ask(&["suppression", "add", "bob@example.test"]).json();
    let both = json!({ "to": ["bob@example.test", "alice@example.test"], "text": "x" });
    let kept = shop.post(None, &both).json();
    let id = kept["id"].as_str().unwrap();
    let states = [
        ("bob@example.test", "suppressed"),
        ("alice@example.test", "delivered"),
    ];
    shop.wait_for(id, &states);
    ask(&["suppression", "remove", "bob@example.test"]).json();
    let gone = ask(&["suppression", "remove", "bob@example.test"]).error();
    assert_eq!(gone["error"], "no_such_address");
    ask(&["suppression", "remove", "bad@[127.0.0.1]"]).json();
    let kept = shop.post(None, &letter).json();
    shop.wait_for(
        kept["id"].as_str().unwrap(),
        &[("bad@[127.0.0.1]", "bounced")],
    );
}

/// RFC 8461 §3.2, §3.3.
fn policy(http: &Http) {
    let path = "GET /.well-known/mta-sts.txt";
    let policy = http.ask("mta-sts.example.test", path, &[], "");
    assert_eq!(policy.status, 200, "{policy:?}");
    assert!(
        policy.head.contains("\r\ncontent-type: text/plain"),
        "{policy:?}"
    );
    let expected = "version: STSv1\r\nmode: testing\r\nmx: mail.example.test\r\nmax_age: 86400\r\n";
    assert_eq!(policy.body, expected);
    let none = http.ask("localhost", path, &[], "");
    assert_eq!(none.status, 404, "{none:?}");
}

/// Who guesses is not listened to any more, not even with a good token.
fn guesses(shop: &Shop) {
    let guess = "GET /v1/messages/0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer fct_shop_0\r\n";
    let mut requests = format!("{guess}\r\n").repeat(110);
    requests.push_str(&format!("{guess}Connection: close\r\n\r\n"));
    let said = shop.http.raw("localhost", &requests);
    let (refused, stopped) = (
        said.matches("\"bad_token\"").count(),
        said.matches("\"too_much\"").count(),
    );
    assert_eq!(refused + stopped, 111);
    assert!((90..=100).contains(&refused), "{refused}");
    assert_eq!(shop.get("00").error(), (429, "too_much".to_owned()));
}
