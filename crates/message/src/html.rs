//! The text of HTML without tags, comments, styles and scripts. Good enough for a preview and for
//! finding words, not for showing.

/// Takes characters, gives those of the text; a tag is a space, unless words go on through it.
#[derive(Debug, Default)]
pub struct Strip {
    /// In a tag: its name so far, lower case, cut at [`NAME_CHARS`].
    tag: Option<String>,
    /// In an element whose text nobody sees.
    hidden: Option<&'static str>,
    entity: Option<String>,
}

/// Those that mail has, of the many that there are.
const ENTITIES: [(&str, char); 41] = [
    ("nbsp", '\u{a0}'),
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("agrave", 'à'),
    ("ccedil", 'ç'),
    ("ecirc", 'ê'),
    ("acirc", 'â'),
    ("auml", 'ä'),
    ("euml", 'ë'),
    ("icirc", 'î'),
    ("iuml", 'ï'),
    ("ocirc", 'ô'),
    ("ouml", 'ö'),
    ("ucirc", 'û'),
    ("ugrave", 'ù'),
    ("uuml", 'ü'),
    ("oelig", 'œ'),
    ("szlig", 'ß'),
    ("Eacute", 'É'),
    ("Egrave", 'È'),
    ("Agrave", 'À'),
    ("Ccedil", 'Ç'),
    ("Ecirc", 'Ê'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("rsquo", '’'),
    ("lsquo", '‘'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("euro", '€'),
];

const NAME_CHARS: usize = 10;
const HIDDEN: [&str; 4] = ["style", "script", "title", "head"];

impl Strip {
    pub fn push(&mut self, character: char, out: &mut dyn FnMut(char)) {
        if let Some(name) = &mut self.tag {
            if character == '>' {
                self.end_tag(out);
            } else if name.chars().count() < NAME_CHARS && !name.ends_with(' ') {
                let letter = character.to_ascii_lowercase();
                name.push(if letter.is_whitespace() { ' ' } else { letter });
            }
            return;
        }
        match character {
            '<' => self.tag = Some(String::new()),
            _ if self.hidden.is_some() => {}
            '&' => self.flush_entity(out, Some(String::new())),
            ';' if self.entity.is_some() => self.end_entity(out),
            _ => self.push_text(character, out),
        }
    }

    fn push_text(&mut self, character: char, out: &mut dyn FnMut(char)) {
        match &mut self.entity {
            Some(name)
                if name.len() < NAME_CHARS
                    && (character.is_ascii_alphanumeric() || character == '#') =>
            {
                name.push(character);
            }
            Some(_) => {
                self.flush_entity(out, None);
                out(character);
            }
            None => out(character),
        }
    }

    fn end_tag(&mut self, out: &mut dyn FnMut(char)) {
        let tag = self.tag.take().unwrap_or_default();
        let name = tag.trim_end();
        match self.hidden {
            Some(hidden) if name.strip_prefix('/') == Some(hidden) => self.hidden = None,
            Some(_) => {}
            None => self.hidden = HIDDEN.into_iter().find(|hidden| *hidden == name),
        }
        if !matches!(
            name.trim_start_matches('/'),
            "b" | "i" | "u" | "em" | "a" | "span" | "strong" | "font"
        ) {
            out(' ');
        }
    }

    fn flush_entity(&mut self, out: &mut dyn FnMut(char), next: Option<String>) {
        if let Some(name) = std::mem::replace(&mut self.entity, next) {
            out('&');
            name.chars().for_each(out);
        }
    }

    fn end_entity(&mut self, out: &mut dyn FnMut(char)) {
        let name = self.entity.take().unwrap_or_default();
        let number =
            name.strip_prefix('#')
                .and_then(|digits| match digits.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => digits.parse().ok(),
                });
        let named = ENTITIES.iter().find(|(known, _)| *known == name);
        let character = match named {
            Some((_, character)) => Some(*character),
            None => number.and_then(char::from_u32),
        };
        match character {
            Some(character) => out(character),
            None => out(' '),
        }
    }
}
