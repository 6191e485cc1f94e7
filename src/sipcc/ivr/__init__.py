"""What to say and what to ask: prompts, menus, flows."""
