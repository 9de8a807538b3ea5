"""A Django app with one table for each library that writes down what becomes of rows; see `benchmarks.model_events`."""
