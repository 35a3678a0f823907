"""All homes of all servers: which there are, and how they are brought to the newest revision together."""
