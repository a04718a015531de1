"""The prompts, as text files with named variables ($name); `rag.prompt` fills them in."""
