//! Expected lines with `{*}`, `{name}` and `{=name}`.

use std::collections::BTreeMap;

pub(super) type Variables = BTreeMap<String, String>;

enum Piece<'a> {
    Text(&'a str),
    Anything,
    Capture(&'a str),
    Variable(&'a str),
}

/// `{*}`, `{name}` and `{=name}` are special; every other brace is text.
fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    let mut text_from = 0;
    while let Some(open) = rest.get(text_from..).and_then(|t| t.find('{')) {
        let open = text_from + open;
        let inside = rest.get(open + 1..).unwrap_or_default();
        let special = inside.split_once('}').and_then(|(inside, after)| {
            let piece = match inside.strip_prefix('=') {
                _ if inside == "*" => Piece::Anything,
                Some(name) if is_name(name) => Piece::Variable(name),
                None if is_name(inside) => Piece::Capture(inside),
                _ => return None,
            };
            Some((piece, after))
        });
        match special {
            Some((piece, after)) => {
                pieces.push(Piece::Text(rest.get(..open).unwrap_or_default()));
                pieces.push(piece);
                rest = after;
                text_from = 0;
            }
            None => text_from = open + 1,
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Whether the whole line matches; new captures go into `variables` only when it does.
pub(super) fn matches(
    pattern: &str,
    line: &str,
    variables: &mut Variables,
) -> Result<bool, String> {
    let pieces = pieces(pattern);
    for piece in &pieces {
        if let Piece::Variable(name) = piece
            && !variables.contains_key(*name)
            && !pieces
                .iter()
                .any(|p| matches!(p, Piece::Capture(c) if c == name))
        {
            return Err(unknown(name));
        }
    }
    let mut captured = Vec::new();
    let found = match_pieces(&pieces, line, variables, &mut captured);
    if found {
        variables.extend(captured);
    }
    Ok(found)
}

fn match_pieces(
    pieces: &[Piece<'_>],
    line: &str,
    variables: &Variables,
    captured: &mut Vec<(String, String)>,
) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else {
        return line.is_empty();
    };
    let exact = |text: &str, captured: &mut _| match line.strip_prefix(text) {
        Some(rest) => match_pieces(pieces, rest, variables, captured),
        None => false,
    };
    match piece {
        Piece::Text(text) => exact(text, captured),
        Piece::Variable(name) => {
            let own = captured
                .iter()
                .rev()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.clone());
            let value = own
                .or_else(|| variables.get(*name).cloned())
                .unwrap_or_default();
            exact(&value, captured)
        }
        Piece::Anything => {
            split_points(line).any(|(_, rest)| match_pieces(pieces, rest, variables, captured))
        }
        Piece::Capture(name) => {
            for (token, rest) in split_points(line).skip(1) {
                if token.ends_with(' ') {
                    return false;
                }
                captured.push(((*name).to_owned(), token.to_owned()));
                if match_pieces(pieces, rest, variables, captured) {
                    return true;
                }
                captured.pop();
            }
            false
        }
    }
}

/// Every way to cut the line in two, the shortest head first.
fn split_points(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    ends.filter_map(|at| line.split_at_checked(at))
}

/// Puts the variables into what the client sends. Other braces stay.
pub(super) fn substitute(bytes: &[u8], variables: &Variables) -> Result<Vec<u8>, String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(bytes.to_vec());
    };
    let mut out = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Anything => out.push_str("{*}"),
            Piece::Capture(name) => out.push_str(&format!("{{{name}}}")),
            Piece::Variable(name) => {
                out.push_str(variables.get(name).ok_or_else(|| unknown(name))?);
            }
        }
    }
    Ok(out.into_bytes())
}

fn unknown(name: &str) -> String {
    format!("nothing is called {name:?} yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (pattern, line, expected) in [
            ("+OK", "+OK", true),
            ("+OK", "+OK ", false),
            ("+OK{*}", "+OK", true),
            ("+OK {*}", "+OK bonjour à tous", true),
            ("* {*} EXISTS {*}", "* 3 EXISTS now", true),
            ("[UIDVALIDITY {v}] {*}", "[UIDVALIDITY 17] ok", true),
            ("a {x} b", "a two words b", false),
            ("{x} {=x}", "7 7", true),
            ("{x} {=x}", "7 8", false),
            ("BODY[] {42}", "BODY[] {42}", true),
            ("{42}", "{43}", false),
            ("{", "{", true),
            ("{*", "{*", true),
            ("{é}", "{é}", true),
        ] {
            let found = matches(pattern, line, &mut Variables::new()).unwrap();
            assert_eq!(found, expected, "{pattern:?} {line:?}");
        }
    }

    #[test]
    fn captures_are_kept() {
        let mut variables = Variables::new();
        assert!(matches("a {x}{y}c {z}", "a 12c 9)", &mut variables).unwrap());
        assert_eq!(variables.get("x").unwrap(), "1");
        assert_eq!(variables.get("z").unwrap(), "9)");
        let sent = substitute(b"{=z}{*}{3}{=x}{w}", &variables).unwrap();
        assert_eq!(sent, b"9){*}{3}1{w}");
        assert!(substitute(b"{=unknown}", &variables).is_err());
        assert!(matches("{=unknown}", "", &mut variables).is_err());
    }
}
