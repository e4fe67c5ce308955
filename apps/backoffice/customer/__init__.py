"""The page of an organization as the page of a customer: its state, its money, and everything that happened."""
