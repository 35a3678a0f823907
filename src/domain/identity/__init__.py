"""The clinic's users: accounts, roles, logins and their sessions."""
