"""One line per event on stdout, facts as key=value pairs, of bounded length."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LONGEST_VALUE = 300
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def set_up() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Pairs())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _Pairs(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        facts = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        facts.update({k: str(v) for k, v in vars(record).items() if k not in STANDARD})
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)[-LONGEST_VALUE:]
        return " ".join(f"{key}={_quoted(value[:LONGEST_VALUE])}" for key, value in facts.items())


def _quoted(value: str) -> str:
    plain = value.isprintable() and not any(c in ' "=' for c in value)
    return value if plain and value else json.dumps(value, ensure_ascii=False)
