"""Programs that other people wrote hand in their mail: bsd-mailx, s-nail and git by `sendmail`, curl
over HTTPS."""

import email
import email.policy
import json
import os
import subprocess

import pytest

import support
from test_clients import wait_for_messages


@pytest.fixture
def facteur(place):
    facteur = support.Facteur(place)
    yield facteur
    facteur.stop()


@pytest.fixture
def sendmail(facteur, place):
    link = place / "sendmail"
    link.symlink_to(support.binary())
    return link


def run(facteur, place, command, **options):
    """Without the settings of whoever runs the tests."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(place), "LANG": "C.UTF-8",
        "FACTEUR_SOCKET": f"{facteur.data}/local.sock", **options.pop("env", {}),
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60,
                          cwd=place, **options)


def only(facteur, address):
    return email.message_from_bytes(wait_for_messages(facteur, address, 1)[0],
                                    policy=email.policy.default)


def test_bsd_mailx(facteur, sendmail, place):
    (place / ".mailrc").write_text(f"set sendmail={sendmail}\n")
    command = ["bsd-mailx", "-s", "Sauvegarde", "-c", "bob@example.test", "alice@example.test"]
    done = run(facteur, place, command, input="tout y est\n.\nfin\n")
    assert done.returncode == 0, done
    message = only(facteur, facteur.alice)
    assert message["Subject"] == "Sauvegarde"
    assert "tout y est" in message.get_content()
    assert only(facteur, facteur.bob)["Cc"] == "bob@example.test"


def test_s_nail(facteur, sendmail, place):
    (place / "note.txt").write_text("à joindre\n")
    command = ["s-nail", "-:/", "-S", f"mta={sendmail}", "-S", "from=bob@example.test",
               "-s", "Été", "-a", "note.txt", "alice@example.test"]
    done = run(facteur, place, command, input="déjà\n")
    assert done.returncode == 0, done
    message = only(facteur, facteur.alice)
    assert message["Subject"] == "Été"
    assert message["From"] == "bob@example.test"
    parts = [part.get_content().replace("\r\n", "\n")
             for part in message.walk() if not part.is_multipart()]
    assert parts[0] == "déjà\n"
    assert "à joindre\n" in parts


def test_s_nail_hears_that_the_server_is_away(facteur, sendmail, place):
    facteur.stop()
    command = ["s-nail", "-:/", "-S", f"mta={sendmail}", "-S", "from=bob@example.test",
               "-S", "sendwait", "-s", "x", "alice@example.test"]
    done = run(facteur, place, command, input="x\n")
    assert done.returncode != 0, done
    assert "nothing was sent" in done.stderr, done
    facteur.start()


def test_git_send_email(facteur, sendmail, place):
    git = ["/usr/bin/git", "-c", "user.name=Bob", "-c", "user.email=bob@example.test"]
    run(facteur, place, [*git, "init", "-q", "."], check=True)
    run(facteur, place, [*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    (place / "file").write_text(".\n..\nété\n")
    run(facteur, place, [*git, "add", "file"], check=True)
    run(facteur, place, [*git, "commit", "-q", "-m", "Ajoute un fichier"], check=True)
    run(facteur, place, [*git, "format-patch", "-q", "-1"], check=True)
    send = [*git, "send-email", "--quiet", "--confirm=never", "--suppress-cc=all",
            f"--smtp-server={sendmail}", "--to=alice@example.test", "--from=bob@example.test",
            "0001-Ajoute-un-fichier.patch"]
    done = run(facteur, place, send)
    assert done.returncode == 0, done
    raw = wait_for_messages(facteur, facteur.alice, 1)[0]
    assert b"Subject: [PATCH] Ajoute un fichier" in raw
    # It is still a patch.
    run(facteur, place, [*git, "reset", "-q", "--hard", "HEAD~1"], check=True)
    applied = run(facteur, place, [*git, "am", "-q"], input=raw.decode())
    assert applied.returncode == 0, applied
    assert (place / "file").read_text() == ".\n..\nété\n"


def test_curl_over_https(facteur, place):
    added = json.loads(facteur.command("program", "add", "shop", "--from", "bob@example.test",
                                       "--json", "--data", facteur.data))
    url = f"https://localhost:{facteur.ports['https']}/v1/messages"
    command = ["curl", "-sS", "--cacert", facteur.ca, "-H", f"Authorization: Bearer {added['token']}",
               "-H", "Idempotency-Key: 1"]
    letter = json.dumps({"to": "Alice <alice@example.test>", "subject": "Été", "text": "déjà",
                         "html": "<p>déjà</p>"})
    answers = {run(facteur, place, [*command, "-d", letter, url]).stdout for _ in range(2)}
    assert len(answers) == 1
    message_id = json.loads(answers.pop())["id"]
    message = only(facteur, facteur.alice)
    assert message["Subject"] == "Été"
    assert message.get_body(("plain",)).get_content() == "déjà\r\n"
    status = json.loads(run(facteur, place, [*command, f"{url}/{message_id}"]).stdout)
    assert [r["state"] for r in status["recipients"]] == ["delivered"]
