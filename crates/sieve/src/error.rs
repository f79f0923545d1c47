//! What can be wrong with a script: found when it is compiled, with its line, or when it runs.

use std::fmt;

/// A script that can't be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// From 1.
    pub line: u32,
    pub problem: Problem,
    /// Of an included script, when it is in one.
    pub script: Option<String>,
}

impl Error {
    pub fn new(line: u32, problem: Problem) -> Self {
        Error {
            line,
            problem,
            script: None,
        }
    }

    /// The whole sentence, French when `language` is "fr".
    pub fn text(&self, language: &str) -> String {
        let french = language == "fr";
        let place = match (&self.script, french) {
            (None, false) => format!("line {}", self.line),
            (None, true) => format!("ligne {}", self.line),
            (Some(name), false) => format!("script {}, line {}", shown(name), self.line),
            (Some(name), true) => format!("script {}, ligne {}", shown(name), self.line),
        };
        let problem = if french {
            self.problem.french()
        } else {
            self.problem.english()
        };
        format!("{place}{} {problem}", if french { " :" } else { ":" })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text("en"))
    }
}

impl std::error::Error for Error {}

/// What is wrong at compile time. Names are those of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    ScriptTooLong,
    NotUtf8,
    TooManyStrings,
    TooDeep,
    ProgramTooLong,
    Character(char),
    OpenComment,
    OpenString,
    AfterText,
    Number,
    Ends,
    Unexpected(String),
    Missing(char),
    UnknownCommand(String),
    UnknownTest(String),
    UnknownTag(String),
    UnknownCapability(String),
    Requires {
        name: String,
        capability: String,
    },
    LateRequire,
    TwiceOrConflict(String),
    Arguments(String),
    TagValue(String),
    Tests(String),
    NeedsBlock(String),
    NoBlock(String),
    LoneElse(String),
    Comparator(String),
    ComparatorMatch {
        comparator: String,
        matching: String,
    },
    NoAddressHeader(String),
    EnvelopePart(String),
    Address(String),
    Mailbox(String),
    EncodedCharacter,
    VariableName(String),
    Namespace(String),
    TooManyVariables,
    Constant(String),
    Value {
        name: String,
        value: String,
    },
    Pattern(String),
    MissingScript(String),
    IncludeCircle(String),
    TooManyIncludes,
    NotInLoop(String),
}

/// A word of the script as part of a sentence: short, on one line.
fn shown(word: &str) -> String {
    let plain = |c: &char| !c.is_control() && *c != '"' && *c != '\\';
    let mut chars = word.chars().filter(plain);
    let mut text: String = chars.by_ref().take(60).collect();
    if chars.next().is_some() {
        text.push_str("...");
    }
    format!("'{text}'")
}

impl Problem {
    fn english(&self) -> String {
        let fixed = match self {
            Problem::ScriptTooLong => "the script is too long",
            Problem::NotUtf8 => "the script is not UTF-8",
            Problem::TooManyStrings => "the script has too many strings",
            Problem::TooDeep => "blocks or tests are nested too deep",
            Problem::ProgramTooLong => "the script has too many commands",
            Problem::OpenComment => "this comment does not end",
            Problem::OpenString => "this string does not end",
            Problem::AfterText => "nothing but a comment may follow text: on its line",
            Problem::Number => "this number can't be read or is too large",
            Problem::Ends => "the script ends too early",
            Problem::LateRequire => "require stands before all other commands",
            Problem::EncodedCharacter => "there is no character of this number",
            Problem::TooManyVariables => "the script has too many variables",
            Problem::TooManyIncludes => "too many scripts are included",
            _ => return self.english_named(),
        };
        fixed.to_owned()
    }

