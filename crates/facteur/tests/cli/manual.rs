//! The manual of the settings is what the table says. `UPDATE_EXPECT=1` rewrites it.

use super::support::{ENGLISH, FRENCH, root, run};

#[test]
fn the_manual_is_up_to_date() {
    for (language, name) in [(ENGLISH, "settings.md"), (FRENCH, "settings.fr.md")] {
        let page = run(language, &["config", "manual"]);
        assert_eq!(page.code, Some(0));
        let file = root().join("docs/manual").join(name);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &page.out).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            kept, page.out,
            "UPDATE_EXPECT=1 cargo test -p facteur rewrites {name}"
        );
    }
}
