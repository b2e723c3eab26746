"""The rest of a pre-shared key that a console broke into lines was shown as the beginning of a line that is not understood."""

from pastore.sources.netsh.show import load_show

SHOWN = """\
Policy Name : x
Rule Name : y
Authentication Methods(1)
  Preshared Key : moonlight-over-
halden-and-the-old-mill

and more: of-it
FilterList Name : z
Unheard of
"""


def test_nothing_behind_a_key_is_shown_before_something_that_is_known() -> None:
    told = [
        (finding.origin.line, finding.message)
        for finding in load_show(SHOWN.encode(), "x.txt").findings
        if finding.code == "PA146"
    ]
    hidden = "the line that begins with a word that is not shown is not understood; it is skipped"
    assert told == [(5, hidden), (7, hidden), (9, "the line that begins with 'Unheard' is not understood; it is skipped")]
