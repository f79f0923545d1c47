//! Everything the server says in words, on one page, in English and French (RFC 5255). No peer's
//! data and no library's error text ever gets into a response.

/// A sentence for the client. Only the constants of this file exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// US-ASCII, and what `i-default` is.
    english: &'static str,
    french: &'static str,
}

impl Text {
    pub const fn as_str(self) -> &'static str {
        self.english
    }

    pub const fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::French => self.french,
        }
    }
}

/// What the client chose to be spoken to in, RFC 5255 §3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    French,
}

impl Language {
    /// The language that a range asks for and its tag; RFC 4647 §3.4: what is behind the first
    /// subtag may be left out.
    pub(crate) fn matching(range: &str) -> Option<(Self, &'static str)> {
        if range.eq_ignore_ascii_case("i-default") {
            return Some((Language::English, "i-default"));
        }
        let primary = range.split('-').next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some((Language::English, "en")),
            "fr" => Some((Language::French, "fr")),
            "default" if range.len() == primary.len() => Some((Language::English, "i-default")),
            _ => None,
        }
    }
}

macro_rules! texts {
    ($($name:ident = $english:literal, $french:literal;)*) => {
        $(pub const $name: Text = Text {
            english: $english,
            french: $french,
        };)*
        #[cfg(test)]
        const ALL: &[Text] = &[$($name),*];
    };
}

