"""docs/rfc.md is current, and what it is made from is right."""

import rfc_coverage


def cited(text):
    return [(c.rfc, c.section) for c in rfc_coverage.citations_in(text, "x.rs")]


def test_citations_are_found():
    assert cited("// RFC 9051 §6.4.6: a STORE.") == [("9051", "6.4.6")]
    assert cited("//! RFC 9051 §6.2.2, §6.2.3 and RFC 4959.") == [
        ("9051", "6.2.2"), ("9051", "6.2.3"), ("4959", "")]
    assert cited("/// as RFC\n/// 5321\n    /// §4.5.2 and §4.1 want") == [("5321", "4.5.2"), ("5321", "4.1")]
    assert cited("# RFC 9051 Appendix A, RFC 3461 §B.1") == [("9051", "A"), ("3461", "B.1")]
    assert cited("# RFC 9051 §6.3.4 to §6.3.6") == [
        ("9051", "6.3.4"), ("9051", "6.3.5"), ("9051", "6.3.6")]
    assert cited("RFC822.SIZE") == []


def test_headings_are_found():
    text = """Table of Contents
6.   Commands . . . . . . . . . 20
6.  Client Commands
   1.  an item of a list
6.4.6.  STORE Command
Appendix A.  Backward Compatibility
A.1.  More of it
"""
    assert rfc_coverage.headings(text) == {
        "6": "Client Commands", "6.4.6": "STORE Command", "A": "Backward Compatibility",
        "A.1": "More of it"}


def test_a_section_that_does_not_exist_is_a_fault():
    known = {"9051": {"6.4.6": "STORE Command"}}
    found = list(rfc_coverage.citations_in("\n// RFC 9051 §6.4.6, §6.4.99", "x.rs"))
    assert rfc_coverage.faults(found, known) == ["x.rs:2: RFC 9051 has no section 6.4.99"]
    assert rfc_coverage.faults(found, {}) == []


def test_every_cited_section_exists():
    assert rfc_coverage.faults(rfc_coverage.citations(), rfc_coverage.texts()) == []


def test_the_page_is_current():
    old = rfc_coverage.PAGE.read_text()
    found = rfc_coverage.citations()
    assert len(found) > 1000
    # With the texts at hand and without them.
    for known in (rfc_coverage.texts(), {}):
        assert rfc_coverage.page(found, known, old) == old, "run tests/project/rfc_coverage.py"
