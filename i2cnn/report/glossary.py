"""The terms of the report and the documentation that a newcomer may not know, explained once."""

from __future__ import annotations

#: Explanation of each term, one or two sentences of plain text; in alphabetical order.
GLOSSARY: dict[str, str] = {
    "boosted LBP": (
        "LBP histograms of only those sub-windows of the face that AdaBoost selects because they "
        "tell one expression from the others (Shan, Gong and McOwan 2009)."
    ),
    "calibration": (
        "Fitting how decisions become probabilities, on people whom the SVM has not seen. The "
        "expected calibration error is the mean difference between the probability of a label and "
        "the share of such labels that is right, over ten bins of probability; 0 is perfect."
    ),
    "chance": "Accuracy of always naming the most frequent label. Every method must exceed it.",
    "fc7": (
        "The second fully connected layer of AlexNet: 4096 numbers per patch in the paper's "
        "network. I2CNN uses the network only to compute them; an SVM names the expression. The "
        "SVM of the profiles quick and better takes the last convolution instead."
    ),
    "flat": (
        "A training is flat if its loss never left ln(number of classes), the loss of guessing. "
        "The network has learned nothing, and its scores are those of an untrained net."
    ),
    "floor": (
        "A baseline that any serious method must beat: chance, an SVM on raw pixels, an SVM on "
        "the features of the untrained net."
    ),
    "fold": (
        "One way of splitting the people into those who test, those who validate and those who "
        "train. With ten folds, each person is tested exactly once."
    ),
    "Gabor": (
        "Gabor filters respond to edges of one orientation and width. Their responses over the "
        "face are a classical description of expressions."
    ),
    "HOG": (
        "Histograms of oriented gradients: how strong the edges of each direction are in each cell "
        "of a patch. A description of shape that needs no training (Dalal and Triggs 2005)."
    ),
    "Holm's correction": (
        "Of many comparisons some look significant by chance. Holm's method raises each p value by "
        "how many there are, so that all that are called significant hold together."
    ),
    "inner accuracy": (
        "Accuracy of an SVM in the cross-validation, within the fitted people, that chooses its "
        "kernel and parameters. It says nothing about the tested people."
    ),
    "k": (
        "The number of patches per face: 60 (all), 5 (the squares on the landmarks at scale 1) or "
        "1 (the portrait at scale 1, a conventional CNN). The paper's Table 4 compares the three."
    ),
    "LBP": (
        "Local binary patterns: each pixel is described by which of its neighbours are brighter. "
        "Histograms of the patterns over parts of the face describe its texture."
    ),
    "LMDB": (
        "The database format from which Caffe reads its training images: one folder with a "
        "single memory-mapped file. Here it holds the patches."
    ),
    "macro-F1": (
        "Harmonic mean of precision and recall, computed per class and averaged, so that rare "
        "expressions count as much as frequent ones."
    ),
    "own split": (
        "Some sets say which pictures train and which test, and not who is shown. On these the "
        "same person may be on both sides, so that the accuracy says less about new people than "
        "one of person-independent folds. Single pictures take the place of people in its tests "
        "and intervals."
    ),
    "p": (
        "How often chance alone would make a difference as large. Below 0.05 it is called "
        "significant; above, it may be chance, which does not prove that there is none."
    ),
    "patch": (
        "A part of the face (portrait, strip, or square on a landmark) at one of three scales, "
        "as it is or mirrored: 10 regions x 3 scales x 2 = 60 patches."
    ),
    "permutation test": (
        "Two methods' answers are swapped for whole people, at random or in all ways, and p is how "
        "often the difference in accuracy is then at least as large as the one found. People are "
        "swapped, not faces, because faces of one person are not independent."
    ),
    "person-independent": (
        "No person is on two sides of a fold, so that every face is tested by a model that has "
        "never seen that person."
    ),
    "pooled": (
        "Computed over all tested faces together. The accuracy in the first column is the mean of "
        "the folds' accuracies instead, as in the paper."
    ),
    "profile": (
        "A set of prototxt files and their schedule: `paper` is the paper's AlexNet and solver, "
        "unchanged; `quick` is a small network for CPUs, a demonstration and not a replication; "
        "`better` is a small residual network trained on jittered patches, which is not a "
        "replication either."
    ),
    "rank": (
        "For each person the method that names most faces rightly has rank 1, the next 2; equal "
        "ones share their ranks. The mean over people says how often a method is ahead."
    ),
    "reference": (
        "The mean of a person's own unlabelled pictures, from which that person's faces are "
        "measured: it takes away who it is and leaves the expression. Not part of the paper's "
        "protocol; results with references stand in a table of their own."
    ),
    "rival": (
        "A method that the paper's is compared with, such as LBP, Gabor or HOG with an SVM, run on "
        "the same faces and folds. The paper's Tables 1 and 2 list such methods; HOG is our "
        "addition."
    ),
    "scheme": (
        "The table that says where the patches lie on a face. `deepid`, the default, was measured "
        "from Figure 3 of the DeepID paper, which I2CNN follows."
    ),
    "seed": (
        "The number from which initial weights and shuffles are drawn. Several seeds repeat every "
        "training, and the report gives the mean and the spread."
    ),
    "SVM": (
        "Support vector machine: the classifier on top of the features. Its kernel (linear, "
        "polynomial or RBF) and parameters (C, gamma, degree) are tuned within each fold."
    ),
    "untrained net": (
        "The same network with its initial random weights: what an SVM makes of random features. "
        "The difference from the trained net is what training contributed."
    ),
    "validation": (
        "During training, the network is checked on people whom it does not train on. The best "
        "weights are kept, and training stops once the accuracy no longer rises. Then the SVM is "
        "fitted on the training and validation people together."
    ),
}
