//! The one rule set: a table of fact, points and words. The sum against [`JUNK_POINTS`] is the
//! verdict; every reason is kept, for the header of the message, for the log and for people.
//!
//! A fact that nobody gathered says nothing: `None` and the defaults of [`Evidence`] give no
//! points. To bring a new one in, add a field there and a row to [`RULES`].

use crate::limits::REASONS_MAX;
use crate::model::Examples;
use crate::traits::Traits;

/// From here on a message is filed into Junk.
pub const JUNK_POINTS: f32 = 5.0;

/// Until so many examples of each kind were taught, the classifier says nothing; from the second
/// number on it says all it thinks.
pub const EXAMPLES_FIRST: u32 = 20;
pub const EXAMPLES_ENOUGH: u32 = 100;
const POINTS_OF_LOG_ODDS: f32 = 2.4;
const OPINION_POINTS_MAX: f32 = 8.0;

/// What the classifier thinks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    pub log_odds: f32,
    pub examples: Examples,
}

impl Examples {
    /// Too few for an opinion.
    pub fn are_few(self) -> bool {
        self.good.min(self.junk) < EXAMPLES_FIRST
    }
}

impl Opinion {
    /// Grows with the evidence behind it.
    fn points(self) -> f32 {
        let Examples { good, junk } = self.examples;
        let known = good.min(junk).min(EXAMPLES_ENOUGH);
        let Some(above) = known.checked_sub(EXAMPLES_FIRST) else {
            return 0.0;
        };
        let range = EXAMPLES_ENOUGH - EXAMPLES_FIRST;
        let trust = 0.25 + 0.75 * (above as f32 / range as f32);
        let points = self.log_odds * POINTS_OF_LOG_ODDS * trust;
        points.clamp(-OPINION_POINTS_MAX, OPINION_POINTS_MAX)
    }
}

/// Who vouches for the domain in From (RFC 7489 §3.1), as far as it was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vouched {
    /// Not checked.
    #[default]
    Unknown,
    /// An aligned SPF or DKIM result passed.
    Aligned,
    /// Nobody does, and the domain does not ask for more.
    Nobody,
    /// The domain asks to set aside what nobody vouches for (p=quarantine).
    SetAside,
}

/// How the past of an address, a network or a domain looks, from what people did with its mail.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Past {
    /// Messages that people kept or marked as good.
    pub good: f32,
    /// Messages that people called junk.
    pub junk: f32,
}

impl Past {
    /// -1 all good, 1 all junk, 0 unknown; grows with the evidence.
    pub fn leaning(self) -> f32 {
        let sum = self.good + self.junk;
        if sum <= 0.0 {
            return 0.0;
        }
        (self.junk - self.good) / (sum + PAST_DOUBT)
    }
}

/// So many messages are needed for half of an opinion.
const PAST_DOUBT: f32 = 5.0;

/// What was gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    pub opinion: Option<Opinion>,
    pub traits: Traits,
    pub vouched: Vouched,
    /// The recipient wrote to the sender before.
    pub correspondent: bool,
    /// The recipient never had mail from the sender.
    pub first_time: bool,
    /// Of the peer's address, its network, and the domain in the reverse-path.
    pub address: Past,
    pub network: Past,
    pub domain: Past,
    /// Of who signed it.
    pub signer: Past,
    /// The peer named itself by an address or by our own name.
    pub bad_hello: bool,
    /// A milter does not want it.
    pub warned: bool,
    /// Points of rspamd, of which 15 are much.
    pub rspamd: Option<f32>,
    /// A list that the administrator asks names the peer's address.
    pub listed: bool,
}

/// One reason with its weight and words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reason {
    /// As in the header and the log; never changes.
    pub name: &'static str,
    pub points: f32,
    pub en: &'static str,
    pub fr: &'static str,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub points: f32,
    /// The weightiest first; those without points are left out.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    pub fn is_junk(&self) -> bool {
        self.points >= JUNK_POINTS
    }
}

struct Rule {
    name: &'static str,
    points: fn(&Evidence) -> f32,
    en: &'static str,
    fr: &'static str,
}

/// Points when it is so.
fn when(so: bool, points: f32) -> f32 {
    if so { points } else { 0.0 }
}

