"""Vocabulary and machinery that every other app stands on. Imports no app."""
