//! RFC 5703: every example but those of `replace` and `enclose`, which are left out.

use super::{A, Fake, done, error, holds, letter, outcome_in, short};

const MIXED: &str = "From: boss@example.org\r\n\
    Subject: report\r\n\
    Content-From: tim@example.com\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\
    \r\n\
    --b\r\n\
    Content-Type: multipart/alternative; boundary=c\r\n\
    \r\n\
    --c\r\n\
    Content-Type: text/plain; charset=iso-8859-1\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\
    \r\n\
    =C9t=E9 comes\r\n\
    --c\r\n\
    Content-Type: text/html\r\n\
    Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n\
    \r\n\
    <p>x</p>\r\n\
    --c--\r\n\
    --b\r\n\
    Content-Type: application/pdf; name*0=very-;\r\n\
    \tname*1=important.pdf\r\n\
    Content-Disposition: attachment;\r\n\
    \tfilename*=utf-8''tr%C3%A8s-important.pdf\r\n\
    \r\n\
    %PDF\r\n\
    --b\r\n\
    Content-Type: message/rfc822\r\n\
    \r\n\
    From: inner@example.net\r\n\
    Content-Type: image/png\r\n\
    \r\n\
    x\r\n\
    --b--\r\n";

fn is(test: &str, message: &str) -> bool {
    holds(
        ", \"mime\", \"relational\", \"comparator-i;ascii-numeric\", \"index\"",
        test,
        message,
    )
}

/// RFC 5703 §4.1 to §4.3.
#[test]
fn fields_of_parts() {
    let image = "Content-Type: image/png\r\n\r\nx";
    for (test, message, expected) in [
        ("header :mime :type \"Content-Type\" \"image\"", image, true),
        (
            "header :mime :type \"Content-Type\" \"image\"",
            MIXED,
            false,
        ),
        (
            "header :mime :anychild :contenttype \"Content-Type\" \"text/html\"",
            MIXED,
            true,
        ),
        (
            "header :mime :anychild :contenttype \"Content-Type\" \"text/html\"",
            image,
            false,
        ),
        (
            "address :mime :is :all \"content-from\" \"tim@example.com\"",
            MIXED,
            true,
        ),
        (
            "address :mime :is :all \"content-from\" \"tim@example.com\"",
            A,
            false,
        ),
        ("exists :mime :anychild \"content-md5\"", MIXED, true),
        ("exists :mime \"content-md5\"", MIXED, false),
        (
            "exists :mime :anychild [\"content-md5\", \"x-none\"]",
            MIXED,
            false,
        ),
        (
            "address :mime :anychild :domain \"from\" \"example.net\"",
            MIXED,
            true,
        ),
        ("address :domain \"from\" \"example.net\"", MIXED, false),
        // RFC 2231 parameters.
        (
            "header :mime :anychild :param \"filename\" \"Content-Disposition\" \"tr\u{e8}s-important.pdf\"",
            MIXED,
            true,
        ),
        (
            "header :mime :anychild :param [\"x\", \"name\"] \"Content-Type\" \"very-important.pdf\"",
            MIXED,
            true,
        ),
        (
            "header :mime :anychild :type \"Content-Disposition\" \"attachment\"",
            MIXED,
            true,
        ),
        (
            "header :mime :anychild :contenttype \"Content-Disposition\" \"attachment\"",
            MIXED,
            true,
        ),
        (
            "header :mime :anychild :subtype \"Content-Disposition\" \"\"",
            MIXED,
            true,
        ),
        ("header :mime :type \"Subject\" \"\"", MIXED, true),
        (
            "header :mime :anychild :count \"eq\" :comparator \"i;ascii-numeric\" :type \"Content-Type\" \"7\"",
            MIXED,
            true,
        ),
        (
            "header :mime :anychild :count \"eq\" :comparator \"i;ascii-numeric\" :param \"boundary\" \"Content-Type\" \"2\"",
            MIXED,
            true,
        ),
        (
            "header :mime :anychild :index 1 :contenttype \"Content-Type\" \"image/png\"",
            MIXED,
            true,
        ),
        // A field that can't be read has no type.
        (
            "header :mime :type \"Content-Type\" \"*\"",
            "Content-Type: /\r\n\r\n",
            false,
        ),
    ] {
        assert_eq!(is(test, message), expected, "{test}");
    }
}

