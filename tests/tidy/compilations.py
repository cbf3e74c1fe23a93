"""compilations - what the compiler is called with, from compile_commands.json.

A file that several targets compile with the same flags is there once: it would say the same again.
"""
import json
import shlex


def flags_of(entry):
    """The compiler's words without itself, the source and the object."""
    words = [word for word in shlex.split(entry["command"]) if word not in ("ccache", "-c")]
    words.remove(entry["file"])
    target = words.index("-o")
    return words[1:target] + words[target + 2 :]


def read(build):
    entries = json.loads((build / "compile_commands.json").read_text())
    return list({(entry["file"], *flags_of(entry)): entry for entry in entries}.values())
