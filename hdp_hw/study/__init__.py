"""Questions about models: what pruning saves and costs, and which hardware is worth building."""
