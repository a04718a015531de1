"""The weights that ship with Footnote, as data: see each folder's README.md."""
