"""What nets are made of: blobs, the layer interface, random numbers, fillers, runtime state."""
