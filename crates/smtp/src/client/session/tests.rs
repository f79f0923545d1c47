//! Dialogues with scripted servers: what we say to each answer, and what we make of it.

use proptest::prelude::*;

use super::*;
use crate::address::Address;
use crate::client::{MailRecipient, RecipientReport, Wishes};
use crate::command::Secret;
use crate::parameters::{Body, Notify, Ret};

fn config(tls: Tls) -> Config {
    Config {
        hello: "out.test".into(),
        lmtp: false,
        tls,
        login: None,
    }
}

fn mail(recipients: &[&str]) -> Mail {
    Mail {
        reverse_path: Some(Address::parse("alice@here.test").unwrap()),
        recipients: recipients
            .iter()
            .map(|r| MailRecipient {
                address: Address::parse(r).unwrap(),
                notify: None,
                original: None,
            })
            .collect(),
        size: 9,
        body: Body::EightBitMime,
        smtputf8: false,
        ret: None,
        envelope_id: None,
        wishes: Wishes::default(),
    }
}

const MESSAGE: &[u8] = b"a\r\n.b\r\nc\r\n";

/// Plays the server's lines in order; each `>` line is what the client is to have said by then.
fn play(client: &mut Client, mails: Vec<Mail>, script: &str) -> Vec<Step> {
    play_split(client, mails, script, usize::MAX)
}

fn play_split(client: &mut Client, mails: Vec<Mail>, script: &str, chunk: usize) -> Vec<Step> {
    let mut mails = mails.into_iter();
    let mut said = String::new();
    let mut steps = Vec::new();
    let mut run = |client: &mut Client, said: &mut String, steps: &mut Vec<Step>| {
        loop {
            let step = client.step();
            match &step {
                Step::Read => break,
                Step::StartTls => client.tls_started(),
                Step::Ready => match mails.next() {
                    Some(mail) => client.send(mail),
                    None => client.quit(),
                },
                Step::SendBody => {
                    for piece in MESSAGE.chunks(4) {
                        client.push_body(piece).unwrap();
                    }
                    client.end_body().unwrap();
                }
                Step::Sent(_) => steps.push(step.clone()),
                Step::Failed(_) | Step::Close => {
                    steps.push(step);
                    break;
                }
            }
        }
        said.push_str(&String::from_utf8(client.take_output()).unwrap());
    };
    run(client, &mut said, &mut steps);
    for line in script.lines() {
        match line.strip_prefix("> ") {
            Some(expected) => {
                let rest = said
                    .strip_prefix(&format!("{expected}\r\n"))
                    .unwrap_or_else(|| panic!("{expected:?}, but it said {said:?}"));
                said = rest.to_owned();
            }
            None => {
                for piece in format!("{line}\r\n").as_bytes().chunks(chunk) {
                    client.feed(piece);
                    run(client, &mut said, &mut steps);
                }
            }
        }
    }
    assert_eq!(said, "", "the client said more");
    steps
}

fn verdicts(step: &Step) -> Vec<(Verdict, String)> {
    match step {
        Step::Sent(report) => report
            .recipients
            .iter()
            .map(|r| (r.verdict, r.answer.to_string()))
            .collect(),
        other => panic!("{other:?}"),
    }
}

const PIPELINED: &str = "\
220 mx.test ESMTP
> EHLO out.test
250-mx.test
250-PIPELINING
250-SIZE 1000
250-DSN
250-LIMITS RCPTMAX=7
250 8BITMIME
> MAIL FROM:<alice@here.test> SIZE=9 BODY=8BITMIME RET=HDRS ENVID=x+2By
> RCPT TO:<a@there.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@first.test
> RCPT TO:<b@there.test>
> DATA
250 2.1.0 OK
250 2.1.5 OK
550 5.1.1 who?
354 go
> a
> ..b
> c
> .
250 2.0.0 queued as 1
> QUIT
221 bye";

fn pipelined_mail() -> Mail {
    let mut mail = mail(&["a@there.test", "b@there.test"]);
    mail.ret = Some(Ret::Headers);
    mail.envelope_id = Some("x+2By".into());
    mail.recipients[0].notify = Some(Notify {
        success: true,
        failure: false,
        delay: true,
    });
    mail.recipients[0].original = Some("rfc822;a@first.test".into());
    mail
}

