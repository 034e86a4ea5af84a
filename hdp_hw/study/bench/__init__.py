"""hdp-hw bench: clock cycles in simulation, held against the golden models as they are measured."""
