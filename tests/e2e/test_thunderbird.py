"""Thunderbird from Debian, its real window on an X server without a screen: what a person does with
it, and what is then in the mailboxes, seen through a connection of our own. Screenshots stay in
`screenshots/` of the build directory."""

import email
import os
import pathlib
import smtplib

import pytest

from marionette import Thunderbird
from support import (ROOT, append, fetch_all, flags, imap, sample, tls, wait_for_messages,
                     wait_until)

ALICE = "alice@example.test"
BOB = "bob@example.test"
TOOLS = (ROOT / "tests/e2e/thunderbird.js").read_text()


def account(facteur):
    """Preferences that make Alice's account, as the assistant for new accounts leaves them."""
    server, identity, smtp = "mail.server.server1.", "mail.identity.id1.", "mail.smtpserver.smtp1."
    return {
        "mail.accountmanager.accounts": "account1,account2",
        "mail.accountmanager.defaultaccount": "account1",
        "mail.accountmanager.localfoldersserver": "server2",
        "mail.account.account1.identities": "id1",
        "mail.account.account1.server": "server1",
        "mail.account.account2.server": "server2",
        identity + "fullName": "Alice", identity + "useremail": ALICE, identity + "valid": True,
        identity + "smtpServer": "smtp1",
        server + "type": "imap", server + "hostname": "localhost", server + "name": "Alice",
        server + "port": facteur.ports["imaps"], server + "userName": ALICE,
        server + "socketType": 3, server + "authMethod": 3,
        # Nothing happens before the password is in place.
        server + "login_at_startup": False, server + "check_new_mail": False,
        "mail.server.server2.type": "none", "mail.server.server2.name": "Local Folders",
        "mail.server.server2.hostname": "Local Folders", "mail.server.server2.userName": "nobody",
        "mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1",
        smtp + "hostname": "localhost", smtp + "port": facteur.ports["submissions"],
        smtp + "try_ssl": 3, smtp + "authMethod": 3, smtp + "username": ALICE,
    }


class Person:
    """Somebody at the window."""

    def __init__(self, marionette, pictures):
        self.marionette = marionette
        self.pictures = pictures
        self.taken = 0

    def does(self, body, *arguments):
        return self.marionette.script(TOOLS + body, *arguments)

    def picture(self, name):
        self.taken += 1
        self.marionette.screenshot(self.pictures / f"{self.taken:02}-{name}.png")


@pytest.fixture
def person(facteur, place):
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    pictures = pathlib.Path(target) / "screenshots" / "thunderbird"
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.png"):
        old.unlink()
    thunderbird = Thunderbird(place, account(facteur))
    try:
        thunderbird.trust(facteur.ca)
        person = Person(thunderbird.start(), pictures)
        try:
            yield person
        finally:
            person.picture("end")
    finally:
        thunderbird.stop()


def logs_in(person, facteur):
    """Puts the passwords where Thunderbird keeps them and opens the account."""
    person.does("""
        for (const protocol of ["imap", "smtp"]) {
            const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
            const origin = `${protocol}://localhost`;
            login.init(origin, null, origin, arguments[0], arguments[1], "", "");
            await Services.logins.addLoginAsync(login);
        }
        const pane = await until(() => about3Pane()?.folderPane && about3Pane(), "the window");
        const line = await until(() => pane.folderPane.getRowForFolder(server().rootFolder), "the account");
        click(line.querySelector(".name"));
        click(line.querySelector(".twisty"));
    """, ALICE, facteur.password(ALICE))


def email_text(message):
    return email.message_from_bytes(message).get_payload(decode=True)