#[test]
fn sends_in_a_pipeline() {
    let mut client = Client::new(config(Tls::Opportunistic));
    let steps = play(&mut client, vec![pipelined_mail()], PIPELINED);
    assert_eq!(
        verdicts(&steps[0]),
        [
            (Verdict::Delivered, "250 2.0.0 queued as 1".into()),
            (Verdict::Permanent, "550 5.1.1 who?".into()),
        ]
    );
    assert!(matches!(&steps[0], Step::Sent(report) if report.dsn));
    assert_eq!(client.extensions().recipients_max, Some(7));
    assert_eq!(steps[1], Step::Close);
}

#[test]
fn sends_line_by_line_and_twice() {
    let script = "\
220 mx.test
> EHLO out.test
502 what?
> HELO out.test
250 mx.test
> MAIL FROM:<alice@here.test>
250 OK
> RCPT TO:<a@there.test>
250 OK
> DATA
354 go
> a
> ..b
> c
> .
451 later
> MAIL FROM:<alice@here.test>
250 OK
> RCPT TO:<b@there.test>
550 no
> RSET
250 OK
> MAIL FROM:<alice@here.test>
550 5.7.1 not you
> QUIT
221 bye";
    let mails = ["a@there.test", "b@there.test", "c@there.test"].map(|r| mail(&[r]));
    let steps = play(
        &mut Client::new(config(Tls::Opportunistic)),
        mails.to_vec(),
        script,
    );
    let of = |verdict, text: &str| vec![(verdict, text.to_owned())];
    assert_eq!(verdicts(&steps[0]), of(Verdict::Temporary, "451 later"));
    assert_eq!(verdicts(&steps[1]), of(Verdict::Permanent, "550 no"));
    assert_eq!(
        verdicts(&steps[2]),
        of(Verdict::Permanent, "550 5.7.1 not you")
    );
}

#[test]
fn starttls_and_what_it_forgets() {
    let script = "\
220 mx.test
> EHLO out.test
250-mx.test
250-PIPELINING
250 STARTTLS
> STARTTLS
220 go
> EHLO out.test
250-mx.test
250 DSN
> MAIL FROM:<alice@here.test>
452 full
> QUIT
221 bye";
    let mut client = Client::new(config(Tls::Required));
    let steps = play(&mut client, vec![mail(&["a@there.test"])], script);
    assert_eq!(
        verdicts(&steps[0]),
        [(Verdict::Temporary, "452 full".into())]
    );
    assert!(client.is_tls());
    assert!(!client.extensions().pipelining);
}

