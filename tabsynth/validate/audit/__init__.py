"""The audit: an attack on our own guarantee. HOLDS REAL ROWS only of tables it makes up; reaches into `curator` on purpose.

Four layers, the cheapest first: another accountant adds up the ledger; nothing but noise may tell two neighbouring tables apart; log
likelihood ratios of what the curator answered, stage by stage and together; and an attack that sees synthetic rows only. Noise is tested
beside them.
"""
