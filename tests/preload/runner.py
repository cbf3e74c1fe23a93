"""Running a program with or without the library in LD_PRELOAD, in a folder of its own."""
import os
import shutil
import subprocess


class Skipped(Exception):
    pass


class Runner:
    """Runs commands in one folder, with or without the library."""

    def __init__(self, folder, library):
        self.folder = folder
        self.env = dict(os.environ, LC_ALL="C", HOME=str(folder), PYTHONMALLOC="malloc",
                        PYTHONHASHSEED="0", GIT_CONFIG_NOSYSTEM="1")
        self.report = folder / "report"
        if library:
            self.env.update(LD_PRELOAD=library, HEARTH_MALLOC_REPORT=str(self.report))

    def reported(self):
        """The processes that walked their heap and ended: pid -> was it compared with the books?"""
        lines = self.report.read_text().splitlines() if self.report.exists() else []
        words = [line.split() for line in lines]
        begun = {int(w[0]) for w in words if w[1] == "walks"}
        ended = {int(w[0]): w[4] == "1" for w in words if w[1] != "walks"}
        if begun != set(ended):
            raise AssertionError(f"died while they walked their heaps: {begun - set(ended)}")
        return ended

    def run(self, *command, stdin=b""):
        done = subprocess.run([str(word) for word in command], cwd=self.folder, env=self.env,
                              input=stdin, capture_output=True, check=False)
        if done.returncode != 0:
            tail = (done.stdout + done.stderr)[-3000:].decode(errors="replace")
            raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}\n{tail}")
        return done.stdout


def program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if not path:
        raise Skipped(f"no {name} here")
    return path
