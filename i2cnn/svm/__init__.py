"""The SVM on fc7 features, through Gram matrices."""
