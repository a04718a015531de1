"""XML -> the elements at one depth, one after another, each with its line.

    <PubmedArticleSet>               depth 0
      <PubmedArticle> ... </>        depth 1: elements(open_, name, 1) yields each of these
      <PubmedArticle> ... </>

Everything outside them is forgotten as it passes, so memory stays at one element, however large the file is.
Nothing outside the file is ever fetched, and a file that declares entities or attributes of its own is not
read: a few of those can stand for gigabytes or hours. Knows nothing of formats.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers.expat import ErrorString

from defusedxml.ElementTree import XMLParser

from rag.text import clean
from rag.types import Rejected

# Far above any record: 3,000 authors with affiliations of 300 characters are about 2 million.
MAX_ELEMENT = 8 * 2**20
_ELEMENT_COSTS = 32  # characters that an element without a text counts for, since it takes memory too
MAX_DEPTH = 100  # far above what either format nests, formulas included
# The parser keeps every name it ever saw; those of the Anthology's file for ACL 2022 have 293 letters in all.
MAX_NAMES = 2**16
# The parser reads an unfinished tag or comment again with each chunk; none that is honest is this long.
MAX_TOKEN = 2**20
_CHUNK = 2**16
_LONGEST_DECLARATION = 2**10  # of which the end of a chunk may cut a part off; most have some fifty bytes

_BREAKS = {"br", "p", "par"}


class Entry(NamedTuple):
    """An element, the line its start tag is on, and the attributes of those around it, the outermost first."""

    line: int
    element: Element
    around: tuple[dict[str, str], ...]


class _Refused(ValueError):
    """The file is sound XML, but made to hurt."""


def elements(open_: Callable[[], BinaryIO], name: str, depth: int) -> Iterator[Entry | Rejected]:
    """Yield each element `depth` levels below the outermost one, in order.

    One that is too large is rejected at its line, and so is one within another of its name: a lost end tag and a
    later one too many give sound XML. Documents of one kind may stand one after another, as `cat *.xml` puts them.
    Where the XML is damaged the rest of the file is rejected, at the line of the damage and with the parser's reason.
    """
    reader, last = _Reader(depth), b""
    with open_() as stream:
        while chunk := stream.read(_CHUNK):
            why = reader.feed(chunk)
            yield from reader.taken(name)
            while why and (rest := reader.next_document(last + chunk)):
                reader = _Reader(depth, reader.line - 1, reader.root)
                why = reader.feed(rest)
                yield from reader.taken(name)
            if why:
                yield Rejected(name, reader.line, f"{why}; nothing from here on is read")
                return
            last = (last + chunk)[-_LONGEST_DECLARATION:]
        if why := reader.feed(b""):
            yield Rejected(name, reader.line, f"the file ends early: {why}")


def names_in(head: bytes) -> list[str]:
    """The names of the elements at the beginning of a file, each once, the outermost first; [] if it is no XML."""
    reader = _Reader(depth=MAX_DEPTH)
    reader.feed(head.lstrip())
    return [name for name in reader.names if not name.startswith("@")]


def text_of(element: Element | None) -> str:
    """All text in an element as one clean line, without its markup; "" for None.

    >>> from xml.etree.ElementTree import XML
    >>> text_of(XML("<title>Ada<b>LeR</b>:<br/>H<sub>2</sub>O </title>"))
    'AdaLeR: H2O'
    """
    if element is None:
        return ""
    for part in element.iter():
        if part.tag in _BREAKS:
            part.tail = " " + (part.tail or "")
    return clean("".join(element.itertext()))


class _Reader:
    """What the parser calls: builds the elements of one depth and lets all others pass."""

    def __init__(self, depth: int, lines_before: int = 0, root: str = "") -> None:
        """`root`: what the outermost element has to be; "" for any."""
        self.root = root
        self._lines_before = lines_before
        self._fed = 0
        self.names: dict[str, None] = {}
        self._names_size = 0
        self._depth = depth
        self._around: list[dict[str, str]] = []
        self._taken: list[Entry | tuple[int, str]] = []
        self._tag = ""
        self._tree: TreeBuilder | None = None
        self._size = self._begun = 0
        self._silent, self._spoke = 0, False
        self._parser = XMLParser(target=self)
        self._expat = self._parser.parser
        self._expat.StartDoctypeDeclHandler = self._doctype

    @property
    def line(self) -> int:
        """The line that is being read."""
        return self._lines_before + int(self._expat.CurrentLineNumber)

    def feed(self, chunk: bytes) -> str:
        """Read on, or finish if there is nothing more; why that is not possible, or ""."""
        self._spoke = False
        self._fed += len(chunk)
        try:
            if chunk:
                self._parser.feed(chunk)
            else:
                self._parser.close()
        except ParseError as exc:
            return f"damaged XML: {ErrorString(exc.code)} at column {exc.position[1] + 1}"
        except (ValueError, LookupError) as exc:  # refused, or an encoding that is none
            return f"XML that cannot be read: {clean(str(exc))[:200]}"
        self._silent = 0 if self._spoke else self._silent + len(chunk)
        return f"XML that cannot be read: a tag of more than {MAX_TOKEN:,} bytes" if self._silent > MAX_TOKEN else ""

    def next_document(self, read: bytes) -> bytes:
        """What to read on with if another document begins where this one could not be read on; of what was `read`."""
        begins = len(read) - self._fed + self._expat.ErrorByteIndex
        another = self._expat.ErrorByteIndex > 0 <= begins and not self._around and read.startswith(b"<?xml", begins)
        return read[begins:] if another else b""

    def taken(self, name: str) -> Iterator[Entry | Rejected]:
        """The elements that were finished since the last time."""
        for entry in self._taken:
            yield entry if isinstance(entry, Entry) else Rejected(name, *entry)
        self._taken = []

    # From here on what the parser calls, by the names it asks for.

    def start_ns(self, prefix: str, _: str) -> None:
        self._learn(f"@xmlns:{prefix}")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._spoke = True
        self._learn(tag)
        for name in attributes:
            self._learn(f"@{name}")
        if len(self._around) > MAX_DEPTH:
            raise _Refused(f"elements nested more than {MAX_DEPTH} deep")
        if not self._around and self.root not in ("", tag):
            raise _Refused(f"a document of another kind: <{tag[:40]}>")
        self.root = self.root or tag
        if len(self._around) == self._depth:
            self._tree, self._size, self._begun, self._tag = TreeBuilder(), 0, self.line, tag
        elif self._tree and tag == self._tag:
            self._taken.append((self.line, f"a <{tag[:40]}> within another"))
        self._around.append(attributes)
        if self._grows(_ELEMENT_COSTS + sum(map(len, attributes.values()))) and self._tree:
            self._tree.start(tag, attributes)

    def data(self, text: str) -> None:
        self._spoke = True
        if self._grows(len(text)) and self._tree:
            self._tree.data(text)

    def end(self, tag: str) -> None:
        self._spoke = True
        self._around.pop()
        if self._tree:
            self._tree.end(tag)
        if len(self._around) == self._depth:
            self._taken.append(
                Entry(self._begun, self._tree.close(), tuple(self._around))
                if self._tree
                else (self._begun, f"a record of more than {MAX_ELEMENT:,} characters")
            )
            self._tree = None

    def _grows(self, size: int) -> bool:
        self._size += size
        if self._size > MAX_ELEMENT:
            self._tree = None
        return self._tree is not None

    def _learn(self, name: str) -> None:
        if name not in self.names:
            self.names[name] = None
            self._names_size += len(name)
            if self._names_size > MAX_NAMES:
                raise _Refused(f"names of more than {MAX_NAMES:,} letters in all")

    def _doctype(self, name: str, _system: str | None, _public: str | None, declares: bool) -> None:
        self._spoke = True
        if declares:
            self._learn(name)  # the outermost element's: the format can still be told, and the reason given
            raise _Refused("a document type with declarations of its own")
