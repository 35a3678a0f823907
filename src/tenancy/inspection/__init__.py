"""What `clinic doctor` looks at: roles, grants, walls and shapes of every home, homes against the registry."""
