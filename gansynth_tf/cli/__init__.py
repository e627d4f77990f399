"""Command-line tools: one thin module for each."""
