//! FUZZY keys of texts (RFC 6203): every word is there, in whatever order and form, and the score
//! says how well.
//!
//! A word that is nowhere in the mailbox is taken for a misspelling of those that are near it.
//! What is no text is matched exactly, which §5 allows.

use std::collections::BTreeMap;

use facteur_imap::set::Numbers;
use facteur_store::Error;

use super::catalog::{Fields, MessageTerms, Reader, Seen, is_near, words_of};
use super::selected::RELEVANCY_MAX;

/// Words of one key that count.
const WORDS_MAX: usize = 32;
/// Of a word that was spelled anew.
const RESPELLED: f32 = 0.5;
/// Letters that a word must have to be spelled anew.
const RESPELLED_CHARS_MIN: usize = 4;

#[derive(Debug)]
pub(super) struct Fuzzy {
    fields: Fields,
    words: Vec<Word>,
    known: Option<Known>,
}

#[derive(Debug)]
struct Word {
    /// One of these; the last is the word as it was written.
    terms: Vec<Box<str>>,
    /// It is nowhere in the catalogue: one near it will do.
    respelled: bool,
    /// What a match says about a message.
    rarity: f32,
}

/// What the catalogue answered for the uids up to one.
#[derive(Debug)]
struct Known {
    up_to: u32,
    /// By ascending uid.
    scores: Vec<(u32, f32)>,
}

impl Fuzzy {
    /// `None`: there is no word in it.
    pub(super) fn new(fields: Fields, text: &str) -> Option<Fuzzy> {
        let words: Vec<Word> = words_of(text)
            .into_iter()
            .take(WORDS_MAX)
            .map(|terms| Word {
                terms,
                respelled: false,
                rarity: 1.0,
            })
            .collect();
        (!words.is_empty()).then_some(Fuzzy {
            fields,
            words,
            known: None,
        })
    }

    /// Asks the catalogue. Blocking.
    pub(super) fn look_up(&mut self, catalog: &Reader) -> Result<(), Error> {
        let all = catalog.messages().max(1) as f32;
        let mut scores: Option<BTreeMap<u64, f32>> = None;
        for word in &mut self.words {
            let mut having = having(catalog, &word.terms, self.fields)?;
            let written = word.terms.last().map_or("", |term| term);
            if having.is_empty() && written.chars().count() >= RESPELLED_CHARS_MIN {
                word.respelled = true;
                let near = catalog.terms_near(&word.terms)?;
                having = self::having(catalog, &near, self.fields)?;
            }
            word.rarity = (1.0 + all / having.len().max(1) as f32).ln();
            if word.respelled {
                word.rarity *= RESPELLED;
            }
            let rarity = word.rarity;
            scores = Some(match scores {
                None => {
                    let weighed = having.into_iter();
                    weighed.map(|(at, weight)| (at, weight * rarity)).collect()
                }
                Some(mut scores) => {
                    scores.retain(|at, score| match having.get(at) {
                        Some(weight) => {
                            *score += weight * rarity;
                            true
                        }
                        None => false,
                    });
                    scores
                }
            });
        }
        self.known = Some(Known {
            up_to: catalog.up_to(),
            scores: catalog.by_uid(scores.unwrap_or_default())?,
        });
        Ok(())
    }

    /// Uids outside of which nothing matches.
    pub(super) fn bounds(&self) -> Option<Numbers> {
        let known = self.known.as_ref()?;
        let matching: Numbers = known.scores.iter().map(|(uid, _)| *uid).collect();
        let rest = known.up_to.checked_add(1).map(|first| (first, u32::MAX));
        Some(matching.union(&Numbers::from_ranges(rest)))
    }

    /// Outer `None`: the message is to be read; inner: it does not match.
    pub(super) fn known(&self, uid: u32) -> Option<Option<f32>> {
        let known = self.known.as_ref().filter(|known| uid <= known.up_to)?;
        let found = known.scores.binary_search_by_key(&uid, |(uid, _)| *uid);
        Some(
            found
                .ok()
                .and_then(|at| known.scores.get(at))
                .map(|(_, score)| *score),
        )
    }

    /// `None`: a message with these terms does not match.
    pub(super) fn score(&self, terms: &MessageTerms) -> Option<f32> {
        self.words.iter().try_fold(0.0, |sum, word| {
            let mut best: Option<f32> = None;
            let mut meet = |seen: &Seen| {
                if seen.fields.meets(self.fields) {
                    let weight = weight(*seen, self.fields);
                    best = Some(best.map_or(weight, |best| best.max(weight)));
                }
            };
            for term in &word.terms {
                terms.get(term).map(&mut meet);
            }
            if word.respelled {
                let near = |term: &str| word.terms.iter().any(|written| is_near(term, written));
                let near = terms.iter().filter(|(term, _)| near(term));
                near.for_each(|(_, seen)| meet(seen));
            }
            best.map(|best| sum + best * word.rarity)
        })
    }
}

/// Messages that have one of the terms there, with the weight of the best.
fn having(
    catalog: &Reader,
    terms: &[Box<str>],
    fields: Fields,
) -> Result<BTreeMap<u64, f32>, Error> {
    let mut having = BTreeMap::new();
    for term in terms {
        catalog.for_each_with(term, &mut |at, seen| {
            if seen.fields.meets(fields) {
                let weight = weight(seen, fields);
                let best = having.entry(at).or_insert(weight);
                *best = weight.max(*best);
            }
        })?;
    }
    Ok(having)
}

/// A word of the subject says most about a message, one of many in its text least.
fn weight(seen: Seen, fields: Fields) -> f32 {
    let at = Fields(seen.fields.0 & fields.0);
    let people = Fields(Fields::FROM.0 | Fields::TO.0 | Fields::CC.0 | Fields::BCC.0);
    let place = if at.meets(Fields::SUBJECT) {
        4.0
    } else if at.meets(people) {
        3.0
    } else {
        1.0
    };
    place + f32::from(seen.count).log2() / 4.0
}

/// Scores as RFC 6203 §4 has them: the best match is 100.
pub(super) fn relevancy(score: f32, best: f32) -> u8 {
    match best > 0.0 {
        true => ((100.0 * score / best).round() as u8).clamp(1, RELEVANCY_MAX),
        false => RELEVANCY_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_between_1_and_100() {
        for (score, best, relevancy) in [
            (0.0, 0.0, 100),
            (2.0, 2.0, 100),
            (1.0, 2.0, 50),
            (0.0, 9.0, 1),
            (f32::NAN, 1.0, 1),
        ] {
            let got = super::relevancy(score, best);
            assert_eq!(got, relevancy, "{score} {best}");
        }
    }

    #[test]
    fn every_word_counts() {
        let seen = |fields, count| Seen { fields, count };
        let terms: MessageTerms = [
            ("imap".into(), seen(Fields::SUBJECT, 1)),
            ("broken".into(), seen(Fields::BODY, 3)),
        ]
        .into();
        let score = |fields, text: &str| Fuzzy::new(fields, text).unwrap().score(&terms);
        assert!(score(Fields::ANY, "broken IMAP").is_some());
        assert!(score(Fields::SUBJECT, "broken IMAP").is_none());
        assert!(score(Fields::ANY, "imap") > score(Fields::ANY, "broken"));
        assert!(score(Fields::ANY, "imap server").is_none());
        assert!(Fuzzy::new(Fields::ANY, " ,. ").is_none());
        let many = "a1 ".repeat(3) + &(0..100).map(|at| format!("w{at} ")).collect::<String>();
        assert_eq!(
            Fuzzy::new(Fields::ANY, &many).unwrap().words.len(),
            WORDS_MAX
        );
    }
}
