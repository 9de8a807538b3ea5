"""The whole way of events, simulated: one seed decides every answer, fault, step of a clock and order of threads."""
