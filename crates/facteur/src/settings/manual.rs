//! The manual page of the settings, made from the table.

use super::table::{SETTINGS, Setting};
use super::value;
use crate::texts::{self, t};

/// Markdown in the user's language.
pub fn page() -> String {
    let mut page = format!(
        "# {}\n\n{}\n",
        t(texts::MANUAL_TITLE),
        t(texts::MANUAL_HEAD)
    );
    for setting in &SETTINGS {
        page.push_str(&section(setting));
    }
    page
}

fn section(setting: &Setting) -> String {
    let default = match setting.default {
        "" => t(texts::MANUAL_REQUIRED).to_owned(),
        default => format!("`{default}`"),
    };
    let key = setting.name.rsplit_once('.');
    let example = match key {
        Some((table, key)) => format!("[{table}]\n{key} = {}", setting.example),
        None => format!("{} = {}", setting.name, setting.example),
    };
    format!(
        "\n## {}\n\n{}\n\n- {} {}\n- {} {}\n\n```toml\n{}\n```\n",
        setting.name,
        t(setting.prose),
        t(texts::MANUAL_TYPE),
        value::expected(setting.kind),
        t(texts::MANUAL_DEFAULT),
        default,
        example,
    )
}
