"""Python layers as a user writes them for pycaffe; run by genuine Caffe and by torchcaffe."""

import json

import caffe
import numpy as np


class Scaled(caffe.Layer):
    """y = w x + shift, with one weight per column; a parameter, param_str and phase."""

    def setup(self, bottom, top):
        if len(bottom) != 1:
            raise Exception("Scaled takes one bottom")
        self.shift = json.loads(self.param_str)["shift"]
        self.blobs.add_blob(bottom[0].shape[1])
        self.blobs[0].data[...] = 2

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        sign = 1 if self.phase == caffe.TRAIN else -1
        top[0].data[...] = bottom[0].data * self.blobs[0].data + sign * self.shift

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum(0)
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff * self.blobs[0].data


class SquareLoss(caffe.Layer):
    """Half the squared distance per item; its weight is the layer's loss_weight."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        self.difference = np.zeros_like(bottom[0].data)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.difference[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.difference**2) / bottom[0].num / 2

    def backward(self, top, propagate_down, bottom):
        for i, sign in enumerate((1, -1)):
            if propagate_down[i]:
                bottom[i].diff[...] = sign * top[0].diff[0] * self.difference / bottom[0].num


class Counter(caffe.Layer):
    """A source whose batch grows: it takes its next items in reshape, as FCN's readers do."""

    def setup(self, bottom, top):
        self.number = 0

    def reshape(self, bottom, top):
        self.number += 1
        top[0].reshape(self.number, 2)

    def forward(self, bottom, top):
        top[0].data[...] = self.number

    def backward(self, top, propagate_down, bottom):
        pass
