"""Whether all is well: audits, findings, the doctor, the status."""
