"""The tracking plan: events that an application declares as classes, and what is made of them."""
