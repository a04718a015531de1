"""The recipe of the small language model that chooses and writes cited sentences."""
