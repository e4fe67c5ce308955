"""How pages show a kind of record: badges, links, facts and short tables. Shared by pages, workspace and credits."""