texts! {
    // Connection.
    GREETING = "Facteur ready.", "Facteur est prêt.";
    BYE_LOGOUT = "Goodbye.", "Au revoir.";
    BYE_SHUTDOWN = "The server is stopping, please connect again in a moment.",
        "Le serveur s'arrête, reconnectez-vous dans un instant.";
    BYE_TIMEOUT = "Nothing was heard for too long, closing.",
        "Rien n'est venu depuis trop longtemps, la connexion se ferme.";
    BYE_TOO_MANY_CONNECTIONS = "Too many connections from here, please try again later.",
        "Trop de connexions viennent d'ici, réessayez plus tard.";
    BYE_ACCOUNT_CLOSED = "This account is no longer open.", "Ce compte n'est plus ouvert.";
    BYE_PASSWORD_CHANGED = "The password was changed, please log in again.",
        "Le mot de passe a changé, identifiez-vous à nouveau.";
    BYE_BAD_COMMANDS = "Too many commands were not understood, closing.",
        "Trop de commandes incomprises, la connexion se ferme.";
    BYE_TOO_MANY_COMMANDS = "Too many commands before login, closing.",
        "Trop de commandes avant l'identification, la connexion se ferme.";
    BYE_LOGIN_FAILURES = "Too many failed logins, closing.",
        "Trop d'identifications manquées, la connexion se ferme.";
    BYE_LITERAL = "That literal is far too large, closing.",
        "Ce littéral est bien trop grand, la connexion se ferme.";
    BYE_LINE = "That line is far too long, closing.",
        "Cette ligne est bien trop longue, la connexion se ferme.";
    BYE_NOT_IMAP = "This port speaks IMAP.", "Ce port parle IMAP.";
    BYE_STARTTLS = "Nothing may be sent between STARTTLS and the handshake, closing.",
        "Rien ne doit venir entre STARTTLS et la négociation, la connexion se ferme.";
    BYE_COMPRESS = "That can't be decompressed here, closing.",
        "Cela ne peut pas être décompressé ici, la connexion se ferme.";
    BYE_FAULT = "Something went wrong here, closing; please connect again.",
        "Quelque chose a échoué ici, la connexion se ferme ; reconnectez-vous.";

    // Success.
    CAPABILITY_DONE = "CAPABILITY completed.", "CAPABILITY est fait.";
    NOOP_DONE = "NOOP completed.", "NOOP est fait.";
    LOGOUT_DONE = "LOGOUT completed.", "LOGOUT est fait.";
    ID_DONE = "ID completed.", "ID est fait.";
    STARTTLS_BEGIN = "Begin the TLS handshake now.", "Commencez la négociation TLS.";
    LOGGED_IN = "Logged in.", "Vous êtes identifié.";
    ENABLE_DONE = "ENABLE completed.", "ENABLE est fait.";
    SELECT_DONE = "SELECT completed.", "SELECT est fait.";
    EXAMINE_DONE = "EXAMINE completed.", "EXAMINE est fait.";
    CREATE_DONE = "CREATE completed.", "CREATE est fait.";
    DELETE_DONE = "DELETE completed.", "DELETE est fait.";
    RENAME_DONE = "RENAME completed.", "RENAME est fait.";
    SUBSCRIBE_DONE = "SUBSCRIBE completed.", "SUBSCRIBE est fait.";
    UNSUBSCRIBE_DONE = "UNSUBSCRIBE completed.", "UNSUBSCRIBE est fait.";
    LIST_DONE = "LIST completed.", "LIST est fait.";
    LSUB_DONE = "LSUB completed.", "LSUB est fait.";
    NAMESPACE_DONE = "NAMESPACE completed.", "NAMESPACE est fait.";
    STATUS_DONE = "STATUS completed.", "STATUS est fait.";
    APPEND_DONE = "APPEND completed.", "APPEND est fait.";
    GETQUOTA_DONE = "GETQUOTA completed.", "GETQUOTA est fait.";
    GETQUOTAROOT_DONE = "GETQUOTAROOT completed.", "GETQUOTAROOT est fait.";
    IDLE_DONE = "IDLE completed.", "IDLE est fait.";
    CHECK_DONE = "CHECK completed.", "CHECK est fait.";
    CLOSE_DONE = "CLOSE completed.", "CLOSE est fait.";
    UNSELECT_DONE = "UNSELECT completed.", "UNSELECT est fait.";
    EXPUNGE_DONE = "EXPUNGE completed.", "EXPUNGE est fait.";
    SEARCH_DONE = "SEARCH completed.", "SEARCH est fait.";
    SORT_DONE = "SORT completed.", "SORT est fait.";
    THREAD_DONE = "THREAD completed.", "THREAD est fait.";
    ESEARCH_DONE = "ESEARCH completed.", "ESEARCH est fait.";
    CANCELUPDATE_DONE = "CANCELUPDATE completed.", "CANCELUPDATE est fait.";
    BATCHES_DONE = "UIDBATCHES completed.", "UIDBATCHES est fait.";
    NO_UPDATE = "Changes of this result will not be told.",
        "Les changements de ce résultat ne seront pas annoncés.";
    FETCH_DONE = "FETCH completed.", "FETCH est fait.";
    STORE_DONE = "STORE completed.", "STORE est fait.";
    STORE_MODIFIED = "STORE completed, some messages had changed.",
        "STORE est fait, certains messages avaient changé.";
    COPY_DONE = "COPY completed.", "COPY est fait.";
    MOVE_DONE = "MOVE completed.", "MOVE est fait.";
    REPLACE_DONE = "REPLACE completed.", "REPLACE est fait.";
    GETMETADATA_DONE = "GETMETADATA completed.", "GETMETADATA est fait.";
    SETMETADATA_DONE = "SETMETADATA completed.", "SETMETADATA est fait.";
    COMPRESS_BEGIN = "Compressed from here on.", "La suite est compressée.";
    NOTIFY_DONE = "NOTIFY completed.", "NOTIFY est fait.";
    UNAUTHENTICATE_DONE = "UNAUTHENTICATE completed.", "UNAUTHENTICATE est fait.";
    LANGUAGE_DONE = "Now in English.", "La langue est désormais le français.";
    LANGUAGES_LISTED = "These are the languages.", "Voilà les langues.";

    // Untagged OK.
    CLOSED = "The previous mailbox is now closed.", "La boîte précédente est fermée.";
    UIDVALIDITY = "UIDs are valid.", "Les UID sont valides.";
    UIDNEXT = "Predicted next UID.", "Prochain UID prévu.";
    PERMANENTFLAGS = "Flags that are kept.", "Les drapeaux conservés.";
    READ_ONLY_FLAGS = "No flag can be changed here.", "Aucun drapeau ne peut être changé ici.";
    UNSEEN = "First message not seen.", "Premier message non lu.";
    HIGHESTMODSEQ = "Highest mod-sequence.", "Plus haut numéro de modification.";
    MAILBOXID = "Mailbox identifier.", "Identifiant de la boîte.";
    COPYUID = "Where they went.", "Leur nouvelle place.";
    APPENDUID = "What takes its place.", "Ce qui prend sa place.";
    STILL_HERE = "Still here.", "Toujours au travail.";

    // Continuation.
    CONTINUE = "Go ahead.", "Continuez.";
    IDLING = "Idling.", "En attente de nouvelles.";

    // Refusals of meaning.
    LOGIN_FAILED = "The name or the password is not right.",
        "Le nom ou le mot de passe n'est pas le bon.";
    LOGIN_DISABLED = "Start TLS first: no password goes over an open line.",
        "Commencez par TLS : aucun mot de passe ne passe en clair.";
    AUTH_MECHANISM_UNKNOWN = "That mechanism is not offered.", "Ce mécanisme n'est pas proposé.";
    AUTH_CANCELLED = "Authentication cancelled.", "Identification abandonnée.";
    AUTH_UNAVAILABLE = "Logins can't be checked right now, please try again.",
        "Les identifications ne peuvent pas être vérifiées maintenant, réessayez.";
    ACCOUNT_DISABLED = "This account is closed to logins, please ask your administrator.",
        "Ce compte est fermé aux connexions, voyez votre administrateur.";
    NO_SUCH_MAILBOX = "There is no mailbox of that name.", "Aucune boîte ne porte ce nom.";
    NO_SUCH_MAILBOX_TRY_CREATE = "There is no mailbox of that name yet.",
        "Aucune boîte ne porte encore ce nom.";
    MAILBOX_EXISTS = "There is a mailbox of that name already.", "Une boîte porte déjà ce nom.";
    MAILBOX_NAME_CANNOT = "A mailbox can't have that name.", "Une boîte ne peut pas porter ce nom.";
    INBOX_STAYS = "INBOX can't be deleted.", "INBOX ne peut pas être supprimée.";
    MAILBOX_IN_USE = "That mailbox can't be changed.", "Cette boîte ne peut pas être changée.";
    MAILBOX_GONE = "The mailbox is gone.", "La boîte n'existe plus.";
    SPECIAL_USE_CANNOT = "That special use can't be given.",
        "Cet usage particulier ne peut pas être donné.";
    MAILBOX_HAS_CHILDREN = "That mailbox has others below it.", "Cette boîte en contient d'autres.";
    READ_ONLY = "The mailbox is open read-only.", "La boîte est ouverte en lecture seule.";
    NOT_PERMITTED = "That is not yours to do.", "Vous n'en avez pas le droit.";
    OVER_QUOTA = "There is no room left in this account.", "Il n'y a plus de place dans ce compte.";
    DISK_FULL = "The server's disk is full, nothing new can be kept for now; please tell whoever runs it.",
        "Le disque du serveur est plein, rien de nouveau n'est gardé pour l'instant ; prévenez qui s'en occupe.";
    TOO_BIG = "The message is larger than this server accepts.",
        "Le message dépasse la taille acceptée par ce serveur.";
    LITERAL_TOO_BIG = "The literal is larger than accepted here.",
        "Le littéral dépasse la taille acceptée ici.";
    TOO_MANY_MAILBOXES = "This account has as many mailboxes as it can.",
        "Ce compte a autant de boîtes qu'il peut.";
    TOO_MANY_KEYWORDS = "This mailbox has as many keywords as it can.",
        "Cette boîte a autant de mots-clés qu'elle peut.";
    MESSAGES_GONE = "Some of these messages are gone.", "Certains de ces messages n'existent plus.";
    MESSAGE_DAMAGED = "A message could not be read; the administrator is told.",
        "Un message n'a pas pu être lu ; l'administrateur est prévenu.";
    UNKNOWN_CTE = "That part has an encoding that is not known here.",
        "Cette partie a un codage inconnu ici.";
    METADATA_TOO_BIG = "That value is too large.", "Cette valeur est trop grande.";
    NO_NEGATIVE_RIGHTS = "Rights can't be taken away by a name with - in front; take them from the name itself.",
        "On ne retire pas de droits avec un nom précédé de - ; retirez-les au nom lui-même.";
    NO_SUCH_PERSON = "There is nobody of that name here.", "Il n'y a personne de ce nom ici.";
    MEMBERS_KEEP_RIGHTS = "Members of a group have these rights in all its mailboxes.", "Les membres d'un groupe ont ces droits dans toutes ses boîtes.";
    OWNER_KEEPS_RIGHTS = "The owner has every right, always.", "Le propriétaire a toujours tous les droits.";
    INBOX_IS_THE_OWNERS = "Only its owner may rename an INBOX.", "Seul son propriétaire peut renommer une INBOX.";
    RENAME_STAYS = "A mailbox stays in its account.", "Une boîte reste dans son compte.";
    QUOTA_STORAGE_ONLY = "Only STORAGE can be limited.", "Seul STORAGE peut être limité.";
    SETACL_DONE = "SETACL completed.", "SETACL est fait.";
    DELETEACL_DONE = "DELETEACL completed.", "DELETEACL est fait.";
    GETACL_DONE = "GETACL completed.", "GETACL est fait.";
    LISTRIGHTS_DONE = "LISTRIGHTS completed.", "LISTRIGHTS est fait.";
    MYRIGHTS_DONE = "MYRIGHTS completed.", "MYRIGHTS est fait.";
    SETQUOTA_DONE = "SETQUOTA completed.", "SETQUOTA est fait.";
    TOO_MANY_RIGHTS = "Too many people have rights in this account.",
        "Trop de personnes ont des droits dans ce compte.";
    METADATA_TOO_MANY = "There are too many annotations.", "Il y a trop d'annotations.";
    COMPRESSED_ALREADY = "This connection is compressed already.",
        "Cette connexion est déjà compressée.";
    NOTIFY_TOO_MUCH = "That is too much to be told of.", "C'est trop de nouvelles à donner.";
    BAD_EVENT = "Not every event of these is known here.",
        "Certains de ces événements sont inconnus ici.";
    BAD_URL = "That URL names nothing here.", "Cette URL ne désigne rien ici.";
    NO_SUCH_QUOTA_ROOT = "There is no such quota root.", "Il n'y a pas de telle racine de quota.";
    BAD_CHARSET = "Only UTF-8 and US-ASCII are understood.",
        "Seuls UTF-8 et US-ASCII sont compris.";
    NUL_IN_MESSAGE = "A message can't hold NUL bytes, unless sent as a literal8.",
        "Un message ne peut contenir d'octet nul, sauf en literal8.";
    UNDEFINED_FILTER = "There is no such filter.", "Il n'y a pas de tel filtre.";
    BATCH_TOO_SMALL = "A batch has at least 500 messages.",
        "Un lot compte au moins 500 messages.";
    BATCHES_TOO_MANY = "Those are too many messages, ask for a range of batches.",
        "Cela fait trop de messages, demandez une plage de lots.";
    BATCHES_BACKWARDS = "The lower batch comes first.", "Le plus petit lot vient en premier.";
    APPEND_TOO_MANY = "Those are too many messages for one APPEND.",
        "Cela fait trop de messages pour un seul APPEND.";
    SEARCH_TOO_LONG = "That search took too long.", "Cette recherche a duré trop longtemps.";
    NOT_SAVED = "The result could not be kept.", "Le résultat n'a pas pu être gardé.";
    TRY_AGAIN = "That did not work this time, please try again.",
        "Cela n'a pas marché cette fois, réessayez.";
    LANGUAGE_UNKNOWN = "That language is not spoken here.", "Cette langue n'est pas parlée ici.";
    FAULT = "Something went wrong here; the administrator is told.",
        "Quelque chose a échoué ici ; l'administrateur est prévenu.";

    // Refusals of form.
    BAD_TAG = "A command starts with a tag.", "Une commande commence par une étiquette.";
    BAD_COMMAND = "No such command.", "Commande inconnue.";
    BAD_ARGUMENTS = "The arguments are not understood.", "Les arguments ne sont pas compris.";
    BAD_NOT_NOW = "Not in this state.", "Pas dans cet état.";
    BAD_LOGGED_IN = "Already logged in.", "Vous êtes déjà identifié.";
    BAD_NEEDS_LOGIN = "Log in first.", "Identifiez-vous d'abord.";
    BAD_NEEDS_MAILBOX = "Select a mailbox first.", "Choisissez d'abord une boîte.";
    BAD_STARTTLS = "TLS can't be started here.", "TLS ne peut pas commencer ici.";
    BAD_SET = "There is no message of that number.", "Aucun message ne porte ce numéro.";
    BAD_LINE = "The line is too long.", "La ligne est trop longue.";
    BAD_LITERAL = "The literal is not well-formed.", "Le littéral est mal formé.";
    BAD_DONE = "DONE was expected.", "DONE était attendu.";
    BAD_BASE64 = "That is not base64.", "Ce n'est pas du base64.";
    BAD_MAILBOX_NAME = "The mailbox name is not well encoded.", "Le nom de la boîte est mal codé.";
    BAD_FLAG = "No such flag.", "Drapeau inconnu.";
    BAD_DATE = "No such date.", "Date inconnue.";
    BAD_TOO_MUCH = "That is more than one command can ask.",
        "C'est plus qu'une commande ne peut demander.";
    BAD_COMPRESS = "Only DEFLATE is known here.", "Seul DEFLATE est connu ici.";
    BAD_COMPRESS_PIPELINED = "Nothing may be sent along with COMPRESS.",
        "Rien ne doit venir avec COMPRESS.";
    BAD_TAG_REUSE = "That tag is in use by a search that is followed.",
        "Cette étiquette sert déjà à une recherche suivie.";
    BAD_UID_REQUIRED = "This connection goes by UIDs only.",
        "Cette connexion ne connaît que les UID.";
    BAD_QRESYNC = "ENABLE QRESYNC first.", "Faites d'abord ENABLE QRESYNC.";
    BAD_MAILBOX_MAX = "The mailbox name is too long.", "Le nom de la boîte est trop long.";
}

#[cfg(test)]
mod tests {
    /// RFC 9051 §9: `text` is printable, never empty, and never looks like a response code.
    #[test]
    fn texts_are_legal() {
        for text in super::ALL {
            let text = text.as_str();
            assert!(text.bytes().all(|b| (0x20..0x7f).contains(&b)), "{text}");
            assert!(!text.is_empty() && !text.starts_with('['));
        }
    }

    /// RFC 5255 §3.5: UTF-8 without controls, and no response code either.
    #[test]
    fn french_texts_are_legal() {
        for text in super::ALL {
            let text = text.french;
            assert!(!text.chars().any(char::is_control), "{text}");
            assert!(!text.is_empty() && !text.contains('['), "{text}");
        }
    }
}
