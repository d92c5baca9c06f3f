"""Questions to the tables that change nothing: audits, figures, what a person asks."""
