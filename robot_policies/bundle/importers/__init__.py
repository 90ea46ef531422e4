"""Importers: policies of other projects become bundles. Nothing is guessed."""
