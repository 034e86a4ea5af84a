"""The co-processor's schedule around its cores."""
