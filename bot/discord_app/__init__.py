"""The Discord bot.

client.py      the gateway's events, buttons and menus -> calls
commands.py    the slash commands -> calls
posting.py     posts -> what Discord shows; what discord.py raises
connection.py  logging in, and in again; no module but these four imports discord
asking.py      one question's life, from its place in the queue to its one final reply
library.py     what is looked up in the store, off the event loop; the process's one embedder
kept.py        what outlives the process: questions, answers' buttons, feedback, servers' settings (SQLite)
service.py     starts it all, and ends it within ten seconds
cards.py  wording.py  markdown.py  split.py  parsing.py     plain functions: what is shown, what was meant
watch.py  logs.py                                           lag and counts; logs without words or secrets
"""
