"""Who is calling and what they may do: passwords, tokens, permissions. Knows no table and no clinic's rules."""
