//! The server on real sockets: TLS, names, renewal, limits, stop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use facteur_server::{
    CertificateFiles, Config, Listen, ListenAddress, Role, Running, Seams, Server, admin, auth,
};
use facteur_sim::{Fault, SimDisk};
use facteur_store::{NewAccount, Options, Store, SystemClock};
use hyper::Method;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

struct Place {
    directory: tempfile::TempDir,
    roots: rustls::RootCertStore,
}

impl Place {
    fn new() -> Place {
        Place {
            directory: tempfile::tempdir().unwrap(),
            roots: rustls::RootCertStore::empty(),
        }
    }

    /// Writes a certificate for `name` into files called `file`.
    fn certificate(
        &mut self,
        file: &str,
        name: &str,
    ) -> (CertificateFiles, CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let files = CertificateFiles {
            chain: self.directory.path().join(format!("{file}.pem")),
            key: self.directory.path().join(format!("{file}.key")),
        };
        std::fs::write(&files.chain, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        self.roots.add(made.cert.der().clone()).unwrap();
        (files, made.cert.der().clone())
    }

    fn client(&self) -> rustls::ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth()
    }
}

async fn start(change: impl FnOnce(&mut Config)) -> Running {
    start_on(SimDisk::new(1), change).await
}

async fn start_on(disk: SimDisk, change: impl FnOnce(&mut Config)) -> Running {
    let clock = Arc::new(SystemClock::new());
    let options = Options {
        reserved_bytes: 0,
        ..Options::default()
    };
    let (store, _) = Store::open(Arc::new(disk), clock.clone(), options).unwrap();
    store.create_domain("example.test").await.unwrap();
    let account = NewAccount {
        address: "alice@example.test".to_owned(),
        display_name: String::new(),
        credentials: auth::make_credentials(&*clock, "pencil"),
        quota_bytes: None,
        language: "en".to_owned(),
    };
    store.create_account(account).await.unwrap();
    let mut config = Config::new("mail.example.test");
    config.stop_wait = Duration::from_secs(2);
    change(&mut config);
    Server::start(config, store, Seams::default())
        .await
        .unwrap()
}

fn on_loopback(role: Role) -> Listen {
    Listen {
        role,
        address: ListenAddress::Tcp(([127, 0, 0, 1], 0).into()),
    }
}

async fn tls(
    client: rustls::ClientConfig,
    port: u16,
    name: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = name.to_owned().try_into().map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
}

fn leaf(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates.first().unwrap().clone().into_owned()
}

#[tokio::test]
async fn names_renewal_and_application_protocols() {
    let mut place = Place::new();
    let (first, first_der) = place.certificate("first", "mail.example.test");
    let (second, second_der) = place.certificate("second", "mail.other.test");
    let running = start(|config| {
        config.listeners = vec![on_loopback(Role::Pop3s)];
        config.certificates = vec![first, second];
    })
    .await;
    let port = running.port(Role::Pop3s).unwrap();
    let stream = tls(place.client(), port, "mail.example.test")
        .await
        .unwrap();
    assert_eq!(leaf(&stream), first_der);
    let stream = tls(place.client(), port, "mail.other.test").await.unwrap();
    assert_eq!(leaf(&stream), second_der);
    // A browser is refused in the handshake, a client of the right protocol is not.
    let mut browser = place.client();
    browser.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert!(tls(browser, port, "mail.example.test").await.is_err());
    let mut reader = place.client();
    reader.alpn_protocols = vec![b"pop3".to_vec()];
    tls(reader, port, "mail.example.test").await.unwrap();
    // The certificate is renewed under a running server; a broken file changes nothing.
    let (files, renewed) = place.certificate("first", "mail.example.test");
    running.reload().unwrap();
    let mut old = tls(place.client(), port, "mail.example.test")
        .await
        .unwrap();
    assert_eq!(leaf(&old), renewed);
    std::fs::write(&files.chain, "broken").unwrap();
    running.reload().unwrap_err();
    let stream = tls(place.client(), port, "mail.example.test")
        .await
        .unwrap();
    assert_eq!(leaf(&stream), renewed);
    let mut greeting = [0; 3];
    old.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"+OK");
    running.stop().await.unwrap();
    old.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn plaintext_on_a_tls_port_ends_the_connection_alone() {
    let mut place = Place::new();
    let (files, _) = place.certificate("one", "mail.example.test");
    let running = start(|config| {
        config.listeners = vec![on_loopback(Role::Submissions)];
        config.certificates = vec![files];
    })
    .await;
    let port = running.port(Role::Submissions).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"EHLO client.test\r\n").await.unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    // At most a TLS alert, nothing of SMTP.
    assert!(!said.starts_with(b"220"), "{said:?}");
    tls(place.client(), port, "mail.example.test")
        .await
        .unwrap();
    running.stop().await.unwrap();
}

