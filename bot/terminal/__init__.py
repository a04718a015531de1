"""The terminal chat: commands and wording as plain functions, `screen` the only one that touches the terminal."""
