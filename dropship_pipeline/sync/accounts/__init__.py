"""The buyers' accounts: authorised by a person, kept alive by themselves."""
