"""The `i2cnn` command."""
