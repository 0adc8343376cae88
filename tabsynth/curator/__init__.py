"""HOLDS REAL ROWS. What leaves this package is noise, and every bit of it is on the ledger."""
