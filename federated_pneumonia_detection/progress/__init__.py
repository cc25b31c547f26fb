"""What a training process imports: messages, journals, the polled document and the four loggers."""
