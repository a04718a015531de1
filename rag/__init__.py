"""Retrieval, generation and citation over a shelf of papers.

Knows nothing of Discord, terminals or command-line arguments; those live in `bot`.
"""
