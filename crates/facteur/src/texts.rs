//! Everything that the command line says, once, in English and French. `{0}`, `{1}` stand for what is
//! filled in.

use std::fmt::Display;

use crate::language::{Language, language};

#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub en: &'static str,
    pub fr: &'static str,
}

/// The text in the user's language.
pub fn t(text: Text) -> &'static str {
    match language() {
        Language::English => text.en,
        Language::French => text.fr,
    }
}

/// The text with its places filled.
pub fn fill(text: Text, values: &[&dyn Display]) -> String {
    let mut filled = String::new();
    let mut rest = t(text);
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (place, behind) = after.split_once('}').unwrap_or((after, ""));
        let value = place
            .parse()
            .ok()
            .and_then(|place: usize| values.get(place));
        match value {
            Some(value) => filled.push_str(&value.to_string()),
            None => filled.push_str(&format!("{{{place}}}")),
        }
        rest = behind;
    }
    filled + rest
}

macro_rules! texts {
    ($($name:ident: $en:literal, $fr:literal;)*) => {
        $(pub const $name: Text = Text { en: $en, fr: $fr };)*
        #[cfg(test)]
        const ALL: &[(&str, Text)] = &[$((stringify!($name), $name)),*];
    };
}

texts! {
    ABOUT: "A company's mail in one program: SMTP, IMAP and POP3 on one store",
        "Le courrier d'une entreprise en un seul programme : SMTP, IMAP et POP3 sur un même dépôt";
    ABOUT_DEMO: "Show everything working on this machine, with two people and a few messages",
        "Montrer que tout marche sur cette machine, avec deux personnes et quelques messages";
    ABOUT_SETUP: "Make a real server for a domain and print the DNS records to publish",
        "Préparer un vrai serveur pour un domaine et donner les enregistrements DNS à publier";
    ABOUT_SERVE: "Run the server until it is told to stop", "Faire tourner le serveur jusqu'à ce qu'on l'arrête";
    ABOUT_ACCOUNT: "People and their passwords", "Les personnes et leurs mots de passe";
    ABOUT_ALIAS: "Addresses that lead to others", "Les adresses qui mènent à d'autres";
    ABOUT_GROUP: "Addresses that several people share, with their mailboxes",
        "Les adresses que plusieurs personnes partagent, avec leurs boîtes";
    ABOUT_DOMAIN: "Domains whose mail is kept here", "Les domaines dont le courrier est gardé ici";
    ABOUT_QUEUE: "Mail that waits to leave", "Le courrier qui attend de partir";
    ABOUT_MAILBOX: "Mailboxes, and what was deleted in them", "Les boîtes, et ce qui y a été supprimé";
    ABOUT_SIEVE: "Filters: what is done with a person's mail when it arrives",
        "Les filtres : ce qui est fait du courrier d'une personne à son arrivée";
    ABOUT_SIEVE_LIST: "List a person's filter scripts", "Donner la liste des scripts de filtrage d'une personne";
    ABOUT_SIEVE_SHOW: "Show a script", "Montrer un script";
    ABOUT_SIEVE_PUT: "Check a script and keep it, in place of an older one of that name",
        "Vérifier un script et le garder, à la place d'un plus ancien du même nom";
    ABOUT_SIEVE_ACTIVATE: "Make a script the active one; without a name none is",
        "Rendre un script actif ; sans nom, aucun ne l'est";
    ABOUT_SIEVE_REMOVE: "Remove a script that is not active", "Supprimer un script qui n'est pas actif";
    ABOUT_SIEVE_CHECK: "Tell whether a script can be used", "Dire si un script est utilisable";
    ABOUT_STORE: "The store on the disk", "Le dépôt sur le disque";
    ABOUT_CONFIG: "The configuration file", "Le fichier de configuration";
    ABOUT_STATUS: "Tell whether the server runs and what it has done", "Dire si le serveur tourne et ce qu'il a fait";
    ABOUT_ACCOUNT_ADD: "Add a person; the password is generated and shown once unless it is given",
        "Ajouter une personne ; le mot de passe est généré et montré une seule fois, sauf s'il est donné";
    ABOUT_ACCOUNT_LIST: "List everybody", "Donner la liste de tout le monde";
    ABOUT_ACCOUNT_SHOW: "Show one account", "Montrer un compte";
    ABOUT_ACCOUNT_PASSWD: "Change the password", "Changer le mot de passe";
    ABOUT_ACCOUNT_DISABLE: "Refuse logins and mail until it is enabled again", "Refuser connexions et courrier jusqu'à nouvel ordre";
    ABOUT_ACCOUNT_ENABLE: "Allow logins and mail again", "Permettre de nouveau connexions et courrier";
    ABOUT_ACCOUNT_REMOVE: "Remove the account; it can be restored until the retention time ends",
        "Supprimer le compte ; il peut être rétabli jusqu'à la fin de la durée de conservation";
    ABOUT_ACCOUNT_RESTORE: "Bring a removed account back with all its mail", "Rétablir un compte supprimé avec tout son courrier";
    ABOUT_FORWARD: "Addresses outside that mail is sent on to", "Les adresses extérieures auxquelles du courrier est transféré";
    ABOUT_FORWARD_LIST: "List them, and whether their owners agreed", "En donner la liste, et dire si leurs propriétaires sont d'accord";
    ABOUT_FORWARD_CONFIRM: "Say in the owner's place that mail may be sent on", "Dire à la place du propriétaire que le courrier peut être transféré";
    ABOUT_FORWARD_STOP: "Send no more mail on to an address", "Ne plus transférer de courrier à une adresse";
    HELP_FORWARD: "The address outside", "L'adresse extérieure";
    HELP_FORWARD_FOR: "Mail of this alias or account only, also before its owner was asked",
        "Seulement le courrier de cet alias ou de ce compte, même avant que le propriétaire soit interrogé";
    FORWARD_NONE: "No mail is sent on to addresses outside, but for aliases from before their owners were asked.",
        "Aucun courrier n'est transféré à l'extérieur, sauf par des alias d'avant que les propriétaires soient interrogés.";
    FORWARD_CONFIRMED: "Mail for {0} is sent on to {1}.", "Le courrier de {0} est transféré à {1}.";
    FORWARD_STOPPED: "No mail for {0} is sent on to {1} any more.", "Le courrier de {0} n'est plus transféré à {1}.";
    FORWARD_STATE_CONFIRMED: "agreed", "d'accord";
    FORWARD_STATE_ASKED: "asked, no answer yet", "interrogé, pas encore de réponse";
    FORWARD_STATE_UNANSWERED: "asked, no answer in time", "interrogé, pas de réponse à temps";
    FORWARD_STATE_STOPPED: "wants no mail sent on", "ne veut pas de courrier transféré";
    FORWARD_STATE_GONE: "its host says that there is no such address", "son serveur dit que cette adresse n'existe pas";
    COLUMN_FORWARD_SOURCE: "Mail for", "Courrier de";
    COLUMN_FORWARD_TARGET: "is sent on to", "transféré à";
    ABOUT_ALIAS_ADD: "Make an alias, or replace it", "Créer un alias, ou le remplacer";
    ABOUT_ALIAS_LIST: "List the aliases", "Donner la liste des alias";
    ABOUT_ALIAS_REMOVE: "Remove an alias", "Supprimer un alias";
    ABOUT_GROUP_ADD: "Add a group; its members find its mailboxes in their own accounts",
        "Ajouter un groupe ; ses membres trouvent ses boîtes dans leurs propres comptes";
    ABOUT_GROUP_LIST: "List the groups", "Donner la liste des groupes";
    ABOUT_GROUP_SHOW: "Show one group with its members", "Montrer un groupe avec ses membres";
    ABOUT_GROUP_REMOVE: "Remove the group; it can be restored until the retention time ends",
        "Supprimer le groupe ; il peut être rétabli jusqu'à la fin de la durée de conservation";
    ABOUT_GROUP_RESTORE: "Bring a removed group back with all its mail", "Rétablir un groupe supprimé avec tout son courrier";
    ABOUT_GROUP_QUOTA: "Set how much space the group may use", "Fixer la place que le groupe peut prendre";
    ABOUT_GROUP_POSTING: "Say who may write to the group: anybody, domain or members",
        "Dire qui peut écrire au groupe : anybody (tout le monde), domain (le domaine) ou members (les membres)";
    ABOUT_GROUP_MEMBER: "Who is in a group, and may do what", "Qui est dans un groupe, et peut y faire quoi";
    ABOUT_MEMBER_SET: "Make somebody a member, or change what a member may do",
        "Faire de quelqu'un un membre, ou changer ce qu'un membre peut faire";
    ABOUT_MEMBER_REMOVE: "Take somebody out of the group", "Retirer quelqu'un du groupe";
    ABOUT_DOMAIN_ADD: "Accept mail for a domain", "Accepter le courrier d'un domaine";
    ABOUT_DOMAIN_LIST: "List the domains", "Donner la liste des domaines";
    ABOUT_DOMAIN_DNS: "Show the DNS records that a domain needs, and what is missing or wrong in DNS",
        "Montrer les enregistrements DNS dont un domaine a besoin, et ce qui manque ou est faux dans le DNS";
    ABOUT_DOMAIN_RENEW: "Make the next keys for signing now, and show what to publish",
        "Créer maintenant les prochaines clés de signature, et montrer quoi publier";
    ABOUT_DOMAIN_REMOVE: "Stop accepting mail for a domain that has no addresses left",
        "Ne plus accepter le courrier d'un domaine qui n'a plus d'adresses";
    ABOUT_DOMAIN_CATCH_ALL: "Choose who gets mail for unknown addresses of a domain",
        "Choisir qui reçoit le courrier des adresses inconnues d'un domaine";
    ABOUT_QUEUE_LIST: "List what waits", "Donner la liste de ce qui attend";
    ABOUT_QUEUE_SHOW: "Show one entry with its recipients", "Montrer une entrée avec ses destinataires";
    ABOUT_QUEUE_RETRY: "Try now", "Réessayer maintenant";
    ABOUT_QUEUE_HOLD: "Keep, and do not try", "Garder sans essayer";
    ABOUT_QUEUE_RELEASE: "Try again what was held", "Reprendre les essais de ce qui était retenu";
    ABOUT_QUEUE_DROP: "Throw away; nobody is told", "Jeter ; personne n'est prévenu";
    ABOUT_MAILBOX_LIST: "List the mailboxes of an account", "Donner la liste des boîtes d'un compte";
    ABOUT_MAILBOX_DELETED: "List what was deleted and can still be brought back",
        "Donner la liste de ce qui a été supprimé et peut encore être rétabli";
    ABOUT_MAILBOX_RESTORE: "Bring back a deleted mailbox, or messages deleted in a mailbox",
        "Rétablir une boîte supprimée, ou les messages supprimés dans une boîte";
    ABOUT_STORE_VERIFY: "Read everything, check it, and rebuild the index beside the old one to compare them",
        "Tout lire, tout vérifier, et refaire l'index à côté de l'ancien pour les comparer";
    ABOUT_SEND: "Send a message from the command line or from a program of this machine",
        "Envoyer un message depuis la ligne de commande ou un programme de cette machine";
    HELP_SEND_FROM: "Who it is from; the first address that may be used when it is not said",
        "De qui il vient ; la première adresse permise quand ce n'est pas dit";
    HELP_SEND_TO: "Who it goes to; may be given several times", "À qui il va ; peut être donné plusieurs fois";
    HELP_SEND_CC: "Who gets a copy", "Qui en reçoit une copie";
    HELP_SEND_BCC: "Who gets a copy that nobody else sees", "Qui en reçoit une copie que personne d'autre ne voit";
    HELP_SEND_SUBJECT: "The subject", "L'objet";
    HELP_SEND_TEXT: "The text; standard input when nothing else is given",
        "Le texte ; l'entrée standard quand rien d'autre n'est donné";
    HELP_SEND_FILE: "A file with the text; - is standard input", "Un fichier contenant le texte ; - pour l'entrée standard";
    HELP_SEND_HTML: "A file with the text as HTML", "Un fichier contenant le texte en HTML";
    HELP_SEND_ATTACH: "A file to attach; may be given several times", "Un fichier à joindre ; peut être donné plusieurs fois";
    HELP_SEND_RAW: "Standard input is a whole message, header and all",
        "L'entrée standard est un message entier, avec son en-tête";
    SEND_DONE: "Taken, for {0}.", "Accepté, pour {0}.";
    SEND_TOO_BIG: "This is too big to be sent. Put it where it can be fetched, and send the link.",
        "C'est trop gros pour être envoyé. Déposez-le là où on peut le télécharger, et envoyez le lien.";
    ABOUT_SENDMAIL: "The sendmail command of Unix programs; make a link named sendmail to this one",
        "La commande sendmail des programmes Unix ; faites un lien nommé sendmail vers celle-ci";
    HELP_SENDMAIL: "As for every sendmail: -t, -f, -F, -i, --, recipients",
        "Comme pour tout sendmail : -t, -f, -F, -i, --, destinataires";
    SENDMAIL_OPTION: "{0} is no option of sendmail, or its value is missing or wrong.",
        "{0} n'est pas une option de sendmail, ou sa valeur manque ou est fausse.";
    SENDMAIL_QUEUE: "`facteur queue list` shows what waits.", "`facteur queue list` montre ce qui attend.";
    SENDMAIL_HEADER: "The message's header is too long.", "L'en-tête du message est trop long.";
    SENDMAIL_ADDRESS: "{0} is no address.", "{0} n'est pas une adresse.";
    SENDMAIL_NO_DOMAIN: "{0} has no domain, and this server has none yet. Write the whole address.",
        "{0} n'a pas de domaine, et ce serveur n'en a pas encore. Écrivez l'adresse entière.";
    SENDMAIL_NO_RECIPIENT: "Nobody is named who gets the message.", "Aucun destinataire n'est donné.";
    SENDMAIL_INPUT: "The message can't be read to its end.", "Le message ne peut pas être lu jusqu'au bout.";
    SENDMAIL_LOST: "The server does not answer at {0}; nothing was sent. Try again when it runs.",
        "Le serveur ne répond pas à {0} ; rien n'a été envoyé. Réessayez quand il tourne.";
    SENDMAIL_REFUSED: "The server does not take the message; nothing was sent.",
        "Le serveur n'accepte pas le message ; rien n'a été envoyé.";
    ABOUT_PROGRAM: "Programs that send mail, and as whom", "Les programmes qui envoient du courrier, et au nom de qui";
    ABOUT_PROGRAM_ADD: "Let a program send as these addresses", "Laisser un programme envoyer au nom de ces adresses";
    ABOUT_PROGRAM_LIST: "Show the programs that may send", "Montrer les programmes qui peuvent envoyer";
    ABOUT_PROGRAM_REMOVE: "Let a program send no more, at once", "Ne plus laisser un programme envoyer, dès maintenant";
    HELP_PROGRAM: "Your name for it: small letters, digits, hyphens", "Le nom que vous lui donnez : minuscules, chiffres, tirets";
    HELP_PROGRAM_FROM: "An address of yours that it may send as, or @domain for all of a domain; the first is its usual one",
        "Une de vos adresses au nom de laquelle il peut envoyer, ou @domaine pour tout un domaine ; la première est l'habituelle";
    HELP_PROGRAM_HOOK: "A URL that is called with what became of its mail", "Une URL appelée avec ce qu'est devenu son courrier";
    HELP_PROGRAM_HOOK_PRIVATE: "This URL may lead to this machine or to a private network",
        "Cette URL peut mener à cette machine ou à un réseau privé";
    PROGRAM_ADDED_TOKEN: "{0} may send as {1} with this token, which is shown only now:\n{2}",
        "{0} peut envoyer au nom de {1} avec ce jeton, qui n'est montré que maintenant :\n{2}";
    PROGRAM_ADDED_HOOK: "{0} is called with what became of its mail, signed with this secret, shown only now:\n{1}",
        "{0} est appelée avec ce qu'est devenu son courrier, signé avec ce secret, montré seulement maintenant :\n{1}";
    COLUMN_HOOK: "Told at", "Averti à";
    ABOUT_SUPPRESSION: "Addresses that are not tried for programs any more", "Les adresses qui ne sont plus essayées pour les programmes";
    ABOUT_SUPPRESSION_LIST: "Show them, and what their hosts said", "Les montrer, et ce que leurs serveurs ont dit";
    ABOUT_SUPPRESSION_ADD: "Try an address no more", "Ne plus essayer une adresse";
    ABOUT_SUPPRESSION_REMOVE: "Try an address again", "Essayer de nouveau une adresse";
    HELP_SUPPRESSION: "The address", "L'adresse";
    SUPPRESSION_ADDED: "{0} is not tried for programs any more.", "{0} n'est plus essayée pour les programmes.";
    SUPPRESSION_REMOVED: "{0} is tried again.", "{0} est essayée de nouveau.";
    SUPPRESSION_NONE: "No address is on the list.", "Aucune adresse n'est sur la liste.";
    COLUMN_SINCE: "Since", "Depuis";
    COLUMN_REPLY: "Reply", "Réponse";
    HELP_PROGRAM_USER: "It is every process of this user of the machine, and hands in its mail by sendmail",
        "C'est tout processus de cet utilisateur de la machine, et il remet son courrier par sendmail";
    PROGRAM_ADDED_USER: "Processes of {0} may send as {1}.", "Les processus de {0} peuvent envoyer au nom de {1}.";
    PROGRAM_REMOVED: "{0} may send no more.", "{0} ne peut plus envoyer.";
    PROGRAM_NONE: "No program has been let in. Programs of this machine may send as their user's own name.",
        "Aucun programme n'a été admis. Les programmes de cette machine peuvent envoyer au nom de leur utilisateur.";
    COLUMN_PROGRAM: "Program", "Programme";
    COLUMN_SENDS_AS: "Sends as", "Envoie au nom de";
    COLUMN_USER: "User", "Utilisateur";
    ABOUT_TRACE: "Tell what became of a message, from its arrival to the mailbox or the report",
        "Dire ce qu'un message est devenu, de son arrivée à la boîte aux lettres ou au rapport";
    HELP_TRACE_ABOUT: "Message-ID of one message, or an address that sent or got some",
        "Message-ID d'un message, ou adresse qui en a envoyé ou reçu";
    HELP_TRACE_FOR: "Only the mail of this address", "Seulement le courrier de cette adresse";
    ABOUT_ACCOUNT_RELEASE: "Let a person send again whose account was stopped for what it sent, and let go what is held",
        "Laisser de nouveau envoyer une personne dont le compte a été arrêté pour ses envois, et libérer ce qui est retenu";
    ACCOUNT_RELEASED: "{0} may send again; {1} entries of the queue were let go.",
        "{0} peut de nouveau envoyer ; {1} entrées de la file ont été libérées.";
    ABOUT_BAN: "Addresses that are shut out for what went wrong from there",
        "Les adresses tenues à l'écart pour leurs méfaits";
    ABOUT_BAN_LIST: "List the addresses that are shut out, until when and why",
        "Donner la liste des adresses tenues à l'écart, jusqu'à quand et pourquoi";
    ABOUT_BAN_ADD: "Shut an address out; without --hours until it is lifted",
        "Tenir une adresse à l'écart ; sans --hours, jusqu'à nouvel ordre";
    ABOUT_BAN_LIFT: "Let an address come again", "Laisser revenir une adresse";
    HELP_BAN_IP: "IP address; of IPv6 its whole /64 is meant", "Adresse IP ; en IPv6, tout son /64";
    HELP_BAN_HOURS: "For so many hours", "Pendant ce nombre d'heures";
    BAN_NONE: "No address is shut out.", "Aucune adresse n'est tenue à l'écart.";
    BAN_ADDED: "{0} is shut out: {1}.", "{0} est tenue à l'écart : {1}.";
    BAN_LIFTED: "{0} may come again.", "{0} peut revenir.";
    BAN_UNTIL_LIFTED: "until it is lifted", "jusqu'à nouvel ordre";
    BAN_LOGINS: "failed to log in over and over", "échecs de connexion répétés";
    BAN_RECIPIENTS: "tried out names of recipients", "noms de destinataires essayés au hasard";
    BAN_PROTOCOL: "broke the protocol over and over", "protocole enfreint à répétition";
    BAN_BY_HAND: "by the administrator", "par l'administrateur";
    COLUMN_UNTIL: "Until (UTC)", "Jusqu'à (UTC)";
    COLUMN_TIMES: "Times", "Fois";
    COLUMN_WHY: "Why", "Pourquoi";
    TRACE_NONE: "Nothing is known of {0} in the last 30 days.", "On ne sait rien de {0} sur les 30 derniers jours.";
    TRACE_MORE: "There are more; these are the newest {0}.", "Il y en a d'autres ; voici les {0} plus récents.";
    TRACE_ACCEPTED: "taken from {0}, {1}, by {2} from {3}", "reçu de {0}, {1}, par {2} depuis {3}";
    TRACE_HERE: "  for {0}: put into the mailbox of {1}", "  pour {0} : mis dans la boîte de {1}";
    TRACE_DISCARDED: "  for {0}: discarded by the filter of {1}", "  pour {0} : jeté par le filtre de {1}";
    TRACE_QUEUED: "  for {0}: waits to be sent to {1}", "  pour {0} : attend d'être envoyé à {1}";
    TRACE_REFUSED: "refused, from {0} to {1}, by {2} from {3}: {4}", "refusé, de {0} à {1}, par {2} depuis {3} : {4}";
    TRACE_DELIVERED: "{0}: handed over; {1}", "{0} : remis ; {1}";
    TRACE_DELAYED: "{0}: not yet; {1}", "{0} : pas encore ; {1}";
    TRACE_FAILED: "{0}: failed; {1}", "{0} : échec ; {1}";
    TRACE_AGAIN: "tried again at {0}", "nouvel essai à {0}";
    TRACE_REPORTED: "the sender is told", "l'expéditeur en est informé";
    TRACE_UNPROVEN: "nobody is told: nothing showed that the sender was who it said", "personne n'est averti : rien ne montrait que l'expéditeur était celui qu'il disait";
    ABOUT_SEARCH: "The search catalogue", "Le catalogue de recherche";
    ABOUT_SEARCH_REBUILD: "Throw the search catalogue away and have it made anew",
        "Jeter le catalogue de recherche et le faire refaire";
    HELP_SEARCH_ADDRESS: "Of this account; without it, of all", "De ce compte ; sans elle, de tous";
    ABOUT_CONFIG_SHOW: "Show every setting, its value and where it comes from",
        "Montrer chaque réglage, sa valeur et d'où elle vient";

    HEADING_USAGE: "Usage:", "Utilisation :";
    HEADING_COMMANDS: "Commands", "Commandes";
    HEADING_ARGUMENTS: "Arguments", "Arguments";
    HEADING_OPTIONS: "Options", "Options";
    HEADING_TESTS: "Options for tests", "Options pour les essais";
    VALUE_COMMAND: "COMMAND", "COMMANDE";
    HELP_HELP: "Print this help", "Afficher cette aide";
    HELP_VERSION: "Print the version", "Afficher la version";
    HELP_CONFIG: "Configuration file [/etc/facteur/facteur.toml]", "Fichier de configuration [/etc/facteur/facteur.toml]";
    HELP_DATA: "Data directory, instead of the one in the configuration file",
        "Répertoire des données, au lieu de celui du fichier de configuration";
    HELP_JSON: "Answer in JSON, for programs", "Répondre en JSON, pour les programmes";
    HELP_PORT_OFFSET: "Added to the standard ports: IMAP is on N + 143 [20000]",
        "Ajouté aux ports habituels : IMAP est sur N + 143 [20000]";
    HELP_EMPTY: "Without the sample messages", "Sans les messages d'exemple";
    HELP_INSECURE: "Accept passwords without TLS from this machine", "Accepter les mots de passe sans TLS depuis cette machine";
    HELP_DNS: "Resolver to ask for outgoing mail; without it none leaves", "Résolveur pour le courrier sortant ; sans lui, rien ne part";
    HELP_OUT_PORT: "Port of the hosts that get outgoing mail [25]", "Port des serveurs qui reçoivent le courrier sortant [25]";
    HELP_SETUP_DOMAIN: "The domain behind the @ of your addresses", "Le domaine derrière l'@ de vos adresses";
    HELP_HOSTNAME: "Name of this host [mail.DOMAIN]", "Nom de cette machine [mail.DOMAINE]";
    HELP_FIRST_ACCOUNT: "First account, which also gets the mail of postmaster and abuse",
        "Premier compte, qui reçoit aussi le courrier de postmaster et d'abuse";
    HELP_IP: "Public address of this host, for the DNS records; may be repeated",
        "Adresse publique de cette machine, pour les enregistrements DNS ; peut être répété";
    HELP_CERTIFICATE: "PEM file with the certificate and its chain", "Fichier PEM avec le certificat et sa chaîne";
    HELP_KEY: "PEM file with the certificate's key", "Fichier PEM avec la clef du certificat";
    HELP_PASSWORD_STDIN: "Read the password from the first line of standard input",
        "Lire le mot de passe sur la première ligne de l'entrée standard";
    HELP_ASK_PASSWORD: "Ask for the password", "Demander le mot de passe";
    HELP_ADDRESS: "Address of the account", "Adresse du compte";
    HELP_NAME: "The person's name", "Le nom de la personne";
    HELP_QUOTA: "Most space to use, such as 5 GiB", "Place maximale, par exemple 5 Gio";
    HELP_LANGUAGE: "Language of what the server writes to this person", "Langue de ce que le serveur écrit à cette personne";
    HELP_ERASE: "Erase everything at once and for good", "Tout effacer tout de suite et pour toujours";
    HELP_ALIAS: "The alias, a whole address", "L'alias, une adresse entière";
    HELP_CONFIRMED: "The owners of the addresses outside agree: send mail on without asking them",
        "Les propriétaires des adresses extérieures sont d'accord : transférer sans le leur demander";
    HELP_TARGETS: "Addresses that get its mail", "Adresses qui reçoivent son courrier";
    HELP_GROUP: "Address of the group", "Adresse du groupe";
    HELP_GROUP_NAME: "The group's name", "Le nom du groupe";
    HELP_GROUP_LANGUAGE: "Language of what the server writes to the group", "Langue de ce que le serveur écrit au groupe";
    HELP_GROUP_QUOTA: "Most space to use, such as 5 GiB; without it, no limit", "Place maximale, par exemple 5 Gio ; sans elle, pas de limite";
    HELP_GROUP_POSTING: "anybody; domain: who has an account in the group's domain; members: its members only",
        "anybody : tout le monde ; domain : qui a un compte dans le domaine du groupe ; members : ses membres seulement";
    HELP_MEMBER: "A member and a role: read, write or manage, such as alice:write; without a domain, in that of the group",
        "Un membre et un rôle : read (lire), write (écrire) ou manage (gérer), par exemple alice:write ; sans domaine, dans celui du groupe";
    HELP_MEMBER_WHO: "Address of the member; without a domain, in that of the group", "Adresse du membre ; sans domaine, dans celui du groupe";
    HELP_SEND_AS: "This member may also send from the group's address", "Ce membre peut aussi envoyer sous l'adresse du groupe";
    HELP_SEND_AS_ALL: "The members that may write may also send from the group's address",
        "Les membres qui peuvent écrire peuvent aussi envoyer sous l'adresse du groupe";
    HELP_NO_CHECK: "Don't ask DNS", "Ne pas interroger le DNS";
    HELP_DOMAIN: "Domain name", "Nom de domaine";
    HELP_NONE: "Nobody: refuse unknown addresses", "Personne : refuser les adresses inconnues";
    HELP_QUEUE_DOMAIN: "Only mail to this domain", "Seulement le courrier vers ce domaine";
    HELP_HELD: "Only what is held", "Seulement ce qui est retenu";
    HELP_ID: "Number of the entry, as in the list", "Numéro de l'entrée, comme dans la liste";
    HELP_QUEUE_ALL: "All entries", "Toutes les entrées";
    HELP_SCRIPT: "Name of the script", "Nom du script";
    HELP_SCRIPT_NONE: "Name of the script; without it none is active", "Nom du script ; sans lui, aucun n'est actif";
    HELP_SCRIPT_FILE: "File with the script; - for standard input", "Fichier du script ; - pour l'entrée standard";
    HELP_SCRIPT_ACTIVATE: "Make it the active script as well", "En faire aussi le script actif";
    HELP_MAILBOX: "Name of the mailbox", "Nom de la boîte";
    HELP_UIDS: "Only these messages, such as 3,7:12", "Seulement ces messages, par exemple 3,7:12";

    USAGE_UNKNOWN: "There is no option or argument \"{0}\" here.", "Il n'y a pas ici d'option ni d'argument « {0} ».";
    USAGE_NO_COMMAND: "There is no command \"{0}\".", "Il n'y a pas de commande « {0} ».";
    USAGE_WHICH_COMMAND: "A command is missing.", "Il manque une commande.";
    USAGE_MISSING: "Something is missing: {0}.", "Il manque quelque chose : {0}.";
    USAGE_CONFLICT: "\"{0}\" and \"{1}\" can't be used together.", "« {0} » et « {1} » ne vont pas ensemble.";
    USAGE_VALUE: "\"{0}\" is no value for {1}.", "« {0} » n'est pas une valeur pour {1}.";
    USAGE_NO_VALUE: "A value is missing for {0}.", "Il manque une valeur pour {0}.";
    USAGE_VALUES: "{0} has too many or too few values.", "{0} a trop ou trop peu de valeurs.";
    USAGE_OTHER: "This command line is not understood.", "Cette ligne de commande n'est pas comprise.";
    USAGE_SUGGESTION: "Did you mean \"{0}\"?", "Vouliez-vous dire « {0} » ?";
    USAGE_HELP: "`--help` shows what is possible.", "`--help` montre ce qui est possible.";

    CAUSE: "  cause: {0}", "  cause : {0}";
    RUNTIME: "The program can't start: the system gives it no thread or signal.",
        "Le programme ne peut pas démarrer : le système ne lui donne ni fil d'exécution ni signal.";

    CONFIG_NONE: "There is no configuration file {0}. `facteur setup DOMAIN` makes one; `-c FILE` names another, and `--data DIR` goes without.",
        "Il n'y a pas de fichier de configuration {0}. `facteur setup DOMAINE` en crée un ; `-c FICHIER` en désigne un autre, et `--data RÉPERTOIRE` s'en passe.";
    CONFIG_UNREADABLE: "The configuration file {0} can't be read. Check its name and who may read it.",
        "Le fichier de configuration {0} est illisible. Vérifiez son nom et qui a le droit de le lire.";
    CONFIG_SYNTAX: "{0} is not valid TOML. Correct the line that the cause names.",
        "{0} n'est pas du TOML valide. Corrigez la ligne que la cause indique.";
    CONFIG_VALUE: "{0}: `{1}` is {2}, but should be {3}.", "{0} : `{1}` vaut {2}, mais devrait être {3}.";
    CONFIG_MISSING: "{0}: `{1}` is missing. Add it, for example: {1} = {2}", "{0} : il manque `{1}`. Ajoutez-le, par exemple : {1} = {2}";
    CONFIG_UNKNOWN: "{0}: there is no setting `{1}`. `facteur config show` lists all.",
        "{0} : il n'y a pas de réglage `{1}`. `facteur config show` les montre tous.";
    CONFIG_UNKNOWN_NEAR: "{0}: there is no setting `{1}`. Did you mean `{2}`?",
        "{0} : il n'y a pas de réglage `{1}`. Vouliez-vous dire `{2}` ?";
    CONFIG_SMARTHOST_PAIR: "`queue.smarthost_user` and `queue.smarthost_password_file` go together: give both or neither.",
        "`queue.smarthost_user` et `queue.smarthost_password_file` vont ensemble : donnez les deux ou aucun.";
    CONFIG_EXISTS: "{0} exists already, and nothing was changed. Remove it first, or name another with -c.",
        "{0} existe déjà, et rien n'a été changé. Supprimez-le d'abord, ou indiquez-en un autre avec -c.";
    FILE_UNREADABLE: "{0} can't be read. Check its name and who may read it.",
        "{0} est illisible. Vérifiez son nom et qui a le droit de le lire.";
    FILE_UNWRITABLE: "{0} can't be written. Check who may write there, or choose another place.",
        "Impossible d'écrire {0}. Vérifiez qui a le droit d'y écrire, ou choisissez un autre endroit.";
    KIND_HOST_NAME: "a host name such as \"mail.example.org\"", "un nom de machine comme \"mail.example.org\"";
    KIND_PATH: "a path in quotes", "un chemin entre guillemets";
    KIND_OPTIONAL_PATH: "a path in quotes, or \"\"", "un chemin entre guillemets, ou \"\"";
    KIND_CHOICE: "one of {0}", "l'une de ces valeurs : {0}";
    KIND_ADDRESSES: "a list of addresses with port, such as [\"0.0.0.0:25\"]", "une liste d'adresses avec port, comme [\"0.0.0.0:25\"]";
    KIND_ROUTES: "a list of domains with their hosts, such as [\"branch.example=mail.branch.example:25\"], or of tables with domain, host, tls, user and password_file",
        "une liste de domaines avec leurs serveurs, comme [\"branch.example=mail.branch.example:25\"], ou de tables avec domain, host, tls, user et password_file";
    KIND_SOCKETS: "a list of addresses with port or absolute paths of sockets, eight at most, such as [\"127.0.0.1:7357\", \"/run/x.sock\"]",
        "une liste d'adresses avec port ou de chemins absolus de sockets, huit au plus, comme [\"127.0.0.1:7357\", \"/run/x.sock\"]";
    KIND_DOMAINS: "a list of domains, such as [\"zen.spamhaus.org\"], ten at most",
        "une liste de domaines, comme [\"zen.spamhaus.org\"], dix au plus";
    CONFIG_LISTS_RESOLVER: "smtp.dns_lists needs queue.dns_server: the lists answer no public resolver. Name one of your own.",
        "smtp.dns_lists demande queue.dns_server : les listes ne répondent à aucun résolveur public. Indiquez le vôtre.";
    KIND_NETWORKS: "a list of addresses or networks, such as [\"192.0.2.0/24\", \"2001:db8::/48\"]",
        "une liste d'adresses ou de réseaux, comme [\"192.0.2.0/24\", \"2001:db8::/48\"]";
    KIND_IPS: "a list of addresses without port, such as [\"192.0.2.25\"]", "une liste d'adresses sans port, comme [\"192.0.2.25\"]";
    KIND_OPTIONAL_ADDRESS: "an address with port, such as \"127.0.0.1:53\", or \"\"", "une adresse avec port, comme \"127.0.0.1:53\", ou \"\"";
    KIND_OPTIONAL_HOST_PORT: "a host with port, such as \"smtp.example.org:587\", or \"\"",
        "une machine avec port, comme \"smtp.example.org:587\", ou \"\"";
    KIND_CERTIFICATES: "a list of { chain = \"FILE\", key = \"FILE\" }", "une liste de { chain = \"FICHIER\", key = \"FICHIER\" }";
    KIND_BOOL: "true or false", "true ou false";
    KIND_SIZE: "a size such as \"100 MiB\", above 0", "une taille comme \"100 MiB\", au-dessus de 0";
    KIND_NUMBER: "a whole number from {0} to {1}", "un nombre entier de {0} à {1}";
    KIND_TEXT: "a text in quotes", "un texte entre guillemets";
    ORIGIN_FILE: "file", "fichier";
    ORIGIN_DEFAULT: "default", "par défaut";
    MANUAL_TITLE: "Settings", "Réglages";
    MANUAL_HEAD: "Everything that the configuration file may hold. All of it is optional, except where it says so. `facteur config show` tells what is in force.",
        "Tout ce que le fichier de configuration peut contenir. Tout est facultatif, sauf mention contraire. `facteur config show` dit ce qui est en vigueur.";
    MANUAL_TYPE: "Value:", "Valeur :";
    MANUAL_DEFAULT: "Default:", "Par défaut :";
    MANUAL_REQUIRED: "none, it must be given", "aucun, il faut le donner";
    FILE_HEAD: "Facteur's configuration. What is not here has a default that suits most; docs/manual/settings.md lists every setting. Domains, accounts and aliases are not here but in the store: see `facteur --help`.",
        "Configuration de Facteur. Ce qui n'est pas ici a une valeur par défaut qui convient le plus souvent ; docs/manual/settings.fr.md donne tous les réglages. Les domaines, comptes et alias ne sont pas ici mais dans le dépôt : voir `facteur --help`.";

    DATA_NONE: "There is no Facteur data in {0}. Check the path, or run `facteur setup DOMAIN` first.",
        "Il n'y a pas de données de Facteur dans {0}. Vérifiez le chemin, ou lancez d'abord `facteur setup DOMAINE`.";
    DATA_BUSY: "Another process is using {0}. Stop it first, then try again.",
        "Un autre processus se sert de {0}. Arrêtez-le d'abord, puis recommencez.";
    DATA_DENIED: "You may not use {0}. Run this as the user the server runs as, or as root.",
        "Vous n'avez pas le droit d'utiliser {0}. Lancez cette commande comme l'utilisateur du serveur, ou comme root.";
    DATA_UNUSABLE: "The directory {0} can't be used.", "Le répertoire {0} est inutilisable.";
    STORE_DAMAGED: "The store in {0} is damaged, and nothing was changed. Keep a copy of the directory, then restore a backup; `facteur store verify` tells more.",
        "Le dépôt dans {0} est endommagé, et rien n'a été changé. Gardez une copie du répertoire, puis restaurez une sauvegarde ; `facteur store verify` en dit plus.";
    STORE_DISK_FULL: "The disk that holds {0} is full. Make space, then try again.",
        "Le disque qui contient {0} est plein. Faites de la place, puis recommencez.";
    STORE_FAILED: "The store in {0} can't be opened.", "Le dépôt dans {0} ne peut pas être ouvert.";
    STORE_CLOSE: "The store could not be closed in order; it recovers at the next start.",
        "Le dépôt n'a pas pu être fermé proprement ; il se remettra au prochain démarrage.";
    DISK_FAILED: "The disk failed and the server has stopped, since it could keep nothing more. What it had accepted is in the journal. Look at the disk, then start the server again.",
        "Le disque a eu une panne et le serveur s'est arrêté, car il ne pouvait plus rien garder. Ce qu'il avait accepté est dans le journal. Voyez le disque, puis redémarrez le serveur.";
    ADMIN_DENIED: "You may not talk to the server through {0}. Run this as the user the server runs as, or as root.",
        "Vous n'avez pas le droit de parler au serveur par {0}. Lancez cette commande comme l'utilisateur du serveur, ou comme root.";
    ADMIN_FAILED: "The server did not answer. Look at its log, and try again.",
        "Le serveur n'a pas répondu. Regardez son journal, et recommencez.";
    LISTEN_IN_USE: "{0} can't listen on {1}: another program does. Stop it, or choose another address or port.",
        "{0} ne peut pas écouter sur {1} : un autre programme le fait déjà. Arrêtez-le, ou choisissez une autre adresse ou un autre port.";
    LISTEN_DENIED: "{0} may not listen on {1}. Ports below 1024 need root or the capability CAP_NET_BIND_SERVICE.",
        "{0} n'a pas le droit d'écouter sur {1}. Les ports sous 1024 demandent root ou la capacité CAP_NET_BIND_SERVICE.";
    LISTEN_FAILED: "{0} can't listen on {1}.", "{0} ne peut pas écouter sur {1}.";
    QUEUE_START: "Outgoing mail can't be started. Check the settings under [queue] and the system's resolver.",
        "Le courrier sortant ne peut pas démarrer. Vérifiez les réglages sous [queue] et le résolveur du système.";
    TLS_FAILED: "The certificates can't be used. Check `certificates` in the configuration file and the files it names.",
        "Les certificats sont inutilisables. Vérifiez `certificates` dans le fichier de configuration et les fichiers qu'il nomme.";
    TLS_NONE: "{0} needs a certificate. Name its files in `certificates`, or empty `listen.{0}`.",
        "{0} a besoin d'un certificat. Indiquez ses fichiers dans `certificates`, ou videz `listen.{0}`.";
    CERTIFICATE_FAILED: "A certificate could not be made.", "Un certificat n'a pas pu être fabriqué.";

    CODE_BAD_REQUEST: "The server does not understand this request about \"{0}\".", "Le serveur ne comprend pas cette demande sur « {0} ».";
    CODE_BAD_ADDRESS: "\"{0}\" is not an address that an account or alias can have. It should look like name@example.org.",
        "« {0} » n'est pas une adresse possible pour un compte ou un alias. Elle devrait ressembler à nom@example.org.";
    CODE_BAD_DOMAIN: "\"{0}\" is not a domain name. It should look like example.org.",
        "« {0} » n'est pas un nom de domaine. Il devrait ressembler à example.org.";
    CODE_BAD_NAME: "The name of \"{0}\" is not allowed.", "Le nom de « {0} » n'est pas permis.";
    CODE_BAD_UIDS: "These are not message numbers. Write them like 3,7:12; `facteur mailbox deleted` shows them.",
        "Ce ne sont pas des numéros de messages. Écrivez-les comme 3,7:12 ; `facteur mailbox deleted` les montre.";
    CODE_WEAK_PASSWORD: "The password needs 8 to 256 characters, without control characters.",
        "Le mot de passe doit avoir de 8 à 256 caractères, sans caractères de contrôle.";
    CODE_NO_SUCH_ROUTE: "The running server does not know this command. It may be another version.",
        "Le serveur en marche ne connaît pas cette commande. C'est peut-être une autre version.";
    CODE_NO_SUCH_ACCOUNT: "There is no account {0}. `facteur account list` shows all.",
        "Il n'y a pas de compte {0}. `facteur account list` les montre tous.";
    CODE_NO_SUCH_GROUP: "There is no group {0}. `facteur group list` shows all.",
        "Il n'y a pas de groupe {0}. `facteur group list` les montre tous.";
    CODE_NO_SUCH_MEMBER: "That account is not a member of {0}. `facteur group show {0}` shows who is.",
        "Ce compte n'est pas membre de {0}. `facteur group show {0}` montre qui l'est.";
    CODE_NO_SUCH_ADDRESS: "There is no alias {0}. `facteur alias list` shows all.",
        "Il n'y a pas d'alias {0}. `facteur alias list` les montre tous.";
    CODE_NO_SUCH_DOMAIN: "The domain of {0} is not kept here. `facteur domain add` adds it.",
        "Le domaine de {0} n'est pas géré ici. `facteur domain add` l'ajoute.";
    CODE_NO_SUCH_MAILBOX: "There is no mailbox {0}. `facteur mailbox list` shows all.",
        "Il n'y a pas de boîte {0}. `facteur mailbox list` les montre toutes.";
    CODE_NO_SUCH_MESSAGE: "There is no such message in {0}.", "Il n'y a pas de tel message dans {0}.";
    CODE_NO_SUCH_QUEUE_ENTRY: "There is no entry {0} in the queue; it may have left. `facteur queue list` shows all.",
        "Il n'y a pas d'entrée {0} dans la file ; elle est peut-être partie. `facteur queue list` les montre toutes.";
    CODE_NO_SUCH_PROGRAM: "There is no program {0}. `facteur program list` shows all.",
        "Il n'y a pas de programme {0}. `facteur program list` les montre tous.";
    CODE_NO_SUCH_SCRIPT: "There is no script {0}. `facteur sieve list` shows all.",
        "Il n'y a pas de script {0}. `facteur sieve list` les montre tous.";
    CODE_BAD_SCRIPT: "The script {0} can't be used.", "Le script {0} n'est pas utilisable.";
    CODE_BAD_IP: "\"{0}\" is not an IP address.", "« {0} » n'est pas une adresse IP.";
    CODE_NO_SUCH_BAN: "{0} is not shut out. `facteur ban list` shows who is.",
        "{0} n'est pas tenue à l'écart. `facteur ban list` montre qui l'est.";
    CODE_OWN_ADDRESS: "{0} belongs to this machine or to a network that you trust (limits.trusted_networks): it is never shut out.",
        "{0} est à cette machine ou à un réseau de confiance (limits.trusted_networks) : elle n'est jamais tenue à l'écart.";
    CODE_LOGGED_IN_THERE: "Somebody logged in from {0} in the last 30 days: it is not shut out. Against a stolen account a new password helps (`facteur account passwd`).",
        "Quelqu'un s'est connecté depuis {0} ces 30 derniers jours : elle n'est pas tenue à l'écart. Contre un compte volé, il faut un nouveau mot de passe (`facteur account passwd`).";
    CODE_NOTHING_TO_RESTORE: "Nothing that was deleted in {0} is kept. `facteur mailbox deleted` shows what is.",
        "Rien de ce qui a été supprimé dans {0} n'est gardé. `facteur mailbox deleted` montre ce qui l'est.";
    CODE_ALIAS_LOOP: "{0} would lead back to itself, and mail to it to nobody. `facteur alias list` shows where it goes.",
        "{0} ramènerait à elle-même, et son courrier n'irait à personne. `facteur alias list` montre où elle mène.";
    CODE_NOT_AN_ALIAS: "{0} is an account's own address, not an alias. `facteur account` changes it.",
        "{0} est l'adresse d'un compte, pas un alias. `facteur account` la change.";
    CODE_EXISTS: "{0} exists already.", "{0} existe déjà.";
    CODE_IN_USE: "{0} is still in use. Remove first what depends on it.",
        "{0} est encore utilisé. Supprimez d'abord ce qui en dépend.";
    CODE_BUSY: "Entry {0} is being sent at this moment. Look again in a minute.",
        "L'entrée {0} est en train de partir. Regardez de nouveau dans une minute.";
    CODE_OVER_LIMIT: "A limit is reached for {0}.", "Une limite est atteinte pour {0}.";
    CODE_ASKED_TOO_OFTEN: "The owner of an address was asked often enough this week, or no letter can go there. If you know that he agrees, say --confirmed.",
        "Le propriétaire d'une adresse a été interrogé assez souvent cette semaine, ou aucune lettre ne peut y aller. Si vous savez qu'il est d'accord, ajoutez --confirmed.";
    CODE_NO_SUCH_FORWARD: "No mail is sent on to {0}. `facteur forward list` shows all.",
        "Aucun courrier n'est transféré à {0}. `facteur forward list` les montre toutes.";
    CODE_DISK_FULL: "The disk is full. Make space, then try again.", "Le disque est plein. Faites de la place, puis recommencez.";
    CODE_DISK: "The disk failed. The server must be started again once the disk is sound.",
        "Le disque a eu une panne. Il faudra redémarrer le serveur une fois le disque en état.";
    CODE_DAMAGED: "The store is damaged. `facteur store verify` tells more.", "Le dépôt est endommagé. `facteur store verify` en dit plus.";
    CODE_STOPPING: "The server is stopping. Try again in a moment.", "Le serveur est en train de s'arrêter. Recommencez dans un instant.";
    CODE_INTERNAL: "Something went wrong inside the server. Its log tells more.",
        "Quelque chose a mal tourné dans le serveur. Son journal en dit plus.";

    BAD_SIZE: "\"{0}\" is not a size. Write it like 500 MiB or 5 GiB.", "« {0} » n'est pas une taille. Écrivez-la comme 500 Mio ou 5 Gio.";
    BAD_MEMBER: "\"{0}\" is not a member with a role. Write it like alice:write; the roles are read, write and manage.",
        "« {0} » n'est pas un membre avec un rôle. Écrivez-le comme alice:write ; les rôles sont read, write et manage.";
    PASSWORD_PROMPT: "Password:", "Mot de passe :";
    PASSWORD_AGAIN: "Again:", "Encore une fois :";
    PASSWORD_DIFFERS: "The two passwords differ. Nothing was changed.", "Les deux mots de passe diffèrent. Rien n'a été changé.";
    PASSWORD_NONE: "There is no password on standard input. Give it as the first line.",
        "Il n'y a pas de mot de passe sur l'entrée standard. Donnez-le en première ligne.";
    PASSWORD_NO_TERMINAL: "There is no terminal to ask on. Use --password-stdin instead.",
        "Il n'y a pas de terminal pour poser la question. Utilisez plutôt --password-stdin.";
    PASSWORD_ONCE: "Password, shown only now: {0}", "Mot de passe, montré seulement maintenant : {0}";

    ACCOUNT_ADDED: "Account {0} is there.", "Le compte {0} est créé.";
    ACCOUNT_PASSWD: "The password of {0} is changed.", "Le mot de passe de {0} est changé.";
    ACCOUNT_DISABLED: "{0} can no longer log in, and mail to this address is refused.", "{0} ne peut plus se connecter, et le courrier vers cette adresse est refusé.";
    ACCOUNT_ENABLED: "{0} can log in and get mail again.", "{0} peut de nouveau se connecter et recevoir du courrier.";
    ACCOUNT_REMOVED: "Account {0} is removed. `facteur account restore {0}` brings it back until the retention time ends.",
        "Le compte {0} est supprimé. `facteur account restore {0}` le rétablit jusqu'à la fin de la durée de conservation.";
    ACCOUNT_ERASED: "Account {0} is erased for good.", "Le compte {0} est effacé pour toujours.";
    ACCOUNT_RESTORED: "Account {0} is back.", "Le compte {0} est rétabli.";
    ACCOUNT_NONE: "There are no accounts. `facteur account add ADDRESS` adds one.",
        "Il n'y a pas de comptes. `facteur account add ADRESSE` en ajoute un.";
    ALIAS_SET: "{0} leads to {1}.", "{0} mène à {1}.";
    ALIAS_OWN: "{0} leads to {1}, who may also send as it.", "{0} mène à {1}, qui peut aussi envoyer sous cette adresse.";
    ALIAS_ASKED: "{0} is asked by a message whether mail may be sent on there. Until the answer, seven days at most, mail waits in the queue.",
        "On demande par un message à {0} si du courrier peut y être transféré. Jusqu'à la réponse, sept jours au plus, le courrier attend dans la file.";
    ALIAS_REMOVED: "{0} is removed.", "{0} est supprimé.";
    ALIAS_NONE: "There are no aliases.", "Il n'y a pas d'alias.";
    GROUP_ADDED: "Group {0} is there. Members: {1}", "Le groupe {0} est créé. Membres : {1}";
    GROUP_REMOVED: "Group {0} is removed. `facteur group restore {0}` brings it back until the retention time ends.",
        "Le groupe {0} est supprimé. `facteur group restore {0}` le rétablit jusqu'à la fin de la durée de conservation.";
    GROUP_ERASED: "Group {0} is erased for good.", "Le groupe {0} est effacé pour toujours.";
    GROUP_RESTORED: "Group {0} is back.", "Le groupe {0} est rétabli.";
    GROUP_QUOTA_SET: "The space of group {0} is set.", "La place du groupe {0} est fixée.";
    GROUP_POSTING_SET: "Who may write to {0}: {1}.", "Qui peut écrire à {0} : {1}.";
    POSTING_ANYBODY: "anybody", "tout le monde";
    POSTING_DOMAIN: "people of its domain", "les gens de son domaine";
    POSTING_MEMBERS: "its members", "ses membres";
    COLUMN_POSTING: "Open to", "Ouvert à";
    BAD_POSTING: "`{0}` is not anybody, domain or members.", "`{0}` n'est ni anybody, ni domain, ni members.";
    GROUP_MEMBERS: "Members of {0}: {1}", "Membres de {0} : {1}";
    GROUP_NOBODY: "nobody", "personne";
    GROUP_NONE: "There are no groups. `facteur group add ADDRESS` adds one.",
        "Il n'y a pas de groupes. `facteur group add ADRESSE` en ajoute un.";
    ROLE_READ: "reads", "lit";
    ROLE_WRITE: "writes", "écrit";
    ROLE_MANAGE: "manages", "gère";
    ROLE_SEND_AS: "sends as it", "envoie sous son nom";
    DOMAIN_ADDED: "Mail for {0} is accepted. `facteur domain dns {0}` shows the DNS records to publish; mail from {0} is signed as soon as those of its keys are there.",
        "Le courrier de {0} est accepté. `facteur domain dns {0}` montre les enregistrements DNS à publier ; le courrier de {0} est signé dès que ceux de ses clés y sont.";
    DOMAIN_REMOVED: "Mail for {0} is no longer accepted.", "Le courrier de {0} n'est plus accepté.";
    DOMAIN_NONE: "There are no domains. `facteur domain add DOMAIN` adds one.",
        "Il n'y a pas de domaines. `facteur domain add DOMAINE` en ajoute un.";
    CATCH_ALL_SET: "Mail for unknown addresses of {0} goes to {1}.", "Le courrier des adresses inconnues de {0} va à {1}.";
    CATCH_ALL_NONE: "Mail for unknown addresses of {0} is refused.", "Le courrier des adresses inconnues de {0} est refusé.";
    WAITS_NOT_TRIED: "its turn comes", "son tour vient";
    WAITS_ASKED: "the sender asked for later", "l'expéditeur a demandé plus tard";
    WAITS_ANSWERED: "the other server says: later", "l'autre serveur répond : plus tard";
    WAITS_UNREACHABLE: "no server of the domain answers", "aucun serveur du domaine ne répond";
    WAITS_DNS: "the DNS gives no answer to trust", "le DNS ne donne pas de réponse fiable";
    WAITS_UNPROVEN: "the other server can't prove who it is, as its domain demands", "l'autre serveur ne peut pas prouver son identité, ce que son domaine exige";
    WAITS_TLS_DEMANDED: "the sender demands protection that nobody offers there", "l'expéditeur exige une protection que personne n'offre là-bas";
    WAITS_REPORTING: "settled; the sender is told in a moment, together with the message's other recipients",
        "réglé ; l'expéditeur est averti sous peu, avec les autres destinataires du message";
    WAITS_UNCONFIRMED: "who it is sent on to has not agreed yet", "la personne à qui il est transféré n'a pas encore accepté";
    WAITS_HERE: "this server can't send it now", "ce serveur ne peut pas l'envoyer pour le moment";
    QUEUE_EMPTY: "Nothing waits.", "Rien n'attend.";
    QUEUE_RETRIED: "Entries to try now: {0}", "Entrées à réessayer maintenant : {0}";
    QUEUE_HELD: "Entries held: {0}", "Entrées retenues : {0}";
    QUEUE_RELEASED: "Entries released: {0}", "Entrées libérées : {0}";
    QUEUE_DROPPED: "Entries thrown away: {0}", "Entrées jetées : {0}";
    SCRIPT_PUT: "The script {0} is kept. It is not active.", "Le script {0} est gardé. Il n'est pas actif.";
    SCRIPT_PUT_ACTIVE: "The script {0} is kept and active.", "Le script {0} est gardé et actif.";
    SCRIPT_ACTIVE: "The script {0} is active.", "Le script {0} est actif.";
    SCRIPT_NONE_ACTIVE: "No script is active.", "Aucun script n'est actif.";
    SCRIPT_REMOVED: "The script {0} is removed.", "Le script {0} est supprimé.";
    SCRIPT_VALID: "{0} can be used.", "{0} est utilisable.";
    SCRIPT_BAD: "{0} can't be used: {1}", "{0} n'est pas utilisable : {1}";
    SCRIPT_UNREADABLE: "{0} can't be read.", "{0} est illisible.";
    SCRIPT_NONE: "There are no scripts.", "Il n'y a pas de scripts.";
    MAILBOX_RESTORED: "Mailbox {0} is back with its messages: {1}", "La boîte {0} est rétablie avec ses messages : {1}";
    MESSAGES_RESTORED: "Messages brought back to {0}: {1}", "Messages rétablis dans {0} : {1}";
    DELETED_NONE: "Nothing that was deleted is kept.", "Rien de ce qui a été supprimé n'est gardé.";
    DELETED_MORE: "There are more; name a mailbox to see fewer.", "Il y en a d'autres ; nommez une boîte pour en voir moins.";

    COLUMN_ACCOUNT: "Account", "Compte";
    COLUMN_ADDRESS: "Address", "Adresse";
    COLUMN_GROUP: "Group", "Groupe";
    COLUMN_MEMBERS: "Members", "Membres";
    COLUMN_MEMBER: "Member", "Membre";
    COLUMN_GRANT: "Also shared", "Aussi partagé";
    COLUMN_NAME: "Name", "Nom";
    COLUMN_ALSO: "Also", "Aussi";
    COLUMN_CLIENT_FAULTS: "Client faults", "Défauts de clients";
    COLUMN_STATE: "State", "État";
    COLUMN_LANGUAGE: "Language", "Langue";
    COLUMN_MESSAGES: "Messages", "Messages";
    COLUMN_UNSEEN: "Unseen", "Non lus";
    COLUMN_SIZE: "Size", "Taille";
    COLUMN_QUOTA: "Quota", "Quota";
    COLUMN_ALIAS: "Alias", "Alias";
    COLUMN_TARGETS: "Leads to", "Mène à";
    COLUMN_SIGNED: "Signed", "Signé";
    SIGNED_YES: "yes", "oui";
    SIGNED_WAITS: "waits for DNS", "attend le DNS";
    DNS_STS_ENFORCED: "The MTA-STS policy at {0} is served (enforce). When this server alone takes the domain's mail, let that name lead here and publish:",
        "La politique MTA-STS de {0} est servie (enforce). Si ce serveur est seul à recevoir le courrier du domaine, faites mener ce nom ici et publiez :";
    DNS_STS_TESTING: "The MTA-STS policy at {0} is served (testing, for the domain's first week). When this server alone takes the domain's mail, let that name lead here and publish:",
        "La politique MTA-STS de {0} est servie (testing, la première semaine du domaine). Si ce serveur est seul à recevoir le courrier du domaine, faites mener ce nom ici et publiez :";
    DNS_STS_HOST: "The MTA-STS policy at {0} is served and stays in testing: no certificate is for {1}. To announce it:",
        "La politique MTA-STS de {0} est servie et reste en testing : aucun certificat n'est pour {1}. Pour l'annoncer :";
    DNS_STS_NAME: "No MTA-STS policy: no certificate is for {0}. With one, others insist on TLS when they send here.",
        "Pas de politique MTA-STS : aucun certificat n'est pour {0}. Avec un tel certificat, les autres exigent TLS pour envoyer ici.";
    DNS_STS_LISTENER: "No MTA-STS policy: nothing listens for HTTPS (`listen.https`).",
        "Pas de politique MTA-STS : rien n'écoute en HTTPS (`listen.https`).";
    DNS_HEAD: "DNS records of {0}:", "Enregistrements DNS de {0} :";
    DNS_ALL_GOOD: "Everything that is needed is there and right.", "Tout ce qui est nécessaire est là et juste.";
    DNS_NOT_GOOD: "{0} of {1} records need your attention.", "{0} enregistrements sur {1} demandent votre attention.";
    DNS_GOOD: "There, and right.", "Présent et juste.";
    DNS_MISSING: "Missing: publish it.", "Absent : publiez-le.";
    DNS_UNKNOWN: "DNS does not answer now. Try again later.", "Le DNS ne répond pas pour le moment. Réessayez plus tard.";
    DNS_FOUND: "DNS has: {0}", "Le DNS contient : {0}";
    DNS_KEY_WAITS: "Key {0}: signs as soon as this record is in DNS; until then the mail goes without it, or with the key before it.",
        "Clé {0} : elle signe dès que cet enregistrement est dans le DNS ; d'ici là, le courrier part sans elle, ou avec la clé précédente.";
    DNS_KEY_SIGNS: "Key {0}: signs since {1}.", "Clé {0} : signe depuis le {1}.";
    DNS_KEY_RETIRED: "Key {0}: signs no more. Leave the record until {1}, for the mail that is still under way.",
        "Clé {0} : ne signe plus. Laissez l'enregistrement jusqu'au {1}, pour le courrier encore en route.";
    DNS_ADDRESS_MISSING: "This host has no address in DNS: nobody can reach it by its name.",
        "Cette machine n'a pas d'adresse dans le DNS : personne ne peut l'atteindre par son nom.";
    DNS_REVERSE: "The address of this host should lead back to its name (reverse DNS). Your provider sets that.",
        "L'adresse de cette machine devrait ramener à son nom (DNS inverse). C'est votre hébergeur qui règle cela.";
    DNS_SERVICE_MISSING: "Missing: some mail programs find the server by it. It may be left out.",
        "Absent : certains logiciels de courrier trouvent le serveur grâce à lui. Il n'est pas obligatoire.";
    DNS_MX_ELSEWHERE: "Wrong: mail for the domain goes to other hosts, not to this one.",
        "Faux : le courrier du domaine va à d'autres machines, pas à celle-ci.";
    DNS_MX_BESIDE: "Good, but other hosts get mail for the domain too. Is that meant?",
        "Bon, mais d'autres machines reçoivent aussi le courrier du domaine. Est-ce voulu ?";
    DNS_MX_NULL: "Wrong: the domain says that it takes no mail at all.", "Faux : le domaine dit n'accepter aucun courrier.";
    DNS_SPF_TWICE: "Wrong: there are several SPF records, so none counts. Make one of them.",
        "Faux : il y a plusieurs enregistrements SPF, donc aucun ne compte. N'en gardez qu'un.";
    DNS_SPF_BROKEN: "Wrong: the SPF record can't be understood, or asks for too much.",
        "Faux : l'enregistrement SPF est incompréhensible, ou demande trop de recherches.";
    DNS_SPF_OTHERS: "Wrong: the SPF record does not allow this host to send. Add \"mx\" or its address.",
        "Faux : l'enregistrement SPF n'autorise pas cette machine à envoyer. Ajoutez « mx » ou son adresse.";
    DNS_KEY_OTHER: "Wrong: something else stands under this name. Several records, or one that was cut, do not count.",
        "Faux : autre chose se trouve sous ce nom. Plusieurs enregistrements, ou un enregistrement tronqué, ne comptent pas.";
    DNS_KEY_GONE: "Missing: mail is signed with this key, and nobody can check the signature. Publish it again.",
        "Absent : le courrier est signé avec cette clé, et personne ne peut vérifier la signature. Publiez-le de nouveau.";
    DNS_KEY_RETIRED_GONE: "Missing: mail that was signed with this key may be under way still. Publish it again until then.",
        "Absent : du courrier signé avec cette clé est peut-être encore en route. Publiez-le de nouveau jusque-là.";
    DNS_DMARC_TWICE: "Wrong: there are several DMARC records, so none counts. Leave one.",
        "Faux : il y a plusieurs enregistrements DMARC, donc aucun ne compte. N'en laissez qu'un.";
    DNS_DMARC_BROKEN: "Wrong: the DMARC record can't be understood.", "Faux : l'enregistrement DMARC est incompréhensible.";
    DNS_DMARC_WATCHES: "Good. It only watches (p=none): when the reports show no surprises for some weeks, ask for p=quarantine, then p=reject.",
        "Bon. Il ne fait qu'observer (p=none) : quand les rapports sont sans surprise depuis quelques semaines, demandez p=quarantine, puis p=reject.";
    DNS_TLS_REPORTS_MISSING: "Missing: by it others tell you when TLS fails on the way here (`facteur domain reports`). It may be left out.",
        "Absent : grâce à lui, les autres vous signalent les échecs de TLS en venant ici (`facteur domain reports`). Il peut être omis.";
    DNS_TLS_REPORTS_BROKEN: "Wrong: there are several records about reports of TLS, or the one names nobody. Leave one.",
        "Faux : il y a plusieurs enregistrements sur les rapports TLS, ou il n'y est nommé personne. N'en laissez qu'un.";
    DNS_TLS_REPORTS_ELSEWHERE: "Good, but the reports go elsewhere: there are none to show here.",
        "Bien, mais les rapports vont ailleurs : il n'y en a pas à montrer ici.";
    ABOUT_DOMAIN_REPORTS: "Show what others report: who sends in the domain's name, what passes, and TLS on the way here",
        "Montrer ce que les autres rapportent : qui écrit au nom du domaine, ce qui passe, et TLS en venant ici";
    HELP_REPORTS_DAYS: "What came in the last N days, 90 at most", "Ce qui est venu les N derniers jours, 90 au plus";
    HELP_REPORTS_UNPROVEN: "Only the reports whose sender could not be proven",
        "Seulement les rapports dont l'expéditeur n'a pas pu être prouvé";
    REPORTS_HEAD: "What others reported of {0} in the last {1} days:", "Ce que les autres ont rapporté de {0} ces {1} derniers jours :";
    REPORTS_NONE: "No reports of mail. Others send them once a day when the DMARC record of {0} asks for it (`facteur domain dns`).",
        "Aucun rapport sur le courrier. Les autres en envoient un par jour si l'enregistrement DMARC de {0} le demande (`facteur domain dns`).";
    REPORTS_ALL: "{0} letters in the domain's name, on {1} days.", "{0} lettres au nom du domaine, sur {1} jours.";
    REPORTS_PASSED: "{0} of them ({1} %) pass: the domain stands behind them.", "{0} d'entre elles ({1} %) passent : le domaine en répond.";
    REPORTS_HOW: "Signed by the domain (DKIM): {0} %. Sent by hosts that it allows (SPF): {1} %. One of the two is enough.",
        "Signées par le domaine (DKIM) : {0} %. Envoyées par des serveurs qu'il autorise (SPF) : {1} %. L'un des deux suffit.";
    REPORTS_DONE: "Set aside as the domain asked: {0}. Refused: {1}.", "Mises à part, comme le domaine le demandait : {0}. Refusées : {1}.";
    REPORTS_BY: "Reported by (letters): {0}", "Rapporté par (lettres) : {0}";
    REPORTS_FAILING: "Not all passes that comes from here:", "Ce qui vient d'ici ne passe pas toujours :";
    REPORTS_SOURCE: "{0}: {1} letters, {2} of them fail", "{0} : {1} lettres, dont {2} échouent";
    REPORTS_OWN: "This is this server: its mail leaves unsigned, or SPF does not allow it. See `facteur domain dns`.",
        "C'est ce serveur : son courrier part sans signature, ou SPF ne l'autorise pas. Voyez `facteur domain dns`.";
    REPORTS_MOSTLY: "Most of it passes: probably yours, with some letters that were changed on the way.",
        "La plupart passe : sans doute à vous, avec quelques lettres modifiées en route.";
    REPORTS_PASSED_ON: "A list or somebody's forwarding, as the reporter says: that is usual, and nothing is to be done.",
        "Une liste ou un transfert, selon celui qui rapporte : c'est habituel, et il n'y a rien à faire.";
    REPORTS_SERVICE: "Sent or signed by {0}, but not as you: a service that writes for you and is not set up, or a list or forwarding.",
        "Envoyé ou signé par {0}, mais pas en votre nom : un service qui écrit pour vous et n'est pas réglé, ou une liste ou un transfert.";
    REPORTS_NOBODY: "neither signed nor allowed: somebody writes in your name, or a service of yours is not set up.",
        "ni signé ni autorisé : quelqu'un écrit en votre nom, ou un de vos services n'est pas réglé.";
    REPORTS_FROM: "In the name of: {0}", "Au nom de : {0}";
    REPORTS_GOOD: "All passes that comes from here:", "Tout ce qui vient d'ici passe :";
    REPORTS_MORE: "There are {0} more sources.", "Il y a encore {0} sources.";
    REPORTS_UNPROVEN: "{0} more reports are not counted: it is not proven who sent them (`--unproven` shows those of mail).",
        "{0} autres rapports ne sont pas comptés : il n'est pas prouvé qui les a envoyés (`--unproven` montre ceux sur le courrier).";
    REPORTS_UNPROVEN_ONLY: "Only reports whose sender is not proven: anybody may have written them.",
        "Seulement des rapports dont l'expéditeur n'est pas prouvé : n'importe qui a pu les écrire.";
    REPORTS_UNREAD: "{0} could not be read; they lie in the mailbox Reports of whoever is postmaster.",
        "{0} n'ont pas pu être lus ; ils sont dans la boîte Reports de qui est postmaster.";
    REPORTS_CLAIMS: "A report says what its sender claims to have seen; nobody checks that.",
        "Un rapport dit ce que son expéditeur prétend avoir vu ; personne ne le vérifie.";
    REPORTS_TLS_NONE: "TLS: no reports.", "TLS : aucun rapport.";
    REPORTS_TLS_GOOD: "TLS: {0} connections to this domain's hosts, none failed.", "TLS : {0} connexions vers les serveurs du domaine, aucun échec.";
    REPORTS_TLS_BAD: "TLS: {0} connections to this domain's hosts went well, {1} failed:",
        "TLS : {0} connexions vers les serveurs du domaine ont réussi, {1} ont échoué :";
    TLS_NO_STARTTLS: "the host offered no TLS", "le serveur ne proposait pas TLS";
    TLS_HOST: "the certificate is for another name", "le certificat est pour un autre nom";
    TLS_EXPIRED: "the certificate has expired", "le certificat a expiré";
    TLS_NOT_TRUSTED: "the certificate is not from an authority that the sender trusts", "le certificat n'est pas d'une autorité que l'expéditeur reconnaît";
    TLS_TLSA: "the certificate is not the one that DNS names (TLSA)", "le certificat n'est pas celui que le DNS annonce (TLSA)";
    TLS_DNSSEC: "the DNS answers were not rightly signed (DNSSEC)", "les réponses DNS n'étaient pas bien signées (DNSSEC)";
    TLS_DANE: "the sender wants DANE, and there is no usable TLSA record", "l'expéditeur exige DANE, et il n'y a pas d'enregistrement TLSA utilisable";
    TLS_STS_FETCH: "the MTA-STS policy could not be fetched", "la politique MTA-STS n'a pas pu être lue";
    TLS_STS_INVALID: "the MTA-STS policy is not valid", "la politique MTA-STS n'est pas valable";
    TLS_STS_WEBPKI: "the host's certificate does not satisfy the MTA-STS policy", "le certificat du serveur ne satisfait pas la politique MTA-STS";
    TLS_OTHER: "TLS failed for another reason", "TLS a échoué pour une autre raison";
    COLUMN_SOURCE: "source", "source";
    COLUMN_LETTERS: "letters", "lettres";
    COLUMN_SIGNED_LETTERS: "signed", "signées";
    COLUMN_SENT_LETTERS: "allowed", "autorisées";
    ADVICE_NO_REPORTS: "Nothing can be said of the DMARC policy yet.", "On ne peut encore rien dire de la politique DMARC.";
    ADVICE_TOO_FEW: "Leave the DMARC policy as it is (p={0}): the reports cover too few days or letters to judge.",
        "Laissez la politique DMARC comme elle est (p={0}) : les rapports couvrent trop peu de jours ou de lettres pour juger.";
    ADVICE_LOOK_FIRST: "Do not tighten the DMARC policy yet (p={0}): first see to the sources above that are probably yours. A stricter policy would lose their mail.",
        "Ne durcissez pas encore la politique DMARC (p={0}) : occupez-vous d'abord des sources ci-dessus qui sont sans doute les vôtres. Une politique plus stricte perdrait leur courrier.";
    ADVICE_QUARANTINE: "If none of the failing sources above is yours, it is safe to ask for p=quarantine (now p={0}).",
        "Si aucune des sources en échec ci-dessus n'est à vous, vous pouvez demander p=quarantine (actuellement p={0}).";
    ADVICE_REJECT: "If none of the failing sources above is yours, it is safe to ask for p=reject (now p={0}).",
        "Si aucune des sources en échec ci-dessus n'est à vous, vous pouvez demander p=reject (actuellement p={0}).";
    ADVICE_STAY: "The DMARC policy (p={0}) is as strict as it can be, and your mail passes.",
        "La politique DMARC (p={0}) est aussi stricte que possible, et votre courrier passe.";
    DNS_SERVICE_ELSEWHERE: "Wrong: mail programs are sent to another host or port.",
        "Faux : les logiciels de courrier sont envoyés vers une autre machine ou un autre port.";
    DNS_POLICY_MISSING: "Missing: by the two records of MTA-STS other hosts insist on TLS with this one. Leave them out if other hosts take mail for the domain too.",
        "Absent : par les deux enregistrements de MTA-STS, les autres machines exigent TLS avec celle-ci. Omettez-les si d'autres machines reçoivent aussi le courrier du domaine.";
    DNS_POLICY_ELSEWHERE: "Wrong: the name leads to another host, where the policy of this one is not.",
        "Faux : le nom mène à une autre machine, où la politique de celle-ci ne se trouve pas.";
    DNS_POLICY_OTHER: "Wrong: another policy is announced, or several are.", "Faux : une autre politique est annoncée, ou plusieurs le sont.";
    DNS_REVERSE_OTHER: "Wrong: the address leads back to another name. Ask your provider to set it to {0}: many hosts refuse mail without it.",
        "Faux : l'adresse ramène à un autre nom. Demandez à votre hébergeur de mettre {0} : beaucoup de machines refusent le courrier sans cela.";
    DNS_REVERSE_MISSING: "Missing: the address leads back to no name. Ask your provider to set it to {0}: many hosts refuse mail without it.",
        "Absent : l'adresse ne ramène à aucun nom. Demandez à votre hébergeur de mettre {0} : beaucoup de machines refusent le courrier sans cela.";
    COLUMN_DOMAIN: "Domain", "Domaine";
    COLUMN_CATCH_ALL: "Unknown addresses", "Adresses inconnues";
    COLUMN_CREATED: "Since", "Depuis";
    COLUMN_ID: "Entry", "Entrée";
    COLUMN_FROM: "From", "De";
    COLUMN_RECIPIENTS: "Recipients", "Destinataires";
    COLUMN_NEXT: "Next try (UTC)", "Prochain essai (UTC)";
    COLUMN_EXPIRES: "Given up (UTC)", "Abandon (UTC)";
    COLUMN_ATTEMPTS: "Tries", "Essais";
    COLUMN_REASON: "Why it waits", "Pourquoi il attend";
    COLUMN_PRIORITY: "Priority", "Priorité";
    COLUMN_OUTCOME: "Last outcome", "Dernier résultat";
    COLUMN_SCRIPT: "Script", "Script";
    COLUMN_ACTIVE: "Active", "Actif";
    COLUMN_MAILBOX: "Mailbox", "Boîte";
    COLUMN_MAILBOX_DELETED: "Deleted mailbox", "Boîte supprimée";
    COLUMN_UID: "Uid", "Uid";
    COLUMN_SUBJECT: "Subject", "Objet";
    COLUMN_DELETED: "Deleted (UTC)", "Suppression (UTC)";
    COLUMN_SETTING: "Setting", "Réglage";
    COLUMN_VALUE: "Value", "Valeur";
    COLUMN_ORIGIN: "From", "Origine";
    STATE_ACTIVE: "active", "actif";
    STATE_DISABLED: "disabled", "désactivé";
    STATE_REMOVED: "removed", "supprimé";
    STATE_HELD: "held", "retenu";
    STATE_PENDING: "waits", "attend";
    STATE_DELIVERED: "delivered", "distribué";
    STATE_FAILED: "failed", "échec";
    YES: "yes", "oui";
    NO: "no", "non";

    STATUS_SERVER: "Server", "Serveur";
    STATUS_RUNNING: "running", "en marche";
    STATUS_STOPPED: "not running", "arrêté";
    STATUS_VERSION: "Version", "Version";
    STATUS_STORE: "Store", "Dépôt";
    STATUS_STORE_WORKS: "works", "en ordre";
    STATUS_STORE_FAILED: "stopped, the disk failed: look at the disk, then start the server again",
        "arrêté, le disque a eu une panne : voyez le disque, puis redémarrez le serveur";
    STATUS_DISK_FULL: "Disk full", "Disque plein";
    STATUS_OPEN: "Open sessions", "Sessions ouvertes";
    STATUS_SESSIONS: "Sessions since the start", "Sessions depuis le démarrage";
    STATUS_LOGINS: "Logins", "Connexions réussies";
    STATUS_LOGIN_FAILURES: "Failed logins", "Connexions refusées";
    STATUS_IN: "Messages accepted", "Messages acceptés";
    STATUS_REFUSED: "Messages refused", "Messages refusés";
    STATUS_PANICS: "Sessions ended by a fault of ours", "Sessions finies par une faute du programme";

    SEARCH_REBUILT: "The search catalogue begins anew for accounts: {0}. A running server fills it; searches are right meanwhile.",
        "Le catalogue de recherche recommence, comptes : {0}. Un serveur qui tourne le remplit ; les recherches restent justes entre-temps.";
    VERIFY_READ: "Read", "Lu";
    VERIFY_ACCOUNTS: "accounts", "comptes";
    VERIFY_MAILBOXES: "mailboxes", "boîtes";
    VERIFY_MESSAGES: "messages", "messages";
    VERIFY_TOMBSTONES: "deleted messages kept", "messages supprimés gardés";
    VERIFY_QUEUE: "queue entries", "entrées de la file";
    VERIFY_BLOBS: "bodies", "corps de messages";
    VERIFY_RECORDS: "journal records", "écritures du journal";
    VERIFY_CLEAN: "Everything is as it should be.", "Tout est en ordre.";
    VERIFY_FAULTS: "Faults: {0}. Keep a copy of the directory before anything else.",
        "Défauts : {0}. Gardez une copie du répertoire avant toute autre chose.";

    SETUP_DONE: "Mail for {0} is set up. Configuration: {1}. Data: {2}.",
        "Le courrier de {0} est prêt. Configuration : {1}. Données : {2}.";
    SETUP_ACCOUNT: "First account: {0}, who also gets the mail of {1}.", "Premier compte : {0}, qui reçoit aussi le courrier de {1}.";
    SETUP_NO_ACCOUNT: "Now add people: facteur account add NAME@{0}", "Ajoutez maintenant des personnes : facteur account add NOM@{0}";
    SETUP_SELF_SIGNED: "The certificate is a placeholder that mail programs will refuse. Get a real one for {0} (Let's Encrypt, for example), and name its files under `certificates` in the configuration.",
        "Le certificat est provisoire et les logiciels de courrier le refuseront. Obtenez-en un vrai pour {0} (par exemple de Let's Encrypt), et indiquez ses fichiers sous `certificates` dans la configuration.";
    SETUP_DNS: "Publish these DNS records:", "Publiez ces enregistrements DNS :";
    SETUP_IPV4: "<this host's IPv4 address>", "<adresse IPv4 de cette machine>";
    SETUP_IPV6: "<this host's IPv6 address, or leave this record out>", "<adresse IPv6 de cette machine, ou omettez cet enregistrement>";
    SETUP_PTR: "Ask your provider that the address of this host leads back to {0} (reverse DNS): many hosts refuse mail without it.",
        "Demandez à votre hébergeur que l'adresse de cette machine ramène à {0} (DNS inverse) : beaucoup de serveurs refusent le courrier sans cela.";
    SETUP_AUTOCONFIG: "Mail programs that ask DNS find the server by the SRV records. For the others the server is {0}: IMAP on 993, SMTP on 465, both with TLS, the user name is the whole address.",
        "Les logiciels qui interrogent le DNS trouvent le serveur par les enregistrements SRV. Pour les autres, le serveur est {0} : IMAP sur 993, SMTP sur 465, tous deux avec TLS, le nom d'utilisateur est l'adresse entière.";
    SETUP_DKIM: "Mail is signed (DKIM) as soon as the server sees the records of its keys. `facteur domain dns {0}` says what is still missing or wrong, and what to publish when keys are renewed.",
        "Le courrier est signé (DKIM) dès que le serveur voit les enregistrements de ses clés. `facteur domain dns {0}` dit ce qui manque encore ou est faux, et ce qu'il faut publier quand les clés changent.";
    SETUP_START: "Then start the server: {0}", "Démarrez ensuite le serveur : {0}";

    DEMO_HEAD: "Facteur demo on 127.0.0.1; nothing leaves this machine. Ctrl-C stops it.",
        "Démonstration de Facteur sur 127.0.0.1 ; rien ne quitte cette machine. Ctrl-C l'arrête.";
    DEMO_PORTS: "Ports", "Ports";
    DEMO_CA: "Authority (PEM)", "Autorité (PEM)";
    DEMO_DATA: "Data (removed at the end)", "Données (supprimées à la fin)";
    DEMO_DATA_KEPT: "Data (kept)", "Données (gardées)";
    DEMO_PASSWORD: "password", "mot de passe";
    DEMO_TRY: "To paste into another terminal:", "À coller dans un autre terminal :";
    DEMO_SEND: "send a message", "envoyer un message";
    DEMO_READ: "read the first message", "lire le premier message";
    DEMO_LIST: "list by POP3", "lister par POP3";
    DEMO_OPEN: "open the mailbox", "ouvrir la boîte";
    DEMO_THUNDERBIRD: "Thunderbird: import the authority (Settings, Privacy, Certificates, Authorities), then add {0} by hand: IMAP on localhost, port {1}, SSL/TLS; SMTP on localhost, port {2}, SSL/TLS; user name {0}, normal password.",
        "Thunderbird : importez l'autorité (Paramètres, Vie privée, Certificats, Autorités), puis ajoutez {0} à la main : IMAP sur localhost, port {1}, SSL/TLS ; SMTP sur localhost, port {2}, SSL/TLS ; nom d'utilisateur {0}, mot de passe normal.";
    DEMO_PORT_RANGE: "--port-offset {0} leaves no room for port {1}. Choose a number up to {2}.",
        "--port-offset {0} ne laisse pas de place au port {1}. Choisissez un nombre jusqu'à {2}.";
    DEMO_TEMPORARY: "A temporary directory could not be made. Name one with --data.",
        "Impossible de créer un répertoire temporaire. Indiquez-en un avec --data.";
    DEMO_FAILED: "The demo's accounts could not be made.", "Les comptes de la démonstration n'ont pas pu être créés.";
}

