//! What a command gives back, and the only place that writes to the terminal: text for people, or one
//! JSON value with `--json`.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::texts::{self, fill};

/// The result of a command in both forms, and whether what it found is good.
#[derive(Debug)]
pub struct Output {
    pub json: Value,
    pub text: String,
    /// False: the command worked, but what it looked at is not as it should be (`store verify`).
    pub clean: bool,
    /// Everything was said before the end.
    pub said: bool,
}

impl Output {
    pub fn new(json: Value, text: impl Into<String>) -> Self {
        Output {
            json,
            text: text.into(),
            clean: true,
            said: false,
        }
    }

    #[must_use]
    pub fn silent(mut self) -> Self {
        self.said = true;
        self
    }
}

/// A sentence that says what to do, and the causes for whoever wants to know more.
#[derive(Debug)]
pub struct Failure {
    /// Stable word for programs.
    pub code: String,
    pub sentence: String,
    pub cause: Option<String>,
    /// The exit status.
    pub status: u8,
}

/// What the server ends with when its disk failed.
pub const STATUS_DISK_FAILED: u8 = 3;

impl Failure {
    pub fn new(code: &str, sentence: impl Into<String>) -> Self {
        Failure {
            code: code.to_owned(),
            sentence: sentence.into(),
            cause: None,
            status: 1,
        }
    }

    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }
}

pub type Outcome = Result<Output, Failure>;

/// 0: done. 1: it failed, or what was looked at is not clean. 3: the disk failed under the server.
/// (2, wrong use, is given by the parser.)
pub fn finish(outcome: Outcome, as_json: bool) -> ExitCode {
    match outcome {
        Ok(output) => {
            if output.said {
                return ExitCode::SUCCESS;
            }
            if as_json {
                line(&output.json.to_string());
            } else {
                block(&output.text);
            }
            ExitCode::from(u8::from(!output.clean))
        }
        Err(failure) => {
            fail(&failure, as_json);
            ExitCode::from(failure.status)
        }
    }
}

pub fn fail(failure: &Failure, as_json: bool) {
    let text = if as_json {
        json!({
            "error": failure.code,
            "message": failure.sentence,
            "cause": failure.cause,
        })
        .to_string()
    } else {
        let cause = failure.cause.as_ref();
        let cause = cause.map(|cause| format!("\n{}", fill(texts::CAUSE, &[cause])));
        format!("facteur: {}{}", failure.sentence, cause.unwrap_or_default())
    };
    let mut terminal = std::io::stderr().lock();
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(terminal, "{text}");
}

/// One line on standard output, at once.
pub fn line(text: &str) {
    let mut terminal = std::io::stdout().lock();
    // A reader that went away (`| head`) is no failure of ours.
    let _ = writeln!(terminal, "{text}");
    let _ = terminal.flush();
}

fn block(text: &str) {
    let text = text.trim_end_matches('\n');
    if !text.is_empty() {
        line(text);
    }
}

/// Columns as wide as their widest cell, two spaces between, nothing after the last.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        text.push_str(&table_line(row, &widths));
        text.push('\n');
    }
    text
}

fn table_line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        let cell = safe(cell);
        let padding = width.saturating_sub(cell.chars().count()) + 2;
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', padding));
    }
    line.trim_end().to_owned()
}

/// Text that came from a message may hold escape sequences: a terminal must never run them.
pub fn safe(text: &str) -> String {
    let dangerous = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    let replace = |c| if dangerous(c) { '\u{fffd}' } else { c };
    text.chars().map(replace).collect()
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_and_never_carry_escapes() {
        let rows = vec![
            vec!["élodie".to_owned(), "1".to_owned()],
            vec!["b\u{1b}[2J".to_owned(), "22".to_owned()],
        ];
        let text = table(&["who", "n"], &rows);
        assert_eq!(text, "who     n\nélodie  1\nb\u{fffd}[2J   22\n");
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1 << 40, "1.0 TiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
