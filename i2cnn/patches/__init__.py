"""From a face to its patches, and into a Caffe LMDB."""

#: How a patch can be stored in an LMDB.
ENCODINGS = ("png", "jpeg", "raw")
#: Jittered copies of a patch.
MOST_COPIES = 100