/// What a code of the admin interface means; `{0}` is what the command was about.
pub fn of_code(code: &str) -> Option<Text> {
    let text = match code {
        "bad_request" => CODE_BAD_REQUEST,
        "bad_address" => CODE_BAD_ADDRESS,
        "bad_domain" => CODE_BAD_DOMAIN,
        "bad_name" => CODE_BAD_NAME,
        "bad_uids" => CODE_BAD_UIDS,
        "weak_password" => CODE_WEAK_PASSWORD,
        "no_such_route" => CODE_NO_SUCH_ROUTE,
        "no_such_account" => CODE_NO_SUCH_ACCOUNT,
        "no_such_group" => CODE_NO_SUCH_GROUP,
        "no_such_member" => CODE_NO_SUCH_MEMBER,
        "no_such_address" => CODE_NO_SUCH_ADDRESS,
        "no_such_domain" => CODE_NO_SUCH_DOMAIN,
        "no_such_mailbox" => CODE_NO_SUCH_MAILBOX,
        "no_such_message" => CODE_NO_SUCH_MESSAGE,
        "no_such_queue_entry" => CODE_NO_SUCH_QUEUE_ENTRY,
        "no_such_script" => CODE_NO_SUCH_SCRIPT,
        "no_such_program" => CODE_NO_SUCH_PROGRAM,
        "bad_script" => CODE_BAD_SCRIPT,
        "bad_ip" => CODE_BAD_IP,
        "no_such_ban" => CODE_NO_SUCH_BAN,
        "own_address" => CODE_OWN_ADDRESS,
        "logged_in_there" => CODE_LOGGED_IN_THERE,
        "nothing_to_restore" => CODE_NOTHING_TO_RESTORE,
        "not_an_alias" => CODE_NOT_AN_ALIAS,
        "alias_loop" => CODE_ALIAS_LOOP,
        "exists" => CODE_EXISTS,
        "in_use" => CODE_IN_USE,
        "busy" => CODE_BUSY,
        "over_limit" => CODE_OVER_LIMIT,
        "asked_too_often" => CODE_ASKED_TOO_OFTEN,
        "no_such_forward" => CODE_NO_SUCH_FORWARD,
        "disk_full" => CODE_DISK_FULL,
        "disk" => CODE_DISK,
        "damaged" => CODE_DAMAGED,
        "stopping" => CODE_STOPPING,
        "internal" => CODE_INTERNAL,
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<String> {
        let places = text.split('{').skip(1);
        let places = places.filter_map(|place| place.split('}').next());
        let mut places: Vec<String> = places
            .filter(|place| place.parse::<usize>().is_ok())
            .map(str::to_owned)
            .collect();
        places.sort();
        places.dedup();
        places
    }

    #[test]
    fn both_languages_say_the_same() {
        for (name, text) in ALL {
            assert!(!text.en.is_empty() && !text.fr.is_empty(), "{name}");
            assert_eq!(places(text.en), places(text.fr), "{name}");
        }
    }

    #[test]
    fn places_are_filled_in_any_order() {
        let text = Text {
            en: "{1} before {0}, {x}",
            fr: "{1} before {0}, {x}",
        };
        assert_eq!(fill(text, &[&"a", &2]), "2 before a, {x}");
    }
}