    fn english_named(&self) -> String {
        match self {
            Problem::Character(c) => format!(
                "the character {} does not belong here",
                shown(&c.to_string())
            ),
            Problem::Unexpected(word) => format!("{} does not belong here", shown(word)),
            Problem::Missing(mark) => format!("a '{mark}' is missing"),
            Problem::UnknownCommand(name) => format!("there is no command {}", shown(name)),
            Problem::UnknownTest(name) => format!("there is no test {}", shown(name)),
            Problem::UnknownTag(name) => format!("{} is not known here", shown(name)),
            Problem::UnknownCapability(name) => {
                format!("the extension {} is not available", shown(name))
            }
            Problem::Requires { name, capability } => {
                format!("{} needs: require {};", shown(name), shown(capability))
            }
            Problem::TwiceOrConflict(name) => {
                format!(
                    "{} is given twice or beside another that excludes it",
                    shown(name)
                )
            }
            Problem::Arguments(name) => format!("{} has other arguments than these", shown(name)),
            Problem::TagValue(name) => {
                format!("{} lacks its value or has one of another kind", shown(name))
            }
            Problem::Tests(name) => format!("{} has other tests than these", shown(name)),
            Problem::NeedsBlock(name) => format!("{} needs a block", shown(name)),
            Problem::NoBlock(name) => format!("{} has no block", shown(name)),
            Problem::LoneElse(name) => format!("{} follows an if or elsif only", shown(name)),
            Problem::Comparator(name) => format!("the comparator {} is not available", shown(name)),
            Problem::ComparatorMatch {
                comparator,
                matching,
            } => {
                format!(
                    "the comparator {} can't do {}",
                    shown(comparator),
                    shown(matching)
                )
            }
            Problem::NoAddressHeader(name) => {
                format!("the header field {} holds no addresses", shown(name))
            }
            Problem::EnvelopePart(name) => format!("the envelope has no part {}", shown(name)),
            Problem::Address(text) => format!("{} is no address", shown(text)),
            Problem::Mailbox(name) => format!("{} is no name of a mailbox", shown(name)),
            Problem::VariableName(name) => {
                format!("{} is no name of a variable that can be set", shown(name))
            }
            Problem::Namespace(name) => format!("there are no variables {}", shown(name)),
            Problem::Constant(name) => format!("{} takes no variables here", shown(name)),
            Problem::Value { name, value } => format!("{} can't be {}", shown(name), shown(value)),
            Problem::Pattern(text) => format!("the pattern {} can't be used", shown(text)),
            Problem::MissingScript(name) => {
                format!("there is no script {} to include", shown(name))
            }
            Problem::IncludeCircle(name) => format!(
                "the script {} includes itself or lies too deep",
                shown(name)
            ),
            Problem::NotInLoop(name) => format!("{} stands in no loop of this kind", shown(name)),
            _ => String::new(),
        }
    }

    fn french(&self) -> String {
        let fixed = match self {
            Problem::ScriptTooLong => "le script est trop long",
            Problem::NotUtf8 => "le script n'est pas en UTF-8",
            Problem::TooManyStrings => "le script contient trop de chaînes",
            Problem::TooDeep => "les blocs ou les tests sont trop imbriqués",
            Problem::ProgramTooLong => "le script contient trop de commandes",
            Problem::OpenComment => "ce commentaire n'est pas fermé",
            Problem::OpenString => "cette chaîne n'est pas fermée",
            Problem::AfterText => "seul un commentaire peut suivre text: sur sa ligne",
            Problem::Number => "ce nombre est illisible ou trop grand",
            Problem::Ends => "le script s'arrête trop tôt",
            Problem::LateRequire => "require se place avant toutes les autres commandes",
            Problem::EncodedCharacter => "aucun caractère ne porte ce numéro",
            Problem::TooManyVariables => "le script contient trop de variables",
            Problem::TooManyIncludes => "trop de scripts sont inclus",
            _ => return self.french_named(),
        };
        fixed.to_owned()
    }

    fn french_named(&self) -> String {
        match self {
            Problem::Character(c) => format!(
                "le caractère {} n'a rien à faire ici",
                shown(&c.to_string())
            ),
            Problem::Unexpected(word) => format!("{} n'a rien à faire ici", shown(word)),
            Problem::Missing(mark) => format!("il manque un '{mark}'"),
            Problem::UnknownCommand(name) => format!("la commande {} n'existe pas", shown(name)),
            Problem::UnknownTest(name) => format!("le test {} n'existe pas", shown(name)),
            Problem::UnknownTag(name) => format!("{} n'est pas connu ici", shown(name)),
            Problem::UnknownCapability(name) => {
                format!("l'extension {} n'est pas disponible", shown(name))
            }
            Problem::Requires { name, capability } => {
                format!("{} demande : require {} ;", shown(name), shown(capability))
            }
            Problem::TwiceOrConflict(name) => {
                format!(
                    "{} est donné deux fois ou avec un autre qui l'exclut",
                    shown(name)
                )
            }
            Problem::Arguments(name) => format!("{} attend d'autres arguments", shown(name)),
            Problem::TagValue(name) => {
                format!("la valeur de {} manque ou est d'un autre type", shown(name))
            }
            Problem::Tests(name) => format!("{} attend d'autres tests", shown(name)),
            Problem::NeedsBlock(name) => format!("{} demande un bloc", shown(name)),
            Problem::NoBlock(name) => format!("{} n'a pas de bloc", shown(name)),
            Problem::LoneElse(name) => format!("{} ne suit qu'un if ou un elsif", shown(name)),
            Problem::Comparator(name) => {
                format!("le comparateur {} n'est pas disponible", shown(name))
            }
            Problem::ComparatorMatch {
                comparator,
                matching,
            } => {
                format!(
                    "le comparateur {} ne sait pas faire {}",
                    shown(comparator),
                    shown(matching)
                )
            }
            Problem::NoAddressHeader(name) => {
                format!("le champ {} ne contient pas d'adresses", shown(name))
            }
            Problem::EnvelopePart(name) => format!("l'enveloppe n'a pas de partie {}", shown(name)),
            Problem::Address(text) => format!("{} n'est pas une adresse", shown(text)),
            Problem::Mailbox(name) => format!("{} n'est pas un nom de boîte", shown(name)),
            Problem::VariableName(name) => {
                format!("{} n'est pas un nom de variable modifiable", shown(name))
            }
            Problem::Namespace(name) => format!("les variables {} n'existent pas", shown(name)),
            Problem::Constant(name) => format!("{} n'accepte pas de variables ici", shown(name)),
            Problem::Value { name, value } => {
                format!("{} ne peut pas être {}", shown(name), shown(value))
            }
            Problem::Pattern(text) => format!("le motif {} est inutilisable", shown(text)),
            Problem::MissingScript(name) => {
                format!("le script {} à inclure n'existe pas", shown(name))
            }
            Problem::IncludeCircle(name) => format!(
                "le script {} s'inclut lui-même ou est trop profond",
                shown(name)
            ),
            Problem::NotInLoop(name) => {
                format!("{} n'est dans aucune boucle de ce genre", shown(name))
            }
            _ => String::new(),
        }
    }
}