#[tokio::test]
async fn only_so_many_connections_from_one_address() {
    let running = start(|config| {
        config.listeners = vec![on_loopback(Role::Smtp), on_loopback(Role::Pop3)];
        config.limits.connections_before_login_max = 2;
    })
    .await;
    let port = running.port(Role::Smtp).unwrap();
    let connect =
        || async { BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap()) };
    let line = |mut stream: BufReader<TcpStream>| async move {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        (line, stream)
    };
    let (one, first) = line(connect().await).await;
    let (two, _second) = line(connect().await).await;
    assert!(one.starts_with("220 ") && two.starts_with("220 "));
    let (three, _) = line(connect().await).await;
    assert_eq!(three, "421 4.7.0 Too many connections, try again later\r\n");
    let pop3 = running.port(Role::Pop3).unwrap();
    let stream = BufReader::new(TcpStream::connect(("127.0.0.1", pop3)).await.unwrap());
    let (four, _) = line(stream).await;
    assert!(four.starts_with("-ERR [SYS/TEMP] "), "{four}");
    // A place that is given back can be taken.
    let mut first = first;
    first.write_all(b"QUIT\r\n").await.unwrap();
    let mut rest = String::new();
    first.read_to_string(&mut rest).await.unwrap();
    loop {
        let (again, _) = line(connect().await).await;
        if again.starts_with("220 ") {
            break;
        }
        tokio::task::yield_now().await;
    }
    running.stop().await.unwrap();
}

#[tokio::test]
async fn lmtp_on_a_unix_socket() {
    let place = Place::new();
    let path = place.directory.path().join("lmtp.sock");
    // What a former run left behind is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listen = Listen {
        role: Role::Lmtp,
        address: ListenAddress::Unix(path.clone()),
    };
    let running = start(|config| config.listeners = vec![listen]).await;
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let talk = b"LHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n";
    stream.write_all(talk).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(
        said.contains("250 2.0.0 message accepted\r\n221 "),
        "{said}"
    );
    running.stop().await.unwrap();
    assert!(!path.exists());
}

