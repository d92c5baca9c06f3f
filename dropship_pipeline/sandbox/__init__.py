"""A simulated Alibaba.com over HTTP. Imports nothing of the client, so that neither hides the faults of the other."""
