//! Programs of the machine hand in their mail: as cron, PHP, git and people at a terminal do it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::running::{Demo, free_offset};
use super::support::{FRENCH, Ran, Site, facteur, run};

const NOBODY: u32 = 65_534;

/// A link as systems have it, and the server's socket.
struct Sendmail {
    directory: TempDir,
    socket: PathBuf,
}

impl Sendmail {
    fn new(socket: &Path) -> Sendmail {
        let directory = tempfile::tempdir().unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_facteur"));
        symlink(binary, directory.path().join("sendmail")).unwrap();
        Sendmail {
            directory,
            socket: socket.to_owned(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.directory.path().join("sendmail"));
        command
            .env("FACTEUR_SOCKET", &self.socket)
            .env("LANG", "C")
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str], message: &str) -> Ran {
        feed(self.command(arguments), message)
    }

    fn status(&self, arguments: &[&str], message: &str) -> Option<i32> {
        self.run(arguments, message).code
    }

    fn fine(&self, arguments: &[&str], message: &str) {
        let ran = self.run(arguments, message);
        assert_eq!(ran.code, Some(0), "{arguments:?} {ran:?}");
        assert_eq!(
            (ran.out.as_str(), ran.err.as_str()),
            ("", ""),
            "{arguments:?}"
        );
    }
}

fn feed(mut command: Command, input: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that has refused already does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

/// A mailbox read by POP3.
struct Reader {
    port: u16,
    address: String,
    password: String,
}

impl Reader {
    /// The newest message; it must be the number `count`.
    fn newest(&self, count: usize) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut stream = BufReader::new(stream);
        let mut say = |line: &str| {
            if !line.is_empty() {
                write!(stream.get_mut(), "{line}\r\n").unwrap();
            }
            let mut answer = String::new();
            stream.read_line(&mut answer).unwrap();
            assert!(answer.starts_with("+OK"), "{line}: {answer}");
            answer
        };
        say("");
        say(&format!("USER {}", self.address));
        say(&format!("PASS {}", self.password));
        let found = say("STAT");
        assert!(found.starts_with(&format!("+OK {count} ")), "{found}");
        say(&format!("RETR {count}"));
        let mut message = String::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if line == ".\r\n" {
                return message;
            }
            message.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
    }
}

#[test]
fn sendmail_as_programs_call_it() {
    let offset = free_offset(46_000);
    let mut demo = Demo::start(offset, &["--json", "--insecure-plaintext", "--empty"]);
    let ready: Value = serde_json::from_str(&demo.line()).unwrap();
    let data = PathBuf::from(ready["data"].as_str().unwrap());
    let text = |path: &Value| path.as_str().unwrap().to_owned();
    let reader = |who: usize| Reader {
        port: offset + 110,
        address: text(&ready["accounts"][who]["address"]),
        password: text(&ready["accounts"][who]["password"]),
    };
    let (alice, bob) = (reader(0), reader(1));
    let sendmail = Sendmail::new(&data.join("local.sock"));
    cron(&sendmail, &alice);
    php(&sendmail, &alice);
    git(&sendmail, &alice, &bob);
    talk(&sendmail, &bob);
    refusals(&sendmail);
    by_facteur_send(&data, &alice);
    // Somewhere else: it waits in the queue.
    sendmail.fine(&["-i", "carol@elsewhere.example"], "Subject: out\n\nx\n");
    let queue = run(
        "C",
        &["queue", "list", "--json", "--data", data.to_str().unwrap()],
    )
    .json();
    let from = &queue[0]["from"];
    assert_eq!(from, &format!("{}@example.test", login()), "{queue}");
    demo.stop(Signal::TERM);
    let ran = sendmail.run(&["-i", "alice@example.test"], "Subject: late\n\nx\n");
    assert_eq!(ran.code, Some(75), "{ran:?}");
    assert!(ran.err.contains("nothing was sent"), "{ran:?}");
}

/// As the machine's list has whoever runs the test.
fn login() -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let uid = geteuid().as_raw().to_string();
    let mine = users
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&uid));
    mine.unwrap().split(':').next().unwrap().to_owned()
}

