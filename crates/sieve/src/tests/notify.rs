//! RFC 5435, RFC 5436 and RFC 8580: every example, and what they say beside.

use super::{A, done, error, holds, outcome};

const LETTER: &str =
    "From: Boss <boss@example.org>\r\nTo: x@example.com\r\nSubject: FYI: lunch\r\n\r\n";

fn runs(script: &str, message: &str) -> String {
    done(
        &format!("require [\"enotify\", \"fileinto\", \"variables\", \"envelope\"]; {script}"),
        message,
    )
}

/// RFC 5435 §3.7, examples 1 and 2.
#[test]
fn examples_of_mail() {
    let first = r#"
        if header :contains "from" "boss@example.org" {
            notify :importance "1"
                :message "This is probably very important"
                            "mailto:alm@example.com";
            # Don't send any further notifications
            stop;
        }
        if header :contains "to" "sievemailinglist@example.org" {
            # :matches is used to get the value of the Subject header
            if header :matches "Subject" "*" {
                set "subject" "${1}";
            }
            # :matches is used to get the value of the From header
            if header :matches "From" "*" {
                set "from" "${1}";
            }
            notify :importance "3"
                :message "[SIEVE] ${from}: ${subject}"
                "mailto:alm@example.com";
            fileinto "INBOX.sieve";
        }"#;
    assert_eq!(
        runs(first, LETTER),
        "keep, notify1 alm@example.com: This is probably very important"
    );
    let list = "From: a@b.test\r\nTo: sievemailinglist@example.org\r\nSubject: s\r\n\r\n";
    assert_eq!(
        runs(first, list),
        "into INBOX.sieve, notify3 alm@example.com: [SIEVE] a@b.test: s"
    );
    let second = r#"
        if header :matches "from" "*@*.example.org" {
            # :matches is used to get the MAIL FROM address
            if envelope :all :matches "from" "*" {
                set "env_from" " [really: ${1}]";
            }
            # :matches is used to get the value of the Subject header
            if header :matches "Subject" "*" {
                set "subject" "${1}";
            }
            # :matches is used to get the address from the From header
            if address :matches :all "from" "*" {
                set "from_addr" "${1}";
            }
            notify :message "${from_addr}${env_from}: ${subject}"
                            "mailto:alm@example.com";
        }"#;
    let letter = "From: a@desert.example.org\r\nSubject: s\r\n\r\n";
    assert_eq!(
        runs(second, letter),
        "keep, notify2 alm@example.com: a@desert.example.org [really: coyote@desert.example.org]: s"
    );
}

/// RFC 5435 §3.7, example 3, and §3.2: a method that is not ours is an error when it is reached.
#[test]
fn examples_of_other_methods() {
    let third = r#"
        set "notif_method"
        "xmpp:tim@example.com?message;subject=SIEVE;body=You%20got%20mail";
        if header :contains "subject" "Your dog" {
            set "notif_method" "tel:+14085551212";
        }
        if header :contains "to" "sievemailinglist@example.org" {
            set "notif_method" "";
        }
        if not string :is "${notif_method}" "" {
            notify "${notif_method}";
        }
        if header :contains "from" "boss@example.org" {
            # :matches is used to get the value of the Subject header
            if header :matches "Subject" "*" {
                set "subject" "${1}";
            }
            # don't need high importance notification for
            # a 'for your information'
            if not header :contains "subject" "FYI:" {
                notify :importance "1" :message "BOSS: ${subject}"
                                   "tel:+14085551212";
            }
        }"#;
    assert_eq!(
        runs(third, LETTER),
        "keep, failed line 11: notifications can't go to 'xmpp:tim@example.com?message;subject=SIEVE;body=You%20got%20...'"
    );
    let list = "To: sievemailinglist@example.org\r\n\r\n";
    assert_eq!(runs(third, list), "keep");
}

/// RFC 5435 §4 to §6.
#[test]
fn tests_of_methods() {
    let script = r#"if not valid_notify_method ["mailto:",
                 "http://gw.example.net/notify?test"] {
             stop;
         } discard;"#;
    assert_eq!(runs(script, A), "keep");
    let with = |test: &str| {
        holds(
            ", \"enotify\", \"fcc\", \"relational\", \"comparator-i;ascii-numeric\"",
            test,
            A,
        )
    };
    for (test, expected) in [
        ("valid_notify_method \"mailto:a@b.test\"", true),
        (
            "valid_notify_method [\"mailto:a@b.test\", \"mailto:a\"]",
            false,
        ),
        (
            "notify_method_capability \"xmpp:tim@example.com?message;subject=SIEVE\" \"Online\" \"yes\"",
            false,
        ),
        (
            "notify_method_capability \"mailto:a@b.test\" \"Online\" \"yes\"",
            false,
        ),
        (
            "notify_method_capability \"mailto:a@b.test\" \"Online\" \"maybe\"",
            true,
        ),
        (
            "notify_method_capability \"mailto:\" \"Online\" \"maybe\"",
            false,
        ),
        (
            "notify_method_capability \"mailto:a@b.test\" \"other\" \"maybe\"",
            false,
        ),
        (
            "notify_method_capability :count \"eq\" :comparator \"i;ascii-numeric\" \"mailto:a@b.test\" \"online\" \"1\"",
            true,
        ),
        // RFC 8580 §6.1.
        ("notify_method_capability \"xmpp:\" \"fcc\" \"yes\"", false),
        ("notify_method_capability \"mailto:\" \"fcc\" \"yes\"", true),
    ] {
        assert_eq!(with(test), expected, "{test}");
    }
    let example6 = r#"set :encodeurl "body_param" "Safe body&evil=evilbody";
        notify "mailto:tim@example.com?body=${body_param}";"#;
    let script = format!("require [\"enotify\", \"variables\"]; {example6}");
    let outcome = outcome(&script, A);
    let body = outcome.notifications[0].method.body.as_deref();
    assert_eq!(body, Some("Safe body&evil=evilbody"));
    let order = "set :encodeurl :upper :length \"x\" \"\u{e9} \"; fileinto \"${x}\";";
    assert_eq!(runs(order, A), "into 9");
}

