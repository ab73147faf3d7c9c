"""Stands in for setuptools while pip asks a source archive for its metadata."""
