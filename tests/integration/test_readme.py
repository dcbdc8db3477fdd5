# SPDX-License-Identifier: MIT
"""What the README shows is what happens."""

import os
import re
import subprocess

from igtcloud import environment, program
from sandbox import ROOT, Sandbox

README = (ROOT / "README.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def alike(text):
    """Without what differs from run to run."""
    text = re.sub(r"\d+\.\d s\b", "N s", text)
    text = re.sub(r"[\d.]+ [KM]?i?B/s", "N/s", text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "URL", text)
    return re.sub(r"into .*/\./", "into HERE/", text).strip()


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


def test_program(tmp_path):
    """The C program compiles as it stands."""
    (text,) = blocks("c")
    include, rest = text.split("\n\n", 1)
    (tmp_path / "main.c").write_text(f"{include}\n#include <stdio.h>\nint main(void) {{\n{rest}\n"
                                     "return 0;\n}\n")
    api = os.path.join(os.path.dirname(program()), "api")
    done = subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                           f"-I{ROOT}/include", f"-I{api}", tmp_path / "main.c"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
