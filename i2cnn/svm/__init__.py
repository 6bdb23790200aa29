"""The SVM on fc7 features, through Gram matrices."""

#: Pictures of a person that the others may be measured from; loads nothing, so help is quick.
REFERENCES = ("none", "person", "neutral", "first")
