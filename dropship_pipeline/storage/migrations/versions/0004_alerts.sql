-- Frozen once released.
SELECT 1;