/// RFC 5703 §4.1, its third example with its number as a number.
#[test]
fn important_documents() {
    let script = r#"require ["mime", "foreverypart", "fileinto"];
        foreverypart
        {
            if allof (
              header :mime :param "filename" :contains
                 "Content-Disposition" "important",
              header :mime :subtype "Content-Type" "pdf",
              size :over 100)
            {
                fileinto "INBOX.important";
                break;
            }
        }"#;
    assert_eq!(done(script, MIXED), "into INBOX.important");
    assert_eq!(done(script, A), "keep");
}

/// RFC 5703 §9.1 and §9.2: their loops, with `fileinto` for what is left out.
#[test]
fn programs_in_attachments() {
    let script = r#"require [ "foreverypart", "mime", "fileinto" ];
        foreverypart
        {
          if anyof (
                 header :mime :contenttype :is
                   "Content-Type" "application/exe",
                 header :mime :param "filename"
                   :matches ["Content-Type", "Content-Disposition"]
                     ["*.com", "*.exe", "*.vbs", "*.scr",
                      "*.pif", "*.hta", "*.bat", "*.zip" ] )
          {
            fileinto "programs";
          }
        }"#;
    assert_eq!(done(script, MIXED), "keep");
    let program = "Content-Type: application/x; filename=\"a.exe\"\r\n\r\nMZ";
    assert_eq!(done(script, program), "into programs");
}

/// RFC 5703 §9.3, and a mailbox's name to see what was found.
#[test]
fn text_of_the_boss() {
    let script = r#"require ["mime", "variables", "extracttext", "foreverypart", "fileinto"];
        if header :contains "from" "boss@example.org"
        {
          # :matches is used to get the value of the Subject header
          if header :matches "Subject" "*"
          {
            set "subject" "${1}";
          }
          # extract the first 100 characters of the first text/* part
          foreverypart
          {
            if header :mime :type :is "Content-Type" "text"
            {
              extracttext :first 100 "msgcontent";
              break;
            }
          }
          # if it's not a 'for your information' message
          if not header :contains "subject" "FYI:"
          {
            fileinto "${subject}: ${msgcontent}";
          }
        }"#;
    assert_eq!(done(script, MIXED), "into report: \u{c9}t\u{e9} comes");
    let script = "require [\"variables\", \"extracttext\", \"foreverypart\", \"fileinto\"]; \
        foreverypart { extracttext :upper :length :first 3 \"t\"; set \"all\" \"${all}/${t}\"; } fileinto \"${all}\";";
    assert_eq!(done(script, MIXED), "into /0/0/3/3/0/0/0");
}

/// RFC 5703 §3.
#[test]
fn loops_in_loops() {
    let walk = |body: &str| {
        let script = format!(
            "require [\"foreverypart\", \"mime\", \"variables\", \"fileinto\", \"include\"]; {body} fileinto \"=${{all}}\";"
        );
        done(&script, MIXED)
    };
    let note =
        "if header :mime :matches :subtype \"Content-Type\" \"*\" { set \"all\" \"${all} ${1}\"; }";
    assert_eq!(
        walk(&format!("foreverypart {{ {note} }}")),
        "into = mixed alternative plain html pdf rfc822 png"
    );
    // The inner one walks within the part of the outer one, and not at all in a leaf.
    assert_eq!(
        walk(&format!(
            "foreverypart {{ if header :mime :subtype \"Content-Type\" [\"alternative\", \"rfc822\", \"pdf\"] {{ foreverypart {{ {note} }} }} }}"
        )),
        "into = plain html png"
    );
    assert_eq!(
        walk(&format!(
            "foreverypart {{ foreverypart {{ {note} break; }} {note} }}"
        )),
        "into = alternative mixed plain alternative plain html pdf png rfc822 png"
    );
    assert_eq!(
        walk(&format!(
            "foreverypart :name \"a\" {{ {note} foreverypart :name \"b\" {{ {note} break :name \"a\"; }} }}"
        )),
        "into = mixed alternative"
    );
    assert_eq!(
        walk(&format!(
            "foreverypart :name \"a\" {{ foreverypart :name \"a\" {{ break :name \"a\"; }} {note} break; }}"
        )),
        "into = mixed"
    );
}

