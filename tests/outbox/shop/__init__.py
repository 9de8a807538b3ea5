"""An application whose rows say which events there must be."""
