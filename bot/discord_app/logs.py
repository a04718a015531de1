"""Log records -> one line of JSON each, without anybody's words and without secrets.

Words are left out by never being logged (unless FOOTNOTE_DISCORD_LOG_TEXT says so); secrets are taken out
of whatever is: the bot's token, and the tokens in the addresses of interactions, which discord.py names
in its warnings.
"""

import datetime
import json
import logging
import re
import sys
from typing import TextIO

_IN_ADDRESS = re.compile(r"((?:webhooks|interactions)/\d+/)[^/\s\"'?]+")
_HIDDEN = "***"


class JsonLines(logging.Formatter):
    """`extra={"fields": {...}}` of a record is merged into its line."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = tuple(secret for secret in secrets if secret)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "at": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return self.without_secrets(json.dumps(line, default=str))

    def without_secrets(self, text: str) -> str:
        """A text with every secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _IN_ADDRESS.sub(r"\1" + _HIDDEN, text)


def log_to(stream: TextIO, *secrets: str) -> None:
    """Send every record of this process, and what ends it, to a stream as lines of JSON."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("discord.client").setLevel(logging.WARNING)
    # A traceback that Python prints itself would bypass the formatter.
    sys.excepthook = lambda kind, error, trace: root.critical("crashed", exc_info=(kind, error, trace))