fn cron(sendmail: &Sendmail, alice: &Reader) {
    let message = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> backup\n\
                   MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\
                   Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n\n\
                   déjà fait\n.\nfin";
    sendmail.fine(
        &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"],
        message,
    );
    let got = alice.newest(1);
    for expected in [
        "\r\nFrom: Cron Daemon <root@example.test>\r\n",
        "\r\nTo: root@example.test\r\n",
        "\r\nDate: ",
        "\r\nMessage-ID: <",
        "\r\n\r\ndéjà fait\r\n.\r\nfin\r\n",
    ] {
        assert!(got.contains(expected), "{expected:?}: {got}");
    }
    let received = format!(
        "Received: from {} (local)\r\n\tby mail.example.test with ESMTP\r\n",
        login()
    );
    assert!(got.contains(&received), "{got}");
}

fn php(sendmail: &Sendmail, alice: &Reader) {
    let message = "To: alice@example.test\r\nSubject: Your order\r\n\
                   Bcc: bob@example.test\nX-Mailer: PHP\n\n..first\nlast\n";
    sendmail.fine(&["-t", "-i", "-falice@example.test"], message);
    let got = alice.newest(2);
    assert!(
        got.starts_with("Return-Path: <alice@example.test>\r\n"),
        "{got}"
    );
    assert!(
        got.contains("\r\nFrom: alice@example.test\r\nTo: alice"),
        "{got}"
    );
    assert!(got.ends_with("\r\n\r\n..first\r\nlast\r\n"), "{got}");
    assert!(!got.contains("Bcc"), "{got}");
    // Without -i a dot alone ends the message.
    sendmail.fine(&["-t"], "To: alice@example.test\n\nbefore\n.\nbehind\n");
    let got = alice.newest(3);
    assert!(got.ends_with("\r\n\r\nbefore\r\n"), "{got}");
}

fn git(sendmail: &Sendmail, alice: &Reader, bob: &Reader) {
    let message = "From: Bob <bob@example.test>\nTo: alice@example.test\nCc: Bob <bob@example.test>\n\
                   Subject: [PATCH] x\nMessage-Id: <1@example.test>\n\n---\n a | 1 +\n";
    let arguments = [
        "-f",
        "bob@example.test",
        "-i",
        "alice@example.test",
        "bob@example.test",
    ];
    sendmail.fine(&arguments, message);
    for (reader, count) in [(alice, 4), (bob, 2)] {
        let got = reader.newest(count);
        assert!(
            got.starts_with("Return-Path: <bob@example.test>\r\n"),
            "{got}"
        );
        assert!(
            got.contains("\r\nMessage-Id: <1@example.test>\r\n"),
            "{got}"
        );
        assert!(got.ends_with("\r\n\r\n---\r\n a | 1 +\r\n"), "{got}");
    }
}

fn talk(sendmail: &Sendmail, bob: &Reader) {
    let dialogue = "HELO x\r\nMAIL FROM:<bob@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n\
                    From: bob@example.test\r\n\r\nspoken\r\n.\r\nQUIT\r\n";
    let ran = sendmail.run(&["-bs"], dialogue);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.contains("250 2.0.0 message accepted\r\n221 "),
        "{ran:?}"
    );
    assert!(bob.newest(3).ends_with("\r\n\r\nspoken\r\n"));
}

fn refusals(sendmail: &Sendmail) {
    let message = "Subject: x\n\nx\n";
    for (arguments, status) in [
        (&["-f", "x@elsewhere.example", "alice@example.test"][..], 77),
        (&["nobody-there@example.test"], 67),
        (&["alice@example.test", "nobody-there@example.test"], 67),
        (&["a b@example.test"], 64),
        (&["-t"], 64),
        (&[], 64),
        (&["-bd"], 64),
        (&["-N", "failure\r\nRSET", "alice@example.test"], 64),
        (&["-R", "all", "alice@example.test"], 64),
        (&["-bp"], 69),
        (&["-bi"], 0),
        (&["-q"], 0),
    ] {
        assert_eq!(
            sendmail.status(arguments, message),
            Some(status),
            "{arguments:?}"
        );
    }
    let foreign = sendmail.run(
        &["alice@example.test"],
        "From: boss@elsewhere.example\n\nx\n",
    );
    assert_eq!(foreign.code, Some(77), "{foreign:?}");
    assert!(
        foreign.err.contains("not one of your addresses"),
        "{foreign:?}"
    );
    let mut french = sendmail.command(&[]);
    french.env("LANG", FRENCH);
    assert!(feed(french, message).err.contains("Aucun destinataire"));
}

