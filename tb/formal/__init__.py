"""Proofs with SymbiYosys: what holds for every input, beside the benches' chosen ones."""
