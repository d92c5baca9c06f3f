"""The stages of a sync: discover, describe, stock, quote, publish, and what they share."""
