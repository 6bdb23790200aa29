"""From a data set to faces with five landmarks each."""

#: Where landmarks come from: the data set where it has them, or always dlib.
POINTS = ("given", "detected")