/// RFC 5436 §3: what the script makes of the message; the notification itself is in `notify.rs`.
#[test]
fn the_knitting_list() {
    let script = r#"
        if header :contains "list-id" "knitting.example.com" {
          if header :matches "Subject" "[*] *" {
            notify :message "From ${1} list: ${2}"
                :importance "3"
                "mailto:0123456789@sms.example.net?to=backup@example.com";
          }
        }"#;
    let message = "List-Id: Knitting Mailing List <knitting.example.com>\r\nSubject: [Knitting] A new sweater\r\n\r\n";
    assert_eq!(
        runs(script, message),
        "keep, notify3 0123456789@sms.example.net backup@example.com: From Knitting list: A new sweater"
    );
}

/// RFC 5436 §2.7: nobody is told twice; RFC 5435 §8: not without bounds.
#[test]
fn restraint() {
    assert_eq!(
        runs(
            "notify \"mailto:a@b.test\"; notify :message \"again\" \"mailto:a@b.test\";",
            A
        ),
        "keep, notify2 a@b.test: -"
    );
    let many: String = (0..5)
        .map(|n| format!("notify \"mailto:{n}@b.test\"; "))
        .collect();
    assert_eq!(
        runs(&many, A),
        "keep, failed line 1: the script sends too many notifications"
    );
    assert_eq!(
        runs("discard; notify \"mailto:a@b.test\";", A),
        "notify2 a@b.test: -"
    );
}

#[test]
fn what_is_wrong() {
    for (script, problem) in [
        (
            "notify :importance \"4\" \"mailto:a@b.test\";",
            "line 1: ':importance' can't be '4'",
        ),
        (
            "notify :importance 1 \"mailto:a@b.test\";",
            "line 1: ':importance' lacks its value or has one of another kind",
        ),
        (
            "notify :options \"x\" \"mailto:a@b.test\";",
            "line 1: ':options' can't be 'x'",
        ),
        (
            "notify :from \"x\" \"mailto:a@b.test\";",
            "line 1: 'x' is no address",
        ),
        (
            "notify :flags \"x\" \"mailto:a@b.test\";",
            "line 1: ':flags' needs: require ':fcc';",
        ),
        ("notify;", "line 1: 'notify' has other arguments than these"),
    ] {
        assert_eq!(
            error(&format!(
                "require [\"enotify\", \"fcc\", \"imap4flags\"]; {script}"
            )),
            problem
        );
    }
    assert_eq!(
        error("require \"enotify\"; notify :fcc \"a\" \"mailto:a@b.test\";"),
        "line 1: ':fcc' needs: require 'fcc';"
    );
    assert_eq!(
        runs(
            "set \"i\" \"7\"; notify :importance \"${i}\" \"mailto:a@b.test\";",
            A
        ),
        "keep, failed line 1: the value of :importance can't be used"
    );
}

/// RFC 8580 §5 and §6.
#[test]
fn copies_of_what_is_sent() {
    let script = r#"require ["vacation", "fcc", "mailbox", "special-use", "imap4flags"];
        setflag "\\Flagged";
        vacation :days 7
                 :from "hemingway@example.com" "Gone Fishin'"
                 :specialuse "\\Sent" :create
                 :fcc "INBOX.Sent" :flags ["\\Seen"];"#;
    // The reason stands last; the example has it in the middle, which RFC 5228 §2.6 does not take.
    let in_order = script
        .replace("\"Gone Fishin'\"", "")
        .replace("[\"\\\\Seen\"];", "[\"\\\\Seen\"] \"Gone Fishin'\";");
    assert!(error(script).contains("':specialuse' does not belong here"));
    let made = outcome(&in_order, A);
    let fcc = made.vacation.unwrap().fcc.unwrap();
    assert_eq!((fcc.mailbox.as_str(), fcc.create), ("INBOX.Sent", true));
    assert_eq!(
        (fcc.special_use.as_deref(), fcc.flags),
        (Some("\\Sent"), vec!["\\Seen".to_owned()])
    );
    let script = r#"require ["enotify", "fcc"];
        notify :fcc "INBOX.Sent"
               :message "You got mail!"
               "mailto:ken@example.com";"#;
    let made = outcome(script, A);
    let fcc = made.notifications[0].fcc.clone().unwrap();
    assert_eq!((fcc.mailbox.as_str(), fcc.flags), ("INBOX.Sent", vec![]));
    let script = r#"require ["enotify", "fcc"];
        if notify_method_capability "xmpp:" "fcc" "yes" {
            notify :fcc "INBOX.Sent" :message "You got mail" "xmpp:ken@example.com?message;subject=SIEVE";
        } else {
            notify :fcc "INBOX.Sent" :message "You got mail!" "mailto:ken@example.com";
        }"#;
    assert_eq!(
        done(script, A),
        "keep, notify2 ken@example.com: You got mail!"
    );
}
