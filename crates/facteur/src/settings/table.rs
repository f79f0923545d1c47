//! Every setting of the product, once: name, type, default, what it is for, an example. The manual page,
//! `config show`, the file that `setup` writes and the messages about a wrong value are made from it.

use crate::texts::Text;

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A host name with a dot.
    HostName,
    /// A file or directory; a relative one starts at the directory of the configuration file.
    Path,
    /// As `Path`, or empty: none.
    OptionalPath,
    Choice(&'static [&'static str]),
    /// A list of `address:port`.
    Addresses,
    /// A list of `domain=host:port`.
    Routes,
    /// A list of `address:port` or absolute paths of sockets.
    Sockets,
    /// A list of domains.
    Domains,
    /// A list of addresses or `address/bits`.
    Networks,
    /// A list of addresses without port.
    Ips,
    /// One `address:port`, or empty: none.
    OptionalAddress,
    /// `host:port`, or empty: none.
    OptionalHostPort,
    /// A list of `{ chain = "FILE", key = "FILE" }`.
    Certificates,
    Bool,
    /// Bytes as a number, or text with a unit: "100 MiB".
    Size,
    Number {
        min: i64,
        max: i64,
    },
    Text,
}

#[derive(Debug)]
pub struct Setting {
    /// As in the file; a dot separates table and key.
    pub name: &'static str,
    pub kind: Kind,
    /// A TOML value; empty: it must be given.
    pub default: &'static str,
    pub prose: Text,
    /// A TOML value.
    pub example: &'static str,
}

const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    example: &'static str,
    en: &'static str,
    fr: &'static str,
) -> Setting {
    Setting {
        name,
        kind,
        default,
        prose: Text { en, fr },
        example,
    }
}

const LANGUAGES: &[&str] = &["en", "fr"];
pub(super) const TLS_MODES: &[&str] = &["starttls", "implicit"];
const LOG_LEVELS: &[&str] = &["error", "warn", "info", "debug"];

