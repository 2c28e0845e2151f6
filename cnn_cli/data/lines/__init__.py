"""Lines of digits for training, composed by the program: strips of ink with their texts."""