/// A test without `:mime` never looks at a part.
#[test]
fn plain_tests_in_a_loop() {
    let script = "require [\"foreverypart\", \"fileinto\"]; \
        foreverypart { if header :is \"Content-Type\" \"text/html\" { discard; stop; } }";
    assert_eq!(done(script, MIXED), "keep");
}

#[test]
fn an_included_script_ends_its_own_loops() {
    let mut fake = Fake {
        scripts: vec![(
            crate::Place::Personal,
            "inner",
            "require [\"foreverypart\", \"include\"]; foreverypart { foreverypart { return; } }",
        )],
        ..Fake::default()
    };
    let script = "require [\"foreverypart\", \"include\", \"variables\", \"fileinto\"]; \
        foreverypart { include \"inner\"; set \"n\" \"${n}x\"; } fileinto \"${n}\";";
    let outcome = outcome_in(script, &letter(MIXED), &mut fake);
    assert_eq!(short(&outcome), "into xxxxxxx");
}

#[test]
fn what_is_wrong() {
    for (script, problem) in [
        ("break;", "line 1: 'break' stands in no loop of this kind"),
        (
            "foreverypart :name \"a\" { break :name \"b\"; }",
            "line 1: 'break' stands in no loop of this kind",
        ),
        ("foreverypart;", "line 1: 'foreverypart' needs a block"),
        ("foreverypart { break {} }", "line 1: 'break' has no block"),
        (
            "extracttext \"x\";",
            "line 1: 'extracttext' stands in no loop of this kind",
        ),
        (
            "if header :anychild \"a\" \"b\" {}",
            "line 1: ':anychild' needs: require ':mime';",
        ),
        (
            "if header :type \"a\" \"b\" {}",
            "line 1: ':type' needs: require ':mime';",
        ),
        (
            "if header :mime :type :subtype \"a\" \"b\" {}",
            "line 1: ':subtype' is given twice or beside another that excludes it",
        ),
        (
            &"foreverypart {".repeat(9),
            "line 1: blocks or tests are nested too deep",
        ),
    ] {
        let closed = format!(
            "{script}{}",
            "}".repeat(script.matches('{').count() - script.matches('}').count())
        );
        let requires = "require [\"mime\", \"foreverypart\", \"extracttext\", \"variables\"]; ";
        assert_eq!(error(&format!("{requires}{closed}")), problem, "{script}");
    }
    assert_eq!(
        error("foreverypart {}"),
        "line 1: 'foreverypart' needs: require 'foreverypart';"
    );
    // What can't be compiled leaves no trace in the loop around it.
    let script = "require [\"ihave\", \"foreverypart\", \"fileinto\"]; \
        foreverypart { if ihave \"nothing\" { break; unknown; } fileinto \"a\"; break; }";
    assert_eq!(done(script, MIXED), "into a");
}

/// Whatever is looked at is paid for, in a loop as well.
#[test]
fn nothing_is_looked_at_for_nothing() {
    let long = format!("Subject: s\r\nX-Long: {}\r\n\r\n", "x".repeat(60_000));
    let names = vec!["\"subject\""; 3_000].join(",");
    let all = "require [\"mime\", \"foreverypart\", \"editheader\", \"mailbox\", \"extlists\", \"servermetadata\"]; ";
    let inboxes = vec!["\"INBOX\""; 12_000].join(",");
    let books = vec!["\":addrbook:default\""; 12_000].join(",");
    for script in [
        format!("if exists [{names}] {{}}"),
        format!("if exists :mime [{names}] {{}}"),
        format!("if header :mime :type [{names}] \"x\" {{}}"),
        format!("if address :mime [{names}] \"x\" {{}}"),
        format!("if header [{names}] \"x\" {{}}"),
        "deleteheader \"x-none\";".repeat(3_000),
        "addheader \"x-ours\" \"x\";".repeat(10) + &"deleteheader \"x-none\";".repeat(3_000),
        format!("if mailboxexists [{inboxes}] {{}}"),
        format!("if header :list \"subject\" [{books}] {{}}"),
    ] {
        let done = done(&format!("{all}{script}"), &long);
        assert!(
            done.ends_with("the script takes too long"),
            "{done}: {script:.60}"
        );
    }
}
