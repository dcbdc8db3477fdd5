# SPDX-License-Identifier: MIT
"""What names do to a terminal: wide characters, and those that would move the cursor or turn text
around."""

import pyte
import pytest

from igtcloud import environment, program
from terminal import Terminal
from uploads import epd, institute, put, seed

# ESC and BEL, C1's CSI, an override and an isolate, a line separator.
EVIL = "a\x1b[31mb\x07c\u009b2Jd\u202ee\u2066f\u2028g"
NAMES = ["患者さんの血管造影検査データ二〇二六年第一回目" * 3, "👩‍⚕️" * 8 + "🫀" * 20,
         "e\u0301" * 60, "ｆｕｌｌｗｉｄｔｈ" * 7, "ไทยกำลัง" * 8, "🇯🇵" * 25]
SEED = seed(
    epd(institute("北病院", *[{"name": name, "files": [{"path": "a", "size": 4000000}]}
                            for name in NAMES]), name="wide"),
    epd(institute("i", {"name": EVIL, "files": [{"path": EVIL, "text": "x"}]}), name="evil"))
BAD = ["\x1b", "\x07", "\u009b", "\u202e", "\u2066", "\u2028"]


@pytest.mark.case("transfers-14")
@pytest.mark.parametrize("columns", [80, 40, 20, 7])
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_progress_stays_on_its_lines(cloud, home, out, columns, locale):
    """Nothing scrolls: what stood above is still there at the end."""
    terminal = Terminal([program(), "download", "--domain", cloud.url, "--user", "demo@example.com",
                         "--bwlimit", "12M", str(out), "wide"],
                        environment(home, TERM="xterm", LC_ALL=locale), rows=30, columns=columns)
    terminal.wait_for(b"password: ")
    terminal.write(b"demo\n")
    assert terminal.end(60) == 0
    begin = terminal.text.index(b"\x1b[K")
    frames = terminal.text[terminal.text.rindex(b"\n", 0, begin) + 1:]
    screen = pyte.HistoryScreen(columns, 30)
    stream = pyte.ByteStream(screen)
    lowest = 0
    for frame in frames.split(b"\x1b[J")[:-1]:
        stream.feed(frame + b"\x1b[J")
        lowest = max(lowest, screen.cursor.y)
    assert frames.count(b"\x1b[J") > 2
    assert lowest <= len(NAMES) + 1 and not screen.history.top


def on_screen(cloud, home, *command):
    terminal = Terminal([program(), command[0], "--domain", cloud.url, "--user", "demo@example.com",
                         *command[1:]], environment(home, TERM="xterm", NO_COLOR=1), columns=200)
    terminal.wait_for(b"password: ")
    terminal.write(b"demo\n")
    terminal.wait_for(b"\n")
    shown = terminal.seen
    terminal.end(30)
    return terminal.text[shown:].decode()


@pytest.mark.case("security-21")
@pytest.mark.parametrize("command", [
    ("csv", "-", "evil"), ("csv", "--files", "-", "evil"), ("ls", "evil/i"), ("ls", "--json", "evil/i"),
    ("api", "GET", "data/projects"), ("manifest", "evil"), ("download", "--dry-run", "--no-progress", "OUT", "evil"),
    ("download", "--json", "OUT", "evil"), ("verify", "--no-progress", "OUT", "evil"), ("find", "--no-progress", "evil"),
    ("find", "--no-progress", "--json", "evil"), ("tree", "--no-progress", "evil"), ("tree", "--no-progress", "--json", "evil"), ("du", "--no-progress", "--by", "study", "evil"),
    ("du", "--no-progress", "--by", "study", "--json", "evil"), ("ls", "--no-progress", "-l", "evil/i"), ("sync", "--no-progress", "--dry-run", "igt:evil", "OUT"),
    ("sync", "--no-progress", "igt:evil", "OUT"), ("upload", "--dry-run", "--no-progress", "OUT", "evil")])
def test_names_do_nothing_to_a_terminal(cloud, home, out, command):
    if command[0] == "upload":
        (out / "i" / EVIL).mkdir(parents=True)
        (out / "i" / EVIL / EVIL).write_text("y")
    text = on_screen(cloud, home, *[str(out) if a == "OUT" else a for a in command])
    assert text and [c for c in BAD if c in text] == []


@pytest.mark.case("security-21")
def test_names_in_json(cloud, igtcloud, out):
    """Escaped, and the same name for whoever reads it."""
    igtcloud.run("download", out, "evil")
    for command in (("ls", "--json", "evil/i"), ("download", "--json", out, "evil"),
                    ("verify", "--json", out, "evil"), ("manifest", "evil")):
        done = igtcloud.run(*command, status=None)
        assert [c for c in BAD if c in done.text] == []
        assert any(EVIL in str(value) for line in done.lines for value in line.values()), done


@pytest.mark.case("security-21")
def test_csv_in_a_pipe_is_as_it_was(igtcloud):
    text = igtcloud.run("csv", "-", "evil").text
    assert "\u009b" in text and "\u202e" in text


@pytest.mark.parametrize("columns", [60, 33])
def test_messages_are_wrapped_between_words(igtcloud, tmp_path, columns):
    """Errors, what happened to a file, notices and the summary: no word is cut, none is lost."""
    for n in range(3):
        put(tmp_path, {f"institute {n} with a rather long name/P1---A/x.txt": "x"})
    for command, files in (("upload", [tmp_path, "wide"]), ("download", ["--include", "nothing-has-this-name", tmp_path / "o", "evil"]),
                           ("ls", ["a project whose name is as long as nobody would make it on any day"])):
        _, shown = igtcloud.on_terminal(command, *files, "--no-progress", columns=columns)
        plain = igtcloud.run(command, *files, status=None)
        shown = shown.split("password: ")[1]
        said = [w for w in plain.err.split() if w != "Using" and not w.startswith("http://")]
        assert [w for w in shown.split() if w in said] == [w for w in said if w in shown.split()] == said
        for line in shown.splitlines():
            assert len(line) <= columns or " " not in line.strip(), line
