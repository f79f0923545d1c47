"""IMAP clients and client libraries on the extensions that they know how to use.

What each takes of CONDSTORE and QRESYNC: neomutt and imapflow use both; imapclient enables
CONDSTORE and reads modseqs; mbsync 1.4 and offlineimap3 know neither (of the extensions they use
NAMESPACE, UIDPLUS, MOVE, LITERAL+ and COMPRESS); imapfilter searches, moves and idles.
"""

import datetime
import importlib
import json
import re
import ssl
import sys

import pytest

from recorder import Recorder
from support import ROOT, append, fetch_all, flags, imap, libraries, run, sample, wait_until

ALICE = "alice@example.test"


@pytest.fixture
def recorder(facteur):
    recorder = Recorder(facteur)
    yield recorder
    recorder.stop()


# imapclient


@pytest.fixture
def imapclient(facteur):
    path = str(libraries() / "python")
    sys.path.insert(0, path)
    module = importlib.import_module("imapclient")
    context = ssl.create_default_context(cafile=facteur.ca)
    client = module.IMAPClient("localhost", facteur.ports["imaps"], ssl_context=context)
    client.login(ALICE, facteur.password(ALICE))
    yield client
    client.logout()
    sys.path.remove(path)


def test_imapclient_mailboxes(imapclient):
    assert imapclient.has_capability("QRESYNC") and imapclient.has_capability("METADATA")
    assert imapclient.id_({"name": "IMAPClient"})[0][:2] == (b"name", b"Facteur")
    assert imapclient.namespace().personal[0] == ("", "/")
    imapclient.create_folder("Été/Plage")
    assert imapclient.folder_exists("Été/Plage")
    imapclient.rename_folder("Été/Plage", "Été/Montagne")
    imapclient.subscribe_folder("Été/Montagne")
    names = {name: attributes for attributes, _, name in imapclient.list_folders()}
    assert "Été/Montagne" in names and "Été/Plage" not in names
    assert "Été/Montagne" in {name for _, _, name in imapclient.list_sub_folders()}
    assert imapclient.find_special_folder(b"\\Drafts") == "Drafts"
    quotas = imapclient.get_quota_root("INBOX")[1]
    assert {quota.resource for quota in quotas} <= {"STORAGE", "MESSAGE"}
    imapclient.unsubscribe_folder("Été/Montagne")
    imapclient.delete_folder("Été/Montagne")
    assert not imapclient.folder_exists("Été/Montagne")


def test_imapclient_messages(imapclient, facteur):
    when = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
    imapclient.append("INBOX", sample("un"), flags=[b"\\Seen", b"$Label1"], msg_time=when)
    answer = imapclient.multiappend("INBOX", [sample("deux"), sample("trois", "où est-ce\r\n")])
    assert answer[1][0].startswith(b"[APPENDUID ")
    assert imapclient.select_folder("INBOX")[b"EXISTS"] == 3
    assert imapclient.search("UNSEEN") == [2, 3]
    assert imapclient.search(["TEXT", "où est"], charset="UTF-8") == [3]
    assert imapclient.sort(["SUBJECT"]) == [2, 3, 1]
    assert imapclient.thread("REFERENCES") == ((1,), (2,), (3,))
    fetched = imapclient.fetch([1], ["ENVELOPE", "INTERNALDATE", "FLAGS", "BODYSTRUCTURE", "RFC822.SIZE"])[1]
    assert fetched[b"ENVELOPE"].subject == b"un" and fetched[b"INTERNALDATE"] is not None
    assert fetched[b"BODYSTRUCTURE"][:2] == (b"text", b"plain")
    assert fetched[b"RFC822.SIZE"] == len(sample("un"))
    assert imapclient.add_flags([2], [b"\\Flagged"])[2] == (b"\\Flagged",)
    imapclient.create_folder("Projets")
    imapclient.copy([1], "Projets")
    imapclient.move([2], "Projets")
    assert flags(facteur, ALICE, "Projets") == {"un": {"\\Seen", "$Label1"}, "deux": {"\\Flagged"}}
    imapclient.add_flags([1, 3], [b"\\Deleted"])
    imapclient.uid_expunge([3])
    assert set(flags(facteur, ALICE)) == {"un"}


