"""git on our heap: a repository made on it, another one taken over; packed anew and verified."""
import os
import pathlib
import subprocess

from runner import Skipped, program

LONG = bool(os.environ.get("HEARTH_LONG"))
SOURCE = pathlib.Path(__file__).resolve().parents[2]


def prepare(r):
    r.env.update(GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_AUTHOR_DATE="1700000000 +0000",
                 GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b",
                 GIT_COMMITTER_DATE="1700000000 +0000")
    # Whoever owns the source; and nothing goes on behind our back.
    (r.folder / ".gitconfig").write_text(
        "[safe]\ndirectory = *\n[gc]\nauto = 0\n[maintenance]\nauto = false\n")
    return program("git")


def pack_and_verify(r, git):
    r.run(git, "-C", "r", "-c", "pack.threads=4", "gc", "-q", "--aggressive", "--prune=now")
    r.run(git, "-C", "r", "fsck", "--full", "--strict")
    return r.run(git, "-C", "r", "rev-parse", "HEAD") + r.run(git, "-C", "r", "log", "--stat")


def git_repository(r):
    git = prepare(r)
    files, commits = (2000, 60) if LONG else (100, 3)
    r.run(git, "init", "-q", "r")
    repository = r.folder / "r"
    for commit in range(commits):
        for i in range(commit % 7, files, 7 if commit else 1):
            lines = (f"line {k * (i + 1)} of {commit if k % 50 == 0 else 0}\n" for k in range(200))
            (repository / f"f{i}.txt").write_text("".join(lines))
        r.run(git, "-C", "r", "add", "-A")
        r.run(git, "-C", "r", "commit", "-q", "-m", f"commit {commit}")
    return pack_and_verify(r, git)


def git_clone(r):
    """The repository this source comes from, if it does; of its history, the end."""
    git = prepare(r)
    depth = [] if LONG else ["--depth=32"]
    here = subprocess.run([git, "-C", SOURCE, "rev-parse", "HEAD"], env=r.env, capture_output=True,
                          check=False)
    if here.returncode != 0:
        raise Skipped("the source is in no git repository")
    r.run(git, "clone", "-q", "--no-local", *depth, f"file://{SOURCE}", "r")
    return pack_and_verify(r, git)