fn failure(config: Config, script: &str) -> Failure {
    match play(&mut Client::new(config), vec![mail(&["a@x.test"])], script).as_slice() {
        [Step::Failed(failure)] => failure.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_makes_a_connection_useless() {
    let hello = "220 mx.test\n> EHLO out.test\n";
    let tls = || config(Tls::Required);
    let local = |stage, error| Failure {
        stage,
        answer: Answer::Local(error),
    };
    let failed = failure(tls(), "554 go away");
    assert_eq!(failed.stage, Stage::Greeting);
    assert!(failed.is_permanent());
    assert!(!failure(tls(), "421 busy").is_permanent());
    assert!(!failure(tls(), "220 mx.test\n> EHLO out.test\n421 busy").is_permanent());
    assert_eq!(
        failure(tls(), &format!("{hello}250 mx.test")),
        local(Stage::StartTls, LocalError::NoTls)
    );
    let refused = failure(
        tls(),
        &format!("{hello}250-x\n250 STARTTLS\n> STARTTLS\n454 no"),
    );
    assert_eq!(refused.stage, Stage::StartTls);
    let no_helo = failure(tls(), &format!("{hello}502 what?"));
    assert_eq!(no_helo.stage, Stage::Hello);
    assert!(matches!(
        failure(tls(), "SSH-2.0-OpenSSH").answer,
        Answer::Local(LocalError::Reply(_))
    ));
    // Plaintext behind the reply to STARTTLS is somebody else's.
    let mut client = Client::new(tls());
    for bytes in [
        "220 x\r\n",
        "250-x\r\n250 STARTTLS\r\n",
        "220 go\r\n250 evil\r\n",
    ] {
        assert_eq!(client.step(), Step::Read);
        client.feed(bytes.as_bytes());
    }
    assert_eq!(
        client.step(),
        Step::Failed(local(Stage::StartTls, LocalError::TlsInjection))
    );
    let mut client = Client::new(tls());
    for bytes in ["220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n"] {
        assert_eq!(client.step(), Step::Read);
        client.feed(bytes.as_bytes());
    }
    assert_eq!(client.step(), Step::StartTls);
    client.feed(b"250 evil\r\n");
    client.tls_started();
    assert_eq!(
        client.step(),
        Step::Failed(local(Stage::StartTls, LocalError::TlsInjection))
    );
}

#[test]
fn opportunistic_tls_that_is_refused() {
    let script = "\
220 mx.test
> EHLO out.test
250-mx.test
250 STARTTLS
> STARTTLS
454 not now
> MAIL FROM:<alice@here.test>
421 stop";
    let mut client = Client::new(config(Tls::Opportunistic));
    let steps = play(&mut client, vec![mail(&["a@there.test"])], script);
    assert_eq!(
        verdicts(&steps[0]),
        [(Verdict::Temporary, "421 stop".into())]
    );
    assert_eq!(steps[1], Step::Close);
    assert!(!client.is_tls());
}

fn with_login() -> Config {
    Config {
        login: Some(Login {
            user: "me".into(),
            password: Secret(b"secret".to_vec()),
        }),
        ..config(Tls::Active)
    }
}

#[test]
fn logs_in() {
    let rest = "\
235 in
> MAIL FROM:<alice@here.test>
550 no
> QUIT
221 bye";
    let plain = "\
220 x
> EHLO out.test
250-x
250 AUTH LOGIN PLAIN
> AUTH PLAIN AG1lAHNlY3JldA==
";
    let login = "\
220 x
> EHLO out.test
250-x
250 AUTH=LOGIN
> AUTH LOGIN
334 VXNlcm5hbWU6
> bWU=
334 UGFzc3dvcmQ6
> c2VjcmV0
";
    for script in [
        format!("{plain}{rest}"),
        format!("{plain}334 \n> AG1lAHNlY3JldA==\n{rest}"),
        format!("{login}{rest}"),
    ] {
        let mut client = Client::new(with_login());
        let steps = play(&mut client, vec![mail(&["a@there.test"])], &script);
        assert_eq!(steps.len(), 2);
    }
    assert_eq!(
        failure(with_login(), &format!("{plain}535 no")).stage,
        Stage::Auth
    );
    assert_eq!(
        failure(with_login(), "220 x\n> EHLO out.test\n250 x").answer,
        Answer::Local(LocalError::NoLogin)
    );
    // A password never goes over plaintext.
    let bare = Config {
        tls: Tls::Never,
        ..with_login()
    };
    assert_eq!(
        failure(bare, "220 x\n> EHLO out.test\n250-x\n250 AUTH PLAIN").answer,
        Answer::Local(LocalError::NoTls)
    );
}

#[test]
fn lmtp_has_a_reply_for_each() {
    let script = "\
220 x
> LHLO out.test
250-x
250 PIPELINING
> MAIL FROM:<alice@here.test>
> RCPT TO:<a@t.test>
> RCPT TO:<b@t.test>
> RCPT TO:<c@t.test>
> DATA
250 OK
250 OK
550 no
250 OK
354 go
> a
> ..b
> c
> .
250 taken
452 full
> QUIT
221 bye";
    let lmtp = Config {
        lmtp: true,
        ..config(Tls::Never)
    };
    let mail = mail(&["a@t.test", "b@t.test", "c@t.test"]);
    let steps = play(&mut Client::new(lmtp), vec![mail], script);
    let got: Vec<Verdict> = verdicts(&steps[0]).into_iter().map(|v| v.0).collect();
    assert_eq!(
        got,
        [Verdict::Delivered, Verdict::Permanent, Verdict::Temporary]
    );
}

#[test]
fn binary_goes_by_bdat() {
    let script = "\
220 x
> EHLO out.test
250-x
250-CHUNKING
250-PIPELINING
250 BINARYMIME
> MAIL FROM:<alice@here.test> BODY=BINARYMIME
> RCPT TO:<a@t.test>
250 OK
250 OK
> BDAT 9 LAST
> a
> .b
> c
250 taken
> QUIT
221 bye";
    let mut binary = mail(&["a@t.test"]);
    binary.body = Body::BinaryMime;
    let steps = play(
        &mut Client::new(config(Tls::Never)),
        vec![binary.clone()],
        script,
    );
    assert_eq!(verdicts(&steps[0])[0].0, Verdict::Delivered);
    // And to a server without it not at all; nor SMTPUTF8, nor what is too big.
    let mut utf8 = mail(&["ré@t.test"]);
    utf8.smtputf8 = true;
    let mut big = mail(&["a@t.test"]);
    big.size = 11;
    let script = "220 x\n> EHLO out.test\n250-x\n250 SIZE 10\n> QUIT\n221 bye";
    let mails = vec![binary, utf8, big];
    let steps = play(&mut Client::new(config(Tls::Never)), mails, script);
    for (step, error) in steps.iter().zip([
        LocalError::NoBinaryMime,
        LocalError::NoSmtpUtf8,
        LocalError::TooBig,
    ]) {
        assert_eq!(
            step,
            &Step::Sent(Report {
                recipients: vec![RecipientReport {
                    verdict: Verdict::Permanent,
                    answer: Answer::Local(error)
                }],
                dsn: false,
            })
        );
    }
}

#[test]
fn data_let_through_without_recipients() {
    let script = "\
220 x
> EHLO out.test
250-x
250 PIPELINING
> MAIL FROM:<alice@here.test>
> RCPT TO:<a@t.test>
> DATA
250 OK
450 later
354 go
> .
554 nothing
> QUIT
221 bye";
    let steps = play(
        &mut Client::new(config(Tls::Never)),
        vec![mail(&["a@t.test"])],
        script,
    );
    assert_eq!(
        verdicts(&steps[0]),
        [(Verdict::Temporary, "450 later".into())]
    );
}

#[test]
fn interruptions() {
    let mut client = Client::new(config(Tls::Never));
    assert_eq!(client.stage(), Stage::Greeting);
    assert_eq!(client.interrupted(LocalError::TimedOut), None);
    let mut client = Client::new(config(Tls::Never));
    for (bytes, stage) in [
        ("220 x\r\n", Stage::Hello),
        ("250-x\r\n250 PIPELINING\r\n", Stage::Idle),
    ] {
        client.feed(bytes.as_bytes());
        client.step();
        assert_eq!(client.stage(), stage);
    }
    client.send(mail(&["a@t.test", "b@t.test"]));
    assert_eq!(client.stage(), Stage::Mail);
    client.feed(b"250 OK\r\n550 no\r\n");
    assert_eq!(client.step(), Step::Read);
    assert_eq!(client.stage(), Stage::Rcpt);
    let report = client.interrupted(LocalError::ConnectionLost).unwrap();
    assert_eq!(report.recipients[0].verdict, Verdict::Permanent);
    assert_eq!(report.recipients[1].verdict, Verdict::Temporary);
    assert_eq!(client.step(), Step::Close);
}

#[test]
fn a_body_that_would_smuggle_is_not_sent() {
    let mut client = Client::new(config(Tls::Never));
    client.feed(b"220 x\r\n");
    client.step();
    client.feed(b"250-x\r\n250 PIPELINING\r\n");
    client.step();
    client.send(mail(&["a@t.test"]));
    client.feed(b"250 OK\r\n250 OK\r\n354 go\r\n");
    assert_eq!(client.step(), Step::SendBody);
    assert!(client.push_body(b"a\n.\r\n").is_err());
    let report = client.interrupted(LocalError::NotText).unwrap();
    assert_eq!(report.recipients[0].verdict, Verdict::Permanent);
}

proptest! {
    #[test]
    fn any_split_gives_the_same(chunk in 1usize..20) {
        let mut client = Client::new(config(Tls::Opportunistic));
        let whole = play(&mut client, vec![pipelined_mail()], PIPELINED);
        let mut client = Client::new(config(Tls::Opportunistic));
        let split = play_split(&mut client, vec![pipelined_mail()], PIPELINED, chunk);
        prop_assert_eq!(whole, split);
    }
}
