"""dockerfile.py: each rule on a file that breaks it, and the real rules on a file that does not."""
import pytest

import dockerfile

GOOD = """\
# a comment
FROM debian:12 AS build
RUN make
FROM debian:12-slim
RUN apt-get update \\
    && apt-get install -y --no-install-recommends libone libtwo \\
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /a /b
USER hearth
VOLUME /data
EXPOSE 9428
ENTRYPOINT ["/b"]
"""


def errors_of(text):
    return [text for _, text in dockerfile.check(text)[0]]


def test_a_good_file_has_no_errors_and_its_packages_are_known():
    errors, stage = dockerfile.check(GOOD)
    assert errors == []
    assert stage.packages == {"libone", "libtwo"}


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("debian:12 AS", "debian AS", "pin the version"),
        ("debian:12-slim", "debian:latest", "pin the version"),
        ("USER hearth", "USER root", "runs as root"),
        ("USER hearth\n", "", "no USER"),
        ("VOLUME /data\n", "", "no VOLUME"),
        ("EXPOSE 9428", "EXPOSE 80", "EXPOSE is not 9428"),
        ('ENTRYPOINT ["/b"]', "ENTRYPOINT /b", "shell form"),
        ("--from=build", "--from=built", "no such stage"),
        ("COPY --from=build /a /b", "ADD x /b", "use COPY"),
        (" --no-install-recommends", "", "without -y"),
        (" \\\n    && rm -rf /var/lib/apt/lists/*", "", "behind"),
        ("RUN make", "RUN curl x | sh -", "piped"),
    ],
)
def test_each_rule_is_seen(old, new, said):
    assert old in GOOD
    found = errors_of(GOOD.replace(old, new))
    assert any(said in text for text in found), found
