"""The co-processor around the cores: what it fetches, and what that costs on the bus."""
