"""Secrets that travel to another provider."""
