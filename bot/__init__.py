"""The surfaces: command line, terminal chat, and the rendering they share.

Knows nothing of chromadb, llama_cpp or prompts; all of that is behind `rag`.
"""
