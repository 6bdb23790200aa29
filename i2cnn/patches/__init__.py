"""From a face to its patches, and into a Caffe LMDB."""

#: How a patch can be stored in an LMDB.
ENCODINGS = ("png", "jpeg", "raw")
#: Side of a patch in pixels: the paper's (section 3.3), and what can be written.
PATCH_SIZE, SMALLEST_SIZE, LARGEST_SIZE = 256, 16, 1024
#: Jittered copies of a patch.
MOST_COPIES = 100
