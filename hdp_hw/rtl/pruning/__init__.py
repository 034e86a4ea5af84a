"""Which blocks and heads are worth computing, decided from the integer scores alone."""
