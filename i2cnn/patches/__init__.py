"""From a face to its patches, and into a Caffe LMDB."""
