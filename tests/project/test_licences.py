"""Every dependency's licence is one that deny.toml allows, and nothing banned is linked."""

import json
import pathlib
import re
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def satisfied(expression, allowed):
    """Evaluates an SPDX expression: OR needs one side, AND both, WITH belongs to its licence."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def parse_or(position):
        value, position = parse_and(position)
        while position < len(tokens) and tokens[position] == "OR":
            right, position = parse_and(position + 1)
            value = value or right
        return value, position

    def parse_and(position):
        value, position = parse_one(position)
        while position < len(tokens) and tokens[position] == "AND":
            right, position = parse_one(position + 1)
            value = value and right
        return value, position

    def parse_one(position):
        if tokens[position] == "(":
            value, position = parse_or(position + 1)
            assert tokens[position] == ")"
            return value, position + 1
        name, position = tokens[position], position + 1
        if position < len(tokens) and tokens[position] == "WITH":
            name, position = f"{name} WITH {tokens[position + 1]}", position + 2
        return name in allowed, position

    value, end = parse_or(0)
    assert end == len(tokens), expression
    return value


def metadata():
    command = ["cargo", "metadata", "--format-version", "1", "--locked",
               "--filter-platform", "x86_64-unknown-linux-gnu"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


def linked():
    """Name and version of what is really built: metadata also names optional crates that are off."""
    command = ["cargo", "tree", "--workspace", "--locked", "--edges", "all", "--prefix", "none",
               "--format", "{p}", "--target", "x86_64-unknown-linux-gnu"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    words = (line.split() for line in lines.splitlines() if line.strip())
    return {(word[0], word[1].removeprefix("v")) for word in words}


def test_expression_reader():
    allowed = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"}
    assert satisfied("MIT OR GPL-3.0", allowed)
    assert satisfied("MIT/Apache-2.0", allowed)
    assert satisfied("(GPL-2.0 OR Apache-2.0 WITH LLVM-exception) AND MIT", allowed)
    assert not satisfied("MIT AND GPL-3.0", allowed)
    assert not satisfied("AGPL-3.0-only", allowed)


def test_licences_and_bans():
    deny = tomllib.loads((ROOT / "deny.toml").read_text())
    allowed = set(deny["licenses"]["allow"])
    banned = {entry["name"] if "name" in entry else entry["crate"] for entry in deny["bans"]["deny"]}
    assert not any("GPL" in licence for licence in allowed)
    assert {"ring", "openssl-sys", "native-tls"} <= banned
    data = metadata()
    used = linked()
    packages = [package for package in data["packages"]
                if (package["name"], package["version"]) in used]
    assert len(packages) > 50
    faults = []
    for package in packages:
        licence = package["license"]
        if licence is None or not satisfied(licence, allowed):
            faults.append(f"{package['name']} {package['version']}: {licence}")
        if package["name"] in banned:
            faults.append(f"{package['name']} is banned")
    assert not faults, faults


def test_product_crates_have_no_features():
    names = {"facteur", "facteur-message", "facteur-smtp", "facteur-imap", "facteur-pop3",
             "facteur-store", "facteur-server"}
    for package in metadata()["packages"]:
        if package["name"] in names:
            assert not package["features"], package["name"]
