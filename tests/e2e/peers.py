"""Debian's prometheus and node exporter, as programs under test."""
import json

import yaml

from hearth import Program, get, needs


class NodeExporter(Program):
    name = "prometheus-node-exporter"

    def command(self):
        address = f"--web.listen-address=127.0.0.1:{self.port}"
        return [needs(self.name), address, "--no-collector.systemd", "--log.level=error"]

    def is_ready(self):
        assert self.process.poll() is None, self.log
        try:
            return get(self.port, "/metrics", timeout=5).code == 200
        except OSError:
            return False


class Prometheus(Program):
    """Scrapes the targets every second and writes everything to the receiver, if there is one."""

    name = "prometheus"

    def __init__(self, folder, targets, receiver=None, port=None):
        super().__init__(folder, port)
        self.targets, self.receiver = dict(targets), receiver
        self.targets["prometheus"] = self.port
        self.more_flags = []

    def config(self):
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                for job, port in self.targets.items()
            ],
        }
        if self.receiver:
            config["remote_write"] = [
                {
                    "url": f"http://127.0.0.1:{self.receiver}/api/v1/write",
                    "queue_config": {"batch_send_deadline": "500ms", "max_backoff": "1s"},
                }
            ]
        return config

    def command(self):
        path = self.folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(self.config()))
        return [
            needs(self.name),
            f"--config.file={path}",
            f"--storage.tsdb.path={self.folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
            *self.more_flags,
        ]

    def ask(self, path, params):
        reply = get(self.port, path, params)
        assert reply.code == 200, (path, params, reply)
        return json.loads(reply.body)["data"]