pub const SETTINGS: [Setting; 40] = [
    setting(
        "hostname",
        Kind::HostName,
        "",
        r#""mail.example.org""#,
        "The name of this host, as the MX records of your domains give it. It must lead to this host, and the address of this host should lead back to it.",
        "Le nom de cette machine, tel que les enregistrements MX de vos domaines le donnent. Il doit mener à cette machine, et l'adresse de cette machine devrait ramener à ce nom.",
    ),
    setting(
        "data",
        Kind::Path,
        r#""/var/lib/facteur""#,
        r#""/srv/mail""#,
        "The directory where all mail is kept. Only one server may use it at a time.",
        "Le répertoire où tout le courrier est gardé. Un seul serveur peut s'en servir à la fois.",
    ),
    setting(
        "language",
        Kind::Choice(LANGUAGES),
        r#""en""#,
        r#""fr""#,
        "The language of what the server writes to people whose language it does not know, such as reports of failed deliveries.",
        "La langue de ce que le serveur écrit aux personnes dont il ne connaît pas la langue, par exemple les avis de non-distribution.",
    ),
    setting(
        "log",
        Kind::Choice(LOG_LEVELS),
        r#""info""#,
        r#""debug""#,
        "How much is written to standard error.",
        "Ce qui est écrit sur la sortie d'erreur, du moins au plus bavard.",
    ),
    setting(
        "certificates",
        Kind::Certificates,
        "[]",
        r#"[{ chain = "/etc/letsencrypt/live/mail.example.org/fullchain.pem", key = "/etc/letsencrypt/live/mail.example.org/privkey.pem" }]"#,
        "PEM files of the certificates, each with its chain and its key. The names come from the certificates themselves; the first answers where no name fits. Renewed files are taken up without a stop.",
        "Fichiers PEM des certificats, chacun avec sa chaîne et sa clef. Les noms viennent des certificats eux-mêmes ; le premier répond quand aucun nom ne convient. Les fichiers renouvelés sont repris sans arrêt.",
    ),
    setting(
        "insecure_plaintext",
        Kind::Bool,
        "false",
        "true",
        "Accept passwords without TLS from this machine itself. Never needed, except to try things out.",
        "Accepter des mots de passe sans TLS depuis cette machine elle-même. Jamais nécessaire, sauf pour des essais.",
    ),
    setting(
        "message_size_max",
        Kind::Size,
        r#""100 MiB""#,
        r#""50 MiB""#,
        "The largest message that is accepted, sent or stored.",
        "Le plus gros message accepté, envoyé ou gardé.",
    ),
    setting(
        "listen.smtp",
        Kind::Addresses,
        r#"["0.0.0.0:25", "[::]:25"]"#,
        r#"["192.0.2.1:25"]"#,
        "Where mail from other hosts comes in. An empty list: nowhere.",
        "Où arrive le courrier des autres serveurs. Une liste vide : nulle part.",
    ),
    setting(
        "listen.submission",
        Kind::Addresses,
        r#"["0.0.0.0:587", "[::]:587"]"#,
        "[]",
        "Where your people send from, with STARTTLS.",
        "D'où vos utilisateurs envoient, avec STARTTLS.",
    ),
    setting(
        "listen.submissions",
        Kind::Addresses,
        r#"["0.0.0.0:465", "[::]:465"]"#,
        r#"["192.0.2.1:465"]"#,
        "Where your people send from, under TLS from the first byte. Prefer it to `listen.submission`.",
        "D'où vos utilisateurs envoient, sous TLS dès le premier octet. À préférer à `listen.submission`.",
    ),
    setting(
        "listen.imap",
        Kind::Addresses,
        r#"["0.0.0.0:143", "[::]:143"]"#,
        "[]",
        "IMAP with STARTTLS.",
        "IMAP avec STARTTLS.",
    ),
    setting(
        "listen.imaps",
        Kind::Addresses,
        r#"["0.0.0.0:993", "[::]:993"]"#,
        r#"["192.0.2.1:993"]"#,
        "IMAP under TLS from the first byte.",
        "IMAP sous TLS dès le premier octet.",
    ),
    setting(
        "listen.pop3",
        Kind::Addresses,
        r#"["0.0.0.0:110", "[::]:110"]"#,
        "[]",
        "POP3 with STLS.",
        "POP3 avec STLS.",
    ),
    setting(
        "listen.pop3s",
        Kind::Addresses,
        r#"["0.0.0.0:995", "[::]:995"]"#,
        "[]",
        "POP3 under TLS from the first byte.",
        "POP3 sous TLS dès le premier octet.",
    ),
    setting(
        "listen.sieve",
        Kind::Addresses,
        r#"["0.0.0.0:4190", "[::]:4190"]"#,
        "[]",
        "ManageSieve, by which mail programs edit their owner's filters, with STARTTLS.",
        "ManageSieve, par lequel les logiciels de courrier modifient les filtres de leur utilisateur, avec STARTTLS.",
    ),
    setting(
        "listen.https",
        Kind::Addresses,
        r#"["0.0.0.0:443", "[::]:443"]"#,
        r#"["192.0.2.1:8443"]"#,
        "HTTPS: where programs with a token send, and where other hosts read the MTA-STS policy of your domains. Without this setting the server also starts when another program has the port.",
        "HTTPS : par où envoient les programmes qui ont un jeton, et où les autres serveurs lisent la politique MTA-STS de vos domaines. Sans ce réglage, le serveur démarre aussi quand un autre programme occupe le port.",
    ),
    setting(
        "listen.lmtp",
        Kind::OptionalPath,
        r#""""#,
        r#""/run/facteur/lmtp""#,
        "A Unix socket where programs of this machine deliver by LMTP. Empty: none.",
        "Une socket Unix où les programmes de cette machine déposent du courrier par LMTP. Vide : aucune.",
    ),
    setting(
        "listen.local",
        Kind::OptionalPath,
        r#""""#,
        r#""/run/facteur/local""#,
        "The Unix socket where `facteur sendmail` and `facteur send` hand in what programs of this machine send. Everybody of this machine must be able to reach it. Empty: `local.sock` in the directory of the mail, where only root and the server's own user come.",
        "La socket Unix où `facteur sendmail` et `facteur send` remettent ce que les programmes de cette machine envoient. Tous les utilisateurs de la machine doivent pouvoir l'atteindre. Vide : `local.sock` dans le répertoire du courrier, où seuls root et l'utilisateur du serveur ont accès.",
    ),
    setting(
        "store.retention_days",
        Kind::Number { min: 1, max: 3650 },
        "30",
        "90",
        "How many days deleted messages, mailboxes and accounts can be brought back. After that they are gone and their space is free.",
        "Pendant combien de jours les messages, boîtes et comptes supprimés peuvent être rétablis. Ensuite ils n'existent plus et leur place est libre.",
    ),
    setting(
        "store.reserved_space",
        Kind::Size,
        r#""256 MiB""#,
        r#""2 GiB""#,
        "Space to keep free on the disk. Below it new mail is refused for the time being (452), and everything else goes on.",
        "Place à garder libre sur le disque. En dessous, le courrier nouveau est refusé pour le moment (452), et tout le reste continue.",
    ),
    setting(
        "queue.smarthost",
        Kind::OptionalHostPort,
        r#""""#,
        r#""smtp.provider.example:465""#,
        "Send all outgoing mail through this host. Empty: straight to the recipients' hosts.",
        "Envoyer tout le courrier sortant par ce serveur. Vide : directement aux serveurs des destinataires.",
    ),
    setting(
        "queue.smarthost_tls",
        Kind::Choice(TLS_MODES),
        r#""starttls""#,
        r#""implicit""#,
        "How TLS begins with the smarthost: by STARTTLS (port 587) or from the first byte (port 465).",
        "Comment TLS commence avec ce serveur : par STARTTLS (port 587) ou dès le premier octet (port 465).",
    ),
    setting(
        "queue.smarthost_user",
        Kind::Text,
        r#""""#,
        r#""me@provider.example""#,
        "The user name at the smarthost. Empty: no authentication.",
        "Le nom d'utilisateur sur ce serveur. Vide : pas d'authentification.",
    ),
    setting(
        "queue.smarthost_password_file",
        Kind::OptionalPath,
        r#""""#,
        r#""/etc/facteur/smarthost-password""#,
        "A file whose first line is the password at the smarthost. Nobody else should be able to read it.",
        "Un fichier dont la première ligne est le mot de passe sur ce serveur. Personne d'autre ne devrait pouvoir le lire.",
    ),
    setting(
        "queue.routes",
        Kind::Routes,
        "[]",
        r#"["branch.example=mail.branch.example:25"]"#,
        "Send mail for these domains to these hosts, whatever the DNS and the smarthost say. TLS is used when it is offered. Where one has to log in, a table says so: { domain = \"branch.example\", host = \"smtp.branch.example:465\", tls = \"implicit\", user = \"us\", password_file = \"/etc/facteur/branch\" }; then TLS is required and the host's name checked.",
        "Envoyer le courrier de ces domaines à ces serveurs, quoi que disent le DNS et le serveur d'envoi. TLS est utilisé quand il est proposé. Là où il faut s'identifier, une table le dit : { domain = \"branch.example\", host = \"smtp.branch.example:465\", tls = \"implicit\", user = \"nous\", password_file = \"/etc/facteur/branch\" } ; TLS est alors exigé et le nom du serveur vérifié.",
    ),
    setting(
        "queue.dns_server",
        Kind::OptionalAddress,
        r#""""#,
        r#""127.0.0.1:53""#,
        "The resolver to ask instead of the system's.",
        "Le résolveur à interroger à la place de celui du système.",
    ),
    setting(
        "queue.authorities",
        Kind::OptionalPath,
        r#""""#,
        r#""/etc/facteur/authorities.pem""#,
        "A PEM file of authorities to trust beside the system's, for outgoing connections.",
        "Un fichier PEM d'autorités à croire en plus de celles du système, pour les connexions sortantes.",
    ),
    setting(
        "queue.source_addresses",
        Kind::Ips,
        "[]",
        r#"["192.0.2.25", "2001:db8::25"]"#,
        "The addresses of this machine to send from: the first IPv4 and the first IPv6 one. Empty: the system chooses.",
        "Les adresses de cette machine d'où envoyer : la première IPv4 et la première IPv6. Vide : le système choisit.",
    ),
    setting(
        "queue.transfers_max",
        Kind::Number { min: 1, max: 1000 },
        "100",
        "32",
        "How many messages leave at the same time.",
        "Combien de messages partent en même temps.",
    ),
    setting(
        "queue.expires_days",
        Kind::Number { min: 1, max: 30 },
        "5",
        "3",
        "After how many days a message that can't be delivered goes back to its sender.",
        "Après combien de jours un message impossible à distribuer revient à son expéditeur.",
    ),
    setting(
        "queue.delay_notice_hours",
        Kind::Number { min: 1, max: 720 },
        "4",
        "24",
        "After how many hours the sender is told that a message is still waiting.",
        "Après combien d'heures l'expéditeur apprend qu'un message attend encore.",
    ),
    setting(
        "smtp.dns_lists",
        Kind::Domains,
        "[]",
        r#"["zen.spamhaus.org"]"#,
        "Public lists of addresses that send junk, asked by DNS about every stranger; one that warns is a reason among others, never a refusal. Needs `queue.dns_server`, a resolver of your own: the lists answer no public one. Mind their terms of use.",
        "Listes publiques d'adresses qui envoient des indésirables, interrogées par DNS sur chaque inconnu ; un avertissement est une raison parmi d'autres, jamais un refus. Demande `queue.dns_server`, un résolveur à vous : les listes ne répondent à aucun résolveur public. Attention à leurs conditions d'utilisation.",
    ),
    setting(
        "smtp.send_reports",
        Kind::Bool,
        "false",
        "true",
        "Send a report once a day to the domains that ask for one in their DNS: of the mail that came in their name (DMARC), with the addresses that sent it and how it was judged, and of TLS on connections to their hosts (TLS-RPT). Neither says to whom people here write, nor from whom they have mail beyond its domain. Needs a domain here that signs its mail.",
        "Envoyer une fois par jour un rapport aux domaines qui en demandent un dans leur DNS : sur le courrier arrivé en leur nom (DMARC), avec les adresses qui l'ont envoyé et le jugement porté, et sur TLS dans les connexions vers leurs serveurs (TLS-RPT). Ni l'un ni l'autre ne dit à qui vos utilisateurs écrivent, ni de qui ils reçoivent du courrier au-delà du domaine. Demande qu'un domaine d'ici signe son courrier.",
    ),
    setting(
        "smtp.milters",
        Kind::Sockets,
        "[]",
        r#"["/run/clamav/clamav-milter.ctl", "127.0.0.1:7357"]"#,
        "Milters (Sendmail's protocol, version 6), such as ClamAV's: programs that are told of each message on its way in. What one refuses for its content goes into Junk with the milter's words, or is refused when your own people send it. One that fails is noted in the log, and mail goes on without it. Milters may add fields; they can't change what a message has.",
        "Milters (le protocole de Sendmail, version 6), comme celui de ClamAV : des programmes informés de chaque message qui arrive. Ce que l'un refuse pour son contenu va dans Junk avec les mots du milter, ou est refusé quand ce sont vos utilisateurs qui l'envoient. Une panne est notée dans le journal et le courrier continue sans lui. Un milter peut ajouter des champs, pas changer ce que le message contient.",
    ),
    setting(
        "smtp.rspamd",
        Kind::OptionalAddress,
        r#""""#,
        r#""127.0.0.1:11333""#,
        "Where a worker of rspamd listens. It is asked about mail from elsewhere and sees the first 64 KiB; its points are one reason of the verdict, with its symbols in the field `X-Facteur-Verdict`.",
        "Où écoute un rspamd. On l'interroge sur le courrier venu d'ailleurs, il en voit les 64 premiers Kio ; ses points sont une raison du verdict, avec ses symboles dans le champ `X-Facteur-Verdict`.",
    ),
    setting(
        "limits.connections",
        Kind::Number {
            min: 10,
            max: 1_000_000,
        },
        "20000",
        "1000",
        "Open connections in all.",
        "Connexions ouvertes en tout.",
    ),
    setting(
        "limits.connections_per_address",
        Kind::Number {
            min: 1,
            max: 1_000_000,
        },
        "1000",
        "50",
        "Open connections from one address. Many people may share one.",
        "Connexions ouvertes depuis une même adresse. Plusieurs personnes peuvent en partager une.",
    ),
    setting(
        "limits.connections_before_login",
        Kind::Number {
            min: 1,
            max: 1_000_000,
        },
        "200",
        "20",
        "Open connections from one address that have not logged in. Mail from other hosts counts here too.",
        "Connexions ouvertes depuis une même adresse sans authentification. Le courrier des autres serveurs compte aussi.",
    ),
    setting(
        "limits.trusted_networks",
        Kind::Networks,
        "[]",
        r#"["198.51.100.25", "10.0.0.0/8"]"#,
        "Relays and proxies of your own in front of this server. Nobody there is counted, delayed, checked as a sender or shut out, since behind them is everybody.",
        "Relais et mandataires à vous, placés devant ce serveur. Personne là n'est compté, retardé, vérifié comme expéditeur ni tenu à l'écart, puisque tout le monde se trouve derrière.",
    ),
    setting(
        "limits.hashes_at_once",
        Kind::Number { min: 1, max: 256 },
        "2",
        "8",
        "How many passwords are checked at the same time; each takes one processor and 19 MiB for a moment.",
        "Combien de mots de passe sont vérifiés en même temps ; chacun occupe un processeur et 19 Mio pendant un instant.",
    ),
];
