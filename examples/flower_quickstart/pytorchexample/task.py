"""The network, the images, and how one is trained and tested on the other."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split

from federated_pneumonia_detection.data import load_source


class Net(nn.Module):
    """A small convolutional network."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 4 * 4, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 2)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 4 * 4)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


source = None  # loaded once in each process


def images_of(split):
    """All images of a split, from 0 to 1, and their labels."""
    global source
    if source is None:
        source = load_source(None, image_size=28, allow_download=False)
    images = torch.as_tensor(source.images[split], dtype=torch.float32).reshape(-1, 1, 28, 28) / 255
    return TensorDataset(images, torch.as_tensor(source.labels[split]))


def load_data(partition_id: int, num_partitions: int, batch_size: int):
    """The part of the training images that one client holds: four fifths to train on, the rest to test on."""
    everything = images_of("train")
    own = torch.utils.data.Subset(everything, range(partition_id, len(everything), num_partitions))
    train_part, test_part = random_split(own, [0.8, 0.2], generator=torch.Generator().manual_seed(42))
    return DataLoader(train_part, batch_size=batch_size, shuffle=True), DataLoader(test_part, batch_size=batch_size)


def load_centralized_dataset():
    """What the server tests the global model on."""
    return DataLoader(images_of("val"), batch_size=128)


def train(net, trainloader, epochs, lr, device):
    """Train the network; returns the mean loss of a batch."""
    net.to(device)
    criterion = nn.CrossEntropyLoss().to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    net.train()
    running_loss = 0.0
    for _ in range(epochs):
        for images, labels in trainloader:
            optimizer.zero_grad()
            loss = criterion(net(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
    return running_loss / (len(trainloader) * epochs)


def test(net, testloader, device):
    """The network's loss and accuracy."""
    net.to(device)
    criterion = nn.CrossEntropyLoss()
    correct, loss = 0, 0.0
    net.eval()
    with torch.no_grad():
        for images, labels in testloader:
            outputs = net(images.to(device))
            loss += criterion(outputs, labels.to(device)).item()
            correct += (outputs.argmax(1) == labels.to(device)).sum().item()
    return loss / len(testloader), correct / len(testloader.dataset)
