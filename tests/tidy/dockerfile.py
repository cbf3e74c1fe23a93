#!/usr/bin/env python3
"""Check deploy/Dockerfile where no Docker is at hand.

    dockerfile.py <Dockerfile> [binary]

Reads it line by line and holds it to what hadolint's main rules ask: pinned bases, known stages,
no ADD, apt without recommendations and without leftovers, exec form, a user that is not root, a
port and a volume. With the built binary it also asks dpkg which packages own the libraries that it
loads, and fails when the last stage does not install them. It does not build the image.
"""
import pathlib
import re
import subprocess
import sys

PORT = "9428"
IN_THE_BASE = {"libc6", "libgcc-s1", "libstdc++6", "zlib1g"}


def instructions(text):
    """(line number, INSTRUCTION, arguments), with continued lines joined and comments dropped."""
    number, start, words = 0, 0, ""
    for line in text.splitlines():
        number += 1
        if not words and (not line.strip() or line.lstrip().startswith("#")):
            continue
        start = start if words else number
        words += line.rstrip("\\").strip() + " "
        if not line.endswith("\\"):
            name, _, arguments = words.strip().partition(" ")
            yield start, name.upper(), arguments.strip()
            words = ""


class Stage:
    def __init__(self, line, base):
        self.line, self.base, self.seen, self.user, self.packages = line, base, {}, "root", set()


def check_from(stages, line, arguments, errors):
    m = re.fullmatch(r"(\S+)(?:\s+AS\s+(\S+))?", arguments, re.IGNORECASE)
    base = m[1] if m else arguments
    if base not in stages and (":" not in base or base.endswith(":latest")):
        errors.append((line, f"FROM {base}: pin the version"))
    stage = Stage(line, base)
    stages[(m and m[2]) or str(len(stages))] = stage
    return stage


def check_run(stage, line, arguments, errors):
    for install in re.findall(r"apt-get\s+(?:-\S+\s+)*install\s+([^&;|]*)", arguments):
        words = install.split()
        stage.packages.update(word for word in words if not word.startswith("-"))
        if "-y" not in arguments or "--no-install-recommends" not in words:
            errors.append((line, "apt-get install without -y --no-install-recommends"))
        if "rm -rf /var/lib/apt/lists/" not in arguments:
            errors.append((line, "apt-get install leaves /var/lib/apt/lists behind"))
    if re.search(r"\b(sudo|apt|curl[^|]*\|\s*(ba)?sh)\s", arguments):
        errors.append((line, "RUN with sudo, apt or a piped download"))


def check_copy(stages, line, arguments, errors):
    m = re.search(r"--from=(\S+)", arguments)
    if m and m[1] not in stages:
        errors.append((line, f"COPY --from={m[1]}: no such stage"))


def check_last(stage, errors):
    need = {"USER": "a user", "EXPOSE": f"port {PORT}", "VOLUME": "a volume", "ENTRYPOINT": "one"}
    for name, what in need.items():
        if name not in stage.seen:
            errors.append((stage.line, f"the last stage has no {name} ({what})"))
    if stage.seen.get("EXPOSE", PORT) != PORT:
        errors.append((stage.line, f"EXPOSE is not {PORT}"))
    if stage.user.split(":")[0] in ("root", "0"):
        errors.append((stage.line, "the last stage runs as root"))


def check(text):
    """(errors as (line, text), the last stage)"""
    stages, stage, errors = {}, None, []
    for line, name, arguments in instructions(text):
        if name == "FROM":
            stage = check_from(stages, line, arguments, errors)
        elif stage is None:
            if name != "ARG":
                errors.append((line, f"{name} before FROM"))
        else:
            stage.seen[name] = arguments
        if name == "ADD":
            errors.append((line, "ADD: use COPY"))
        elif name == "USER":
            stage.user = arguments
        elif name == "RUN":
            check_run(stage, line, arguments, errors)
        elif name == "COPY":
            check_copy(stages, line, arguments, errors)
        elif name in ("ENTRYPOINT", "CMD") and not arguments.startswith("["):
            errors.append((line, f"{name} in shell form: signals would not arrive"))
    if stage is None:
        return [(1, "no FROM")], None
    check_last(stage, errors)
    return errors, stage


def packages_of(binary):
    """Debian packages of the libraries that the binary names itself or pulls in."""
    loaded = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    for path in re.findall(r"=> (/\S+)", loaded):
        real = path.removeprefix("/usr")
        for candidate in (path, "/usr" + real, real):
            owner = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True)
            if owner.returncode == 0:
                yield owner.stdout.split(":")[0]
                break


def depends_of(packages):
    """The packages and everything they depend on."""
    if not packages:
        return set()
    run = subprocess.run(
        ["apt-cache", "depends", "--recurse", "--installed", "--important", *packages],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {line.split(":")[0] for line in run.stdout.splitlines() if line and line[0].isalpha()}


def main():
    path = pathlib.Path(sys.argv[1])
    errors, stage = check(path.read_text())
    if len(sys.argv) > 2 and stage:
        installed = depends_of(stage.packages) | IN_THE_BASE
        for package in sorted(set(packages_of(sys.argv[2])) - installed):
            errors.append((stage.line, f"the binary loads a library of {package}: install it"))
    for line, text in errors:
        print(f"{path}:{line}: {text}")
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
