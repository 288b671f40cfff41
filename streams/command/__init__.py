"""Command: the one process that signs orders. Merges what is proposed and what people say into one order, and folds that."""
