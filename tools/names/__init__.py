"""Finds the settings that snippets and pages name, and asks the release contracts whether they exist."""