def test_thunderbird(facteur, person):
    for number in range(6):
        append(facteur, ALICE, sample(f"message {number}", f"Corps numéro {number}.\r\n"))
    with imap(facteur, ALICE) as client:
        for name in ("Projets", "Projets/2026"):
            client.create(name)
            client.subscribe(name)

    # Mailboxes are listed.
    logs_in(person, facteur)
    person.does("""
        await open("Inbox", 6);
        const names = () => server().rootFolder.descendants.map(f => f.URI.replace(/^.*localhost/, ""));
        await until(() => arguments[0].every(name => names().includes(name)), "the mailboxes");
    """, ["/INBOX", "/Drafts", "/Sent", "/Trash", "/Junk", "/Archive", "/Projets", "/Projets/2026"])
    person.picture("mailboxes")

    # A message is read: its text is shown, and it counts as seen.
    assert person.does('return read("message 3")') == "Corps numéro 3."
    wait_until(lambda: "\\Seen" in flags(facteur, ALICE)["message 3"], what="\\Seen")
    person.picture("read")

    # Starred.
    person.does("""
        click(row("message 3").querySelector(".tree-button-flag"));
        await until(() => row("message 3").dataset.properties.includes("flagged"), "the star");
    """)
    wait_until(lambda: "\\Flagged" in flags(facteur, ALICE)["message 3"], what="\\Flagged")
    person.picture("starred")

    # Moved.
    person.does("""
        await read("message 4");
        about3Pane().commandController.doCommand("cmd_moveMessage", folder("2026"));
        await until(() => about3Pane().gDBView.rowCount == 5 && !row("message 4"), "the move");
    """)
    wait_until(lambda: "message 4" in flags(facteur, ALICE, "Projets/2026"), what="the move")
    assert "message 4" not in flags(facteur, ALICE)
    person.does('await open("2026", 1)')
    person.picture("moved")

    # Deleted: into the trash.
    person.does("""
        await open("Inbox", 5);
        await read("message 5");
        about3Pane().commandController.doCommand("cmd_deleteMessage");
        await until(() => about3Pane().gDBView.rowCount == 4, "the deletion");
    """)
    wait_until(lambda: "message 5" in flags(facteur, ALICE, "Trash"), what="the deletion")

    # News: what comes in while the mailbox is open appears by itself.
    with smtplib.SMTP_SSL("localhost", facteur.ports["submissions"], context=tls(facteur)) as client:
        client.login(BOB, facteur.password(BOB))
        client.sendmail(BOB, [ALICE], sample("nouvelle", sender=BOB, recipient=ALICE))
    person.does('await until(() => row("nouvelle"), "the news");')
    person.picture("news")

    # Searched, by the server: the window for searches with "Run search on server".
    found = person.does("""
        window.openDialog("chrome://messenger/content/SearchDialog.xhtml", "", "chrome,resizable,dialog=no",
                          { folder: folder("Inbox") });
        const dialog = await windowOf("mailnews:search", found => found.gSearchTerms?.length);
        const online = dialog.document.getElementById("checkSearchOnline");
        if (!online.checked) {
            online.click();
        }
        const term = dialog.gSearchTerms[0].obj;
        term.searchattribute.value = Ci.nsMsgSearchAttrib.Body;
        term.searchoperator.value = Ci.nsMsgSearchOp.Contains;
        dialog.document.querySelector("#searchVal0 input").value = "numéro 2";
        dialog.document.getElementById("search-button").click();
        const view = await until(() => dialog.gFolderDisplay.view.dbView, "the results");
        await until(() => view.rowCount == 1, "one message found");
        return view.cellTextForColumn(0, "subjectCol");
    """)
    assert found == "message 2"
    person.picture("searched")
    person.does("""
        Services.wm.getMostRecentWindow("mailnews:search").close();
        await until(() => !Services.wm.getMostRecentWindow("mailnews:search"), "the window to close");
    """)

    # A draft is saved, then sent, with a copy in Sent.
    person.does("""
        click(about3Pane().document.getElementById("folderPaneWriteMessage"));
        const compose = await composer();
        compose.document.getElementById("toAddrInput").value = "bob@example.test";
        await compose.pillifyRecipients();
        compose.document.getElementById("msgSubject").value = "écrit par Thunderbird";
        compose.GetCurrentEditor().insertText("Première ligne, été.");
        compose.goDoCommand("cmd_saveAsDraft");
    """)
    draft = wait_until(lambda: fetch_all(facteur, ALICE, "Drafts"), what="the draft")
    assert len(draft) == 1 and "Première ligne".encode() in email_text(draft[0])
    assert "\\Draft" in next(iter(flags(facteur, ALICE, "Drafts").values()))
    person.picture("draft")
    # Thunderbird only marks a draft \Deleted, and leaves it there, while its header is not in its own list.
    person.does("""
        await open("Drafts", 1);
        const compose = await composer();
        await until(() => !compose.gSaveOperationInProgress, "the draft to be saved");
        compose.GetCurrentEditor().insertText(" Seconde ligne.");
        compose.goDoCommand("cmd_sendNow");
        await until(() => compose.closed, "the message to be sent");
    """)
    received = wait_for_messages(facteur, BOB, 1)[0]
    assert b"Seconde ligne" in email_text(received)
    wait_until(lambda: len(fetch_all(facteur, ALICE, "Sent")) == 1, what="the copy in Sent")
    wait_until(lambda: not fetch_all(facteur, ALICE, "Drafts"), what="the draft to go")
