"""A believable history of a shop, made up: something for each view of the page to tell, and for benchmarks to read."""
