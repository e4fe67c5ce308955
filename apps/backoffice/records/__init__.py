"""What several parts of the staff plane show of one kind of record: badges, links, facts and short tables."""
