"""Who may do what: names, tokens, roles, sessions, limits and the headers that hold browsers to them."""
