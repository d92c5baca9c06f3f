"""Telling people what needs them: the rules of when, and the message."""