fn by_facteur_send(data: &Path, alice: &Reader) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("réponse.csv");
    std::fs::write(&file, "a;b\n").unwrap();
    let send = |arguments: &[&str], input: &str| {
        let mut command = facteur();
        command.arg("send").args(arguments).arg("--data").arg(data);
        feed(command, input)
    };
    let arguments = [
        "--from",
        "Zoé <alice@example.test>",
        "--to",
        "alice@example.test",
        "--subject",
        "Ça marche",
        "--text",
        "bonjour",
        "--attach",
        file.to_str().unwrap(),
        "--json",
    ];
    let done = send(&arguments, "").json();
    assert_eq!(done["to"][0], "alice@example.test", "{done}");
    let got = alice.newest(5);
    for expected in [
        "\r\nFrom: =?utf-8?",
        "\r\nSubject: =?utf-8?",
        "Content-Type: multipart/mixed; ",
        "\r\n\r\nbonjour\r\n",
        "filename*=utf-8''r%C3%A9ponse.csv",
        "\r\n\r\nYTtiCg==\r\n",
    ] {
        assert!(got.contains(expected), "{expected:?}: {got}");
    }
    let raw = "From: bob@example.test\nTo: alice@example.test\nSubject: raw\n\nwhole\n";
    let done = send(&["--raw"], raw);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(alice.newest(6).ends_with("\r\n\r\nwhole\r\n"));
    let refused = send(&["--to", "x@example.test", "--text", "x", "--json"], "");
    assert_eq!(refused.code, Some(67), "{refused:?}");
    let error: Value = serde_json::from_str(&refused.err).unwrap();
    assert_eq!(error["error"], "refused");
}

/// A server of its own whose socket everybody reaches.
struct Served {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Served {
    fn start(site: &Site, socket: &Path) -> Served {
        let file = site.path("facteur.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let roles = [
            "smtp",
            "submission",
            "submissions",
            "imap",
            "imaps",
            "pop3",
            "pop3s",
            "sieve",
            "https",
        ];
        let mut listen = String::from("[listen]\n");
        for role in roles {
            listen.push_str(&format!("{role} = []\n"));
        }
        listen.push_str(&format!("local = \"{}\"\n", socket.display()));
        assert!(text.contains("[listen]\n"), "{text}");
        std::fs::write(&file, text.replace("[listen]\n", &listen)).unwrap();
        let mut child = facteur()
            .args(["serve", "-c"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut served = Served { child, log };
        served.wait_until_ready();
        served
    }

    fn wait_until_ready(&mut self) {
        let mut line = String::new();
        while !line.contains(" ready ") {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "it ended");
        }
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest}");
    }
}

/// Only root can become somebody else: others see here that they answer for their own server.
#[test]
fn a_user_sends_as_himself_and_as_what_he_was_given() {
    let site = Site::new();
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let socket = place.path().join("run/local");
    let server = Served::start(&site, &socket);
    // Nobody may run a binary in somebody's home: a copy of it.
    let binary = place.path().join("sendmail");
    std::fs::copy(env!("CARGO_BIN_EXE_facteur"), &binary).unwrap();
    let root = geteuid().is_root();
    let user = if root { "nobody".to_owned() } else { login() };
    let send = |from: &str| {
        let mut command = Command::new(&binary);
        command.env("FACTEUR_SOCKET", &socket).current_dir("/");
        command.args(["-i", "-f", from, "alice@example.test"]);
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        feed(command, "Subject: x\n\nx\n").code
    };
    let foreign = if root { Some(77) } else { Some(0) };
    assert_eq!(send(&user), Some(0));
    assert_eq!(send("noreply@example.test"), foreign);
    let from = ["--from", "noreply@example.test"];
    let add = [&["program", "add", "shop", "--user", &user][..], &from].concat();
    assert_eq!(site.json(&add)["from"][0], "noreply@example.test");
    assert_eq!(site.error(&add)["error"], "exists");
    assert_eq!(send("noreply@example.test"), Some(0));
    assert_eq!(send("alice@example.test"), foreign);
    let listed = site.run(&["token", "list"]);
    assert!(listed.out.contains("noreply@example.test"), "{listed:?}");
    let foreign_domain = [
        "program",
        "add",
        "x",
        "--user",
        &user,
        "--from",
        "a@elsewhere.example",
    ];
    assert_eq!(site.error(&foreign_domain)["error"], "no_such_domain");
    assert_eq!(site.json(&["program", "remove", "shop"])["name"], "shop");
    assert_eq!(send("noreply@example.test"), foreign);
    let gone = site.error(&["program", "remove", "shop"]);
    assert_eq!(gone["error"], "no_such_program");
    server.stop();
    assert_eq!(send(&user), Some(75));
}
