# SPDX-License-Identifier: MIT
"""What is made from the tables of commands and options: --help, man pages, completions. Every test
goes over all that `igtcloud help --json` lists, so a new command is tested as soon as it is there."""

import functools
import json
import os
import re
import shutil
import subprocess

import pytest

import terminal
from igtcloud import program
from sandbox import ROOT, program as sandbox_program

TABLES = None


def igtcloud(*arguments, status=0, **env):
    """A command of a group is given as one text, such as "study create"."""
    arguments = [word for a in arguments for word in a.split(" ")]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUD_", "IGTCLOUD_"))}
    done = subprocess.run([program(), *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env={**clean, "LC_ALL": "C.UTF-8", **env})
    assert done.returncode == status, done
    return done.stdout


def tables():
    global TABLES
    TABLES = TABLES or json.loads(igtcloud("help", "--json"))
    return TABLES


def commands():
    return {c["name"]: c for c in tables()["commands"]}


def first_words():
    return {name.split()[0] for name in commands()}


def groups():
    """The commands of each group: {"study": ["create", ...]}."""
    found = {}
    for name in commands():
        if " " in name:
            found.setdefault(name.split()[0], []).append(name.split()[1])
    return found


def shell(name):
    path = shutil.which(name)
    assert path, f"{name} is not installed: scripts/install-deps test"
    return path


def run(*command, text=None, **env):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8", **env})
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout


def forms(option):
    return ["--" + option["name"]] + (["-" + option["letter"]] if "letter" in option else [])


# ---- help ----

def test_names_and_letters_are_unique():
    for command in commands().values():
        given = [s for o in command["options"] for s in forms(o)]
        assert len(given) == len(set(given)), command["name"]


@pytest.mark.smoke
def test_overview_lists_all():
    shown = igtcloud("--help")
    for command in commands().values():
        assert re.search(rf"^  {command['name']} +{re.escape(command['summary'])}$", shown, re.M)
        assert len(command["summary"]) <= 64


@pytest.mark.smoke
def test_help_lists_every_option():
    for command in commands().values():
        shown = igtcloud(command["name"], "--help")
        assert shown == igtcloud("help", command["name"])
        assert f"igtcloud {command['name']} [options]" in shown
        for option in command["options"]:
            line = next(l for l in shown.splitlines() if re.search(rf"--{option['name']}( |$)", l))
            assert all(s in line for s in forms(option))
            assert option["help"] in shown


def test_each_option_has_its_variable():
    """A variable works like the option: a value that the option refuses is refused there, too."""
    for command in commands().values():
        for option in command["options"]:
            if "choices" in option:
                name = option["variable"]
                done = subprocess.run([program(), *command["name"].split()], capture_output=True, text=True,
                                      stdin=subprocess.DEVNULL, env={name: "nonsense"})
                assert done.returncode == 2 and name in done.stderr, done


def test_help_on_nothing_that_is():
    for arguments in (("help", "no-such"), ("help", "man", "no-such"), ("help", "login", "logout")):
        assert igtcloud(*arguments, status=2) == ""


@pytest.mark.parametrize("topic", ["selection", "filters"])
def test_pages_on_one_subject(topic):
    """The man page's text, which needs no man program; listed in the overview."""
    shown = igtcloud("help", topic)
    assert re.search(rf"^  help {topic} +which .* compares and lists$", igtcloud("--help"), re.M)
    assert all(len(line) <= 80 for line in shown.splitlines() if "igtcloud " not in line)
    page = re.sub(r".\x08", "", run("groff", "-man", "-Tutf8", "-P-c", "-rHY=0",
                                   ROOT / "docs/man" / f"igtcloud-{topic}.7.in"))
    page = re.sub("[−‐‑]", "-", page).replace("’", "'").split("\nNAME\n")[1].rsplit("\n", 2)[0]
    assert shown.split()[1:] == [w for w in page.split() if w != "@VERSION@"][:len(shown.split()) - 1]


def on_terminal(*arguments, columns):
    env = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    status, shown = terminal.run([program(), *arguments], env, columns=columns)
    assert status == 0
    return shown


@pytest.mark.parametrize("columns", [60, 40])
def test_help_is_wrapped_between_words(columns):
    """All its words are there, and only a longer one goes over the edge. Examples stay as they are."""
    for arguments in (["--help"], *([*name.split(), "--help"] for name in commands()), ["help", "selection"], ["help", "filters"],
                      ["study", "--help"]):
        shown, plain = on_terminal(*arguments, columns=columns), igtcloud(*arguments)
        assert shown.split() == plain.split()
        examples = {line for line in plain.splitlines() if re.match(" +(igtcloud|printf) ", line)}
        for line in set(shown.splitlines()) - examples:
            assert len(line.rstrip()) <= columns or len(line.split()) <= 3, line  # -o, --option VALUE


def test_help_on_a_wide_terminal_is_as_it_is_elsewhere():
    assert on_terminal("download", "--help", columns=160) == igtcloud("download", "--help")


# ---- man pages ----

def plain(page):
    """As a reader finds it: rendered, without hyphenation and bold."""
    rendered = run("groff", "-man", "-ww", "-Tutf8", "-P-c", "-rHY=0", "-rLL=200n", text=page)
    return re.sub(r".\x08", "", rendered).replace("−", "-").replace("‐", "-")


@pytest.mark.parametrize("name", ["igtcloud", *sorted(commands())])
def test_man_page(name):
    """It contains all of the table, and groff has no complaints."""
    if name == "igtcloud":
        shown = plain(igtcloud("help", "man"))
        for command in commands().values():
            assert f"igtcloud-{command['name'].replace(' ', '-')}(1)" in shown
            assert " ".join(command["summary"].split()) in " ".join(shown.split())
    else:
        shown = plain(igtcloud("help", "man", name))
        for option in commands()[name]["options"]:
            left = ", ".join(reversed(forms(option)))
            if "value" in option:
                left += " " + option.get("choices", option["value"])
            assert re.search(rf"^ +{re.escape(left)}( |$)", shown, re.M), left
            assert option["help"] in " ".join(shown.split())
    for fact in tables()["variables"] + tables()["exitStatuses"]:
        assert fact["name"] in shown and fact["text"] in " ".join(shown.split())


def make_man(out, by_hand=ROOT / "docs" / "man"):
    return subprocess.run([ROOT / "scripts/make-man", program(), sandbox_program(), by_hand, out],
                          capture_output=True, text=True)


def test_pages_as_installed(tmp_path):
    """With the texts that are written by hand; groff has no complaints about them, either."""
    assert make_man(tmp_path / "man1").returncode == 0
    pages = {p.stem: p.read_text() for p in (tmp_path / "man1").iterdir()}
    assert set(pages) == {"igtcloud", "igtcloud-sandbox",
                          *("igtcloud-" + c.replace(" ", "-") for c in commands())}
    for name, page in pages.items():
        shown = plain(page)
        assert shown.index("\nNAME") < shown.index("\nEXIT STATUS"), name
        by_hand = ROOT / "docs" / "man" / f"{name}.roff"
        if by_hand.exists():
            assert by_hand.read_text() in page + "\n"
    api, of_sandbox = plain(pages["igtcloud-api"]), plain(pages["igtcloud-sandbox"])
    for line in igtcloud("api", "--list").splitlines():
        method, path, name, _ = line.split("\t")
        assert f"{method} {path}" in api and name in pages["igtcloud-api"]
    help_text = run(sandbox_program(), "--help")
    for option in re.findall(r"--[a-z0-9-]+", help_text):
        assert option in of_sandbox


def test_a_text_for_no_command_is_an_error(tmp_path):
    (tmp_path / "igtcloud-gone.roff").write_text(".SH NOTES\nno\n")
    done = make_man(tmp_path / "man1", tmp_path)
    assert done.returncode == 1 and "igtcloud-gone.roff" in done.stderr


# ---- completions ----

@functools.cache
def bash_completion():
    return igtcloud("completion", "bash")


def completed_bash(*lines):
    """What bash offers for the last word of each line, which is a list of words."""
    return [one for i in range(0, len(lines), 200) for one in completed_by_one_bash(lines[i:i + 200])]


def completed_by_one_bash(lines):
    """Each line in a shell of its own, as a new completion would be."""
    script = f"compopt() {{ COMPREPLY+=(\"<$2>\"); }}\n{bash_completion()}\n"
    for words in lines:
        quoted = " ".join(f"'{w}'" for w in ("igtcloud", *words))
        script += (f"(COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _igtcloud;"
                   " printf '%s\\n' \"${COMPREPLY[@]}\"); echo =\n")
    offered = run(shell("bash"), "-u", text=script).split("=\n")
    assert len(offered) == len(lines) + 1, offered
    return [one.split() for one in offered[:-1]]


def test_bash_completes_commands():
    assert first_words() <= set(completed_bash([""])[0])
    for group, members in groups().items():  # `station install`, of Windows, is beside `station FOLDER`
        folders = ["<plusdirs>"] if group in commands() else []
        assert completed_bash([group, ""], [group, members[0][:2]]) == [members + folders, members[:1] + folders]


def test_bash_completes_every_option():
    lines, expected = [], []
    for command in commands().values():
        words = command["name"].split()
        lines.append([*words, "-"])
        expected.append(sorted({s for o in command["options"] for s in forms(o)}))
        for option in (o for o in command["options"] if "value" in o):
            files = {"FILE": ["<default>"], "FOLDER": ["<dirnames>"]}.get(option["value"], [])
            offered = sorted(option["choices"].split("|")) if "choices" in option else files
            for before in [[s] for s in forms(option)] + [["--" + option["name"], "="]]:
                lines.append([*words, *before, ""])
                expected.append(offered)
    for line, offered, right in zip(lines, completed_bash(*lines), expected):
        assert sorted(offered) == right, line


def test_bash_completes_arguments():
    for given in ((), ("--ext", "--json"), ("--ext", "=", ".txt", "-q"), ("-u", "ann", "--quiet")):
        download = ("download", *given)
        assert completed_bash([*download, ""], [*download, "there", "p", "i", ""],
                              [*download, "there", ""]) == [["<dirnames>"], ["PROD", "TEST"], []]
    assert completed_bash(["completion", ""], ["help", "log"]) == [["bash", "zsh", "fish"], ["login", "logout"]]
    assert completed_bash(["help", "filt"]) == [["filters"]]


def test_bash_completes_options_before_the_command():
    offered = completed_bash(["--prof"], ["--profile", "lab", ""], ["--profile", "=", "lab", "-q", "study", ""],
                             ["--ca-file", ""], ["--profile", "lab", "completion", "f"], ["--profile", "l"])
    assert offered[0] == ["--profile"] and first_words() <= set(offered[1])
    assert offered[2:] == [groups()["study"], ["<default>"], ["fish"], []]


def test_help_behind_other_options():
    assert igtcloud("--profile", "x", "--help") == igtcloud("--help")
    assert igtcloud("-q", "study", "--help") == igtcloud("study", "--help")
    assert igtcloud("--quiet", "--version") == igtcloud("--version")


def test_fish_completes_every_option(tmp_path):
    """fish itself is asked."""
    (tmp_path / "c.fish").write_text(igtcloud("completion", "fish"))
    lines = ["igtcloud ", "igtcloud --profile lab ", "igtcloud --prof", "igtcloud help "] + [f"igtcloud {group} " for group in groups()]
    for command in commands().values():
        lines.append(f"igtcloud {command['name']} --")
        lines += [f"igtcloud {command['name']} --{o['name']} " for o in command["options"]
                  if "choices" in o]
    script = f"source {tmp_path}/c.fish\n" + "".join(
        f"echo '= {line}'; complete -C '{line}'\n" for line in lines)
    shown = run(shell("fish"), "--no-config", "-c", script, HOME=str(tmp_path),
                XDG_CONFIG_HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path))
    offered = {part.split("\n")[0]: {l.split("\t")[0] for l in part.split("\n")[1:]}
               for part in ("\n" + shown).split("\n= ")}
    assert first_words() <= offered["igtcloud "] and first_words() <= offered["igtcloud --profile lab "]
    assert offered["igtcloud --prof"] == {"--profile", ""} or offered["igtcloud --prof"] == {"--profile"}
    assert "filters" in offered["igtcloud help "]
    for group, members in groups().items():
        assert set(members) <= offered[f"igtcloud {group} "]
    for command in commands().values():
        assert {"--" + o["name"] for o in command["options"]} <= \
            offered[f"igtcloud {command['name']} --"]
        for option in command["options"]:
            if "choices" in option:
                assert set(option["choices"].split("|")) <= \
                    offered[f"igtcloud {command['name']} --{option['name']} "]