const RULES: [Rule; 27] = [
    Rule {
        name: "words",
        points: |e| e.opinion.map_or(0.0, Opinion::points),
        en: "how much it looks like the junk, or the good mail, that people here have had",
        fr: "sa ressemblance avec les indésirables, ou le bon courrier, reçus ici",
    },
    Rule {
        name: "correspondent",
        points: |e| when(e.correspondent, -6.0),
        en: "the recipient has written to this sender",
        fr: "le destinataire a déjà écrit à cet expéditeur",
    },
    Rule {
        name: "first-time",
        points: |e| when(e.first_time, 0.5),
        en: "the recipient never had mail from this sender",
        fr: "le destinataire n'a jamais reçu de courrier de cet expéditeur",
    },
    Rule {
        name: "vouched",
        points: |e| when(e.vouched == Vouched::Aligned, -0.5),
        en: "the sender's domain vouches for the message",
        fr: "le domaine de l'expéditeur se porte garant du message",
    },
    Rule {
        name: "nobody-vouches",
        points: |e| when(e.vouched == Vouched::Nobody, 1.0),
        en: "nobody vouches for the sender",
        fr: "personne ne se porte garant de l'expéditeur",
    },
    Rule {
        name: "set-aside",
        points: |e| when(e.vouched == Vouched::SetAside, 6.0),
        en: "the sender's domain asks to set aside what it does not vouch for",
        fr: "le domaine de l'expéditeur demande d'écarter ce dont il ne se porte pas garant",
    },
    Rule {
        name: "address",
        points: |e| 3.0 * e.address.leaning(),
        en: "what earlier mail from this address was",
        fr: "ce qu'était le courrier précédent de cette adresse",
    },
    Rule {
        name: "network",
        points: |e| 1.5 * e.network.leaning(),
        en: "what earlier mail from this network was",
        fr: "ce qu'était le courrier précédent de ce réseau",
    },
    Rule {
        name: "domain",
        points: |e| 2.5 * e.domain.leaning(),
        en: "what earlier mail from this domain was",
        fr: "ce qu'était le courrier précédent de ce domaine",
    },
    Rule {
        name: "signer",
        points: |e| 2.0 * e.signer.leaning(),
        en: "what earlier mail that was signed like this was",
        fr: "ce qu'était le courrier précédent portant cette signature",
    },
    Rule {
        name: "hello",
        points: |e| when(e.bad_hello, 1.0),
        en: "the sending server hides its name",
        fr: "le serveur expéditeur cache son nom",
    },
    Rule {
        name: "listed",
        points: |e| when(e.listed, 3.0),
        en: "a public list warns of the sending server",
        fr: "une liste publique met en garde contre le serveur expéditeur",
    },
    Rule {
        name: "milter",
        points: |e| when(e.warned, 10.0),
        en: "a content filter of this server does not want it",
        fr: "un filtre de contenu de ce serveur n'en veut pas",
    },
    Rule {
        name: "rspamd",
        points: |e| {
            e.rspamd
                .map_or(0.0, |points| (0.4 * points).clamp(-2.0, 6.0))
        },
        en: "what rspamd thinks of it",
        fr: "ce qu'en pense rspamd",
    },
    Rule {
        name: "advertisement",
        points: |e| when(e.traits.advertisement, 4.0),
        en: "it calls itself an advertisement",
        fr: "il se présente comme une publicité",
    },
    Rule {
        name: "false-reply",
        points: |e| when(e.traits.false_reply, 1.5),
        en: "it pretends to answer something",
        fr: "il fait semblant de répondre",
    },
    Rule {
        name: "answer",
        points: |e| when(e.traits.answers, -1.0),
        en: "it answers another message",
        fr: "il répond à un autre message",
    },
    Rule {
        name: "no-date",
        points: |e| when(e.traits.no_date, 0.7),
        en: "it has no date",
        fr: "il n'a pas de date",
    },
    Rule {
        name: "no-message-id",
        points: |e| when(e.traits.no_message_id, 0.7),
        en: "it has no identifier",
        fr: "il n'a pas d'identifiant",
    },
    Rule {
        name: "broken-from",
        points: |e| when(e.traits.broken_from, 1.5),
        en: "its sender can't be read",
        fr: "son expéditeur est illisible",
    },
    Rule {
        name: "name-is-address",
        points: |e| when(e.traits.name_is_address, 2.5),
        en: "the sender's name is another address",
        fr: "le nom de l'expéditeur est une autre adresse",
    },
    Rule {
        name: "answers-elsewhere",
        points: |e| when(e.traits.answers_elsewhere, 0.7),
        en: "answers go to another domain",
        fr: "les réponses vont à un autre domaine",
    },
    Rule {
        name: "shouting",
        points: |e| when(e.traits.shouting, 0.5),
        en: "the subject is in capitals",
        fr: "l'objet est en capitales",
    },
    Rule {
        name: "garbage-header",
        points: |e| when(e.traits.garbage_header, 1.0),
        en: "its header is broken",
        fr: "son en-tête est mal formé",
    },
    Rule {
        name: "numeric-link",
        points: |e| when(e.traits.numeric_link, 1.0),
        en: "a link leads to a bare number",
        fr: "un lien mène à une adresse numérique",
    },
    Rule {
        name: "disguised-link",
        points: |e| when(e.traits.disguised_link, 1.5),
        en: "a link hides where it leads",
        fr: "un lien cache où il mène",
    },
    Rule {
        name: "program",
        points: |e| when(e.traits.program, 3.0),
        en: "an attachment is a program",
        fr: "une pièce jointe est un programme",
    },
];

