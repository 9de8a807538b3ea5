"""How requests and their views reach the core, whichever framework serves them."""