/// RFC 5802, RFC 9266: both mechanisms over real TLS, bound to the channel and not.
#[tokio::test]
async fn scram_over_tls() {
    let mut place = Place::new();
    let (files, _) = place.certificate("one", "mail.example.test");
    let running = start(|config| {
        config.listeners = vec![on_loopback(Role::Pop3s)];
        config.certificates = vec![files];
    })
    .await;
    let port = running.port(Role::Pop3s).unwrap();
    for (mechanism, header, password, good) in [
        ("SCRAM-SHA-256", "n,,", "pencil", true),
        ("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "pencil", true),
        ("SCRAM-SHA-256", "n,,", "pencils", false),
        // Somebody hid the -PLUS from the client.
        ("SCRAM-SHA-256", "y,,", "pencil", false),
        ("SCRAM-SHA-256-PLUS", "p=tls-unique,,", "pencil", false),
        ("SCRAM-SHA-256-PLUS", "n,,", "pencil", false),
    ] {
        let stream = tls(place.client(), port, "mail.example.test")
            .await
            .unwrap();
        let accepted = scram(stream, mechanism, header, password).await;
        assert_eq!(accepted, good, "{mechanism} {header} {password}");
    }
    running.stop().await.unwrap();
}

/// A SCRAM client over POP3.
async fn scram(
    stream: TlsStream<TcpStream>,
    mechanism: &str,
    header: &str,
    password: &str,
) -> bool {
    let exporter = stream
        .get_ref()
        .1
        .export_keying_material([0u8; 32], b"EXPORTER-Channel-Binding", Some(b""))
        .unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let bare = "n=alice@example.test,r=clientnonce";
    let first = STANDARD.encode(format!("{header}{bare}"));
    let command = format!("AUTH {mechanism} {first}\r\n");
    stream.write_all(command.as_bytes()).await.unwrap();
    let Some(server_first) = challenge(&mut stream).await else {
        return false;
    };
    let mut fields = server_first.split(',');
    let nonce = fields.next().unwrap().strip_prefix("r=").unwrap();
    let salt = STANDARD
        .decode(fields.next().unwrap().strip_prefix("s=").unwrap())
        .unwrap();
    let rounds: u32 = fields
        .next()
        .unwrap()
        .strip_prefix("i=")
        .unwrap()
        .parse()
        .unwrap();
    let mut binding = header.as_bytes().to_vec();
    if header.starts_with("p=") {
        binding.extend_from_slice(&exporter);
    }
    let without_proof = format!("c={},r={nonce}", STANDARD.encode(binding));
    let message = format!("{bare},{server_first},{without_proof}");
    let (proof, signature) = proof(password, &salt, rounds, &message);
    let last = STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof)));
    stream
        .write_all(format!("{last}\r\n").as_bytes())
        .await
        .unwrap();
    let Some(server_final) = challenge(&mut stream).await else {
        return false;
    };
    assert_eq!(server_final, format!("v={}", STANDARD.encode(signature)));
    stream.write_all(b"\r\n").await.unwrap();
    line.clear();
    stream.read_line(&mut line).await.unwrap();
    line.starts_with("+OK")
}

async fn challenge(stream: &mut BufReader<TlsStream<TcpStream>>) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let text = line.trim_end().strip_prefix("+ ")?;
    Some(String::from_utf8(STANDARD.decode(text).unwrap()).unwrap())
}

fn proof(password: &str, salt: &[u8], rounds: u32, message: &str) -> (Vec<u8>, Vec<u8>) {
    use aws_lc_rs::{digest, hmac, pbkdf2};
    let sign = |key: &[u8], data: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, data).as_ref().to_vec()
    };
    let mut salted = [0; 32];
    let rounds = rounds.try_into().unwrap();
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, rounds, salt, password.as_bytes(), &mut salted);
    let client_key = sign(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, &client_key);
    let mask = sign(stored_key.as_ref(), message.as_bytes());
    let proof = client_key.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    let server_key = sign(&salted, b"Server Key");
    (proof, sign(&server_key, message.as_bytes()))
}

/// After a failure of the disk the server is to end, and says so meanwhile.
#[tokio::test]
async fn a_failed_disk_ends_the_server() {
    let disk = SimDisk::new(1);
    let running = start_on(disk.clone(), |_| ()).await;
    let context = Arc::clone(running.context());
    let router = admin::router(Arc::clone(&context));
    let status = async || {
        let (_, json) = admin::call(&router, Method::GET, "/v1/status", None).await;
        String::from_utf8(json).unwrap()
    };
    assert!(status().await.contains("\"store_failure\":null"));
    // Whoever else touches the disk meanwhile fails too.
    for operation in 1..=1_000 {
        disk.fail_at(disk.operations() + operation, Fault::Io);
    }
    context.store.prove_writable().await.unwrap_err();
    running.failed().await;
    assert!(
        status()
            .await
            .contains("\"store_failure\":\"the disk failed")
    );
    running.stop().await.unwrap_err();
}
