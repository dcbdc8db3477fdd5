# SPDX-License-Identifier: MIT
"""What the README shows is what happens."""

import os
import re
import subprocess

import pytest

from igtcloud import build_folder, environment, program
from sandbox import ROOT, Sandbox

BUILD = build_folder()
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def alike(text):
    """Without what differs from run to run."""
    text = re.sub(r"\d+\.\d s\b", "N s", text)
    text = re.sub(r"[\d.]+ [KM]?i?B/s", "N/s", text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "URL", text)
    return text.strip()


def test_first_steps_with_the_sandbox(tmp_path):
    """Each line that begins with $ is run in one shell, and prints what stands below it."""
    (text,) = blocks("console")
    steps = [part.split("\n", 1) for part in re.split(r"^\$ ", text, flags=re.M)[1:]]
    assert steps[0][0] == "igtcloud-sandbox --data my-cloud --seed demo --port 8080 &"
    with Sandbox(seed="demo", data=tmp_path / "my-cloud") as sandbox:
        env = environment(tmp_path, XDG_STATE_HOME=tmp_path / "state")
        env["PATH"] = f"{os.path.dirname(program())}:{env['PATH']}"
        script = "".join(f"echo '=== {i}'\n{command}\n" for i, (command, _) in
                         enumerate(steps) if i)
        script = script.replace("http://127.0.0.1:8080", sandbox.url)
        done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0, done
    shown = [alike(part) for part in re.split(r"^=== \d+$", done.stdout, flags=re.M)[1:]]
    assert shown == [alike(expected) for _, expected in steps[1:]]


def test_the_c_program_compiles(tmp_path):
    """The C program compiles as it stands."""
    (text,) = blocks("c")
    include, rest = text.split("\n\n", 1)
    (tmp_path / "main.c").write_text(f"{include}\n#include <stdio.h>\nint main(void) {{\n{rest}\n"
                                     "return 0;\n}\n")
    done = subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                           f"-I{ROOT}/include", f"-I{BUILD}/api", tmp_path / "main.c"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md",
                                  "packaging/README.md"])
def test_links_lead_somewhere(name):
    path = ROOT / name
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


def test_architecture_names_what_there_is():
    """Its drawings name functions and files: each must be somewhere in the source."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    sources = [p for d in ("lib", "cli", "include", "sandbox") for p in (ROOT / d).rglob("*.[ch]")]
    code = "\n".join(p.read_text("utf-8") for p in sources) + \
        (BUILD / "api/igtcloud/operations.h").read_text("utf-8")
    for name in set(re.findall(r"\b(?:igt_|igt__)\w+", text)):
        assert name in code, name
    names = {p.name for p in sources}
    for name in set(re.findall(r"\b(\w+\.[ch])\b", text)):
        assert name in names, name


@pytest.mark.parametrize("page", ["data-manager", "researcher", "programmer", "station-operator"])
def test_the_first_ten_minutes(page, tmp_path):
    """The commands of the page, in order, by someone who has nothing but the sandbox of the page; C compiles and runs."""
    text = (ROOT / f"docs/start/{page}.md").read_text("utf-8").replace("INSTITUTE", "north").replace("PROJECT", "demo")
    commands = re.findall(r"^    (.*?)(?:  +#.*)?$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    commands = [c for c in commands if not re.match(r"git clone|sudo |igtcloud-sandbox|export CLOUD_DOMAIN|.*jq", c)]
    with Sandbox(seed="demo", data=tmp_path / "my-cloud") as sandbox:
        env = environment(tmp_path, XDG_STATE_HOME=tmp_path / "state", CLOUD_DOMAIN=sandbox.url)
        env["PATH"] = f"{os.path.dirname(program())}:{env['PATH']}"
        (tmp_path / "report.txt").write_text("nothing particular\n")
        login = "echo demo | igtcloud login --background --password-stdin --user demo@example.com"
        script = "\n".join([*([login] if login not in commands else []), *commands, "igtcloud logout"])
        script = script.replace("--settle 10s", "--settle 1s --once")
        done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0 and len(commands) >= 1, done.stdout
    for source in re.findall(r"^```c\n(.*?)^```", text, re.M | re.S):
        (tmp_path / "main.c").write_text(source)
        compiled = subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{ROOT}/include",
                                   f"-I{BUILD}/api", tmp_path / "main.c"], capture_output=True, text=True)
        assert compiled.returncode == 0, compiled.stderr


def test_the_table_of_commands_is_complete():
    overview = subprocess.run([program(), "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  ((?!help )[a-z-]+(?: [a-z-]+)?)  +\w", overview, re.M)
    table = README.split("\n## Commands\n")[1].split("\n## ")[0]
    rows = [re.findall(r"`([^`]+)`", line.replace("\\|", "/").split("|")[1]) for line in table.splitlines() if line.startswith("| `")]
    listed = {word.split()[0] for row in rows for word in row}
    listed |= {f"{row[0].split()[0]} {word}" for row in rows for word in [*row[0].split()[1:2], *row[1:]]}
    assert len(commands) > 40 and [c for c in commands if c not in listed] == []
