"""Every error Footnote raises on purpose.

    FootnoteError
    ├── ConfigurationError     a setting is wrong, or names something that cannot be used
    │   └── ModelError         a GGUF or an embedding model that cannot be loaded or is too small
    ├── QuestionError          the question itself cannot be asked (empty, far too long)
    ├── QuestionSetError       a file of questions that cannot be read
    ├── DumpError              nothing readable where a dump should be
    ├── SessionError           conversations that cannot be kept or found
    └── StoreError             the vector store cannot serve
        ├── StoreMissing       there is none yet
        ├── StoreIncompatible  it was built with other embeddings, or by another version
        ├── StoreDamaged       a part of it is missing or unreadable
        └── StoreBusy          another rebuild holds it

A message says what failed and which file, line or value; `hint` is the command or step that mends
it. Foreign exceptions are translated once, where the foreign library is called.
"""

_REBUILD = "Run: footnote rebuild"


class FootnoteError(Exception):
    """Base of all errors that a person can mend. `hint` may be empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigurationError(FootnoteError):
    """A setting is wrong, or names something that cannot be used."""


class ModelError(ConfigurationError):
    """A language or embedding model that cannot be loaded, or is too small for the work."""


class QuestionError(FootnoteError):
    """The question itself cannot be asked."""


class QuestionSetError(FootnoteError):
    """A file of questions with their answers that cannot be read."""


class DumpError(FootnoteError):
    """Nothing readable where a dump should be."""


class SessionError(FootnoteError):
    """Conversations that cannot be kept or found."""


class StoreError(FootnoteError):
    """The vector store cannot serve."""


class StoreMissing(StoreError):
    """There is no store yet."""


class StoreIncompatible(StoreError):
    """The store was built with another embedding model, or by another version of Footnote."""

    def __init__(self, message: str, hint: str = _REBUILD) -> None:
        super().__init__(message, hint)


class StoreDamaged(StoreError):
    """A part of the store is missing or unreadable."""

    def __init__(self, message: str, hint: str = _REBUILD) -> None:
        super().__init__(message, hint)


class StoreBusy(StoreError):
    """Another process is rebuilding the store."""
