"""Caffe's files and messages: prototxt, models, solver states, their upgrades."""
