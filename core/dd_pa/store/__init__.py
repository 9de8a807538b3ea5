"""Where events wait for delivery."""
