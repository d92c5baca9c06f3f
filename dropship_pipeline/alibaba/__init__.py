"""The Alibaba.com Open Platform API: signing, one sans-IO flow, two transports, errors, models, tokens."""