def test_zsh_completes_every_option(tmp_path):
    """The calls of zsh's own functions are looked at: a completion by zsh needs a terminal."""
    (tmp_path / "c").write_text(igtcloud("completion", "zsh"))
    script = (f"compdef() {{ :; }}\n_arguments() {{ print -rl -- \"$@\"; }}\n"
              f"_describe() {{ print -rl -- \"${{igtcloud_commands[@]}}\"; }}\n. {tmp_path}/c\n"
              "words=(igtcloud ''); CURRENT=2; _igtcloud\n"
              "print -r -- '= study'; words=(igtcloud --profile lab study ''); CURRENT=5; _igtcloud\n"
              "print -r -- '= download'; words=(igtcloud -q --profile=lab download ''); CURRENT=5; _igtcloud\n")
    for name in [*commands(), *groups()]:
        script += (f"print -r -- '= {name}'; words=(igtcloud {name} '');"
                   f" CURRENT={2 + len(name.split())}; _igtcloud\n")
    parts = ("\n" + run(shell("zsh"), "-f", "-c", script)).split("\n= ")
    listed = [line.split(":")[0] for line in parts[0].splitlines() if line]
    assert listed == list(dict.fromkeys(name.split()[0] for name in commands()))
    for part in parts[1:]:
        name, *specs = part.splitlines()
        if name in groups():
            members = [spec.split(":")[0] for spec in specs]
            assert members[:len(groups()[name])] == groups()[name]
            if name not in commands():
                assert members == groups()[name]
                continue
        for option in commands()[name]["options"]:
            for form in forms(option):
                spec = next(s for s in specs if re.search(rf"(^|\*|\)){form}[=+]?\[", s))
                assert ("value" in option) == bool(re.search(r"[=+]\[", spec)), spec
                if "choices" in option:
                    assert spec.endswith("(" + option["choices"].replace("|", " ") + ")")


def test_completion_of_no_such_shell():
    assert igtcloud("completion", "csh", status=2) == ""
