"""Step 5 of the pipeline: SVM over person-independent folds, as `i2cnn svm`."""

import sys

from i2cnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["svm", *sys.argv[1:]]))
