"""A synthetic city that uses its medical-insurance fund, mostly honestly: recordings with known frauds in them."""
