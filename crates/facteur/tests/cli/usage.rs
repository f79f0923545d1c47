//! Wrong use, help, and missing data, in both languages.

use super::support::{ENGLISH, FRENCH, run};

#[test]
fn wrong_use_ends_with_2_and_a_sentence() {
    for (arguments, english, french) in [
        (
            vec!["acount"],
            "Did you mean \"account\"?",
            "Vouliez-vous dire « account » ?",
        ),
        (
            vec!["demo", "--port-offset", "x"],
            "\"x\" is no value",
            "« x » n'est pas une valeur",
        ),
        (
            vec!["account", "show"],
            "Something is missing",
            "Il manque quelque chose",
        ),
        (
            vec!["serve", "--loud"],
            "no option or argument \"--loud\"",
            "ni d'argument « --loud »",
        ),
        (
            vec!["setup", "example.org", "--password-stdin", "--ask-password"],
            "can't be used together",
            "ne vont pas ensemble",
        ),
    ] {
        for (language, expected) in [(ENGLISH, english), (FRENCH, french)] {
            let ran = run(language, &arguments);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert_eq!(ran.out, "");
            assert!(ran.err.contains(expected), "{ran:?}");
        }
    }
}

#[test]
fn help_is_in_the_users_language() {
    for (language, heading, sentence) in [
        (ENGLISH, "Usage", "Mail that waits to leave"),
        (FRENCH, "Utilisation", "Le courrier qui attend de partir"),
    ] {
        let ran = run(language, &["--help"]);
        assert_eq!(ran.code, Some(0));
        assert!(
            ran.out.contains(heading) && ran.out.contains(sentence),
            "{ran:?}"
        );
    }
    let version = run(ENGLISH, &["--version"]);
    assert_eq!(
        version.out,
        concat!("facteur ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn a_mistyped_directory_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    for command in [
        vec!["account", "list"],
        vec!["store", "verify"],
        vec!["status"],
    ] {
        let mut arguments: Vec<&std::ffi::OsStr> = command.iter().map(AsRef::as_ref).collect();
        arguments.extend(["--json".as_ref(), "--data".as_ref(), missing.as_os_str()]);
        assert_eq!(run(ENGLISH, &arguments).error()["error"], "no_data");
        assert!(!missing.exists());
    }
}

#[test]
fn a_wrong_configuration_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("facteur.toml");
    std::fs::write(
        &file,
        "hostname = \"mail.example.org\"\nretention_days = 3\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let ran = run(FRENCH, &["config", "show", "-c", file]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("il n'y a pas de réglage `retention_days`"),
        "{ran:?}"
    );
    let ran = run(
        ENGLISH,
        &["serve", "--json", "-c", "/nonexistent/facteur.toml"],
    );
    assert_eq!(ran.error()["error"], "config_unreadable");
}