/// Decides; pure.
pub fn judge(evidence: &Evidence) -> Verdict {
    let mut reasons: Vec<Reason> = RULES
        .iter()
        .map(|rule| Reason {
            name: rule.name,
            points: (rule.points)(evidence),
            en: rule.en,
            fr: rule.fr,
        })
        .filter(|reason| reason.points.abs() >= SMALLEST_SAID)
        .collect();
    let points = reasons.iter().map(|reason| reason.points).sum();
    reasons.sort_by(|a, b| b.points.abs().total_cmp(&a.points.abs()));
    reasons.truncate(REASONS_MAX);
    Verdict { points, reasons }
}

/// What weighs less is not worth a word.
const SMALLEST_SAID: f32 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    fn points(change: impl FnOnce(&mut Evidence)) -> (f32, Vec<&'static str>) {
        let mut evidence = Evidence::default();
        change(&mut evidence);
        let verdict = judge(&evidence);
        let names = verdict.reasons.iter().map(|reason| reason.name).collect();
        (verdict.points, names)
    }

    fn opinion(log_odds: f32, taught: u32) -> Option<Opinion> {
        let examples = Examples {
            good: taught,
            junk: taught,
        };
        Some(Opinion { log_odds, examples })
    }

    #[test]
    fn what_is_not_known_says_nothing() {
        assert_eq!(points(|_| ()), (0.0, vec![]));
    }

    #[test]
    fn the_classifier_starts_mild() {
        for (taught, expected) in [
            (0, 0.0),
            (EXAMPLES_FIRST - 1, 0.0),
            (EXAMPLES_FIRST, 1.8),
            (EXAMPLES_ENOUGH, 7.2),
            (100_000, 7.2),
        ] {
            let (found, _) = points(|e| e.opinion = opinion(3.0, taught));
            assert!((found - expected).abs() < 0.001, "{taught}: {found}");
        }
        let (most, _) = points(|e| e.opinion = opinion(1e9, EXAMPLES_ENOUGH));
        assert_eq!(most, OPINION_POINTS_MAX);
    }

    #[test]
    fn each_fact_has_its_reason() {
        type Change = fn(&mut Evidence);
        let rows: [(Change, &str); 17] = [
            (|e| e.correspondent = true, "correspondent"),
            (|e| e.first_time = true, "first-time"),
            (|e| e.vouched = Vouched::Aligned, "vouched"),
            (|e| e.vouched = Vouched::Nobody, "nobody-vouches"),
            (|e| e.vouched = Vouched::SetAside, "set-aside"),
            (|e| e.bad_hello = true, "hello"),
            (|e| e.listed = true, "listed"),
            (|e| e.traits.advertisement = true, "advertisement"),
            (|e| e.traits.false_reply = true, "false-reply"),
            (|e| e.traits.answers = true, "answer"),
            (|e| e.traits.name_is_address = true, "name-is-address"),
            (|e| e.traits.disguised_link = true, "disguised-link"),
            (|e| e.traits.program = true, "program"),
            (|e| e.warned = true, "milter"),
            (|e| e.rspamd = Some(7.0), "rspamd"),
            (
                |e| {
                    e.signer = Past {
                        good: 9.0,
                        junk: 0.0,
                    }
                },
                "signer",
            ),
            (
                |e| {
                    e.address = Past {
                        good: 0.0,
                        junk: 9.0,
                    }
                },
                "address",
            ),
        ];
        for (change, name) in rows {
            let (points, names) = points(change);
            assert_eq!(names, [name]);
            assert_ne!(points, 0.0, "{name}");
        }
    }

    /// A device in the cellar writes like that.
    #[test]
    fn neglect_is_not_junk() {
        let (points, _) = points(|e| {
            e.first_time = true;
            e.bad_hello = true;
            e.traits.no_date = true;
            e.traits.no_message_id = true;
            e.traits.broken_from = true;
        });
        assert!(points < JUNK_POINTS, "{points}");
    }

    #[test]
    fn one_trait_is_never_enough() {
        let (traits, _) = points(|e| {
            e.traits.shouting = true;
            e.traits.program = true;
        });
        assert!(traits < JUNK_POINTS);
        let several = |e: &mut Evidence| {
            e.traits.advertisement = true;
            e.traits.program = true;
        };
        assert!(points(several).0 >= JUNK_POINTS);
        let (known, _) = points(|e| {
            several(e);
            e.correspondent = true;
        });
        assert!(known < JUNK_POINTS, "not from whom one writes to");
    }

    #[test]
    fn the_past_speaks_louder_with_evidence() {
        let leaning = |good, junk| Past { good, junk }.leaning();
        assert_eq!(leaning(0.0, 0.0), 0.0);
        assert!(leaning(0.0, 1.0) < leaning(0.0, 10.0));
        assert!(leaning(100.0, 1.0) < -0.9);
    }
}