/// Why a run ended early. Nothing that the script asked for is done then but the implicit keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the instruction that failed.
    pub line: u32,
    pub cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The script took too many steps.
    Steps,
    /// The script's strings took too much space.
    Memory,
    TooManyStores,
    TooManyRedirects,
    TooManyFlags,
    TooManyNotifications,
    TooManyEditions,
    Calls,
    /// Two actions that exclude each other (RFC 5228 §2.10.4, RFC 5429 §2.2).
    Conflict(&'static str),
    /// A value made by the script is none of its kind.
    Address(String),
    Mailbox(String),
    Pattern(String),
    /// RFC 5435 §3.2: no method of ours, or not well written.
    Method(String),
    /// A list that can't be asked in this way (RFC 6134 §2.2, §2.3).
    List(String),
    Value(&'static str),
    /// The script said so (RFC 5463 §5).
    Error(String),
    /// Something that was to be compiled under `ihave` and was not available.
    Compile(Problem),
    /// The message can't be read.
    Message,
}

impl Failure {
    /// The whole sentence, French when `language` is "fr".
    pub fn text(&self, language: &str) -> String {
        if language == "fr" {
            format!("ligne {} : {}", self.line, self.cause.french())
        } else {
            format!("line {}: {}", self.line, self.cause.english())
        }
    }
}

impl Cause {
    fn english(&self) -> String {
        match self {
            Cause::Steps => "the script takes too long".into(),
            Cause::Memory => "the script needs too much memory".into(),
            Cause::TooManyStores => "the script files too many copies".into(),
            Cause::TooManyRedirects => "the script redirects to too many addresses".into(),
            Cause::TooManyFlags => "the script sets too many flags".into(),
            Cause::TooManyNotifications => "the script sends too many notifications".into(),
            Cause::TooManyEditions => {
                "the script stores the message with too many different headers".into()
            }
            Cause::Calls => "included scripts call each other too deep".into(),
            Cause::Conflict(name) => format!("{name} excludes what was asked for before"),
            Cause::Address(text) => format!("{} is no address", shown(text)),
            Cause::Mailbox(text) => format!("{} is no name of a mailbox", shown(text)),
            Cause::Pattern(text) => format!("the pattern {} can't be used", shown(text)),
            Cause::Method(text) => format!("notifications can't go to {}", shown(text)),
            Cause::List(text) => format!("the list {} can't be used here", shown(text)),
            Cause::Value(name) => format!("the value of {name} can't be used"),
            Cause::Error(text) => format!("the script says: {}", shown(text)),
            Cause::Compile(problem) => problem.english(),
            Cause::Message => "the message can't be read".into(),
        }
    }

    fn french(&self) -> String {
        match self {
            Cause::Steps => "le script prend trop de temps".into(),
            Cause::Memory => "le script demande trop de mémoire".into(),
            Cause::TooManyStores => "le script classe trop de copies".into(),
            Cause::TooManyRedirects => "le script redirige vers trop d'adresses".into(),
            Cause::TooManyFlags => "le script pose trop de drapeaux".into(),
            Cause::TooManyNotifications => "le script envoie trop de notifications".into(),
            Cause::TooManyEditions => {
                "le script range le message avec trop d'en-têtes différents".into()
            }
            Cause::Calls => "les scripts inclus s'appellent trop profondément".into(),
            Cause::Conflict(name) => format!("{name} exclut ce qui était demandé avant"),
            Cause::Address(text) => format!("{} n'est pas une adresse", shown(text)),
            Cause::Mailbox(text) => format!("{} n'est pas un nom de boîte", shown(text)),
            Cause::Pattern(text) => format!("le motif {} est inutilisable", shown(text)),
            Cause::Method(text) => format!("aucune notification ne peut aller à {}", shown(text)),
            Cause::List(text) => format!("la liste {} est inutilisable ici", shown(text)),
            Cause::Value(name) => format!("la valeur de {name} est inutilisable"),
            Cause::Error(text) => format!("le script dit : {}", shown(text)),
            Cause::Compile(problem) => problem.french(),
            Cause::Message => "le message est illisible".into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text("en"))
    }
}
