"""I2CNN: a Caffe-faithful replication of the identity-inspired CNN for facial expressions."""

__version__ = "0.1.0"
