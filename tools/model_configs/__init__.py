"""Writes the architecture configs that the dry run brings along."""
