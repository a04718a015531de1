"""Recipes of the models that ship with the product. Nothing in the product imports them."""
