"""The evidence model: which sentence answers a question, or that none does. Its data, training and figures."""
