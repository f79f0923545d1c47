//! RFC 6609.

use super::{A, B, Fake, letter, outcome_in, short};
use crate::Place;

fn with(scripts: &[(Place, &'static str, &'static str)], main: &str, message: &str) -> String {
    let mut fake = Fake {
        scripts: scripts.to_vec(),
        ..Fake::default()
    };
    short(&outcome_in(main, &letter(message), &mut fake))
}

/// RFC 6609.
#[test]
fn include() {
    use Place::{Global, Personal};
    let example = [
        (
            Personal,
            "always_allow",
            "if address :is \"from\" \"boss@example.com\" { keep; } elsif address :is \"from\" \"ceo@example.com\" { keep; }",
        ),
        (
            Personal,
            "spam_tests",
            "require [\"reject\"]; if header :contains \"Subject\" \"XXXX\" { reject \"Subject XXXX is unacceptable.\"; }",
        ),
        (
            Personal,
            "mailing_lists",
            "require [\"fileinto\"]; if header :is \"List-ID\" \"sieve.ietf.org\" { fileinto \"lists.sieve\"; }",
        ),
        (
            Global,
            "spam_tests",
            "require [\"reject\"]; if anyof (header :contains \"Subject\" \"$$\", header :contains \"Subject\" \"Make money\") { reject \"No thank you.\"; }",
        ),
    ];
    let main = "require [\"include\"]; include :personal \"always_allow\"; include :global \"spam_tests\"; include :personal \"spam_tests\"; include :personal \"mailing_lists\";";
    for (message, expected) in [
        ("From: boss@example.com\r\n\r\n", "keep"),
        (B, "reject No thank you."),
        (
            "Subject: XXXX\r\n\r\n",
            "reject Subject XXXX is unacceptable.",
        ),
        ("List-Id: sieve.ietf.org\r\n\r\n", "into lists.sieve"),
    ] {
        assert_eq!(with(&example, main, message), expected, "{message}");
    }
    let subroutine = [(
        Personal,
        "subject_tests",
        "require [\"include\", \"variables\"]; global [\"test\", \"test_mailbox\"]; if header :contains \"Subject\" \"${test}\" { set \"test_mailbox\" \"spam-${test}\"; }",
    )];
    let main = "require [\"fileinto\", \"include\", \"variables\", \"relational\"]; global \"test\"; global \"test_mailbox\"; \
        set \"test\" \"$$\"; include \"subject_tests\"; set \"test\" \"Make money\"; include \"subject_tests\"; \
        if string :count \"eq\" \"${test_mailbox}\" \"1\" { fileinto \"${test_mailbox}\"; stop; }";
    assert_eq!(with(&subroutine, main, B), "into spam-$$");
    assert_eq!(with(&subroutine, main, A), "keep");
}

#[test]
fn include_has_its_rules() {
    use Place::Personal;
    let scripts = [
        (Personal, "stop", "stop;"),
        (Personal, "return", "require \"include\"; return; discard;"),
        (Personal, "discard", "discard;"),
        (Personal, "self", "require \"include\"; include \"self\";"),
        (
            Personal,
            "self_once",
            "require \"include\"; include :once \"self_once\"; discard;",
        ),
        (Personal, "bad", "frob;"),
        (
            Personal,
            "own",
            "require [\"variables\", \"fileinto\"]; fileinto \"<${a}>\"; set \"a\" \"inner\";",
        ),
        (
            Personal,
            "shared",
            "require [\"variables\", \"include\"]; set \"global.a\" \"${global.a}+\";",
        ),
        (Personal, "needs", "fileinto \"x\";"),
    ];
    for (commands, expected) in [
        ("include \"stop\"; discard;", "keep"),
        ("include \"return\"; discard;", "discard"),
        ("include \"return\";", "keep"),
        ("return; discard;", "keep"),
        (
            "include \"none\";",
            "keep, failed line 1: there is no script 'none' to include",
        ),
        ("include :optional \"none\"; discard;", "discard"),
        ("if false { include \"none\"; } discard;", "discard"),
        (
            "include \"self\";",
            "keep, failed line 1: the script 'self' includes itself or lies too deep",
        ),
        ("include \"self_once\";", "discard"),
        (
            "include \"bad\";",
            "keep, failed line 1: there is no command 'frob'",
        ),
        (
            "set \"a\" \"outer\"; include \"own\"; fileinto \"${a}\";",
            "into <>, into outer",
        ),
        ("include \"own\"; include \"own\";", "into <>"),
        (
            "include \"shared\"; include :once \"shared\"; include \"shared\"; fileinto \"${global.a}\";",
            "into ++",
        ),
        // What the outer script requires is no matter.
        (
            "include \"needs\";",
            "keep, failed line 1: 'fileinto' needs: require 'fileinto';",
        ),
    ] {
        let main = format!("require [\"include\", \"variables\", \"fileinto\"]; {commands}");
        assert_eq!(with(&scripts, &main, A), expected, "{commands}");
    }
}
