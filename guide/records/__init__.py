"""What was run where: the models of every file under ``records/``, and the one way to write them."""
