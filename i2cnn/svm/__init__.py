"""The SVM on features of patches, through Gram matrices."""

# Names that a command line needs; what loads scikit-learn is elsewhere, so help is quick.

#: Kernels that an SVM may have.
KERNELS = ("linear", "polynomial", "rbf")
#: Pictures of a person that the others may be measured from.
REFERENCES = ("none", "person", "neutral", "first")
