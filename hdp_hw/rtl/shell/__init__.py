"""The co-processor around the cores: registers, jobs, and the memory port."""
