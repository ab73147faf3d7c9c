"""Reads the published packages of vLLM and verl as text and keeps what the guide needs of them."""
