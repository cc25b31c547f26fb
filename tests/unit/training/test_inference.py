import numpy as np
import torch
from torch import nn

from federated_pneumonia_detection.training.inference import as_batch, predict_logits


class _Mean(nn.Module):
    def forward(self, images):
        return images.mean(dim=(1, 2, 3))


def test_bytes_become_floats_from_zero_to_one_with_a_channel():
    batch = as_batch(np.full((2, 4, 4), 255, np.uint8))
    assert batch.shape == (2, 1, 4, 4)
    assert batch.dtype == torch.float32
    assert batch.max() == 1


def test_the_size_of_the_batches_changes_nothing():
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8)
    assert torch.allclose(predict_logits(_Mean(), images, batch_size=3), predict_logits(_Mean(), images, batch_size=99))


def test_the_views_are_averaged():
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, :, 14:] = 255
    plain = predict_logits(_Mean(), images)
    seven = predict_logits(_Mean(), images, views=True)
    # Moved left as often as right, so the mean of a straight edge stays.
    assert torch.allclose(plain, seven, atol=1e-3)


def test_the_mode_of_the_network_is_as_before():
    network = _Mean().train()
    predict_logits(network, np.zeros((1, 8, 8), np.uint8))
    assert network.training


def test_no_image_gives_no_logit():
    assert predict_logits(_Mean(), np.empty((0, 8, 8), np.uint8)).shape == (0,)
