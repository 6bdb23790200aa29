"""From a data set to faces with five landmarks each."""
