"""DetectionOutput: SSD's predictions turned into a list of boxes (weiliu89/caffe)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.layer import Layer, Shape, recording, register_dialect
from i2cnn.torchcaffe.dialects.boxes import check_predictions, read_priors, suppress


@register_dialect("DetectionOutput")
class DetectionOutput(Layer):
    """Boxes that remain after non-maximum suppression in each class.

    The top is (1, 1, detections, 7), by image and class and the surest first: image, class, score,
    xmin, ymin, xmax, ymax in parts of the image. Without any detection it has one row per image, -1
    but for the image.
    """

    bottoms = (3, 4)
    differentiable = False
    may_be_in_place = False

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.detection_output_param
        if not p.num_classes:
            raise self.fail("Must specify num_classes")
        if p.nms_param.nms_threshold < 0:
            raise self.fail("nms_threshold must be non negative.")
        if not 0 < p.nms_param.eta <= 1:
            raise self.fail(f"eta must be above 0 and at most 1, not {p.nms_param.eta}")
        if p.save_output_param.output_directory or p.visualize:
            log.warning(
                "detection_output_layer.cpp",
                f"{self.context.net}: layer {self.param.name!r}: no files are written and nothing "
                "is shown (save_output_param, visualize); the detections are in the top",
            )

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        p = self.param.detection_output_param
        check_predictions(self, shapes, p.num_classes, p.share_location)
        # How many there are follows from the data.
        return [(1, 1, 1, 7)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        if recording(bottoms[0].device):
            raise self.fail(
                "DetectionOutput cannot be exported, whose size follows from the numbers; end the "
                "net before it"
            )
        p = self.param.detection_output_param
        priors = read_priors(self, bottoms[2], p.code_type, not p.variance_encoded_in_target)
        images, number = len(bottoms[0]), len(priors.boxes)
        loc = bottoms[0].reshape(images, number, -1, 4).transpose(1, 2)
        boxes = priors.decode(loc).cpu()
        scores = bottoms[1].reshape(images, number, -1).cpu()
        found = [self._detect(i, boxes[i], scores[i]) for i in range(images)]
        top = torch.cat(found) if found else boxes.new_zeros(0, 7)
        if not len(top):
            top = boxes.new_full((images, 7), -1)
            top[:, 0] = torch.arange(images)
        return [top[None, None].to(self.context.device)]

    def _detect(self, image: int, boxes: Tensor, scores: Tensor) -> Tensor:
        """Rows of the top for one image.

        Parameters
        ----------
        boxes : Tensor of shape (location classes, priors, 4)
        scores : Tensor of shape (priors, classes)
        """
        p = self.param.detection_output_param
        classes = [c for c in range(p.num_classes) if c != p.background_label_id]
        own = torch.tensor([0 if p.share_location else c for c in classes], dtype=torch.long)
        scores = scores[:, classes].T
        least = p.confidence_threshold if p.HasField("confidence_threshold") else -torch.inf
        sure = scores > least
        most = int(sure.sum(1).max()) if classes else 0
        if p.nms_param.HasField("top_k") and p.nms_param.top_k > -1:
            most = min(most, p.nms_param.top_k)
        ranked = torch.where(sure, scores, -torch.inf)
        order = ranked.argsort(dim=1, descending=True, stable=True)[:, :most]
        kept = suppress(
            boxes[own[:, None], order],
            sure.gather(1, order),
            p.nms_param.nms_threshold,
            p.nms_param.eta,
        )
        row, place = kept.nonzero(as_tuple=True)
        prior = order[row, place]
        score = scores[row, prior]
        if -1 < p.keep_top_k < len(score):
            best = score.argsort(dim=0, descending=True, stable=True)[: p.keep_top_k].sort().values
            row, prior, score = row[best], prior[best], score[best]
        head = torch.stack([torch.full_like(score, image), torch.tensor(classes)[row], score], 1)
        return torch.cat([head, boxes[own[row], prior]], 1)
