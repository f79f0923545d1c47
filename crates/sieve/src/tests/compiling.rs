//! What can't be compiled, and what is said of it.

use super::error;
use crate::limits;
use crate::{Library, NoScripts, Place, compile};

#[test]
fn errors_name_the_line_and_the_reason() {
    for (script, expected) in [
        ("keep", "line 1: a ';' is missing"),
        (
            "\n\nfrobnicate;",
            "line 3: there is no command 'frobnicate'",
        ),
        ("if frob {}", "line 1: there is no test 'frob'"),
        (
            "fileinto \"x\";",
            "line 1: 'fileinto' needs: require 'fileinto';",
        ),
        (
            "require \"frob\";",
            "line 1: the extension 'frob' is not available",
        ),
        (
            "keep; require \"fileinto\";",
            "line 1: require stands before all other commands",
        ),
        (
            "if true { require \"fileinto\"; }",
            "line 1: require stands before all other commands",
        ),
        (
            "require 1;",
            "line 1: 'require' has other arguments than these",
        ),
        (
            "else { keep; }",
            "line 1: 'else' follows an if or elsif only",
        ),
        (
            "if true { } else { } elsif true { }",
            "line 1: 'elsif' follows an if or elsif only",
        ),
        ("if true;", "line 1: 'if' needs a block"),
        ("if { }", "line 1: 'if' has other tests than these"),
        ("if (true) { }", "line 1: 'if' has other tests than these"),
        (
            "if not (true) { }",
            "line 1: 'not' has other tests than these",
        ),
        (
            "if allof true { }",
            "line 1: 'allof' has other tests than these",
        ),
        ("keep { }", "line 1: 'keep' has no block"),
        ("keep true;", "line 1: 'keep' has other tests than these"),
        (
            "keep \"x\";",
            "line 1: 'keep' has other arguments than these",
        ),
        (
            "redirect [\"a@b.test\"];",
            "line 1: 'redirect' has other arguments than these",
        ),
        ("redirect \"nobody\";", "line 1: 'nobody' is no address"),
        (
            "redirect :copy \"a@b.test\";",
            "line 1: ':copy' needs: require 'copy';",
        ),
        (
            "if header :is :is \"a\" \"b\" {}",
            "line 1: ':is' is given twice or beside another that excludes it",
        ),
        (
            "if header :is :contains \"a\" \"b\" {}",
            "line 1: ':contains' is given twice or beside another that excludes it",
        ),
        (
            "if header \"a\" :is \"b\" {}",
            "line 1: ':is' does not belong here",
        ),
        (
            "if header :frob \"a\" \"b\" {}",
            "line 1: ':frob' is not known here",
        ),
        (
            "if header :comparator \"a\" {}",
            "line 1: 'header' has other arguments than these",
        ),
        (
            "if header :comparator \"i;frob\" \"a\" \"b\" {}",
            "line 1: the comparator 'i;frob' is not available",
        ),
        (
            "if header :comparator 3 \"a\" \"b\" {}",
            "line 1: ':comparator' lacks its value or has one of another kind",
        ),
        (
            "if header :comparator \"i;ascii-numeric\" \"a\" \"b\" {}",
            "line 1: 'i;ascii-numeric' needs: require 'comparator-i;ascii-numeric';",
        ),
        (
            "require \"comparator-i;ascii-numeric\"; if header :contains :comparator \"i;ascii-numeric\" \"a\" \"b\" {}",
            "line 1: the comparator 'i;ascii-numeric' can't do ':contains'",
        ),
        (
            "if header :value \"gt\" \"a\" \"b\" {}",
            "line 1: ':value' needs: require 'relational';",
        ),
        (
            "require \"relational\"; if header :value \"zz\" \"a\" \"b\" {}",
            "line 1: ':value' can't be 'zz'",
        ),
        (
            "if size 1 {}",
            "line 1: 'size' has other arguments than these",
        ),
        (
            "if size {}",
            "line 1: 'size' has other arguments than these",
        ),
        (
            "if size :over 1 :under 2 {}",
            "line 1: ':under' is given twice or beside another that excludes it",
        ),
        (
            "if address \"subject\" \"x\" {}",
            "line 1: the header field 'subject' holds no addresses",
        ),
        (
            "require \"envelope\"; if envelope \"size\" \"x\" {}",
            "line 1: the envelope has no part 'size'",
        ),
        (
            "require \"fileinto\"; fileinto \"\";",
            "line 1: '' is no name of a mailbox",
        ),
        (
            "require \"encoded-character\"; redirect \"${unicode:d800}\";",
            "line 1: there is no character of this number",
        ),
        (
            "require \"variables\"; set \"1\" \"x\";",
            "line 1: '1' is no name of a variable that can be set",
        ),
        (
            "require \"variables\"; set \"a.b\" \"x\";",
            "line 1: there are no variables 'a.b'",
        ),
        (
            "require [\"variables\",\"fileinto\"]; fileinto \"${a.b}\";",
            "line 1: there are no variables 'a.b'",
        ),
        (
            "require \"variables\"; set :upper :lower \"a\" \"x\";",
            "line 1: ':lower' is given twice or beside another that excludes it",
        ),
        (
            "require \"variables\"; set \"${a}\" \"x\";",
            "line 1: 'set' takes no variables here",
        ),
        (
            "require \"regex\"; if header :regex \"a\" \"(\" {}",
            "line 1: the pattern '(' can't be used",
        ),
        (
            "require \"index\"; if header :last \"a\" \"b\" {}",
            "line 1: ':last' lacks its value or has one of another kind",
        ),
        (
            "require \"date\"; if currentdate \"fortnight\" \"1\" {}",
            "line 1: 'currentdate' can't be 'fortnight'",
        ),
        (
            "require \"date\"; if currentdate :zone \"CET\" \"hour\" \"1\" {}",
            "line 1: ':zone' can't be 'CET'",
        ),
        (
            "require \"vacation\"; vacation :days 1 :seconds 1 \"x\";",
            "line 1: ':seconds' needs: require 'vacation-seconds';",
        ),
        (
            "require \"vacation-seconds\"; vacation :days 1 :seconds 1 \"x\";",
            "line 1: ':seconds' is given twice or beside another that excludes it",
        ),
        (
            "require \"vacation\"; vacation :from \"nobody\" \"x\";",
            "line 1: 'nobody' is no address",
        ),
        (
            "require \"vacation\"; vacation :mime \"Sübject: x\n\nx\";",
            "line 1: ':mime' can't be 'Sübject: xx'",
        ),
        (
            "require \"duplicate\"; if duplicate :header \"a\" :uniqueid \"b\" {}",
            "line 1: ':uniqueid' is given twice or beside another that excludes it",
        ),
        (
            "require \"include\"; global \"a\";",
            "line 1: 'global' needs: require 'variables';",
        ),
        (
            "require [\"include\",\"variables\"]; set \"a\" \"1\"; global \"a\";",
            "line 1: 'a' is no name of a variable that can be set",
        ),
        ("@", "line 1: the character '@' does not belong here"),
    ] {
        assert_eq!(error(script), expected, "{script}");
    }
}

