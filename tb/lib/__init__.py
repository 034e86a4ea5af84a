"""What the benches share: simulation, drivers, monitors, checkers."""
