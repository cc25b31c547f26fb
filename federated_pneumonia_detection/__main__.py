"""`python -m federated_pneumonia_detection` is `fpd`."""

from federated_pneumonia_detection.cli import main

if __name__ == "__main__":
    main()