def test_imapclient_modseqs(imapclient, facteur):
    for name in ("un", "deux", "trois"):
        append(facteur, ALICE, sample(name))
    assert imapclient.enable("CONDSTORE") == [b"CONDSTORE"]
    modseq = imapclient.select_folder("INBOX")[b"HIGHESTMODSEQ"]
    with imap(facteur, ALICE) as other:
        other.select("INBOX")
        other.uid("STORE", "2", "+FLAGS", r"(\Answered)")
    changed = imapclient.fetch("1:*", ["FLAGS"], [f"CHANGEDSINCE {modseq}"])
    assert {uid: data[b"FLAGS"] for uid, data in changed.items()} == {2: (b"\\Answered",)}
    assert changed[2][b"MODSEQ"][0] > modseq
    assert imapclient.folder_status("INBOX", "HIGHESTMODSEQ")[b"HIGHESTMODSEQ"] == changed[2][b"MODSEQ"][0]


def test_imapclient_idles(imapclient, facteur):
    imapclient.select_folder("INBOX")
    imapclient.idle()
    append(facteur, ALICE, sample("nouveau"))
    told = wait_until(lambda: imapclient.idle_check(timeout=30), what="news in IDLE")
    assert (1, b"EXISTS") in told
    imapclient.idle_done()


# imapfilter


def test_imapfilter(facteur, place):
    for number in range(3):
        append(facteur, ALICE, sample(f"facture {number}"))
    append(facteur, ALICE, sample("réunion", "ordre du jour: l'été\r\n"))
    append(facteur, ALICE, sample("publicité", sender="spam@elsewhere.test"))
    append(facteur, ALICE, sample("vieux"), flags=r"(\Seen \Flagged)")
    (place / "config.lua").write_text(f"""
options.create = true
options.subscribe = true
options.charset = 'UTF-8'
options.expunge = true
options.hostnames = true
account = IMAP {{
    server = 'localhost', port = {facteur.ports['imaps']}, ssl = 'auto',
    username = '{ALICE}', password = '{facteur.password(ALICE)}',
}}
account.INBOX:contain_subject('facture'):move_messages(account['Comptes/2026'])
account.INBOX:contain_body('été'):mark_flagged()
;(account.INBOX:is_unseen() * account.INBOX:contain_from('spam@')):delete_messages()
;(account.INBOX:is_seen() + account.INBOX:match_header('^Subject: vie')):copy_messages(account.Archive)
account.INBOX:send_query('OLDER 1000000000')
local exist, recent, unseen = account['Comptes/2026']:check_status()
print('exist=' .. exist .. ' unseen=' .. unseen)
""")
    told = run(["imapfilter", "-c", place / "config.lua", "-t", facteur.ca],
               environment={"HOME": str(place)})
    assert b"exist=3 unseen=3" in told
    assert set(flags(facteur, ALICE, "Comptes/2026")) == {f"facture {number}" for number in range(3)}
    assert flags(facteur, ALICE) == {"réunion": {"\\Flagged"}, "vieux": {"\\Seen", "\\Flagged"}}
    assert set(flags(facteur, ALICE, "Archive")) == {"vieux"}
    with imap(facteur, ALICE) as client:
        assert any(b"Comptes/2026" in line for line in client.lsub()[1])


# neomutt


def neomutt(facteur, port, place, keys, settings=""):
    (place / "cache").mkdir(exist_ok=True)
    (place / "muttrc").write_text(f"""
set imap_user = "{ALICE}"
set imap_pass = "{facteur.password(ALICE)}"
set folder = "imaps://localhost:{port}/"
set spoolfile = "+INBOX"
set record = ""
set certificate_file = "{facteur.ca}"
set ssl_ca_certificates_file = "{facteur.ca}"
set header_cache = "{place}/cache"
set message_cachedir = "{place}/cache"
set imap_authenticators = "login"
set sleep_time = 0
set quit = yes
set wait_key = no
set confirmappend = no
set confirmcreate = no
set delete = yes
set resolve = no
{settings}
""")
    run(["script", "-qec", f"neomutt -n -F {place}/muttrc -e 'push \"{keys}\"'", "/dev/null"],
        environment={"HOME": str(place), "TERM": "xterm"}, stdin=b"")


