//! What the owner of a script that failed is told, in French or English.

use facteur_message::Sent;
use facteur_message::build::{Entity, Header};
use facteur_store::Account;

pub(super) struct Facts<'a> {
    pub account: &'a Account,
    pub script: &'a str,
    /// In the account's language.
    pub reason: &'a str,
    pub hostname: &'a str,
    /// Seconds since 1970.
    pub at: i64,
    /// Letters and digits that nobody can guess.
    pub token: &'a str,
}

pub(super) fn message(facts: &Facts<'_>) -> Vec<u8> {
    let (system, subject, text) = if facts.account.language == "fr" {
        (
            "Système de courrier",
            "Votre filtre de courrier ne fonctionne pas",
            format!(
                "Bonjour,\n\nle script de filtrage \"{}\" s'est arrêté :\n\n    {}\n\n\
                 Le message concerné est dans votre boîte de réception, et il en sera ainsi de tous\n\
                 ceux pour lesquels le script échoue. Vous ne recevrez pas d'autre avis pour cette\n\
                 version du script.\n",
                facts.script, facts.reason
            ),
        )
    } else {
        (
            "Mail system",
            "Your mail filter does not work",
            format!(
                "Hello,\n\nthe filter script \"{}\" stopped:\n\n    {}\n\n\
                 The message is in your inbox, and so will be all others for which the script fails.\n\
                 You will not be told again of this version of the script.\n",
                facts.script, facts.reason
            ),
        )
    };
    let postmaster = format!("postmaster@{}", facts.hostname);
    let header = Header::new()
        .date(
            "Date",
            Sent {
                unix: facts.at,
                offset_minutes: 0,
            },
        )
        .addresses("From", &[(system, &postmaster)])
        .addresses(
            "To",
            &[(&facts.account.display_name, &facts.account.address)],
        )
        .text("Subject", subject)
        .raw(
            "Message-ID",
            &format!("<{}.filter@{}>", facts.token, facts.hostname),
        )
        .raw("Auto-Submitted", "auto-generated");
    Entity::text("plain", &text).into_message(header)
}
