import torch

from federated_pneumonia_detection.training.augmentation import augment, test_time_views


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_same_state_of_chance_gives_the_same_images():
    images = torch.rand(5, 1, 28, 28)
    assert torch.equal(augment(images, _generator()), augment(images, _generator()))
    assert not torch.equal(augment(images, _generator(1)), augment(images, _generator()))


def test_each_image_of_a_batch_is_changed_in_its_own_way():
    images = torch.rand(1, 1, 28, 28).expand(4, -1, -1, -1)
    changed = augment(images, _generator())
    assert not torch.allclose(changed[0], changed[1], atol=0.01)


def test_the_images_handed_in_stay_as_they_are_and_the_new_ones_in_range():
    images = torch.rand(64, 1, 28, 28)
    before = images.clone()
    changed = augment(images, _generator())
    assert torch.equal(images, before)
    assert changed.shape == images.shape
    assert changed.min() > -0.3
    assert changed.max() < 1.3


def test_the_changes_are_light():
    images = torch.zeros(256, 1, 28, 28)
    images[:, :, 8:20, 8:20] = 0.8
    changed = augment(images, _generator())
    assert (changed - images).abs().mean() < 0.2
    middle = changed[:, :, 12:16, 12:16].mean()
    assert 0.65 < middle < 0.9


def test_there_are_seven_views_and_the_first_is_the_image_itself():
    images = torch.rand(3, 1, 28, 28)
    views = test_time_views(images)
    assert views.shape == (7, 3, 1, 28, 28)
    assert torch.equal(views[0], images)


def test_four_views_are_moved_by_one_pixel_of_28():
    images = torch.rand(1, 1, 28, 28)
    views = test_time_views(images)
    assert torch.allclose(views[1][..., :, :-1], images[..., :, 1:], atol=1e-5)
    assert torch.allclose(views[2][..., :, 1:], images[..., :, :-1], atol=1e-5)
    assert torch.allclose(views[3][..., :-1, :], images[..., 1:, :], atol=1e-5)
    assert torch.allclose(views[4][..., 1:, :], images[..., :-1, :], atol=1e-5)


# pytest takes it for a test by its name.
test_time_views.__test__ = False
