"""What nets are built from: blobs, the layer interface, random numbers, fillers, runtime state."""
