import shutil
import tempfile
import pathlib

import pytest

import support


@pytest.fixture
def place():
    path = pathlib.Path(tempfile.mkdtemp(prefix="facteur-"))
    # Other programs drop their rights and must still reach what is theirs.
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def facteur(place):
    server = support.Facteur(place)
    yield server
    server.stop()