#[test]
fn people_read_it_in_their_language() {
    let error = compile("\nfrob;", &NoScripts).unwrap_err();
    assert_eq!(
        error.text("fr"),
        "ligne 2 : la commande 'frob' n'existe pas"
    );
    assert_eq!(error.text("en"), "line 2: there is no command 'frob'");
}

#[test]
fn what_is_said_fits_on_a_line() {
    let long = "x".repeat(5_000);
    let text = error(&format!("{long};"));
    assert!(text.len() < 120, "{text}");
    let text = error("require \"a\r\nb\\\"c\";");
    assert_eq!(text, "line 1: the extension 'abc' is not available");
}

#[test]
fn limits_are_kept() {
    let long = format!("# {}\n", "x".repeat(limits::SCRIPT_BYTES_MAX));
    assert_eq!(error(&long), "line 1: the script is too long");
    let strings = format!(
        "if exists [{}\"a\"] {{}}",
        "\"a\",".repeat(limits::STRINGS_MAX)
    );
    assert_eq!(error(&strings), "line 1: the script has too many strings");
    let commands = "keep;".repeat(limits::PROGRAM_OPS_MAX + 1);
    assert_eq!(error(&commands), "line 1: the script has too many commands");
    let names: String = (0..=limits::VARIABLES_MAX)
        .map(|i| format!("set \"v{i}\" \"\";"))
        .collect();
    let variables = format!("require \"variables\"; {names}");
    assert_eq!(
        error(&variables),
        "line 1: the script has too many variables"
    );
}

/// A library in which every script includes two others.
struct Endless;

impl Library for Endless {
    fn script(&self, _: Place, name: &str) -> Option<String> {
        Some(format!(
            "require \"include\"; include \"{name}a\"; include \"{name}b\";"
        ))
    }
}

#[test]
fn endless_includes_end() {
    let program = compile("require \"include\"; include \"x\";", &Endless).unwrap();
    assert!(program.len() < limits::PROGRAM_OPS_MAX);
}
