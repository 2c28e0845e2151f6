"""`cnn doctor`: checks of the installation, the machine and the files, and a self test."""
