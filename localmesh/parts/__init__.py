"""The parts that a stack is made of: one file says all about one kind.

A further one is a file here, with a class that is a `Part`, and a line in `Stack.steps`.
"""
