"""Tables, seasons and random streams a simulation is given."""
