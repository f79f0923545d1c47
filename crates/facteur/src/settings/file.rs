//! The small commented file that `setup` writes.

use toml::Value;

use super::table::SETTINGS;
use crate::texts::{self, t};

/// Settings that the file shows, with what each gets; `None`: its example, commented out.
pub type Choice<'a> = (&'a str, Option<Value>);

/// The file's text: each setting under its prose in the user's language.
pub fn write(choices: &[Choice<'_>]) -> String {
    let mut text = String::new();
    comment(&mut text, t(texts::FILE_HEAD));
    let mut table = "";
    for (name, value) in choices {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == *name) else {
            continue;
        };
        let (in_table, key) = name.rsplit_once('.').unwrap_or(("", name));
        text.push('\n');
        if in_table != table {
            text.push_str(&format!("[{in_table}]\n"));
            table = in_table;
        }
        comment(&mut text, t(setting.prose));
        match value {
            Some(value) => text.push_str(&format!("{key} = {value}\n")),
            None => text.push_str(&format!("# {key} = {}\n", setting.example)),
        }
    }
    text
}

/// Wrapped at 96 columns.
fn comment(text: &mut String, prose: &str) {
    const COLUMNS: usize = 96;
    let mut column = 0;
    for word in prose.split(' ') {
        let width = word.chars().count() + 1;
        if column == 0 {
            text.push('#');
            column = 1;
        } else if column + width > COLUMNS {
            text.push_str("\n#");
            column = 1;
        }
        text.push(' ');
        text.push_str(word);
        column += width;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn what_is_written_reads_back() {
        let name = Value::String("mail.example.org".to_owned());
        let text = write(&[
            ("hostname", Some(name)),
            ("data", None),
            ("queue.smarthost", None),
            ("queue.expires_days", Some(Value::Integer(3))),
        ]);
        let settings = Settings::parse(&text, "test", None).unwrap();
        assert_eq!(settings.text("hostname"), "mail.example.org");
        assert!(!settings.is_given("data"));
        assert!(settings.is_given("queue.expires_days"));
        assert!(
            text.lines().all(|line| line.chars().count() <= 120),
            "{text}"
        );
    }
}
