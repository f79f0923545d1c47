//! `UPDATE_EXPECT=1`: writes down what the server says. Client lines, comments and server lines
//! that still match stay as they are.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::script::{self, Action, Expect, Item};
use super::{Run, World};

/// The lines of the file as they will be.
struct Lines<'a> {
    old: Vec<&'a str>,
    dropped: Vec<bool>,
    /// New lines after the line of that number (from 1).
    added: BTreeMap<usize, Vec<String>>,
}

pub(super) async fn run<W: World>(
    run: &mut Run<'_, W>,
    text: &str,
    items: &[Item],
) -> Result<String, String> {
    let old: Vec<&str> = text.lines().collect();
    let dropped = vec![false; old.len() + 1];
    let mut lines = Lines {
        old,
        dropped,
        added: BTreeMap::new(),
    };
    let mut rest = items;
    while !rest.is_empty() {
        // A round: what the client does, then what the server says to it.
        let acts = rest
            .iter()
            .take_while(|item| expectation(item).is_none())
            .count();
        let says = rest
            .iter()
            .skip(acts)
            .take_while(|item| expectation(item).is_some())
            .count();
        let (round, after) = rest.split_at(acts + says);
        let (acts, says) = round.split_at(acts);
        rest = after;
        one_round(run, acts, says, &mut lines).await?;
    }
    Ok(lines.text())
}

async fn one_round<W: World>(
    run: &mut Run<'_, W>,
    acts: &[Item],
    says: &[Item],
    lines: &mut Lines<'_>,
) -> Result<(), String> {
    let mut spoken = Vec::new();
    for item in acts {
        run.line.store(item.line, Ordering::Relaxed);
        // Answers are written where a handshake or a close would lose them.
        if let Action::StartTls { connection }
        | Action::Compress { connection, .. }
        | Action::Close { connection } = &item.action
            && spoken.contains(connection)
        {
            let place = Place {
                line: item.line - 1,
                block: false,
            };
            listen(run, connection, &[], place, lines).await?;
        }
        run.act(&item.action).await?;
        match &item.action {
            Action::Connect { connection, .. }
            | Action::Send { connection, .. }
            | Action::Repeat { connection, .. }
            | Action::Eof { connection }
                if !spoken.contains(connection) =>
            {
                spoken.push(connection.clone());
            }
            Action::Close { connection } => spoken.retain(|name| name != connection),
            _ => {}
        }
    }
    for item in says {
        let (connection, _) = expectation(item).unwrap_or_default();
        if !spoken.iter().any(|name| name == connection) {
            spoken.push(connection.to_owned());
        }
    }
    let last = acts.iter().chain(says).next_back();
    for name in &spoken {
        let own: Vec<&Item> = says
            .iter()
            .filter(|item| expectation(item).is_some_and(|(connection, _)| connection == name))
            .collect();
        // After the client's part, past the end of a block; or in front of the first expectation.
        let start = match (own.first(), acts.last(), last) {
            (Some(first), _, _) => Place {
                line: first.line - 1,
                block: first.block,
            },
            (None, Some(act), _) => Place {
                line: act.line + usize::from(act.block),
                block: false,
            },
            (None, None, last) => Place {
                line: last.map_or(0, |item| item.line),
                block: false,
            },
        };
        listen(run, name, &own, start, lines).await?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Place {
    line: usize,
    block: bool,
}

/// Compares what one connection says until it is quiet with what was expected of it.
async fn listen<W: World>(
    run: &mut Run<'_, W>,
    name: &str,
    own: &[&Item],
    mut place: Place,
    lines: &mut Lines<'_>,
) -> Result<(), String> {
    let variables = &mut run.variables;
    let Some(connection) = run.connections.get_mut(name) else {
        return Err(super::not_connected(name));
    };
    let was_closed = connection.closed;
    connection.read_until_quiet().await;
    let mut own = own;
    loop {
        // The next expectation that matches here; those before it are gone.
        let mut found = None;
        for (index, item) in own.iter().enumerate() {
            let Some((_, expect)) = expectation(item) else {
                continue;
            };
            // A name that was never captured cannot match.
            if let Ok(Some(true)) = connection.matches(expect, variables) {
                found = Some(index);
                break;
            }
        }
        if let Some(index) = found {
            let (gone, kept) = own.split_at(index);
            gone.iter().for_each(|item| lines.drop_line(item.line));
            if let Some((item, after)) = kept.split_first() {
                place = Place {
                    line: item.line,
                    block: item.block,
                };
                own = after;
            }
            continue;
        }
        let Some(text) = take_text(&mut connection.buffer) else {
            break;
        };
        lines.add(place, name, &text);
    }
    let mut closed_expected = was_closed;
    for item in own {
        lines.drop_line(item.line);
    }
    closed_expected |= lines
        .kept(place.line)
        .is_some_and(|line| line.ends_with("<closed>"));
    if connection.closed && !closed_expected {
        lines.add(place, name, &Text::Line("<closed>".to_owned()));
    }
    Ok(())
}

enum Text {
    Line(String),
    Raw(String),
}

/// Takes one line, or what there is when no line is whole.
fn take_text(buffer: &mut Vec<u8>) -> Option<Text> {
    if buffer.is_empty() {
        return None;
    }
    let end = buffer.windows(2).position(|two| two == b"\r\n");
    let taken: Vec<u8> = buffer
        .drain(..end.map_or(buffer.len(), |end| end + 2))
        .collect();
    let line = taken
        .strip_suffix(b"\r\n")
        .and_then(|line| std::str::from_utf8(line).ok());
    Some(match line {
        Some(line) if !line.contains(char::is_control) && !line.ends_with(' ') => {
            Text::Line(line.to_owned())
        }
        _ => Text::Raw(script::quote(&taken)),
    })
}

fn expectation(item: &Item) -> Option<(&str, &Expect)> {
    match &item.action {
        Action::Expect { connection, expect } => Some((connection, expect)),
        _ => None,
    }
}

impl Default for &Expect {
    fn default() -> Self {
        &Expect::Closed
    }
}

impl Lines<'_> {
    fn drop_line(&mut self, line: usize) {
        if let Some(dropped) = self.dropped.get_mut(line) {
            *dropped = true;
        }
    }

    fn kept(&self, line: usize) -> Option<&str> {
        self.old.get(line.checked_sub(1)?).copied()
    }

    fn add(&mut self, place: Place, name: &str, text: &Text) {
        let name = if name.is_empty() {
            String::new()
        } else {
            format!("[{name}]")
        };
        let line = match text {
            Text::Line(line) if place.block => line.clone(),
            Text::Line(line) if line.is_empty() => format!("S{name}:"),
            Text::Line(line) => format!("S{name}: {line}"),
            Text::Raw(raw) => format!("S{name} raw: {raw}"),
        };
        self.added.entry(place.line).or_default().push(line);
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for number in 0..=self.old.len() {
            let dropped = self.dropped.get(number).copied().unwrap_or_default();
            let own = number.checked_sub(1).and_then(|index| self.old.get(index));
            let own = own.filter(|_| !dropped).copied();
            let added = self
                .added
                .get(&number)
                .into_iter()
                .flatten()
                .map(String::as_str);
            for line in own.into_iter().chain(added) {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}
