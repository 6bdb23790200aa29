"""Random nets beside a genuine Caffe: `make conformance`, or `python -m tests.conformance`."""
