"""What needs a person now, by customer, and what staff decide about it."""