HEADERS = r"FETCH [^(]*\(.*BODY\.PEEK\[HEADER"


@pytest.mark.parametrize("qresync", [False, True])
def test_neomutt_with_a_header_cache(facteur, recorder, place, qresync):
    for number in range(50):
        append(facteur, ALICE, sample(f"message {number}"))
    settings = "set imap_condstore = yes\nset imap_qresync = yes\n" if qresync else ""
    neomutt(facteur, recorder.port, place, "<exit>", settings)
    assert recorder.said(HEADERS)
    recorder.forget()
    neomutt(facteur, recorder.port, place, "<exit>", settings)
    assert recorder.said("SELECT") and not recorder.said(HEADERS)
    if qresync:
        assert recorder.said("ENABLE QRESYNC") and not recorder.said("FETCH")
    # A flag, a deletion and a new message by somebody else: only the new one's header is read.
    with imap(facteur, ALICE) as client:
        client.select("INBOX")
        client.uid("STORE", "7", "+FLAGS", r"(\Flagged)")
        client.uid("STORE", "9", "+FLAGS", r"(\Deleted)")
        client.expunge()
    append(facteur, ALICE, sample("nouveau"))
    recorder.forget()
    copy = place / "flagged"
    neomutt(facteur, recorder.port, place,
            f"<limit>~F<enter><first-entry><copy-message><kill-line>{copy}<enter><exit>",
            settings + "set mbox_type = mbox")
    # With QRESYNC neomutt reads the header beside the gap that VANISHED left once more.
    assert len(recorder.heard(r"FETCH .*BODY\[HEADER")) == (2 if qresync else 1)
    if qresync:
        assert recorder.said(r"UID FETCH .* \(CHANGEDSINCE \d+ VANISHED\)")
        assert recorder.heard(r"VANISHED \(EARLIER\) 9$")
    assert re.findall(r"^Subject: (.*)", copy.read_text(), re.MULTILINE) == ["message 6"]
    assert len(fetch_all(facteur, ALICE)) == 50


# imapflow


def test_imapflow(facteur, recorder, place):
    for number in range(5):
        append(facteur, ALICE, sample(f"message {number}"))
    script = ROOT / "tests/e2e/imapflow/session.mjs"
    modules = libraries() / "npm" / "node_modules"
    told = run(["node", script, modules, recorder.port, ALICE, facteur.password(ALICE)],
               environment={"NODE_EXTRA_CA_CERTS": facteur.ca})
    found = json.loads(told)
    assert found["server"]["name"] == "Facteur"
    assert set(found["enabled"]) >= {"CONDSTORE", "UTF8=ACCEPT"}
    assert {"INBOX": "\\Inbox", "Drafts": "\\Drafts"}.items() <= found["special"].items()
    assert found["subjects"] == [f"message {number}" for number in range(5)]
    assert found["searched"] == [4]
    assert found["moved"] == {"2": 1}
    assert found["expunged"] and found["exists"] and found["flags"]
    assert found["resynced"] == {"vanished": [5], "flags": {"1": ["\\Flagged"]}}
    assert found["downloaded"].endswith("à bientôt.\r\n")
    assert flags(facteur, ALICE, "Projets/2026") == {"message 1": set()}
    assert recorder.said("COMPRESS DEFLATE") and recorder.said("IDLE")


# What is done for clients with known faults


def test_a_client_fault_is_shown_for_the_account(facteur):
    append(facteur, ALICE, sample("un"))
    show = ["account", "show", ALICE, "--data", facteur.data, "--json"]
    assert json.loads(facteur.command(*show))["client_faults"] == []
    with imap(facteur, ALICE) as client:
        assert b"UIDONLY" in client.capability()[1][0].split()
        client.enable("UIDONLY")
        client.select("INBOX")
        assert client.fetch("1", "FLAGS")[0] == "OK"
    assert json.loads(facteur.command(*show))["client_faults"] == ["uidonly-numbers"]
    with imap(facteur, ALICE) as client:
        assert b"UIDONLY" not in client.capability()[1][0].split()
