//! Which of the two languages to speak: French when `LC_ALL`, `LC_MESSAGES` or `LANG` say so, else
//! English. Asked once, at the start.

use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    French,
}

/// In the order of POSIX: the first that is set and not empty decides.
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

static LANGUAGE: OnceLock<Language> = OnceLock::new();

pub fn language() -> Language {
    *LANGUAGE.get_or_init(|| {
        let values = VARIABLES.map(variable);
        choose(values.iter().map(|value| value.as_deref().unwrap_or("")))
    })
}

/// The language as the store keeps it with an account.
pub fn language_code() -> &'static str {
    match language() {
        Language::English => "en",
        Language::French => "fr",
    }
}

fn choose<'a>(mut values: impl Iterator<Item = &'a str>) -> Language {
    match values.find(|value| !value.is_empty()) {
        Some(value) if value == "fr" || value.starts_with("fr_") || value.starts_with("fr.") => {
            Language::French
        }
        _ => Language::English,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        for (values, expected) in [
            (["", "", ""], Language::English),
            (["", "", "fr_FR.UTF-8"], Language::French),
            (["C", "", "fr_FR.UTF-8"], Language::English),
            (["", "fr_CA", "en_US.UTF-8"], Language::French),
            (["fr", "en_US", "en_US"], Language::French),
            (["fro_FR", "", ""], Language::English),
        ] {
            assert_eq!(choose(values.into_iter()), expected, "{values:?}");
        }
    }
}
