"""Layers that forks of Caffe added, by fork: what nets that genuine Caffe 1.0 refuses are for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Fork -> types of the layers that it added.
FORKS = {
    "SSD (weiliu89/caffe)": "Permute Normalize PriorBox DetectionOutput DetectionEvaluate "
    "AnnotatedData MultiBoxLoss VideoData",
    "Faster R-CNN (rbgirshick/caffe-fast-rcnn)": "ROIPooling SmoothL1Loss",
    "R-FCN (daijifeng001/caffe-rfcn)": "PSROIPooling BoxAnnotatorOHEM SoftmaxWithLossOHEM "
    "SmoothL1LossOHEM",
    "SegNet (alexgkendall/caffe-segnet)": "DenseImageData",
    "SegNet (alexgkendall/caffe-segnet), another one of PSPNet (hszhao/PSPNet)": "BN",
    "SegNet (alexgkendall/caffe-segnet), another one of YOLOv3's ports": "Upsample",
    "DeepLab and PSPNet (hszhao/PSPNet)": "Interp",
    "DeepLab": "ImageSegData MatRead MatWrite DenseCRF SegAccuracy UniqueLabel",
    "CRF-as-RNN": "MultiStageMeanfield",
    "SENet (hujie-frank/SENet)": "Axpy",
    "MobileNet's port (yonghenglh6/DepthwiseConvolution)": "DepthwiseConvolution",
    "MobileNet's port (farmingyard/caffe-mobilenet)": "ConvolutionDepthwise",
    "MobileNetV2's ports": "ReLU6",
    "ShuffleNet (farmingyard/ShuffleNet)": "ShuffleChannel",
    "YOLOv2's ports": "Reorg",
    "YOLO's ports": "RegionLoss YoloDetectionOutput Yolov3DetectionOutput EvalDetection BoxData",
    "FlowNet (lmb-freiburg)": "Correlation FlowWarp Resample DataAugmentation ChannelNorm "
    "CustomData GenerateAugmentationParameters FlowAugmentation Mean Downsample AccumLayer",
    "NVIDIA's caffe": "DetectNetTransformation L1Loss",
    "caffe-face (ydwen)": "CenterLoss",
    "SphereFace (wy1iu)": "MarginInnerProduct",
    "OpenPose": "ImResize Nms CPMData",
    "ENet (TimoSaemann)": "SpatialDropout",
    "spatial transformers (daerduoCarey)": "SpatialTransformer",
    "deformable convolution's ports": "DeformableConvolution",
}
_HOMES = {layer: fork for fork, layers in FORKS.items() for layer in layers.split()}
#: Name of a fork's field for a layer's settings, without underscores -> the layer.
_FIELDS = {layer.lower(): layer for layer in _HOMES}


def fork_of(layer: str) -> str:
    """The fork that added a type of layer; empty if none is known."""
    return _HOMES.get(layer, "")


def about_layer(name: str, known: Iterable[str]) -> str:
    """What to say of an unknown layer: the fork that has it, or a known one that is meant."""
    if name in _HOMES:
        return (
            f", a layer of {_HOMES[name]}, not of Caffe 1.0; docs/dialects.md shows how to add it"
        )
    exact = [other for other in known if other.lower() == name.lower()]
    close = exact or difflib.get_close_matches(name, list(known), n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""


def about_field(name: str) -> str:
    """What to say of an unknown field of a layer, or nothing."""
    layer = _FIELDS.get(name.removesuffix("_param").replace("_", ""))
    return f"; it is of {layer}{about_layer(layer, ())}" if layer else ""
